import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { hang, park, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { at, record } from '../core/harness.ts';
import type { ZoneGates } from './support/world.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
  get,
  HOUR_MS,
  MINUTE_MS,
  noteArrivals,
  put,
  rig,
  SECOND_MS,
  ZONE,
  zones,
} from './support/world.ts';

const BREAKER_EVENTS = ['breaker:opened', 'breaker:halfOpened', 'breaker:recovering', 'breaker:closed'] as const;

/** A zone whose breaker was opened by five requests; `waiting` more wait behind it. */
async function opened(waiting = 0, zone: ZoneGates = {}): Promise<{ test: TestQueue; until: number }> {
  const test = await gated(zone);
  const openings = record(test.queue, 'breaker:opened');
  test.server.script.always(unavailable());
  await enqueueEach(test.queue, 5);
  await test.clock.settle();
  expect(openings.length).toBe(1);
  await enqueueEach(test.queue, waiting, '/waiting');
  return { test, until: openings[0]?.until ?? 0 };
}

async function passUntil(test: TestQueue, until: number): Promise<void> {
  await test.clock.advance(until - test.clock.now());
}

describe('a breaker that is half open', () => {
  it('lets one of 50 through, then two, then four, and closes after three that succeed', async () => {
    const { test, until } = await opened(45);
    test.server.script.always(park);
    await passUntil(test, until);
    expect(breakerOf(test.queue)).toBe('halfOpen');
    expect(test.network.underWay).toBe(1);
    await test.clock.advance(3 * SECOND_MS);
    expect(test.network.underWay).toBe(1);
    test.server.release();
    await test.clock.settle();
    expect(test.network.underWay).toBe(2);
    test.server.release(1);
    await test.clock.settle();
    expect(breakerOf(test.queue)).toBe('halfOpen');
    expect(test.network.underWay).toBe(4);
    test.server.release(1);
    await test.clock.settle();
    expect(breakerOf(test.queue)).toBe('recovering');
  });

  it('lets none through that came in just then, beside the one that finds out', async () => {
    const { test, until } = await opened(3);
    test.server.script.always(park);
    await passUntil(test, until);
    expect(test.network.underWay).toBe(1);
    await enqueueEach(test.queue, 10, '/new');
    await test.clock.settle();
    expect(test.network.underWay).toBe(1);
  });

  it('takes a newcomer to find out where nothing else waits', async () => {
    const test = await gated({
      classify: ({ status }) => (status === 503 ? { is: 'rejected', scope: 'zone' } : undefined),
    });
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.advance(10 * SECOND_MS);
    expect(breakerOf(test.queue)).toBe('halfOpen');
    test.server.script.always(park);
    await enqueueEach(test.queue, 10, '/new');
    await test.clock.settle();
    expect(test.network.underWay).toBe(1);
    test.server.script.clear();
    test.server.release();
    await test.clock.advance(MINUTE_MS);
    expect((await test.queue.counts()).succeeded).toBe(10);
  });

  it('opens again for twice as long when the first that went fails', async () => {
    const { test, until } = await opened(45);
    const events = record(test.queue, ...BREAKER_EVENTS);
    const arrivals = noteArrivals(test, () => unavailable());
    await passUntil(test, until);
    expect(arrivals.length).toBe(1);
    expect(events).toMatchObject([
      { name: 'breaker:halfOpened', reason: 'due' },
      { name: 'breaker:opened', reason: 'probeFailed', tries: 2 },
    ]);
    const again = events[1] as { until?: number };
    expect((again.until ?? 0) - test.clock.now()).toBeGreaterThanOrEqual(10_000);
    expect((again.until ?? 0) - test.clock.now()).toBeLessThanOrEqual(12_500);
    await test.clock.advance(9 * SECOND_MS);
    expect(arrivals.length).toBe(1);
  });

  it('does not stick to a probe that hangs: it has failed after five seconds, and another goes', async () => {
    const { test, until } = await opened(45);
    const events = record(test.queue, ...BREAKER_EVENTS);
    const arrivals = noteArrivals(test, () => (arrivals.length === 1 ? hang : undefined));
    await passUntil(test, until);
    await test.clock.advance(5 * SECOND_MS);
    expect(events.map(({ name, reason }) => [name, reason])).toEqual([
      ['breaker:halfOpened', 'due'],
      ['breaker:opened', 'probeFailed'],
    ]);
    expect(await test.clock.advanceUntil(() => breakerOf(test.queue) === 'recovering', 15 * SECOND_MS)).toBe(true);
    // It has not even been answered by then.
    expect(test.network.underWay).toBeGreaterThanOrEqual(1);
  });

  it('gives probes the time that one of them took which seemed to hang', async () => {
    const { test, until } = await opened(45);
    const events = record(test.queue, ...BREAKER_EVENTS);
    test.server.script.always({ kind: 'answer', apply: true, delayMs: 7 * SECOND_MS });
    await passUntil(test, until);
    expect(await test.clock.advanceUntil(() => breakerOf(test.queue) === 'recovering', 60 * SECOND_MS)).toBe(true);
    expect(events.filter(({ name }) => name === 'breaker:opened').length).toBe(1);
  });

  it('lets another go at once where a probe was called off, and takes that for no success', async () => {
    const { test } = await opened();
    const abort = new AbortController();
    const caller = test.queue.call(get('/read'), { signal: abort.signal, priority: 9 });
    await enqueueEach(test.queue, 3, '/waiting');
    const arrivals = noteArrivals(test, () => park);
    expect(await test.clock.advanceUntil(() => arrivals.length === 1, 10 * SECOND_MS)).toBe(true);
    expect(arrivals[0]?.path).toBe('/read');
    abort.abort(new Error('enough'));
    await caller.settled().catch(() => undefined);
    await test.clock.settle();
    expect(breakerOf(test.queue)).toBe('halfOpen');
    expect(arrivals.length).toBe(2);
    expect(test.network.underWay).toBe(1);
  });

  it('asks with a read, before it asks with a write that cannot be repeated', async () => {
    const { test } = await opened();
    for (const method of ['POST', 'PATCH'])
      await test.queue.enqueue({ method, url: at('/orders'), body: {} }, { priority: 9, lane: null });
    const arrivals = noteArrivals(test, () => park);
    void test.queue.call(get('/read'));
    expect(await test.clock.advanceUntil(() => arrivals.length > 0, 10 * SECOND_MS)).toBe(true);
    expect(['GET', 'PUT']).toContain(arrivals[0]?.method);
  });

  it('asks with a write that cannot be repeated where nothing else waits', async () => {
    const test = await gated({
      classify: ({ status }) => (status === 503 ? { is: 'rejected', scope: 'zone' } : undefined),
    });
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    const order = await test.queue.enqueue({ method: 'POST', url: at('/orders'), body: {} });
    await test.clock.settle();
    test.server.script.clear();
    await test.clock.advance(10 * SECOND_MS);
    expect(await test.queue.get(order.id)).toMatchObject({ state: 'succeeded' });
  });

  it('spends no attempt of the requests that are sent to find out', async () => {
    const { test } = await opened(10);
    const arrivals = noteArrivals(test, (request) => (request.n % 2 === 0 ? hang : unavailable()));
    await test.clock.advance(3 * HOUR_MS);
    const { requests } = await test.queue.find({});
    expect(requests.length).toBe(15);
    expect(Math.max(...requests.map(({ progress }) => progress.faults))).toBe(0);
    expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0 });
    expect(arrivals.length).toBeGreaterThan(30);
  });
});

