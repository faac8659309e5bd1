import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { at, errorOf, world } from './harness.ts';

const DAY_MS = 86_400_000;
const ALL = { zone: 'api' };
const ZONES = { zones: { api: { origins: [at('')] } } };
/** What is in doubt after a crash is sent again. */
const KEYED = { zones: { api: { origins: [at('')], idempotency: 'stripe' } } } as const;

const post = (body: unknown = 'x') => ({ method: 'POST', url: at('/notes'), body });

async function deadOnes(test: TestQueue, count: number, options: object = {}): Promise<string[]> {
  const before = (await test.queue.counts()).dead;
  test.server.script.always(refuse({ status: 422 }));
  const items = Array.from({ length: count }, (_, n) => ({ request: post(`${before + n}`), options }));
  const made = await test.queue.enqueueMany(items);
  await test.clock.advanceUntil(async () => (await test.queue.counts()).dead === before + count, 600_000);
  test.server.script.clear();
  return made.map(({ id }) => id);
}

function applied(test: TestQueue): string[] {
  return test.server.ledger.entries
    .filter(({ outcome }) => outcome === 'applied')
    .map(({ request }) => `${request.body}`);
}

describe('a bulk replay', () => {
  it('tells how far it is, and is not disturbed by who is told', async () => {
    const test = await world(ZONES);
    await deadOnes(test, 3);
    const seen: object[] = [];
    const result = await test.queue.deadLetters.replay(ALL, {
      onProgress: (progress) => {
        seen.push(progress);
        throw new Error('mine');
      },
    });
    expect(result).toEqual({ matched: 3, done: 3, failed: 0, failures: [], stoppedBy: null });
    expect(seen).toEqual([1, 2, 3].map((done) => ({ matched: 3, done, failed: 0 })));
  });

  it('goes on past one that cannot be accepted, and says which and why', async () => {
    let isStrict = false;
    const test = await world({
      zones: {
        api: {
          origins: [at('')],
          endpoint: {
            of: ({ path }) => {
              if (isStrict && path === '/odd') throw new Error('an odd path');
              return 'any';
            },
          },
        },
      },
    });
    const ids = await deadOnes(test, 2);
    test.server.script.always(refuse({ status: 422 }));
    const { id: odd } = await test.queue.enqueue({ method: 'POST', url: at('/odd'), body: 'odd' }, { tags: ['odd'] });
    await test.clock.settle();
    ids.push(...(await deadOnes(test, 2)));
    isStrict = true;
    const result = await test.queue.deadLetters.replay(ALL);
    expect(result.matched).toBe(5);
    expect(result.done + result.failed).toBe(5);
    expect(result.failures.map(({ id }) => id)).toEqual(result.failed === 0 ? [] : [odd]);
    for (const id of ids) expect(await test.queue.get(id)).toMatchObject({ replayedAs: expect.any(String) });
  });

  it('ends where the queue is full, with what was done, and goes on when it is repeated', async () => {
    const test = await world({ ...ZONES, maxSize: 4 });
    for (let n = 0; n < 2; n += 1) await deadOnes(test, 3);
    test.queue.pause();
    const first = await test.queue.deadLetters.replay(ALL);
    expect(first).toMatchObject({ matched: 6, done: 4, failed: 0, stoppedBy: { code: 'QUEUE_FULL' } });
    expect(await test.queue.deadLetters.replay(ALL)).toMatchObject({
      matched: 2,
      done: 0,
      stoppedBy: { code: 'QUEUE_FULL' },
    });
    test.queue.resume();
    await test.clock.settle();
    expect(await test.queue.deadLetters.replay(ALL)).toMatchObject({ matched: 2, done: 2, stoppedBy: null });
    await test.clock.settle();
    expect(applied(test).sort()).toEqual(['0', '1', '2', '3', '4', '5']);
  });

  it('keeps its distance by a clock that steps', async () => {
    const test = await world(ZONES);
    await deadOnes(test, 5);
    const replay = test.queue.deadLetters.replay(ALL, { ratePerSecond: 0.5 });
    await test.clock.advance(100);
    expect(applied(test)).toHaveLength(1);
    test.clock.setWall(test.clock.now() - DAY_MS);
    await test.clock.advance(2_000);
    expect(applied(test)).toHaveLength(2);
    test.clock.setWall(test.clock.now() + 2 * DAY_MS);
    await test.clock.advance(100);
    expect(applied(test)).toHaveLength(2);
    await test.clock.advance(6_000);
    expect(await replay).toMatchObject({ done: 5 });
    expect(applied(test)).toHaveLength(5);
  });

  it('does not send what was purged, or replayed by somebody else, while it was waiting for its turn', async () => {
    const test = await world(ZONES);
    const ids = await deadOnes(test, 4);
    const replay = test.queue.deadLetters.replay(ALL, { ratePerSecond: 1 });
    await test.clock.advance(100);
    await test.queue.deadLetters.purge({ ids: [ids[1] as string] });
    await test.queue.deadLetters.replay({ ids: [ids[2] as string] });
    await test.clock.advance(60_000);
    expect(await replay).toMatchObject({ matched: 4, done: 2, failed: 0, stoppedBy: null });
    expect(applied(test)).toEqual(['0', '2', '3']);
  });

  it('leaves alone what died after it had begun', async () => {
    const test = await world(ZONES);
    await deadOnes(test, 2);
    test.queue.pause();
    const { id } = await test.queue.enqueue(post('late'), { lane: 'l' });
    const replay = test.queue.deadLetters.replay({ zone: 'api' }, { ratePerSecond: 1 });
    await test.clock.advance(100);
    test.server.script.always(refuse({ status: 422 }));
    test.queue.resume();
    await test.clock.advance(60_000);
    expect(await replay).toMatchObject({ matched: 2, done: 2 });
    expect(await test.queue.get(id)).toMatchObject({ state: 'dead', replayedAs: null });
  });

  it('ends with the queue, and says so', async () => {
    const test = await world(ZONES);
    await deadOnes(test, 3);
    const replay = test.queue.deadLetters.replay(ALL, { ratePerSecond: 0.001 });
    await test.clock.settle();
    const closing = test.queue.close();
    await test.clock.advance(30_000);
    await closing;
    expect(await replay).toMatchObject({ matched: 3, done: 1, stoppedBy: { code: 'QUEUE_CLOSED' } });
  });

  it('refuses options that are wrong, with all their problems, and does nothing', async () => {
    const test = await world(ZONES);
    await deadOnes(test, 1);
    const wrong = { ratePerSecond: 0, expect: -1, dryrun: true, onProgress: 1, signal: {}, dryRun: 'yes' } as never;
    for (const verb of ['replay', 'purge'] as const) {
      const error = await errorOf(test.queue.deadLetters[verb](ALL, wrong));
      expect(error).toMatchObject({ code: 'REQUEST_INVALID' });
      expect((error.details as { problems: object[] }).problems).toMatchObject([
        { path: 'options.ratePerSecond' },
        { path: 'options.expect' },
        { path: 'options.dryrun', expected: "a known name (did you mean 'dryRun'?)" },
        { path: 'options.onProgress' },
        { path: 'options.signal' },
        { path: 'options.dryRun' },
      ]);
    }
    expect(await test.queue.deadLetters.stats()).toMatchObject({ count: 1, untouched: 1 });
  });

  it('that was called off before it began does nothing', async () => {
    const test = await world(ZONES);
    await deadOnes(test, 1);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(test.queue.deadLetters.replay(ALL, { signal })).rejects.toThrow('enough');
    expect(await test.queue.deadLetters.stats()).toMatchObject({ untouched: 1 });
  });

  it('is repeated after a crash anywhere in it, and replays each once', async () => {
    for (const point of ['accept:beforeCommit', 'accept:duringCommit', 'accept:afterCommit'] as const) {
      for (const nth of [1, 2, 3]) {
        const test = await world(KEYED);
        await deadOnes(test, 4);
        const stopped = test.stopAt(point, nth);
        void test.queue.deadLetters.replay(ALL).catch(() => undefined);
        await stopped;
        const queue = await test.crash();
        await test.clock.advance(60_000);
        await queue.deadLetters.replay(ALL);
        await test.clock.advance(60_000);
        expect(applied(test).sort(), `${point} ${nth}`).toEqual(['0', '1', '2', '3']);
        expect(await queue.deadLetters.stats()).toMatchObject({ count: 4, replayed: 4 });
      }
    }
  });

  it('is known of even where its mark was lost, and its own record is gone since', async () => {
    const test = await world({ ...KEYED, retention: { succeededMs: 60_000 } });
    const [id = ''] = await deadOnes(test, 1);
    const stopped = test.stopAt('accept:afterCommit');
    void test.queue.deadLetters.replay({ ids: [id] }).catch(() => undefined);
    await stopped;
    const queue = await test.crash();
    await test.clock.advance(60_000);
    expect(applied(test)).toEqual(['0']);
    await test.clock.advanceUntil(async () => (await queue.counts()).succeeded === 0, 3_600_000);
    expect((await queue.find({ state: 'succeeded' })).requests).toEqual([]);
    expect(await queue.deadLetters.replay({ ids: [id] })).toMatchObject({ matched: 0 });
    await test.clock.advance(60_000);
    expect(applied(test)).toEqual(['0']);
  });

  it('keeps the key and the bytes of what may have been applied', async () => {
    const test = await world(KEYED);
    const [id = ''] = await deadOnes(test, 1, { key: 'k' });
    const before = await test.queue.get(id);
    await test.queue.deadLetters.replay({ ids: [id] });
    await test.clock.settle();
    const [copy] = (await test.queue.find({ state: 'succeeded' })).requests;
    expect(copy).toMatchObject({ replayOf: id, idempotencyKey: before?.idempotencyKey, content: before?.content });
  });
});

