import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { slow, unavailable } from '../../src/testing/serverSteps.ts';
import { record } from '../core/harness.ts';
import type { ZoneGates } from './support/world.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
  HOUR_MS,
  MINUTE_MS,
  mostWithin,
  noteArrivals,
  put,
  SECOND_MS,
} from './support/world.ts';

/** Lets time pass in steps and notes how many calls are under way, and the share that is allowed. */
async function watch(test: TestQueue, forMs: number): Promise<{ readonly inUse: number; readonly share: number }[]> {
  const seen: { inUse: number; share: number }[] = [];
  for (let passed = 0; passed < forMs; passed += 500) {
    await test.clock.advance(500);
    const { concurrency, share } = gatesOf(test.queue);
    seen.push({ inUse: concurrency.inUse, share });
  }
  return seen;
}

async function offline(zone: ZoneGates, waiting: number): Promise<TestQueue> {
  const test = await gated(zone);
  test.network.online = false;
  await test.queue.enqueueMany(Array.from({ length: waiting }, (_, n) => ({ request: put(`/things/${n}`) })));
  await test.clock.advance(2 * MINUTE_MS);
  expect(gatesOf(test.queue).connectivity).toBe('down');
  return test;
}

async function failing(zone: ZoneGates, waiting: number): Promise<TestQueue> {
  const test = await gated(zone);
  test.server.script.always(unavailable());
  await enqueueEach(test.queue, 5);
  await test.clock.settle();
  await enqueueEach(test.queue, waiting, '/waiting');
  return test;
}

describe('a zone that is back', () => {
  it('after it could not be reached is given no more calls at once than its share of them', async () => {
    const test = await offline({ maxConcurrency: 10 }, 9_000);
    test.network.online = true;
    test.server.script.always(slow(400));
    expect(await test.clock.advanceUntil(() => gatesOf(test.queue).connectivity === 'up', 2 * MINUTE_MS)).toBe(true);
    const seen = await watch(test, 70 * SECOND_MS);
    for (const { inUse, share } of seen) expect(inUse).toBeLessThanOrEqual(Math.max(1, Math.floor(10 * share)));
    expect(seen[0]?.share).toBeCloseTo(0.1, 1);
    expect(seen.at(-1)?.share).toBe(1);
    expect(Math.max(...seen.map(({ inUse }) => inUse))).toBe(10);
  });

  it('after its breaker was open is given no more calls at once than its share of them', async () => {
    const test = await failing({ maxConcurrency: 10 }, 3_000);
    test.server.script.always(slow(400));
    expect(await test.clock.advanceUntil(() => breakerOf(test.queue) === 'recovering', MINUTE_MS)).toBe(true);
    const seen = await watch(test, 70 * SECOND_MS);
    // The probes that were under way when it began to recover are above it for a moment.
    for (const { inUse, share } of seen.slice(2)) {
      expect(inUse).toBeLessThanOrEqual(Math.max(1, Math.floor(10 * share)));
    }
    expect(seen.at(-1)?.share).toBe(1);
    expect(breakerOf(test.queue)).toBe('closed');
  });

  it('drains what waited without a burst, in the end at its full rate', async () => {
    const test = await offline({ maxConcurrency: 5, rateLimit: { max: 600, perMs: 10_000, burst: 100 } }, 400);
    test.network.online = true;
    const arrivals = noteArrivals(test, () => slow(20));
    expect(await test.clock.advanceUntil(() => arrivals.length > 0, 2 * MINUTE_MS)).toBe(true);
    const from = test.clock.monotonicNow();
    await test.clock.advance(5 * SECOND_MS);
    const early = arrivals.filter(({ at }) => at <= from + 5 * SECOND_MS).length;
    // A tenth of 60 a second, and nothing saved up.
    expect(early).toBeLessThanOrEqual(40);
    await test.clock.advance(2 * MINUTE_MS);
    expect((await test.queue.counts()).succeeded).toBe(400);
    expect(mostWithin(arrivals, 10_000)).toBeLessThanOrEqual(600);
  });

  it.each([
    ['offline', offline],
    ['open', failing],
  ] as const)('has saved up nothing of its rate while it was %s', async (_, away) => {
    const test = await away({ rateLimit: { max: 60, perMs: MINUTE_MS, burst: 30 }, maxConcurrency: 20 }, 100);
    test.network.online = true;
    const arrivals = noteArrivals(test);
    expect(await test.clock.advanceUntil(() => arrivals.length > 0, 2 * MINUTE_MS)).toBe(true);
    await test.clock.advance(10 * SECOND_MS);
    expect(arrivals.length).toBeLessThanOrEqual(8);
    await test.clock.advance(5 * MINUTE_MS);
    expect((await test.queue.counts()).succeeded).toBeGreaterThanOrEqual(100);
  });

  it('is given all of its calls at once where its ramp is none', async () => {
    const test = await offline({ maxConcurrency: 10, breaker: { rampMs: 0 } }, 100);
    test.network.online = true;
    test.server.script.always(slow(400));
    expect(await test.clock.advanceUntil(() => gatesOf(test.queue).connectivity === 'up', 2 * MINUTE_MS)).toBe(true);
    await test.clock.advance(600);
    expect(gatesOf(test.queue).concurrency.inUse).toBe(10);
  });

  it('is left alone again, for longer, where it fails while it recovers', async () => {
    const test = await failing({ maxConcurrency: 10, retryBudget: false }, 200);
    const opened = record(test.queue, 'breaker:opened');
    test.server.script.clear();
    expect(await test.clock.advanceUntil(() => breakerOf(test.queue) === 'recovering', MINUTE_MS)).toBe(true);
    test.server.script.always(unavailable());
    expect(await test.clock.advanceUntil(() => opened.length === 1, MINUTE_MS)).toBe(true);
    expect(opened).toMatchObject([{ reason: 'relapsed', tries: 2 }]);
  });

  it('begins its ramp anew after each outage', async () => {
    const test = await offline({ maxConcurrency: 10 }, 2);
    for (let round = 0; round < 3; round += 1) {
      test.network.online = true;
      expect(await test.clock.advanceUntil(() => gatesOf(test.queue).connectivity === 'up', 2 * MINUTE_MS)).toBe(true);
      expect(gatesOf(test.queue).share).toBeCloseTo(0.1, 2);
      await test.clock.advance(HOUR_MS);
      expect(gatesOf(test.queue).share).toBe(1);
      test.network.online = false;
      await enqueueEach(test.queue, 3, `/round/${round}`);
      await test.clock.advance(MINUTE_MS);
      expect(gatesOf(test.queue).connectivity).toBe('down');
    }
  });
});
