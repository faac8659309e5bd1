import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { park } from '../../src/testing/serverSteps.ts';
import { arrivals, at, folder, onFile, realServer, record, world } from './harness.ts';

const put = { method: 'PUT', url: at('/door'), body: 'open' };
const post = { method: 'POST', url: at('/notes'), body: { n: 1 } };
const get = { method: 'GET', url: at('/me') };

describe('the signal of a batch', () => {
  it('that is aborted after the end leaves the next equal POST alone', async () => {
    const test = await world();
    const scope = new AbortController();
    const [one] = await test.queue.enqueueMany([{ request: post, options: { signal: scope.signal } }]);
    await test.clock.settle();
    expect(await one?.settled()).toMatchObject({ state: 'succeeded' });
    scope.abort();
    await test.clock.settle();
    const next = await test.queue.enqueue(post);
    expect(next.deduplicated).toBe(false);
    await test.clock.settle();
    expect(test.server.ledger.applied('/notes')).toBe(2);
  });

  it('cancels what was never sent', async () => {
    const test = await world();
    test.queue.pause();
    const scope = new AbortController();
    const [one, two] = await test.queue.enqueueMany([
      { request: post, options: { signal: scope.signal } },
      { request: post },
    ]);
    scope.abort();
    await test.clock.settle();
    expect(await test.queue.get(one?.id ?? '')).toMatchObject({ state: 'cancelled' });
    expect(await test.queue.get(two?.id ?? '')).toMatchObject({ state: 'ready' });
  });
});

describe('a signal', () => {
  it('that is aborted after another process ended the request leaves the next equal POST alone', async () => {
    const server = await realServer();
    const path = `${await folder()}/q.db`;
    const asking = await onFile(path, { dispatch: false });
    const sending = await onFile(path);
    const request = { method: 'POST', url: `${server.origin}/x`, body: 'x' };
    const scope = new AbortController();
    const ended = new Promise((resolve) => sending.on('request:settled', resolve));
    const one = await asking.enqueue(request, { signal: scope.signal });
    await ended;
    await server.ledger.until(({ entries }) => entries.length === 1);
    scope.abort();
    // The store has one order: what is asked after the abort is answered after it.
    for (let n = 0; n < 5; n += 1) await asking.get(one.id);
    expect((await asking.enqueue(request)).deduplicated).toBe(false);
  });
});

describe('of several callers of one request', () => {
  it('each is counted off once, however often it cancels', async () => {
    const test = await world();
    test.queue.pause();
    const first = await test.queue.enqueue(put);
    const second = await test.queue.enqueue(put);
    expect(second.id).toBe(first.id);
    expect(await first.cancel()).toBe(false);
    expect(await first.cancel()).toBe(false);
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'ready' });
    expect(await second.cancel()).toBe(true);
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'cancelled' });
  });

  it('one that cancels and whose signal is aborted leaves once', async () => {
    const test = await world();
    test.queue.pause();
    const caller = new AbortController();
    const first = await test.queue.enqueue(put, { signal: caller.signal });
    await test.queue.enqueue(put);
    await Promise.all([first.cancel(), first.cancel()]);
    caller.abort();
    await test.clock.settle();
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'ready', callers: 1 });
  });

  it('of a read, one that cancels twice leaves it to the other', async () => {
    const test = await world();
    test.queue.pause();
    const first = test.queue.call(get);
    const second = test.queue.call(get);
    const { id } = await second.accepted();
    expect([await first.cancel(), await first.cancel()]).toEqual([false, false]);
    expect(await test.queue.get(id)).toMatchObject({ state: 'ready' });
    expect(await second.cancel()).toBe(true);
  });

  it('one that cancels too late and goes away at once leaves a sent POST to be joined', async () => {
    const test = await world();
    test.server.script.next(park);
    const caller = new AbortController();
    const first = await test.queue.enqueue(post, { signal: caller.signal });
    await test.clock.settle();
    const isCancelled = first.cancel();
    caller.abort();
    expect(await isCancelled).toBe(false);
    await test.clock.settle();
    expect(await test.queue.enqueue(post)).toMatchObject({ id: first.id, deduplicated: true });
    test.server.release();
  });

  it('whoever asks by id is none: it cancels what at most one shares, and with force what others share', async () => {
    const test = await world();
    test.queue.pause();
    const { id } = await test.queue.enqueue(put);
    await test.queue.enqueue(put);
    const stranger = test.queue.handle(id);
    expect([await stranger.cancel(), await stranger.cancel()]).toEqual([false, false]);
    expect(await test.queue.get(id)).toMatchObject({ state: 'ready', callers: 2 });
    expect(await stranger.cancel({ force: true })).toBe(true);
    expect(await test.queue.get(id)).toMatchObject({ state: 'cancelled' });
  });
});

describe('a read called off', () => {
  it.each(['waiting', 'sent'])('while %s is not joined by the same read made at once', async (state) => {
    const server = await realServer();
    const queue = await onFile(`${await folder()}/q.db`);
    if (state === 'sent') server.script.next(park);
    else queue.pause();
    const caller = new AbortController();
    const read = { method: 'GET', url: `${server.origin}/me` };
    const first = queue.call(read, { signal: caller.signal });
    const gone = expect(first.settled()).rejects.toThrow('gone');
    const { id } = await first.accepted();
    if (state === 'sent') await server.ledger.until(({ entries }) => entries.length === 1);
    caller.abort(new Error('gone'));
    const second = queue.call(read);
    const settled = second.settled();
    expect((await second.accepted()).id).not.toBe(id);
    queue.resume();
    expect(await settled).toMatchObject({ state: 'succeeded' });
    await gone;
  });
});

describe('a request cancelled in the turn that accepted it', () => {
  it.each(['its caller', 'its id'])('by %s is known to have ended', async (by) => {
    const test = await world();
    test.queue.pause();
    const one = await test.queue.enqueue(post);
    await (by === 'its id' ? test.queue.handle(one.id) : one).cancel();
    let settled: unknown;
    void one.settled().then((value) => {
      settled = value;
    });
    await test.clock.settle();
    expect(settled).toMatchObject({ state: 'cancelled' });
  });
});

describe('a decision on a held request', () => {
  it('that was carried out is told, also where its record cannot be kept', async () => {
    const clock = new FakeClock();
    const network = new FakeNetwork({ clock });
    const server = network.serve(at(''));
    const memory = new MemoryBackend();
    const history: Backend['history'] = {
      append: () => Promise.reject(new HoldfastError('STORAGE_FULL', 'no room', {})),
      query: (query) => memory.history.query(query),
      trim: (query) => memory.history.trim(query),
    };
    const backend = { ...hookBackend(memory, {}), history };
    const queue = new QueueManager({ config: {}, clock, backend, transport: network });
    await queue.start();
    const resolved = record(queue, 'request:resolved', 'request:settled');
    server.script.next({ kind: 'reset', apply: true });
    const { id } = await queue.enqueue(post);
    await clock.settle();
    await queue.held.resolve(id, 'markApplied', 'a person');
    expect(resolved).toMatchObject([
      { name: 'request:resolved', requestId: id, how: 'operator' },
      { name: 'request:settled', requestId: id, state: 'succeeded' },
    ]);
    expect(arrivals(server)).toHaveLength(1);
    const closing = queue.close();
    await clock.advance(10_000);
    await closing;
  });
});
