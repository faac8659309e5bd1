import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { BackendOption } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { RequestOptions } from '../../src/queue/types/calls.ts';
import type { OnFailure } from '../../src/queue/types/request.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { arrivals, at, errorOf, folder, headerIn, realServer, record, world } from './harness.ts';

const NO = refuse({ status: 422, body: { error: 'no' } });
const MINUTE_MS = 60_000;
const WAITING = { ready: 0, scheduled: 0, blocked: 0, sending: 0, unknown: 0 };

const STORES: readonly (readonly [string, () => Promise<BackendOption>])[] = [
  ['memory', async () => ({ kind: 'memory' })],
  ['SQLite', async () => ({ kind: 'sqlite', path: join(await folder(), 'queue.db') })],
];

/** A queue at rest, on a real store and before a real server that refuses what comes first. */
async function start(backend: BackendOption) {
  const server = await realServer();
  const config = { backend, zones: { api: { origins: [server.origin], idempotency: 'stripe' as const } } };
  const queue = new QueueManager({ config });
  onTestFinished(() => queue.close());
  await queue.start();
  queue.pause();
  server.script.next(NO);
  const enqueue = (name: string, options: RequestOptions = {}) =>
    queue.enqueue({ method: 'POST', url: `${server.origin}/${name}`, body: name }, options);
  const go = async (): Promise<void> => {
    queue.resume();
    await queue.idle();
  };
  return { queue, server, enqueue, go };
}

type World = Awaited<ReturnType<typeof start>>;

/** A head that is refused, two behind it in its lane, one that waits for the head, one that waits for that one behind, and a stranger. */
async function fill({ enqueue }: World, onFailure: OnFailure | undefined) {
  const head = await enqueue('head', { lane: 'l', onFailure });
  const second = await enqueue('second', { lane: 'l' });
  const third = await enqueue('third', { lane: 'l' });
  const waits = await enqueue('waits', { after: [head.id] });
  const further = await enqueue('further', { after: [second.id] });
  const stranger = await enqueue('stranger', { lane: 'm' });
  return { head, second, third, waits, further, stranger };
}

async function endsOf(queue: QueueManager, of: Awaited<ReturnType<typeof fill>>): Promise<Record<string, string>> {
  const ends: Record<string, string> = {};
  for (const [name, { id }] of Object.entries(of)) {
    const stored = await queue.get(id);
    ends[name] = `${stored?.state} ${stored?.reason}`;
  }
  return ends;
}

