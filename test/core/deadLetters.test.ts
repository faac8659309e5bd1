import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { at, errorOf, folder, headerIn, onFile, realServer, world } from './harness.ts';

const post = (body: unknown = 'x') => ({ method: 'POST', url: at('/notes'), body });

async function deadOne(test: TestQueue, body: unknown = 'x', options: object = {}): Promise<string> {
  test.server.script.next(refuse({ status: 422, body: { error: 'no' } }));
  const { id } = await test.queue.enqueue(post(body), options);
  await test.clock.settle();
  expect(await test.queue.get(id)).toMatchObject({ state: 'dead', reason: 'rejected' });
  return id;
}

async function toldOne(test: TestQueue): Promise<string> {
  test.server.script.next(refuse({ status: 422 }));
  const { id } = await test.queue.call(post('told')).settled();
  await test.clock.settle();
  return id;
}

describe('deadLetters.list', () => {
  it('shows writes that nobody was told of, and the others when asked', async () => {
    const test = await world();
    const silent = await deadOne(test);
    const told = await toldOne(test);
    expect(await test.queue.get(told)).toMatchObject({ told: true });
    expect(await test.queue.get(silent)).toMatchObject({ told: false });
    expect((await test.queue.deadLetters.list()).requests.map(({ id }) => id)).toEqual([silent]);
    const all = await test.queue.deadLetters.list({ includeTold: true });
    expect(all.requests.map(({ id }) => id)).toEqual([silent, told]);
  });

  it('shows no read, and nothing that was cancelled', async () => {
    const test = await world();
    test.server.script.next(refuse({ status: 404 }));
    await test.queue.enqueue({ method: 'GET', url: at('/me') });
    await test.clock.settle();
    test.queue.pause();
    await (await test.queue.enqueue(post())).cancel();
    expect((await test.queue.deadLetters.list({ includeTold: true })).requests).toEqual([]);
  });

  it('goes page by page over those it does not show', async () => {
    const test = await world();
    const ids: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      await toldOne(test);
      ids.push(await deadOne(test));
    }
    const seen: string[] = [];
    for (let after: number | null = null; ; ) {
      const page = await test.queue.deadLetters.list({}, { limit: 3, after });
      seen.push(...page.requests.map(({ id }) => id));
      if (page.next === null) break;
      after = page.next;
    }
    expect(seen).toEqual(ids);
  });

  it('keeps the answer that ended it', async () => {
    const test = await world();
    await deadOne(test);
    const [letter] = (await test.queue.deadLetters.list()).requests;
    expect(letter?.result?.status).toBe(422);
    expect(new TextDecoder().decode(letter?.result?.body ?? undefined)).toBe('{"error":"no"}');
  });
});

