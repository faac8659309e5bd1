import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { hang, park, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { at, errorOf, folder, onFile, realServer, record, world } from './harness.ts';

const post = (body: unknown = { n: 1 }) => ({ method: 'POST', url: at('/notes'), body });
const get = (path = '/me') => ({ method: 'GET', url: at(path) });

async function callOnce(test: TestQueue, status: number, request: object = post()) {
  test.server.script.next(refuse({ status, headers: [['x-why', 'because']], body: { status } }));
  const settled = test.queue.call(request as ReturnType<typeof post>).settled();
  await test.clock.settle();
  return settled;
}

describe('a waiting caller', () => {
  it.each([400, 401, 402, 403, 404, 405, 406, 409, 410, 411, 412, 413, 414, 415, 416, 422, 426, 428, 431, 451])(
    'is given %i as it is',
    async (status) => {
      const test = await world();
      const settled = await callOnce(test, status);
      expect(settled).toMatchObject({ state: 'dead', reason: 'rejected', response: { status } });
      expect(settled.error).toMatchObject({ code: 'REQUEST_REJECTED', details: { response: { status } } });
      expect(settled.response?.headers).toContainEqual(['x-why', 'because']);
      expect(JSON.parse(new TextDecoder().decode(settled.response?.body))).toEqual({ status });
      await test.clock.advance(60_000);
      expect(test.server.ledger.entries).toHaveLength(1);
      expect(await test.queue.counts()).toMatchObject({ dead: 1, held: 0 });
    },
  );

  it.each([401, 402, 403, 404, 409, 412, 426])('of a read is given %i as it is', async (status) => {
    const test = await world();
    const settled = await callOnce(test, status, get());
    expect(settled.error).toMatchObject({ code: 'REQUEST_REJECTED', details: { response: { status } } });
    expect(test.server.ledger.entries).toHaveLength(1);
  });

  it.each([
    [401, 'auth', 'AUTH_REQUIRED'],
    [402, 'quota', 'REQUEST_HELD'],
    [409, 'conflict', 'CONFLICT'],
    [412, 'conflict', 'CONFLICT'],
    [426, 'upgrade', 'REQUEST_HELD'],
    [428, 'conflict', 'CONFLICT'],
  ])('who comes later finds what was answered %i held (%s)', async (status, reason, code) => {
    const test = await world();
    test.server.script.next(refuse({ status }));
    const one = await test.queue.enqueue(post());
    await test.clock.settle();
    expect(await test.queue.get(one.id)).toMatchObject({ state: 'held', reason });
    expect(await one.settled()).toMatchObject({ state: 'held', error: { code } });
  });

  it('is told at once when its request becomes held', async () => {
    const test = await world();
    const held = record(test.queue, 'request:held');
    test.server.script.next({ kind: 'reset', apply: true });
    const settled = test.queue.call(post()).settled();
    await test.clock.settle();
    expect(await settled).toMatchObject({ state: 'held', reason: 'unknown', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(held).toHaveLength(1);
  });

  it('is told REQUEST_EXPIRED when its deadline passes', async () => {
    const test = await world();
    test.network.online = false;
    const settled = test.queue.call(post(), { deadline: test.clock.now() + 5_000 }).settled();
    await test.clock.advance(11_000);
    expect(await settled).toMatchObject({ state: 'dead', reason: 'expired', error: { code: 'REQUEST_EXPIRED' } });
    test.network.online = true;
    await test.clock.advance(120_000);
    expect(test.server.ledger.entries).toEqual([]);
  });

  it('is told REQUEST_EXPIRED when the deadline had passed before the call', async () => {
    const test = await world();
    const settled = test.queue.call(post(), { deadline: test.clock.now() - 1 }).settled();
    await test.clock.advance(10);
    expect((await settled).error).toMatchObject({ code: 'REQUEST_EXPIRED' });
    expect(test.server.ledger.entries).toEqual([]);
  });

  it('of a read is told REQUEST_EXPIRED after readTtlMs offline', async () => {
    const test = await world({ readTtlMs: 30_000 });
    test.network.online = false;
    const settled = test.queue.call(get()).settled();
    await test.clock.advance(36_000);
    expect((await settled).error).toMatchObject({ code: 'REQUEST_EXPIRED' });
  });

  it('is told REQUEST_CANCELLED when it is cancelled', async () => {
    const test = await world();
    test.queue.pause();
    const handle = test.queue.call(post());
    const settled = handle.settled();
    expect(await handle.cancel()).toBe(true);
    expect(await settled).toMatchObject({ state: 'cancelled', reason: 'caller', error: { code: 'REQUEST_CANCELLED' } });
    expect(await handle.cancel()).toBe(false);
  });

  it('cannot cancel what was sent, and is given its answer', async () => {
    const test = await world();
    test.server.script.next(park);
    const handle = test.queue.call(post());
    const settled = handle.settled();
    await test.clock.settle();
    expect(await handle.cancel()).toBe(false);
    test.server.release();
    expect(await settled).toMatchObject({ state: 'succeeded' });
  });

  it('waits through an outage and is given the answer', async () => {
    const test = await world();
    test.server.script.next(unavailable(), unavailable(), unavailable());
    const settled = test.queue.call(post()).settled();
    expect(await test.clock.advanceUntil(() => test.server.ledger.applied() === 1, 600_000)).toBe(true);
    await test.clock.settle();
    expect(await settled).toMatchObject({ state: 'succeeded', response: { status: 201 } });
  });

  it('learns what another process settled', async () => {
    const server = await realServer();
    const path = `${await folder()}/q.db`;
    const asking = await onFile(path, { dispatch: false });
    const settled = asking.call({ method: 'POST', url: `${server.origin}/x`, body: 'x' }).settled();
    const sending = await onFile(path);
    await sending.idle();
    expect(await settled).toMatchObject({ state: 'succeeded', response: { status: 201 } });
  });
});

describe('a handle', () => {
  it('gives a caller who asks after the end the stored result', async () => {
    const test = await world();
    const handle = test.queue.call(post());
    await test.clock.settle();
    const settled = await handle.settled();
    expect(settled).toMatchObject({ state: 'succeeded', response: { status: 201 } });
    const again = await handle.settled();
    expect(new TextDecoder().decode(again.response?.body)).toContain('"path":"/notes"');
  });

  it('gives every caller of one handle the answer', async () => {
    const test = await world();
    test.server.script.next(park);
    const handle = test.queue.call(post());
    const all = [handle.settled(), handle.settled(), handle.settled({ timeoutMs: 60_000 })];
    await test.clock.settle();
    test.server.release();
    expect((await Promise.all(all)).map(({ state }) => state)).toEqual(Array(3).fill('succeeded'));
  });

  it('is made from an id, before and after a restart', async () => {
    const test = await world({ zones: { api: { origins: [at('')], idempotency: 'ietf' } } });
    test.server.script.always(hang);
    const { id } = await test.queue.enqueue(post());
    const early = errorOf(test.queue.handle(id).result({ timeoutMs: 0 }));
    await test.clock.advance(0);
    expect(await early).toMatchObject({ code: 'RESULT_PENDING' });
    test.server.script.clear();
    const queue = await test.crash();
    const after = queue.handle<{ path: string }>(id);
    await test.clock.advance(60_000);
    expect(await after.result()).toMatchObject({ path: '/notes' });
  });

  it('of a request that is not stored says so', async () => {
    const test = await world();
    const handle = test.queue.handle('nobody');
    expect((await errorOf(handle.settled())).code).toBe('REQUEST_NOT_FOUND');
    expect((await errorOf(handle.cancel())).code).toBe('REQUEST_NOT_FOUND');
    expect((await errorOf(test.queue.callHandle('nobody').accepted())).code).toBe('REQUEST_NOT_FOUND');
    expect((await errorOf(test.queue.explain('nobody'))).code).toBe('REQUEST_NOT_FOUND');
    expect(await test.queue.get('nobody')).toBeUndefined();
  });

  it('says RESULT_PENDING after timeoutMs, and the request goes on', async () => {
    const test = await world();
    test.server.script.next(park);
    const one = await test.queue.enqueue(post());
    const waiting = errorOf(one.result({ timeoutMs: 1_000 }));
    await test.clock.advance(1_001);
    expect(await waiting).toMatchObject({ code: 'RESULT_PENDING', retryable: true, details: { id: one.id } });
    test.server.release();
    await test.clock.settle();
    expect(await one.result()).toMatchObject({ path: '/notes' });
  });

  it('ends one wait with the signal of that wait, not the request', async () => {
    const test = await world();
    test.queue.pause();
    const one = await test.queue.enqueue(post());
    const wait = new AbortController();
    const waiting = one.settled({ signal: wait.signal });
    wait.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(one.settled({ signal: wait.signal })).rejects.toThrow('enough');
    expect(await test.queue.get(one.id)).toMatchObject({ state: 'ready' });
    expect((await test.queue.health()).waitingCallers).toBe(0);
  });

  it('says RESULT_GONE where the answer was larger than maxStoredResultBytes', async () => {
    const test = await world({ maxStoredResultBytes: 10 });
    test.server.script.next({ kind: 'answer', apply: true, answer: { status: 200, body: 'x'.repeat(11) } });
    const live = test.queue.call(post());
    const first = live.settled();
    await test.clock.settle();
    expect((await first).response?.body.byteLength).toBe(11);
    const { id } = await live.accepted();
    expect((await errorOf(test.queue.handle(id).result())).code).toBe('RESULT_GONE');
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', result: { status: 200, body: null } });
  });

  it('keeps an answer of exactly maxStoredResultBytes', async () => {
    const test = await world({ maxStoredResultBytes: 10 });
    test.server.script.next({ kind: 'answer', apply: true, answer: { status: 200, body: 'x'.repeat(10) } });
    const { id } = await test.queue.enqueue(post());
    await test.clock.settle();
    expect((await test.queue.handle(id).settled()).response?.body.byteLength).toBe(10);
  });
});

describe('a read', () => {
  it('keeps its result when it was enqueued, also over a crash', async () => {
    const test = await world();
    const { id } = await test.queue.enqueue(get());
    await test.clock.settle();
    const queue = await test.crash();
    expect(await queue.handle(id).result()).toMatchObject({ path: '/me' });
  });

  it('that was enqueued is sent after a crash', async () => {
    const test = await world();
    test.network.online = false;
    const { id } = await test.queue.enqueue(get());
    const queue = await test.crash();
    test.network.online = true;
    await test.clock.advanceUntil(async () => (await queue.counts()).succeeded === 1, 60_000);
    expect(await queue.handle(id).result()).toMatchObject({ path: '/me' });
  });

  it('ends expired at start-up when the process that asked is gone', async () => {
    const test = await world();
    test.network.online = false;
    const { id } = await test.queue.call(get()).accepted();
    const queue = await test.crash();
    expect(await queue.get(id)).toMatchObject({ state: 'dead', reason: 'expired' });
    test.network.online = true;
    await test.clock.advance(60_000);
    expect(test.server.ledger.entries).toEqual([]);
    expect((await queue.deadLetters.list({})).requests).toEqual([]);
  });

  it('does not keep its result when only a caller asked', async () => {
    const test = await world();
    const handle = test.queue.call(get());
    expect((await handle.settled()).response?.status).toBe(200);
    const { id } = await handle.accepted();
    await test.clock.settle();
    expect((await test.queue.get(id))?.result).toBeNull();
    expect((await errorOf(test.queue.handle(id).result())).code).toBe('RESULT_GONE');
  });
});

describe('a caller who goes away', () => {
  it('cancels what was never sent', async () => {
    const test = await world();
    const events = record(test.queue, 'request:settled');
    test.queue.pause();
    const caller = new AbortController();
    const handle = test.queue.call(post(), { signal: caller.signal });
    const settled = handle.settled();
    const { id } = await handle.accepted();
    caller.abort(new Error('gone'));
    await expect(settled).rejects.toThrow('gone');
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ state: 'cancelled', reason: 'caller' });
    expect(events).toMatchObject([{ requestId: id, state: 'cancelled' }]);
  });

  it('closes the wire of a read that was sent, which is not sent again', async () => {
    const test = await world();
    test.server.script.always(park);
    const caller = new AbortController();
    const handle = test.queue.call(get(), { signal: caller.signal });
    const settled = handle.settled();
    await test.clock.settle();
    expect(test.network.underWay).toBe(1);
    caller.abort(new Error('gone'));
    await expect(settled).rejects.toThrow('gone');
    await test.clock.advance(120_000);
    expect(test.network.underWay).toBe(0);
    expect(test.server.ledger.entries).toHaveLength(1);
    expect(await test.queue.get((await handle.accepted()).id)).toMatchObject({ state: 'cancelled' });
  });

  it('lets a write that was sent go on', async () => {
    const test = await world();
    test.server.script.next(park);
    const caller = new AbortController();
    const handle = test.queue.call(post(), { signal: caller.signal });
    const settled = handle.settled();
    await test.clock.settle();
    caller.abort(new Error('gone'));
    await expect(settled).rejects.toThrow('gone');
    await test.clock.settle();
    expect(test.network.underWay).toBe(1);
    test.server.release();
    await test.clock.settle();
    expect(await test.queue.get((await handle.accepted()).id)).toMatchObject({ state: 'succeeded', told: false });
  });

  it('after the end changes nothing', async () => {
    const test = await world();
    const caller = new AbortController();
    const handle = test.queue.call(post(), { signal: caller.signal });
    expect(await handle.settled()).toMatchObject({ state: 'succeeded' });
    caller.abort();
    await test.clock.settle();
    expect(await test.queue.counts()).toMatchObject({ succeeded: 1 });
  });

  it('keeps what was enqueued and sent as a durable read going', async () => {
    const test = await world();
    test.server.script.next(park);
    const caller = new AbortController();
    const one = await test.queue.enqueue(get(), { signal: caller.signal });
    await test.clock.settle();
    caller.abort();
    await test.clock.settle();
    test.server.release();
    await test.clock.advance(60_000);
    expect(await test.queue.get(one.id)).toMatchObject({ state: 'succeeded' });
  });

  it('closes the wire of a real connection', async () => {
    const server = await realServer();
    server.script.always(park);
    const queue = await onFile(`${await folder()}/q.db`);
    const caller = new AbortController();
    const settled = queue.call({ method: 'GET', url: `${server.origin}/me` }, { signal: caller.signal }).settled();
    await server.ledger.until(({ entries }) => entries.length === 1);
    const isEnded = new Promise((resolve) => queue.on('request:settled', resolve));
    caller.abort(new Error('gone'));
    await expect(settled).rejects.toThrow('gone');
    expect(await isEnded).toMatchObject({ state: 'cancelled' });
  });
});

describe('settleAck', () => {
  it('durable tells the caller of a write after the commit of its settlement', async () => {
    const test = await world();
    const stopped = test.stopAt('settle:beforeCommit');
    let isTold = false;
    void test.queue
      .call(post())
      .settled()
      .then(() => {
        isTold = true;
      });
    await stopped;
    await test.clock.settle();
    expect(isTold).toBe(false);
  });

  it('early tells the caller before it', async () => {
    const test = await world({ settleAck: 'early' });
    const stopped = test.stopAt('settle:beforeCommit');
    let isTold = false;
    void test.queue
      .call(post())
      .settled()
      .then(() => {
        isTold = true;
      });
    await stopped;
    await test.clock.settle();
    expect(isTold).toBe(true);
    await test.crash();
    await test.clock.settle();
    expect(await test.queue.counts()).toMatchObject({ held: 1 });
  });

  it('tells the caller of a read at once', async () => {
    const test = await world();
    const stopped = test.stopAt('settle:beforeCommit');
    let isTold = false;
    void test.queue
      .call(get())
      .settled()
      .then(() => {
        isTold = true;
      });
    await stopped;
    await test.clock.settle();
    expect(isTold).toBe(true);
  });
});