describe.each(STORES)('what stands behind a failure, in %s', (_, store) => {
  it.each([undefined, 'continue'] as const)('goes on (%s), but for who waits for that very request', async (policy) => {
    const it = await start(await store());
    const all = await fill(it, policy);
    await it.go();
    expect(await endsOf(it.queue, all)).toEqual({
      head: 'dead rejected',
      second: 'succeeded applied',
      third: 'succeeded applied',
      waits: 'held dependency',
      further: 'succeeded applied',
      stranger: 'succeeded applied',
    });
  });

  it('stands still (halt), until a person lets it go on', async () => {
    const it = await start(await store());
    const held = record(it.queue, 'request:held');
    const all = await fill(it, 'halt');
    await it.go();
    expect(await endsOf(it.queue, all)).toEqual({
      head: 'dead rejected',
      second: 'held dependency',
      third: 'blocked lane',
      waits: 'held dependency',
      further: 'blocked dependency',
      stranger: 'succeeded applied',
    });
    expect(held.map(({ requestId, reason }) => [requestId, reason]).sort()).toEqual(
      [all.second.id, all.waits.id].map((id) => [id, 'dependency']),
    );
    expect(await it.queue.explain(all.further.id)).toMatchObject({
      root: { id: all.second.id, state: 'held', waitsFor: [{ what: 'decision', of: 'dependency' }] },
      wakesAt: null,
    });
    await it.queue.held.resolve(all.second.id, 'resend', 'ann');
    await it.queue.held.resolve(all.waits.id, 'discard', 'ann');
    await it.queue.idle();
    expect(await endsOf(it.queue, all)).toMatchObject({
      second: 'succeeded applied',
      third: 'succeeded applied',
      waits: 'dead discarded',
      further: 'succeeded applied',
    });
  });

  it('ends with it (cascade) in one step and one bundle, which is replayed as a whole, in its order, once', async () => {
    const it = await start(await store());
    const settled = record(it.queue, 'request:settled');
    const all = await fill(it, 'cascade');
    await it.go();
    const { head, second, third, waits, further, stranger } = all;
    expect(await endsOf(it.queue, all)).toEqual({
      head: 'dead rejected',
      second: 'dead abandoned',
      third: 'dead abandoned',
      waits: 'dead abandoned',
      further: 'dead abandoned',
      stranger: 'succeeded applied',
    });
    const bundle = [head, second, third, waits, further].map(({ id }) => id);
    expect(settled.map(({ requestId }) => requestId).sort()).toEqual([...bundle, stranger.id].sort());
    expect((await it.queue.deadLetters.list()).requests.map(({ id }) => id)).toEqual(bundle);
    expect((await it.queue.deadLetters.list({ bundle: head.id })).requests.map(({ id }) => id)).toEqual(
      bundle.slice(1),
    );
    expect(await Promise.all(bundle.map(async (id) => (await it.queue.explain(id)).bundle))).toEqual([
      null,
      ...bundle.slice(1).map(() => head.id),
    ]);

    it.queue.pause();
    expect(await it.queue.deadLetters.replayBundle(head.id)).toEqual({ matched: 5, done: 5 });
    expect(await it.queue.counts()).toMatchObject({ ready: 1, blocked: 4 });
    for (const id of bundle) {
      const old = await it.queue.get(id);
      expect(await it.queue.get(old?.replayedAs ?? '')).toMatchObject({ replayOf: id, lane: old?.lane });
    }
    await it.go();
    const sent = arrivals(it.server).slice(2);
    expect(sent.filter((line) => /head|second|third/.test(line))).toEqual(
      ['head', 'second', 'third'].map((name) => `POST /${name} ${name}`),
    );
    expect(sent.indexOf('POST /waits waits')).toBeGreaterThan(sent.indexOf('POST /head head'));
    expect(sent.indexOf('POST /further further')).toBeGreaterThan(sent.indexOf('POST /second second'));
    const [first, again] = it.server.ledger.entries.filter(({ resource }) => resource === '/head');
    expect(headerIn(again?.request as never, 'idempotency-key')).toBe(
      headerIn(first?.request as never, 'idempotency-key'),
    );
    expect(await it.queue.counts()).toMatchObject({ ...WAITING, dead: 5, succeeded: 6, held: 0 });
    expect((await errorOf(it.queue.deadLetters.replayBundle(head.id))).code).toBe('ILLEGAL_MOVE');
    expect((await errorOf(it.queue.deadLetters.replayBundle(stranger.id))).code).toBe('ILLEGAL_MOVE');
  });

  it('ends with what makes a thing, unless that says otherwise', async () => {
    const it = await start(await store());
    it.server.script.next(NO, NO);
    const [one, two, three] = [it.queue.localId('t'), it.queue.localId('t'), it.queue.localId('t')];
    const make = async (localId: string, onFailure?: OnFailure) => {
      await it.enqueue('things', { localId, onFailure });
      return it.queue.enqueue({ method: 'POST', url: `${it.server.origin}/notes`, body: { of: localId } });
    };
    const notes = [await make(one), await make(two, 'continue'), await make(three, 'halt')];
    await it.go();
    const states = await Promise.all(notes.map(async ({ id }) => (await it.queue.get(id))?.reason));
    expect(states).toEqual(['abandoned', 'dependency', 'dependency']);
  });

  it('is told to its callers', async () => {
    const it = await start(await store());
    const head = await it.enqueue('head', { lane: 'l', onFailure: 'cascade' });
    const [behind, after] = [
      it.queue.call({ method: 'POST', url: `${it.server.origin}/behind` }, { lane: 'l' }),
      it.queue.call({ method: 'POST', url: `${it.server.origin}/after` }, { after: [head.id] }),
    ];
    await Promise.all([behind.accepted(), after.accepted()]);
    const ends = Promise.all([head.settled(), behind.settled(), after.settled()]);
    await it.go();
    expect(await ends).toMatchObject([
      { state: 'dead', reason: 'rejected', error: { code: 'REQUEST_REJECTED' } },
      { state: 'dead', reason: 'abandoned', error: { code: 'REQUEST_DISCARDED', details: { reason: 'abandoned' } } },
      { state: 'dead', reason: 'abandoned', error: { code: 'REQUEST_DISCARDED' } },
    ]);
    expect(arrivals(it.server)).toHaveLength(1);
  });
});