describe('deadLetters.replay', () => {
  it('accepts a new request with the same bytes and key, and marks the old one', async () => {
    const test = await world({ zones: { api: { origins: [at('')], idempotency: 'stripe' } } });
    const id = await deadOne(test, 'žluť', { lane: 'l', priority: 9, tags: ['t'], key: 'k' });
    const result = await test.queue.deadLetters.replay({ ids: [id] });
    expect(result).toMatchObject({ matched: 1, done: 1, failed: 0 });
    await test.clock.settle();
    const old = await test.queue.get(id);
    const copy = await test.queue.get(old?.replayedAs ?? '');
    expect(old).toMatchObject({ state: 'dead', replayedAs: copy?.id });
    expect(copy).toMatchObject({ replayOf: id, priority: 9, tags: ['t'], lane: old?.lane, state: 'succeeded' });
    expect(copy?.content).toEqual(old?.content);
    const keys = test.server.ledger.entries.map(({ request }) => headerIn(request, 'idempotency-key'));
    expect(keys).toEqual(['k', 'k']);
    expect(test.server.ledger.entries.map(({ request }) => request.body)).toEqual(['žluť', 'žluť']);
  });

  it('does not replay twice what was replayed', async () => {
    const test = await world();
    const id = await deadOne(test);
    await test.queue.deadLetters.replay({ ids: [id] });
    expect((await test.queue.deadLetters.replay({ ids: [id] })).done).toBe(0);
    await test.clock.settle();
    expect(test.server.ledger.applied()).toBe(1);
  });

  it('replays once when two ask at the same time', async () => {
    const test = await world();
    const id = await deadOne(test);
    const both = await Promise.all([0, 1].map(() => test.queue.deadLetters.replay({ ids: [id] })));
    expect(both.reduce((sum, { done }) => sum + done, 0)).toBe(1);
    await test.clock.settle();
    expect(test.server.ledger.applied()).toBe(1);
  });

  it('replays once when it is cut off between acceptance and mark, and asked for again', async () => {
    const test = await world();
    const id = await deadOne(test);
    const stopped = test.stopAt('accept:afterCommit');
    void test.queue.deadLetters.replay({ ids: [id] }).catch(() => undefined);
    await stopped;
    const queue = await test.crash();
    await test.clock.settle();
    expect(await queue.deadLetters.replay({ ids: [id] })).toMatchObject({ matched: 1, done: 1, failed: 0 });
    await test.clock.settle();
    const { requests } = await queue.find({});
    expect(requests.map(({ replayOf }) => replayOf)).toEqual([null, id]);
    expect(await queue.get(id)).toMatchObject({ replayedAs: requests[1]?.id });
  });

  it('takes a new place at the end of its lane', async () => {
    const test = await world();
    const id = await deadOne(test, '1', { lane: 'l' });
    test.queue.pause();
    await test.queue.enqueue(post('2'), { lane: 'l' });
    await test.queue.deadLetters.replay({ ids: [id] });
    test.queue.resume();
    await test.clock.settle();
    const applied = test.server.ledger.entries.filter(({ outcome }) => outcome === 'applied');
    expect(applied.map(({ request }) => request.body)).toEqual(['2', '1']);
  });

  it('is sent by whoever has a credential of its principal', async () => {
    const test = await world();
    test.server.script.next(refuse({ status: 422 }));
    const headers = { authorization: 'Bearer one' };
    const { id } = await test.queue.enqueue({ ...post(), headers });
    await test.clock.settle();
    const queue = await test.crash();
    await queue.deadLetters.replay({ ids: [id] });
    await test.clock.advance(60_000);
    expect(test.server.ledger.applied()).toBe(0);
    await queue.enqueue({ ...post('y'), headers });
    await test.clock.advance(60_000);
    expect(test.server.ledger.applied()).toBe(2);
    for (const { request } of test.server.ledger.entries) expect(headerIn(request, 'authorization')).toBe('Bearer one');
  });
});

