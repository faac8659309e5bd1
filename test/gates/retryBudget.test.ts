import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { hang, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { record } from '../core/harness.ts';
import {
  enqueueEach,
  gated,
  gatesOf,
  HOUR_MS,
  MINUTE_MS,
  noteArrivals,
  put,
  SECOND_MS,
  ZONE,
} from './support/world.ts';

/** No breaker: what it would spare the zone is not to be mistaken for the budget. */
const NO_BREAKER = { breaker: false, adaptiveConcurrency: false } as const;

async function latestDueAt(test: TestQueue): Promise<number> {
  const { requests } = await test.queue.find({ state: 'scheduled' }, { limit: 1_000 });
  return Math.max(...requests.map(({ dueAt }) => dueAt ?? 0));
}

describe('the budget for retries', () => {
  it('has retries of a zone that fails made later, says so once, and lets nothing die of it', async () => {
    const test = await gated({ ...NO_BREAKER, maxConcurrency: 50 }, { maxConcurrency: 50 });
    const deferred = record(test.queue, 'zone:retriesDeferred');
    const arrivals = noteArrivals(test, () => unavailable());
    await enqueueEach(test.queue, 100);
    await test.clock.advance(10 * SECOND_MS);
    expect(deferred).toMatchObject([{ zone: ZONE }]);
    expect(gatesOf(test.queue).retryTokens).toBeLessThan(5);
    const unspared = await gated({ ...NO_BREAKER, maxConcurrency: 50, retryBudget: false }, { maxConcurrency: 50 });
    const all = noteArrivals(unspared, () => unavailable());
    await enqueueEach(unspared.queue, 100);
    await unspared.clock.advance(10 * SECOND_MS);
    expect(arrivals.length - 100).toBeLessThan((all.length - 100) / 3);
    await test.clock.advance(HOUR_MS);
    expect(deferred.length).toBe(1);
    expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0, unknown: 0 });
    const { requests } = await test.queue.find({}, { limit: 200 });
    expect(Math.max(...requests.map(({ progress }) => progress.faults))).toBe(0);
  }, 60_000);

  it('parks nothing for longer than the longest delay, so that all go soon after the zone is back', async () => {
    const test = await gated(NO_BREAKER);
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 200);
    await test.clock.advance(20 * MINUTE_MS);
    test.server.script.clear();
    expect((await latestDueAt(test)) - test.clock.now()).toBeLessThanOrEqual(60_000);
    await test.clock.advance(70 * SECOND_MS);
    expect((await test.queue.counts()).succeeded).toBe(200);
  }, 60_000);

  it('parks nothing of waiting callers for longer than they are patient', async () => {
    const test = await gated(NO_BREAKER);
    test.server.script.always(unavailable());
    const callers = Array.from({ length: 60 }, (_, n) => test.queue.call(put(`/things/${n}`)).settled());
    await test.clock.advance(5 * MINUTE_MS);
    test.server.script.clear();
    expect((await latestDueAt(test)) - test.clock.now()).toBeLessThanOrEqual(20_000);
    await test.clock.advance(25 * SECOND_MS);
    expect((await test.queue.counts()).succeeded).toBe(60);
    await Promise.all(callers);
  });

  it('never sends a retry before the time that the server asked for', async () => {
    const test = await gated(NO_BREAKER);
    test.server.script.always(refuse({ status: 429, headers: [['retry-after', '300']] }));
    await enqueueEach(test.queue, 1);
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.clock.advance(299 * SECOND_MS);
    expect(arrivals).toEqual([]);
  });

  it('is filled by what succeeds, and tells of the next dry spell', async () => {
    const test = await gated(NO_BREAKER);
    const deferred = record(test.queue, 'zone:retriesDeferred');
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 30);
    await test.clock.advance(MINUTE_MS);
    expect(deferred.length).toBe(1);
    test.server.script.clear();
    await enqueueEach(test.queue, 60, '/good');
    await test.clock.advance(3 * MINUTE_MS);
    expect(gatesOf(test.queue).retryTokens).toBe(50);
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 30, '/again');
    await test.clock.advance(MINUTE_MS);
    expect(deferred.length).toBe(2);
  });

  it('is not spent where nothing was sent', async () => {
    const test = await gated();
    const deferred = record(test.queue, 'zone:retriesDeferred');
    test.network.online = false;
    await enqueueEach(test.queue, 50);
    await test.clock.advance(HOUR_MS);
    expect(deferred).toEqual([]);
    expect(gatesOf(test.queue).retryTokens).toBe(50);
  });

  it('is each zone’s own', async () => {
    const test = await gated(NO_BREAKER, { zones: { other: { origins: ['https://other.test'], ...NO_BREAKER } } });
    test.network.serve('https://other.test');
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 50);
    await test.clock.advance(MINUTE_MS);
    expect(gatesOf(test.queue).retryTokens).toBeLessThan(5);
    expect(test.queue.zones.get('other').retryTokens).toBe(50);
  });

  it('is none where the zone has none', async () => {
    const test = await gated({ ...NO_BREAKER, retryBudget: false });
    const deferred = record(test.queue, 'zone:retriesDeferred');
    const arrivals = noteArrivals(test, () => unavailable());
    await enqueueEach(test.queue, 50);
    await test.clock.advance(3 * SECOND_MS);
    expect(arrivals.length).toBeGreaterThan(80);
    expect(deferred).toEqual([]);
    expect(gatesOf(test.queue).retryTokens).toBe(null);
  });

  it('counts twice what was not answered in time', async () => {
    const test = await gated({ ...NO_BREAKER, adaptiveTimeout: false }, { attemptTimeoutMs: 2_000 });
    test.server.script.always(({ path }) => (path.startsWith('/good') ? undefined : hang));
    await test.queue.enqueue(put('/good/1'));
    await enqueueEach(test.queue, 2);
    await test.clock.advance(2 * SECOND_MS);
    expect(gatesOf(test.queue).retryTokens).toBe(30);
  });

  it('lets a few retries a minute through in any case', async () => {
    const test = await gated({ ...NO_BREAKER, retryBudget: { tokens: 5, perMinute: 6 } });
    const arrivals = noteArrivals(test, () => unavailable());
    await enqueueEach(test.queue, 20);
    await test.clock.advance(MINUTE_MS);
    arrivals.length = 0;
    await test.clock.advance(5 * MINUTE_MS);
    expect(arrivals.length).toBeGreaterThanOrEqual(30);
  });
});
