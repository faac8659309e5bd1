import { describe, expect, it } from 'vitest';
import { park, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { errorOf, record } from '../core/harness.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
  HOUR_MS,
  MINUTE_MS,
  noteArrivals,
  post,
  put,
  rig,
  SECOND_MS,
  ZONE,
} from './support/world.ts';

const BREAKER_EVENTS = ['breaker:opened', 'breaker:halfOpened', 'breaker:recovering', 'breaker:closed'] as const;
const byFirstSegment = ({ path }: { path: string }) => path.split('/')[1];

describe('a zone that is isolated', () => {
  it('is sent nothing until everybody who wanted that has taken it back', async () => {
    const test = await gated();
    const arrivals = noteArrivals(test);
    const first = test.queue.zones.isolate(ZONE);
    const second = test.queue.zones.isolate(ZONE);
    await enqueueEach(test.queue, 5);
    await test.clock.advance(HOUR_MS);
    expect(arrivals).toEqual([]);
    first();
    first();
    await test.clock.advance(HOUR_MS);
    expect(arrivals).toEqual([]);
    expect(breakerOf(test.queue)).toBe('isolated');
    second();
    await test.clock.settle();
    expect(arrivals.length).toBe(5);
    expect(breakerOf(test.queue)).toBe('closed');
  });

  it('says so, with no time at which that ends', async () => {
    const test = await gated();
    const events = record(test.queue, ...BREAKER_EVENTS);
    const undo = test.queue.zones.isolate(ZONE);
    const { id } = await test.queue.enqueue(put('/things/1'));
    expect((await test.queue.explain(id)).waitsFor).toEqual([{ what: 'breaker', of: ZONE, until: null }]);
    expect(gatesOf(test.queue)).toMatchObject({ breaker: { status: 'isolated', until: null }, opensAt: null });
    undo();
    expect(events).toMatchObject([
      { name: 'breaker:opened', reason: 'isolated', until: null },
      { name: 'breaker:closed', reason: 'released' },
    ]);
  });

  it('lets calls under way end', async () => {
    const test = await gated();
    test.server.script.next(park);
    const caller = test.queue.call(put('/things/1')).settled();
    await test.clock.settle();
    test.queue.zones.isolate(ZONE);
    test.server.release();
    await test.clock.settle();
    expect(await caller).toMatchObject({ state: 'succeeded' });
  });

  it('goes on being open when that is taken back', async () => {
    const test = await gated();
    test.server.script.always(unavailable());
    const opened = record(test.queue, 'breaker:opened');
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    const until = opened[0]?.until ?? 0;
    const undo = test.queue.zones.isolate(ZONE);
    undo();
    expect(gatesOf(test.queue).breaker).toMatchObject({ status: 'open', until });
  });

  it('may be one endpoint alone', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    await test.queue.enqueue(put('/orders/0'));
    await test.clock.settle();
    const undo = test.queue.zones.isolate(ZONE, 'orders');
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 2, '/orders');
    await enqueueEach(test.queue, 2, '/users');
    await test.clock.advance(MINUTE_MS);
    expect(arrivals.map(({ path }) => path)).toEqual(['/users/1', '/users/2']);
    undo();
    await test.clock.settle();
    expect(arrivals.length).toBe(4);
  });

  it('is refused by name where there is no such zone, endpoint or breaker', async () => {
    const test = await gated({ breaker: false, endpoint: byFirstSegment });
    const { zones } = test.queue;
    for (const work of [
      () => zones.isolate(ZONE),
      () => zones.isolate('nowhere'),
      () => zones.isolate(ZONE, 'unmet'),
      () => zones.reset('nowhere'),
      () => zones.update('nowhere', {}),
      () => zones.update(ZONE, {}, 'unmet'),
      () => zones.get('nowhere'),
    ])
      expect((await errorOf(work)).code).toBe('REQUEST_INVALID');
  });

  it('is refused with what can be named where no zone is configured', async () => {
    const { queue } = await rig();
    const { message } = await errorOf(() => queue.zones.get('nowhere'));
    expect(message).toBe('there is no zone "nowhere": expected the origin of an API, as none is configured');
  });
});