describe('a purge', () => {
  it('does not take one whose replay is being accepted', async () => {
    const test = await world(ZONES);
    const ids = await deadOnes(test, 2);
    const [replayed, purged] = await Promise.all([
      test.queue.deadLetters.replay({ ids }),
      test.queue.deadLetters.purge({ ids, replayed: false }),
    ]);
    await test.clock.settle();
    const left = await Promise.all(ids.map((id) => test.queue.get(id)));
    const done = applied(test).length;
    // Each was either replayed or deleted; who was replayed is still there to show it, unless it was deleted afterwards.
    expect(done).toBe(replayed.done);
    expect(left.filter((one) => one === undefined)).toHaveLength(purged.done);
    for (const one of left) if (one !== undefined) expect(one.replayedAs).not.toBeNull();
  });

  it('says which are kept because a request waits for them', async () => {
    const test = await world(ZONES);
    const [id = ''] = await deadOnes(test, 1);
    expect(await test.queue.deadLetters.purge({ ids: [id] }, { dryRun: true, expect: 1 })).toMatchObject({
      matched: 1,
      done: 0,
    });
    expect((await errorOf(test.queue.deadLetters.purge({ ids: [id] }, { expect: 2 }))).code).toBe('BULK_REFUSED');
    expect(await test.queue.get(id)).toMatchObject({ state: 'dead' });
    test.server.script.next(refuse({ status: 422 }));
    test.queue.pause();
    const first = await test.queue.enqueue(post('first'));
    const second = await test.queue.enqueue(post('second'), { after: [first.id] });
    test.queue.resume();
    await test.clock.settle();
    expect(await test.queue.get(second.id)).toMatchObject({ state: 'held', reason: 'dependency' });
    const result = await test.queue.deadLetters.purge({ ids: [id, first.id] });
    expect(result).toMatchObject({
      matched: 2,
      done: 1,
      failed: 1,
      failures: [{ id: first.id, code: 'ILLEGAL_MOVE' }],
    });
  });

  it('is left in the log', async () => {
    const logged: unknown[][] = [];
    const log = (...entry: unknown[]): void => void logged.push(entry);
    const test = await world({ ...ZONES, logger: { debug: log, info: log, warn: log, error: log } });
    await deadOnes(test, 2);
    await test.queue.deadLetters.purge(ALL);
    expect(logged).toContainEqual(['dead letters were purged', { done: 2, matched: 2 }]);
  });
});
