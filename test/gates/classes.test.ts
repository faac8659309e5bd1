import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import type { ReceivedRequest } from '../../src/testing/serverSteps.ts';
import { park, refuse, slow } from '../../src/testing/serverSteps.ts';
import { at } from '../core/harness.ts';
import {
  enqueueEach,
  gated,
  gatesOf,
  get,
  HOUR_MS,
  MINUTE_MS,
  noteArrivals,
  post,
  put,
  SECOND_MS,
  ZONE,
} from './support/world.ts';

/** What is under way at a server that keeps its answers: by the first segment of the path. */
function parkedBy(test: TestQueue): () => Record<string, number> {
  const parked: string[] = [];
  test.server.script.always((request: ReceivedRequest) => {
    parked.push(request.path.split('/')[1] ?? '');
    return park;
  });
  return () => {
    const counts: Record<string, number> = {};
    for (const one of parked) counts[one] = (counts[one] ?? 0) + 1;
    return counts;
  };
}

async function flood(
  test: TestQueue,
  count: number,
  priority: 'bulk' | 'low' | 'normal' | 'high' | 'critical',
): Promise<void> {
  for (let n = 0; n < count; n += 1) await test.queue.enqueue(put(`/${priority}/${n}`), { priority });
}

describe('a limit by class of operation', () => {
  it('holds for reads, writes and what has little priority, each by itself', async () => {
    const test = await gated({ classes: { read: 2, write: 3, bulk: 1 }, maxConcurrency: 10 });
    const parked = parkedBy(test);
    for (let n = 0; n < 6; n += 1) {
      await test.queue.enqueue(get(`/read/${n}`));
      await test.queue.enqueue(post(`/write/${n}`));
      await test.queue.enqueue(put(`/bulk/${n}`), { priority: 'bulk' });
    }
    await test.clock.settle();
    expect(parked()).toEqual({ read: 2, write: 3, bulk: 1 });
    test.server.release(6);
    await test.clock.settle();
    expect(parked()).toEqual({ read: 4, write: 6, bulk: 2 });
  });

  it('is over all endpoints of the zone together', async () => {
    const test = await gated({ classes: { read: 2 }, endpoint: ({ path }) => path.split('/')[2] });
    const parked = parkedBy(test);
    for (let n = 0; n < 6; n += 1) await test.queue.enqueue(get(`/read/${n}`));
    for (let n = 0; n < 6; n += 1) await test.queue.enqueue(post(`/write/${n}`));
    await test.clock.settle();
    expect(parked()).toEqual({ read: 2, write: 6 });
  });

  it('leaves classes without one to the limit of the zone', async () => {
    const test = await gated({ classes: { read: 1 }, maxConcurrency: 4 });
    const parked = parkedBy(test);
    for (let n = 0; n < 6; n += 1) await test.queue.enqueue(post(`/write/${n}`));
    for (let n = 0; n < 6; n += 1) await test.queue.enqueue(get(`/read/${n}`));
    await test.clock.settle();
    expect(parked()).toEqual({ write: 4 });
  });

  it('counts what the zone says is a read among the reads', async () => {
    const test = await gated({
      classes: { read: 1 },
      effectOf: ({ path }) => (path === '/query' ? 'read' : undefined),
    });
    const parked = parkedBy(test);
    for (let n = 0; n < 3; n += 1) await test.queue.enqueue({ method: 'POST', url: at('/query'), body: { n } });
    await test.clock.settle();
    expect(parked()).toEqual({ query: 1 });
  });

  it('leaves a 429 to the zone, where there are no endpoints', async () => {
    const test = await gated({ classes: { write: 8 } });
    test.server.script.next(refuse({ status: 429, headers: [['retry-after', '30']] }));
    await test.queue.enqueue(put('/write/1'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.queue.enqueue(get('/read/1'));
    await test.clock.advance(29 * SECOND_MS);
    expect(arrivals).toEqual([]);
    expect(gatesOf(test.queue).concurrency.limit).toBe(5);
  });

  it('is told of with the zone', async () => {
    const test = await gated({ classes: { write: 3 } });
    parkedBy(test);
    await enqueueEach(test.queue, 5, '/write');
    await test.clock.settle();
    expect(gatesOf(test.queue).endpoints).toMatchObject([
      { scope: `${ZONE}~write`, concurrency: { inUse: 3, max: 3 }, breaker: null },
    ]);
  });
});

describe('the share of a priority', () => {
  it('is a quarter of the limit for bulk and half of it for low', async () => {
    const test = await gated({ maxConcurrency: 8 });
    const parked = parkedBy(test);
    await flood(test, 20, 'bulk');
    await test.clock.settle();
    expect(parked()).toEqual({ bulk: 2 });
    await flood(test, 20, 'low');
    await test.clock.settle();
    const { low = 0 } = parked();
    expect(low).toBeGreaterThanOrEqual(2);
    expect(low).toBeLessThanOrEqual(4);
    await flood(test, 20, 'normal');
    await test.clock.settle();
    const { bulk = 0, low: lowNow = 0, normal = 0 } = parked();
    expect(bulk + lowNow + normal).toBe(8);
    expect(normal).toBeGreaterThanOrEqual(2);
  });

  it('lets what is critical through at once while bulk floods the zone', async () => {
    const test = await gated({ maxConcurrency: 4 });
    const arrivals = noteArrivals(test, () => slow(SECOND_MS));
    await flood(test, 100, 'bulk');
    await test.clock.advance(10 * SECOND_MS);
    const from = test.clock.monotonicNow();
    for (const priority of ['critical', 'high', 'normal'] as const) await flood(test, 1, priority);
    await test.clock.settle();
    const since = arrivals.filter((one) => one.at === from && !one.path.startsWith('/bulk'));
    expect(since.length).toBe(3);
  });

  it('never makes bulk wait for ever: it goes on at its share beside a flood of others', async () => {
    const test = await gated({ maxConcurrency: 4 });
    const arrivals = noteArrivals(test, () => slow(SECOND_MS));
    await flood(test, 10, 'bulk');
    for (let second = 0; second < 20 * 60; second += 20) {
      for (let n = 0; n < 80; n += 1) await test.queue.enqueue(put(`/normal/${second}/${n}`));
      await test.clock.advance(20 * SECOND_MS);
    }
    expect(arrivals.filter(({ path }) => path.startsWith('/bulk')).length).toBe(10);
  });

  it('is one call at least, and all of them go one after the other', async () => {
    const test = await gated({ maxConcurrency: 1 });
    await flood(test, 5, 'bulk');
    await flood(test, 5, 'low');
    await test.clock.advance(SECOND_MS);
    expect((await test.queue.counts()).succeeded).toBe(10);
  });

  it('may be all of the limit', async () => {
    const test = await gated({ maxConcurrency: 4, priorityShares: { bulk: 1, low: 1 } });
    const parked = parkedBy(test);
    await flood(test, 10, 'bulk');
    await test.clock.settle();
    expect(parked()).toEqual({ bulk: 4 });
  });

  it('holds for requests that were accepted before a crash', async () => {
    const test = await gated({ maxConcurrency: 8 });
    test.queue.pause();
    await flood(test, 20, 'bulk');
    await test.crash();
    const parked = parkedBy(test);
    await test.clock.settle();
    await test.clock.advance(SECOND_MS);
    expect(parked()).toEqual({ bulk: 2 });
  });

  it('gives the permits of what is behind to others, in the order of their rank', async () => {
    const test = await gated({ maxConcurrency: 2 });
    const arrivals = noteArrivals(test, () => slow(100));
    test.queue.pause();
    await flood(test, 3, 'low');
    await flood(test, 3, 'normal');
    await flood(test, 3, 'critical');
    test.queue.resume();
    await test.clock.advance(10 * SECOND_MS);
    const order = arrivals.map(({ path }) => path.split('/')[1]);
    expect(order.slice(0, 3)).toEqual(['critical', 'critical', 'critical']);
    expect(order.length).toBe(9);
    expect(order.lastIndexOf('normal')).toBeLessThan(order.lastIndexOf('low'));
  });

  it('does not keep what was told to wait past the end of what kept it', async () => {
    const test = await gated();
    const headers = [
      ['ratelimit-limit', '100'],
      ['ratelimit-remaining', '20'],
      ['ratelimit-reset', '60'],
    ] as const;
    test.server.script.next({ kind: 'answer', apply: true, answer: { status: 200, headers, body: {} } });
    await test.queue.enqueue(get('/first'));
    await test.clock.settle();
    const { id } = await test.queue.enqueue(put('/low/1'), { priority: 'low' });
    await test.clock.advance(59 * SECOND_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'ready' });
    await test.clock.advance(7 * SECOND_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });
});

describe('a request that waits', () => {
  it('overtakes newer ones of a higher priority in time', async () => {
    const test = await gated({ maxConcurrency: 1 });
    test.queue.pause();
    await test.queue.enqueue(put('/old'), { priority: 5 });
    await test.clock.advance(5 * MINUTE_MS);
    await test.queue.enqueue(put('/new'), { priority: 9 });
    const arrivals = noteArrivals(test);
    test.queue.resume();
    await test.clock.settle();
    expect(arrivals.map(({ path }) => path)).toEqual(['/old', '/new']);
  });

  it('is not overtaken by one that comes in as a permit comes free', async () => {
    const test = await gated({ maxConcurrency: 1 });
    const arrivals = noteArrivals(test, () => park);
    await enqueueEach(test.queue, 3, '/waited');
    await test.clock.settle();
    for (let n = 1; n <= 3; n += 1) {
      const accepted = test.queue.enqueue(put(`/new/${n}`));
      test.server.release();
      await accepted;
      await test.clock.settle();
    }
    expect(arrivals.map(({ path }) => path)).toEqual(['/waited/1', '/waited/2', '/waited/3', '/new/1']);
  });

  it('is of no higher class for having waited: bulk that is old leaves room as it did', async () => {
    const test = await gated({ maxConcurrency: 8 });
    test.queue.pause();
    await flood(test, 20, 'bulk');
    await test.clock.advance(HOUR_MS);
    const parked = parkedBy(test);
    test.queue.resume();
    await test.clock.settle();
    expect(parked()).toEqual({ bulk: 2 });
  });
});