describe('a zone that is reset', () => {
  it('is sent all that waits, at once and in full', async () => {
    const test = await gated();
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    await enqueueEach(test.queue, 10, '/waiting');
    const arrivals = noteArrivals(test);
    const events = record(test.queue, ...BREAKER_EVENTS);
    test.queue.zones.reset(ZONE);
    await test.clock.settle();
    expect(arrivals.length).toBe(10);
    expect(events).toMatchObject([{ name: 'breaker:closed', reason: 'reset' }]);
    expect(gatesOf(test.queue).breaker).toMatchObject({ status: 'closed', tries: 0, failures: 0 });
  });

  it('is no longer kept to the time that its 503 asked for', async () => {
    const test = await gated();
    test.server.script.next(unavailable(3_600));
    await test.queue.enqueue(put('/things/1'));
    await test.clock.settle();
    await test.queue.enqueue(put('/things/2'));
    test.queue.zones.reset(ZONE);
    await test.clock.settle();
    expect(test.server.ledger.applied('/things/2')).toBe(1);
  });

  it('is no longer kept to the time that a 429 of an endpoint asked for', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    test.server.script.next(refuse({ status: 429, headers: [['retry-after', '3600']] }));
    await test.queue.enqueue(put('/orders/1'));
    await test.clock.settle();
    await test.queue.enqueue(put('/orders/2'));
    test.queue.zones.reset(ZONE);
    await test.clock.settle();
    expect(test.server.ledger.applied('/orders/2')).toBe(1);
  });

  it('has its endpoints reset too', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    test.server.script.always(refuse({ status: 500 }));
    await enqueueEach(test.queue, 5, '/orders');
    await test.clock.settle();
    expect(breakerOf(test.queue, 'orders')).toBe('open');
    test.queue.zones.reset(ZONE);
    expect(breakerOf(test.queue, 'orders')).toBe('closed');
  });
});

describe('a zone that is resumed by name', () => {
  it.each([
    ['503', unavailable(3_600)],
    ['429', refuse({ status: 429, headers: [['retry-after', '3600']] })],
  ])('goes on, though its %s asked for an hour', async (_, step) => {
    const test = await gated();
    test.server.script.next(step);
    await test.queue.enqueue(put('/things/1'));
    await test.clock.settle();
    await test.queue.enqueue(put('/things/2'));
    test.queue.pause(ZONE);
    test.queue.resume(ZONE);
    await test.clock.settle();
    expect(test.server.ledger.applied('/things/2')).toBe(1);
  });

  it('goes on with an endpoint whose 429 asked for an hour', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    test.server.script.next(refuse({ status: 429, headers: [['retry-after', '3600']] }));
    await test.queue.enqueue(put('/orders/1'));
    await test.clock.settle();
    await test.queue.enqueue(put('/orders/2'));
    test.queue.resume(ZONE);
    await test.clock.settle();
    expect(test.server.ledger.applied('/orders/2')).toBe(1);
  });

  it('is left alone all the same where it failed by itself', async () => {
    const test = await gated();
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    test.queue.resume(ZONE);
    expect(breakerOf(test.queue)).toBe('open');
  });
});