describe('a request that the zone cannot cope with', () => {
  it.each([
    ['503', () => unavailable()],
    ['silence', () => hang],
  ])('does not keep the zone from all others for ever (%s)', async (_, fault) => {
    const test = await gated();
    test.server.script.always(unavailable());
    const poison = await test.queue.enqueue(put('/poison'), { priority: 9 });
    await enqueueEach(test.queue, 40);
    await test.clock.advance(MINUTE_MS);
    // The zone is well again, but for one request.
    test.server.script.always(({ path }) => (path === '/poison' ? fault() : undefined));
    const served = await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded >= 40, HOUR_MS);
    expect(served).toBe(true);
    expect(await test.queue.get(poison.id)).not.toMatchObject({ state: 'succeeded' });
  });

  it.each([
    ['503', () => unavailable()],
    ['silence', () => hang],
  ])('does not keep the zone from four others for ever, where all of them were sent before (%s)', async (_, fault) => {
    const test = await gated();
    test.server.script.always(unavailable());
    await test.queue.enqueue(put('/poison'), { priority: 9 });
    await enqueueEach(test.queue, 4);
    await test.clock.advance(MINUTE_MS);
    test.server.script.always(({ path }) => (path === '/poison' ? fault() : undefined));
    const served = await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded >= 4, 3 * HOUR_MS);
    expect(served).toBe(true);
  });

  it('does not keep an endpoint from all others for ever', async () => {
    const test = await gated({ endpoint: ({ path }) => path.split('/')[1], idempotency: 'stripe' });
    test.server.script.always(refuse({ status: 500 }));
    await test.queue.enqueue(put('/things/poison'), { priority: 9 });
    await enqueueEach(test.queue, 40);
    await test.clock.advance(MINUTE_MS);
    test.server.script.always(({ path }) => (path === '/things/poison' ? refuse({ status: 500 }) : undefined));
    const served = await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded >= 40, 3 * HOUR_MS);
    expect(served).toBe(true);
  });

  it('does not keep a zone that cannot be reached from all others for ever', async () => {
    const test = await gated();
    test.network.online = false;
    await test.queue.enqueue(put('/poison'), { priority: 9 });
    await enqueueEach(test.queue, 20);
    await test.clock.advance(MINUTE_MS);
    test.network.online = true;
    test.server.script.always(({ path }) => (path === '/poison' ? hang : undefined));
    const served = await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded >= 20, 3 * HOUR_MS);
    expect(served).toBe(true);
  });

  it('does not keep a zone that knows keys from all others for ever', async () => {
    const test = await gated({ idempotency: 'stripe' });
    test.server.script.always(unavailable());
    await test.queue.enqueue({ method: 'POST', url: at('/poison'), body: {} }, { priority: 9 });
    await enqueueEach(test.queue, 40);
    await test.clock.advance(MINUTE_MS);
    test.server.script.always(({ path }) => (path === '/poison' ? unavailable() : undefined));
    const served = await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded >= 40, HOUR_MS);
    expect(served).toBe(true);
  });
});