describe('bulk verbs', () => {
  it('refuse an empty filter and another count than expected, and do nothing then', async () => {
    const test = await world();
    await deadOne(test);
    for (const verb of ['replay', 'purge'] as const) {
      const letters = test.queue.deadLetters;
      expect((await errorOf(letters[verb]({}))).code).toBe('BULK_REFUSED');
      expect((await errorOf(letters[verb]({ zone: undefined }))).code).toBe('BULK_REFUSED');
      const error = await errorOf(letters[verb]({ zone: at('') }, { expect: 2 }));
      expect(error).toMatchObject({ code: 'BULK_REFUSED', details: { matched: 1, expect: 2 } });
      expect(await letters[verb]({ zone: at('') }, { dryRun: true, expect: 1 })).toMatchObject({
        matched: 1,
        done: 0,
        failed: 0,
      });
    }
    await test.clock.settle();
    expect(test.server.ledger.applied()).toBe(0);
    expect((await test.queue.deadLetters.list()).requests).toHaveLength(1);
  });

  it('leave those alone whose caller was told, as the list does, unless asked or named', async () => {
    const test = await world();
    const silent = await deadOne(test);
    const told = [await toldOne(test), await toldOne(test), await toldOne(test)];
    const all = { zone: at('') };
    expect(await test.queue.deadLetters.replay(all)).toMatchObject({ matched: 1, done: 1, failed: 0 });
    expect(await test.queue.get(silent)).toMatchObject({ replayedAs: expect.any(String) });
    expect(await test.queue.deadLetters.purge(all)).toMatchObject({ matched: 1, done: 1, failed: 0 });
    const ids = [told[0] as string];
    expect((await test.queue.deadLetters.list({ ids })).requests).toHaveLength(1);
    expect(await test.queue.deadLetters.replay({ ids })).toMatchObject({ matched: 1, done: 1, failed: 0 });
    expect(await test.queue.deadLetters.replay({ ids: told, includeTold: false })).toMatchObject({
      matched: 0,
      done: 0,
      failed: 0,
    });
    expect(await test.queue.deadLetters.purge({ ...all, includeTold: true })).toMatchObject({
      matched: 3,
      done: 3,
      failed: 0,
    });
    expect((await errorOf(test.queue.deadLetters.purge({ includeTold: true }))).code).toBe('BULK_REFUSED');
  });

  it('count dead letters only, not reads that ended, nor those replayed before', async () => {
    const test = await world();
    const id = await deadOne(test);
    test.server.script.next(refuse({ status: 404 }));
    await test.queue.enqueue({ method: 'GET', url: at('/me') });
    await test.clock.settle();
    expect(await test.queue.deadLetters.purge({ zone: at('') }, { dryRun: true })).toMatchObject({
      matched: 1,
      done: 0,
      failed: 0,
    });
    expect(await test.queue.deadLetters.replay({ zone: at('') }, { expect: 1 })).toMatchObject({
      matched: 1,
      done: 1,
      failed: 0,
    });
    expect(await test.queue.deadLetters.replay({ zone: at('') }, { dryRun: true })).toMatchObject({
      matched: 0,
      done: 0,
      failed: 0,
    });
    expect(await test.queue.deadLetters.purge({ zone: at('') }, { expect: 1 })).toMatchObject({
      matched: 1,
      done: 1,
      failed: 0,
    });
    expect(await test.queue.get(id)).toBeUndefined();
  });

  it('purge for good, page by page', async () => {
    const test = await world();
    test.server.script.always(refuse({ status: 422 }));
    await test.queue.enqueueMany(Array.from({ length: 250 }, (_, n) => ({ request: post(n) })));
    await test.clock.advanceUntil(async () => (await test.queue.counts()).dead === 250, 60_000);
    expect(await test.queue.deadLetters.purge({ zone: at('') })).toMatchObject({ matched: 250, done: 250, failed: 0 });
    expect((await test.queue.counts()).dead).toBe(0);
  });

  it('keep to a rate, and stop with their signal', async () => {
    const test = await world();
    for (let n = 0; n < 4; n += 1) await deadOne(test, n);
    const stop = new AbortController();
    const replay = test.queue.deadLetters.replay({ zone: at('') }, { ratePerSecond: 2, signal: stop.signal });
    await test.clock.advance(600);
    expect(test.server.ledger.applied()).toBe(2);
    stop.abort(new Error('enough'));
    await expect(replay).rejects.toThrow('enough');
    await test.clock.advance(10_000);
    expect(test.server.ledger.applied()).toBe(2);
  });

  it('work on a file', async () => {
    const server = await realServer();
    server.script.always(refuse({ status: 422 }));
    const queue = await onFile(`${await folder()}/q.db`);
    for (let n = 0; n < 5; n += 1) await queue.enqueue({ method: 'POST', url: `${server.origin}/a`, body: `${n}` });
    await queue.idle();
    server.script.clear();
    expect(await queue.deadLetters.replay({ zone: server.origin }, { expect: 5 })).toMatchObject({
      matched: 5,
      done: 5,
      failed: 0,
    });
    await queue.idle();
    expect(server.ledger.applied()).toBe(5);
    expect(await queue.deadLetters.purge({ zone: server.origin })).toMatchObject({ matched: 5, done: 5, failed: 0 });
    expect(await queue.counts()).toMatchObject({ dead: 0, succeeded: 5 });
  });
});