describe('limits that change while the queue runs', () => {
  it('keep what the breaker has seen and learned', async () => {
    const test = await gated({ retryBudget: false });
    test.server.script.next(...Array.from({ length: 4 }, () => unavailable()));
    await enqueueEach(test.queue, 4);
    await test.clock.settle();
    const before = gatesOf(test.queue).breaker;
    expect(before).toMatchObject({ calls: 4, failures: 4 });
    test.queue.zones.update(ZONE, { breaker: { windowMs: 60_000, openMs: 1_000 }, maxConcurrency: 3 });
    expect(gatesOf(test.queue).breaker).toEqual(before);
    const opened = record(test.queue, 'breaker:opened');
    test.server.script.always(unavailable());
    await test.queue.enqueue(put('/things/5'));
    await test.clock.settle();
    expect((opened[0]?.until ?? 0) - test.clock.now()).toBeLessThanOrEqual(1_250);
  });

  it('hold for the calls that come, and leave those under way alone', async () => {
    const test = await gated();
    test.server.script.always(park);
    await enqueueEach(test.queue, 20);
    await test.clock.settle();
    expect(test.network.underWay).toBe(10);
    test.queue.zones.update(ZONE, { maxConcurrency: 2 });
    await test.clock.settle();
    expect(test.network.underWay).toBe(10);
    test.server.release(8);
    await test.clock.settle();
    expect(test.network.underWay).toBe(2);
    test.queue.zones.update(ZONE, { maxConcurrency: 6 });
    await test.clock.settle();
    expect(test.network.underWay).toBe(6);
  });

  it('raise a limit above what the queue was made with, also for what runs the calls', async () => {
    const test = await gated({ maxConcurrency: 1 });
    test.server.script.always(park);
    await enqueueEach(test.queue, 20);
    await test.clock.settle();
    test.queue.zones.update(ZONE, { maxConcurrency: 8 });
    await test.clock.settle();
    expect(test.network.underWay).toBe(8);
  });

  it('add and remove a limit of the rate', async () => {
    const test = await gated();
    test.queue.zones.update(ZONE, { rateLimit: { max: 2, perMs: MINUTE_MS, algorithm: 'slidingWindow' } });
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 6);
    await test.clock.advance(30 * SECOND_MS);
    expect(arrivals.length).toBe(2);
    test.queue.zones.update(ZONE, { rateLimit: null });
    await test.clock.settle();
    expect(arrivals.length).toBe(6);
    expect(gatesOf(test.queue).rate).toBe(null);
  });

  it('count what was used under the limit before', async () => {
    const test = await gated({ rateLimit: { max: 4, perMs: MINUTE_MS, algorithm: 'slidingWindow' } });
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 10);
    await test.clock.settle();
    expect(arrivals.length).toBe(4);
    test.queue.zones.update(ZONE, { rateLimit: { max: 6, perMs: MINUTE_MS, algorithm: 'slidingWindow' } });
    await test.clock.advance(50 * SECOND_MS);
    expect(arrivals.length).toBe(6);
  });

  it('take the breaker away, and give it back', async () => {
    const test = await gated({ retryBudget: false });
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    const arrivals = noteArrivals(test, () => unavailable());
    test.queue.zones.update(ZONE, { breaker: false });
    await enqueueEach(test.queue, 30, '/more');
    await test.clock.advance(SECOND_MS);
    expect(arrivals.length).toBeGreaterThanOrEqual(30);
    const opened = record(test.queue, 'breaker:opened');
    test.queue.zones.update(ZONE, { breaker: {} });
    await enqueueEach(test.queue, 5, '/again');
    await test.clock.settle();
    expect(opened.length).toBe(1);
  });

  it('give a breaker to a zone that had none', async () => {
    const test = await gated({ breaker: false });
    test.queue.zones.update(ZONE, { breaker: {} });
    const opened = record(test.queue, 'breaker:opened');
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    expect(opened).toMatchObject([{ zone: ZONE, reason: 'consecutiveFailures' }]);
  });

  it('are those of one endpoint alone where that is named', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    await test.queue.enqueue(put('/orders/0'));
    await test.queue.enqueue(put('/users/0'));
    await test.clock.settle();
    test.queue.zones.update(ZONE, { maxConcurrency: 1 }, 'orders');
    test.server.script.always(park);
    await enqueueEach(test.queue, 4, '/orders');
    await enqueueEach(test.queue, 4, '/users');
    await test.clock.settle();
    expect(test.network.underWay).toBe(5);
  });

  it('are refused whole where one of them cannot be', async () => {
    const test = await gated();
    const error = await errorOf(() =>
      test.queue.zones.update(ZONE, { maxConcurrency: 3, rateLimit: { max: 0, perMs: 1_000 } }),
    );
    expect(error.code).toBe('CONFIG_INVALID');
    expect(gatesOf(test.queue)).toMatchObject({ concurrency: { max: 10 }, rate: null });
  });

  it('may be those of a zone that was made from an origin', async () => {
    const test = await gated();
    test.network.serve('https://other.test').script.always(park);
    for (let n = 0; n < 4; n += 1)
      await test.queue.enqueue({ method: 'POST', url: 'https://other.test/x', body: { n } });
    await test.clock.settle();
    test.queue.zones.update('https://other.test', { maxConcurrency: 2 });
    expect(test.queue.zones.get('https://other.test').concurrency).toMatchObject({ max: 2, inUse: 4 });
  });
});

describe('a breaker that is changed in part', () => {
  it('keeps what the change does not name', async () => {
    const test = await gated({
      breaker: { openMs: 1_000, maxOpenMs: 2_000, consecutiveFailures: 2 },
      retryBudget: false,
    });
    test.queue.zones.update(ZONE, { breaker: { windowMs: 60_000, openMs: undefined } });
    const opened = record(test.queue, 'breaker:opened');
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    expect(opened).toHaveLength(1);
    expect((opened[0]?.until ?? 0) - test.clock.now()).toBeLessThanOrEqual(1_250);
    test.queue.zones.update(ZONE, { breaker: false });
    test.queue.zones.update(ZONE, { breaker: {} });
    expect(gatesOf(test.queue).breaker).toMatchObject({ status: 'closed' });
  });
});

describe('a zone without a breaker', () => {
  it('is never left alone for its failures, and still waits where it is asked to', async () => {
    const test = await gated({ breaker: false, retryBudget: false });
    const events = record(test.queue, ...BREAKER_EVENTS);
    const arrivals = noteArrivals(test, () => unavailable());
    await enqueueEach(test.queue, 50);
    await test.clock.settle();
    expect(arrivals.length).toBe(50);
    await test.clock.advance(MINUTE_MS);
    expect(events).toEqual([]);
    expect(gatesOf(test.queue)).toMatchObject({ breaker: null });
    expect((await test.queue.health()).zones[0]).toMatchObject({ breaker: null });
    test.server.script.clear();
    test.server.script.next(unavailable(60));
    await test.queue.enqueue(post('/hinted'));
    await test.clock.settle();
    arrivals.length = 0;
    noteArrivals(test);
    await test.clock.advance(59 * SECOND_MS);
    expect(test.server.ledger.applied('/hinted')).toBe(0);
  });

  it('is left alone while it cannot be reached', async () => {
    const test = await gated({ breaker: false });
    test.network.online = false;
    await enqueueEach(test.queue, 20);
    await test.clock.advance(MINUTE_MS);
    expect(gatesOf(test.queue).connectivity).toBe('down');
  });
});