describe('several requests that the zone cannot cope with', () => {
  it.each([
    ['503', 10, 40, () => unavailable()],
    ['silence', 10, 40, () => hang],
    ['503', 20, 400, () => unavailable()],
    ['silence', 40, 400, () => hang],
  ])('do not keep the zone from all others for ever (%s, %i before %i)', async (_, count, good, fault) => {
    const test = await gated({ maxConcurrency: 100 });
    test.server.script.always(unavailable());
    for (let n = 0; n < count; n += 1) await test.queue.enqueue(put(`/poison/${n}`), { priority: 9 });
    await enqueueEach(test.queue, good);
    await test.clock.advance(5 * MINUTE_MS);
    test.server.script.always(({ path }) => (path.startsWith('/poison') ? fault() : undefined));
    const areServed = async () => (await test.queue.counts()).succeeded >= good;
    expect(await test.clock.advanceUntil(areServed, 2 * HOUR_MS)).toBe(true);
  });
});

describe('what happens to a breaker', () => {
  it('is told in order, with what it was decided on', async () => {
    const test = await gated();
    const events = record(test.queue, ...BREAKER_EVENTS);
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    test.server.script.clear();
    const startedAt = test.clock.now();
    await enqueueEach(test.queue, 5, '/more');
    await test.clock.advance(2 * MINUTE_MS);
    const base = { queue: 'queue', zone: ZONE, channel: ZONE, baseline: expect.closeTo(0.05, 1), threshold: 0.3 };
    expect(events).toEqual([
      {
        ...base,
        name: 'breaker:opened',
        at: startedAt,
        reason: 'consecutiveFailures',
        failureRate: 1,
        tries: 1,
        until: expect.any(Number),
      },
      { ...base, name: 'breaker:halfOpened', at: expect.any(Number), reason: 'due', failureRate: 1 },
      { ...base, name: 'breaker:recovering', at: expect.any(Number), reason: 'probeSucceeded', failureRate: 0 },
      {
        ...base,
        threshold: expect.any(Number),
        name: 'breaker:closed',
        at: expect.any(Number),
        reason: 'recovered',
        failureRate: 0,
      },
    ]);
    const [openedAt, halfOpenedAt, recoveringAt, closedAt] = events.map(({ at: when }) => when) as [
      number,
      number,
      number,
      number,
    ];
    const { until } = events[0] as { until?: number };
    expect(halfOpenedAt).toBeGreaterThanOrEqual((until ?? 0) - 1);
    expect(halfOpenedAt - (until ?? 0)).toBeLessThanOrEqual(5_000);
    expect(openedAt).toBeLessThan(halfOpenedAt);
    expect(recoveringAt).toBeGreaterThanOrEqual(halfOpenedAt);
    expect(closedAt - recoveringAt).toBeGreaterThanOrEqual(MINUTE_MS);
  });

  it('harms nothing where those who are told throw or reject', async () => {
    const failures: string[] = [];
    const test = await gated(
      {},
      {
        logger: {
          debug: () => undefined,
          info: () => undefined,
          warn: () => undefined,
          error: (message) => void failures.push(message),
        },
      },
    );
    for (const name of BREAKER_EVENTS) {
      test.queue.on(name, () => {
        throw new Error('a bug');
      });
      test.queue.on(name, () => Promise.reject(new Error('another')) as never);
    }
    const events = record(test.queue, ...BREAKER_EVENTS);
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    test.server.script.clear();
    await test.clock.advance(3 * MINUTE_MS);
    expect((await test.queue.counts()).succeeded).toBe(5);
    expect(events.map(({ name }) => name)).toEqual([...BREAKER_EVENTS]);
    expect(failures.filter((message) => message === 'a listener failed').length).toBe(8);
  });

  it('is seen by whoever asks why a request waits', async () => {
    const { test, until } = await opened();
    const { id } = await test.queue.enqueue(put('/waiting/1'));
    const { waitsFor, wakesAt } = await test.queue.explain(id);
    expect(waitsFor).toEqual([{ what: 'breaker', of: ZONE, until }]);
    expect(wakesAt).toBe(until);
    expect(gatesOf(test.queue)).toMatchObject({ breaker: { status: 'open', until, tries: 1 }, opensAt: until });
  });
});

