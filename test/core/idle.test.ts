import { describe, expect, it } from 'vitest';
import { isIdle as isIdleStore } from '../../src/queue/core/idle.ts';
import { matchesFilter } from '../../src/queue/types/matchesFilter.ts';
import type { RequestFilter, StoredRequest } from '../../src/queue/types/request.ts';
import type { RequestStore } from '../../src/queue/types/store.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { park } from '../../src/testing/serverSteps.ts';
import { arrivals, at, world } from './harness.ts';

const OTHER = 'https://other.test';
const API = 'api';
const post = (body: unknown = 'x', url = at('/notes')) => ({ method: 'POST', url, body });

/** Whether the queue is idle within a second. */
async function isIdle(test: TestQueue, filter?: RequestFilter): Promise<boolean> {
  let idle = false;
  test.queue.idle(filter).then(
    () => {
      idle = true;
    },
    () => undefined,
  );
  await test.clock.advance(1_000);
  return idle;
}

describe('idle', () => {
  it('is an empty queue, and one in which everything ended', async () => {
    const test = await world();
    expect(await isIdle(test)).toBe(true);
    await test.queue.enqueue(post());
    expect(await isIdle(test)).toBe(true);
    expect(test.server.ledger.applied()).toBe(1);
  });

  it('is not a queue that sends, is paused, is offline or retries', async () => {
    const test = await world();
    test.server.script.next(park);
    await test.queue.enqueue(post());
    expect(await isIdle(test)).toBe(false);
    test.server.release();
    expect(await isIdle(test)).toBe(true);
    test.queue.pause();
    await test.queue.enqueue(post());
    expect(await isIdle(test)).toBe(false);
    test.queue.resume();
    expect(await isIdle(test)).toBe(true);
    test.network.online = false;
    await test.queue.enqueue(post());
    expect(await isIdle(test)).toBe(false);
  });

  it('is a queue in which all waits for a time its caller named', async () => {
    const test = await world();
    await test.queue.enqueue(post(), { notBefore: test.clock.now() + 3_600_000, lane: 'l' });
    await test.queue.enqueue(post(), { lane: 'l' });
    expect(await isIdle(test)).toBe(true);
    expect(await isIdle(test, { zone: at('') })).toBe(true);
    await test.clock.advance(3_600_000);
    expect(test.server.ledger.applied()).toBe(2);
  });

  it('is a queue in which all is held, or stands behind what is', async () => {
    const test = await world();
    test.server.script.next({ kind: 'reset', apply: true });
    const first = await test.queue.enqueue(post(), { lane: 'l' });
    await test.queue.enqueue(post(), { lane: 'l' });
    await test.queue.enqueue(post(), { after: [first.id] });
    expect(await isIdle(test)).toBe(true);
    expect(await isIdle(test, { zone: at('') })).toBe(true);
    expect(await test.queue.counts()).toMatchObject({ held: 1, blocked: 2 });
  });

  it('looks only at what matches', async () => {
    const test = await world();
    const other = test.network.serve(OTHER);
    test.server.script.always(park);
    await test.queue.enqueue(post(), { tags: ['slow'] });
    await test.queue.enqueue(post('y', `${OTHER}/a`), { tags: ['fast'] });
    expect(await isIdle(test, { tags: ['fast'] })).toBe(true);
    expect(await isIdle(test, { zone: OTHER })).toBe(true);
    expect(await isIdle(test, { tags: ['slow'] })).toBe(false);
    expect(await isIdle(test, { state: 'succeeded' })).toBe(true);
    expect(await isIdle(test, { state: ['held', 'dead'] })).toBe(true);
    expect(await isIdle(test, { reason: 'auth' })).toBe(true);
    expect(other.ledger.applied()).toBe(1);
  });

  it('waits for what stands before a request that matches', async () => {
    const test = await world();
    test.server.script.always(park);
    await test.queue.enqueue(post('1'), { lane: 'l' });
    await test.queue.enqueue(post('2'), { lane: 'l', tags: ['mine'] });
    expect(await isIdle(test, { tags: ['mine'] })).toBe(false);
    test.server.script.clear();
    test.server.release();
    expect(await isIdle(test, { tags: ['mine'] })).toBe(true);
  });

  it('is not a queue in which one request goes from state to state while it is looked at', async () => {
    const test = await world();
    test.network.online = false;
    const { id } = await test.queue.enqueue(post(), { tags: ['mine'] });
    const record = await test.queue.get(id);
    for (const filter of [{}, { tags: ['mine'] }]) {
      for (const first of [0, 1]) {
        let looks = first;
        const find: RequestStore['find'] = async (query) => {
          looks += 1;
          const state =
            looks % 2 === 0 ? ({ state: 'scheduled', reason: 'retry' } as const) : ({ state: 'sending' } as const);
          const seen = { ...(record as StoredRequest), ...state };
          return { requests: matchesFilter(seen, query.filter) ? [seen] : [], next: null };
        };
        expect(await isIdleStore({ find } as RequestStore, filter), `first ${first}`).toBe(false);
      }
    }
  });
});

describe('pause', () => {
  it('stops one zone, and lets others go on', async () => {
    const test = await world({ zones: { api: { origins: [at('')] } } });
    const other = test.network.serve(OTHER);
    test.queue.pause(API);
    await test.queue.enqueue(post());
    await test.queue.enqueue(post('y', `${OTHER}/a`));
    await test.clock.advance(10_000);
    expect([test.server.ledger.applied(), other.ledger.applied()]).toEqual([0, 1]);
    test.queue.resume(API);
    await test.clock.settle();
    expect(test.server.ledger.applied()).toBe(1);
  });

  it('stops all zones, also those that are met later', async () => {
    const test = await world();
    const other = test.network.serve(OTHER);
    test.queue.pause();
    const { id } = await test.queue.enqueue(post('y', `${OTHER}/a`));
    await test.clock.advance(10_000);
    expect(other.ledger.entries).toEqual([]);
    expect((await test.queue.explain(id)).waitsFor).toContainEqual({ what: 'zonePaused', of: OTHER, until: null });
    test.queue.resume();
    await test.clock.settle();
    expect(other.ledger.applied()).toBe(1);
  });

  it('lets what is under way go on, and does not outlive the process', async () => {
    const test = await world();
    test.server.script.next(park);
    const first = await test.queue.enqueue(post());
    await test.clock.settle();
    test.queue.pause();
    await test.queue.enqueue(post('2'));
    test.server.release();
    await test.clock.settle();
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'succeeded' });
    expect(arrivals(test.server)).toHaveLength(1);
    await test.crash();
    await test.clock.settle();
    expect(arrivals(test.server)).toHaveLength(2);
  });

  it('of a zone nobody knows is an error that names it', async () => {
    const test = await world();
    expect(() => test.queue.pause('billing')).toThrow('billing');
    expect(() => test.queue.resume('billing')).toThrow('billing');
  });

  it('keeps deadlines going', async () => {
    const test = await world();
    test.queue.pause();
    const { id } = await test.queue.enqueue(post(), { deadline: test.clock.now() + 1_000 });
    await test.clock.advance(7_000);
    expect(await test.queue.get(id)).toMatchObject({ state: 'dead', reason: 'expired' });
  });
});