describe('a cascade', () => {
  const post = (test: TestQueue, name: string, options: RequestOptions = {}) =>
    test.queue.enqueue({ method: 'POST', url: at(`/${name}`), body: name }, options);

  it.each<[how: string, fail: (test: TestQueue, id: string) => Promise<unknown>, reason: string]>([
    ['a deadline', (test) => test.clock.advance(2 * MINUTE_MS), 'expired'],
    [
      'a person',
      async (test, id) => {
        test.network.online = true;
        test.server.script.next(refuse({ status: 402 }));
        await test.clock.advance(30_000);
        await test.queue.held.resolve(id, 'discard', 'ann');
      },
      'discarded',
    ],
    [
      'a server that keeps failing',
      async (test) => {
        test.network.online = true;
        test.server.script.always(refuse({ status: 408 }));
        await test.clock.advance(90_000);
      },
      'exhausted',
    ],
  ])('follows an end by %s', async (_, fail, reason) => {
    const test = await world({ maxAttempts: 2 });
    test.network.online = false;
    const deadline = test.clock.now() + 100_000;
    const { id } = await post(test, 'head', { lane: 'l', onFailure: 'cascade', deadline });
    const behind = await post(test, 'behind', { lane: 'l' });
    const after = await post(test, 'after', { after: [behind.id] });
    await fail(test, id);
    expect(await test.queue.get(id)).toMatchObject({ state: 'dead', reason });
    for (const one of [behind, after]) {
      expect(await test.queue.get(one.id)).toMatchObject({ state: 'dead', reason: 'abandoned', bundle: id });
    }
  });

  it('that is cancelled takes along who waits for it, and lets its lane go on', async () => {
    const test = await world();
    test.queue.pause();
    const head = await post(test, 'head', { lane: 'l', onFailure: 'cascade' });
    const behind = await post(test, 'behind', { lane: 'l' });
    const waiting = test.queue.call({ method: 'POST', url: at('/after') }, { after: [head.id] });
    await waiting.accepted();
    const end = waiting.settled();
    expect(await head.cancel()).toBe(true);
    expect(await end).toMatchObject({ state: 'dead', reason: 'abandoned' });
    test.queue.resume();
    await test.clock.advance(1_000);
    expect(await test.queue.get(behind.id)).toMatchObject({ state: 'succeeded' });
  });

  it('is whole or not there at all after a crash, and told once', async () => {
    for (const point of ['settle:beforeCommit', 'settle:afterCommit'] as const) {
      const test = await world();
      test.network.online = false;
      test.server.script.always(NO);
      const { id } = await post(test, 'head', { lane: 'l', onFailure: 'cascade' });
      for (let n = 0; n < 5; n += 1) await post(test, `b${n}`, { lane: 'l' });
      await test.clock.settle();
      test.network.online = true;
      const stopped = test.stopAt(point);
      await test.clock.advance(2 * MINUTE_MS);
      await stopped;
      await test.crash();
      const { dead } = await test.queue.counts();
      expect(dead).toBe(point === 'settle:afterCommit' ? 6 : 0);
      await test.clock.advance(10 * MINUTE_MS);
      if (point === 'settle:afterCommit') expect(test.server.ledger.entries).toHaveLength(1);
      else expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
      expect(arrivals(test.server).filter((line) => line.includes('/b'))).toEqual([]);
    }
  });

  it('leaves one member to be replayed by itself, and the rest with its bundle', async () => {
    const test = await world();
    test.queue.pause();
    test.server.script.next(NO);
    const head = await post(test, 'head', { lane: 'l', onFailure: 'cascade' });
    const [one, two] = [await post(test, 'one', { lane: 'l' }), await post(test, 'two', { lane: 'l' })];
    test.queue.resume();
    await test.clock.advance(1_000);
    expect(await test.queue.deadLetters.replay({ ids: [one.id] })).toMatchObject({ done: 1 });
    await test.clock.advance(1_000);
    expect(await test.queue.deadLetters.replayBundle(head.id)).toEqual({ matched: 2, done: 2 });
    await test.clock.advance(1_000);
    expect(arrivals(test.server)).toEqual(['head', 'one', 'head', 'two'].map((name) => `POST /${name} ${name}`));
    expect(await test.queue.get(two.id)).toMatchObject({ replayedAs: expect.any(String) });
  });
});