describe('what waits behind an open breaker', () => {
  it('is not asked for: no claim names its channel', async () => {
    const claims: string[][] = [];
    const { queue, clock, server } = await rig({
      config: { zones: { ...zones(), other: { origins: ['https://other.test'] } } },
      hooks: {
        before: (verb, query) => {
          if (verb !== 'claim') return;
          claims.push((query as { channels: { channel: string }[] }).channels.map(({ channel }) => channel));
        },
      },
    });
    const openings = record(queue, 'breaker:opened');
    server.script.always(unavailable());
    await enqueueEach(queue, 5);
    await clock.settle();
    claims.length = 0;
    await enqueueEach(queue, 200, '/waiting');
    await clock.advance((openings[0]?.until ?? 0) - clock.now() - 1);
    expect(claims.flat().filter((channel) => channel === ZONE)).toEqual([]);
    await clock.advance(2);
    expect(claims.flat().filter((channel) => channel === ZONE).length).toBe(1);
  });

  it('costs no verb of the store for as long as somebody isolates it', async () => {
    const verbs: string[] = [];
    const { queue, clock } = await rig({
      config: { zones: zones() },
      hooks: { before: (verb) => void verbs.push(verb) },
    });
    queue.zones.isolate(ZONE);
    await enqueueEach(queue, 50);
    await clock.settle();
    verbs.length = 0;
    await clock.advance(10 * MINUTE_MS);
    expect(verbs.filter((verb) => verb === 'claim' || verb === 'settle' || verb === 'amend')).toEqual([]);
  });
});
