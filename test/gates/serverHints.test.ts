import { describe, expect, it } from 'vitest';
import type { HeaderList } from '../../src/queue/types/request.ts';
import { answer, park, refuse, slow } from '../../src/testing/serverSteps.ts';
import { record } from '../core/harness.ts';
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
  SECOND_MS,
  ZONE,
} from './support/world.ts';

const DAY_MS = 24 * HOUR_MS;
const byFirstSegment = ({ path }: { path: string }) => path.split('/')[1];

/** The same quota in the words of each family of headers. */
function quotaIn(family: string, limit: number, remaining: number, seconds: number): HeaderList {
  switch (family) {
    case 'RateLimit':
      return [
        ['ratelimit-policy', `"q";q=${limit};w=${seconds}`],
        ['ratelimit', `"q";r=${remaining};t=${seconds}`],
      ];
    case 'RateLimit-Limit':
      return [
        ['ratelimit-limit', String(limit)],
        ['ratelimit-remaining', String(remaining)],
        ['ratelimit-reset', String(seconds)],
      ];
    default:
      return [
        ['x-ratelimit-limit', String(limit)],
        ['x-ratelimit-remaining', String(remaining)],
        ['x-ratelimit-reset', String(seconds)],
      ];
  }
}

const FAMILIES = ['RateLimit', 'RateLimit-Limit', 'X-RateLimit-Limit'];

describe('what answers say of a quota', () => {
  it.each(FAMILIES)('spaces calls by what is left of it, from half of it on (%s)', async (family) => {
    const test = await gated();
    let remaining = 41;
    const end = test.clock.monotonicNow() + MINUTE_MS;
    const arrivals = noteArrivals(test, () => {
      remaining -= 1;
      const seconds = Math.max(1, Math.ceil((end - test.clock.monotonicNow()) / 1_000));
      return answer({ status: 200, headers: quotaIn(family, 80, Math.max(0, remaining), seconds), body: {} });
    });
    await test.queue.enqueue(get('/first'));
    await test.clock.settle();
    await enqueueEach(test.queue, 100);
    await test.clock.advance(59 * SECOND_MS);
    expect(arrivals.length).toBeGreaterThan(10);
    expect(arrivals.length).toBeLessThanOrEqual(41);
    const early = arrivals.filter(({ at }) => at < end - 30 * SECOND_MS).length;
    expect(early).toBeLessThanOrEqual(25);
  });

  it.each(FAMILIES)('leaves calls free below half of it (%s)', async (family) => {
    const test = await gated({ maxConcurrency: 25 });
    test.server.script.always(answer({ status: 200, headers: quotaIn(family, 100, 80, 60), body: {} }));
    await test.queue.enqueue(get('/first'));
    await enqueueEach(test.queue, 20);
    await test.clock.settle();
    expect((await test.queue.counts()).succeeded).toBe(21);
  });

  it('sends nothing more when none is left, until it is renewed', async () => {
    const test = await gated();
    test.server.script.next(answer({ status: 200, headers: quotaIn('RateLimit', 100, 0, 30), body: {} }));
    await test.queue.enqueue(get('/first'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 3);
    await test.queue.enqueue(put('/critical'), { priority: 'critical' });
    await test.clock.advance(30 * SECOND_MS - 1);
    expect(arrivals).toEqual([]);
    await test.clock.advance(6 * SECOND_MS);
    expect(arrivals.length).toBe(4);
  });

  it.each(FAMILIES)('keeps the last tenth of it for what is critical (%s)', async (family) => {
    const test = await gated();
    test.server.script.next(answer({ status: 200, headers: quotaIn(family, 100, 8, 60), body: {} }));
    await test.queue.enqueue(get('/first'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    for (const priority of ['bulk', 'low', 'normal', 'high', 'critical'] as const) {
      await test.queue.enqueue(put(`/${priority}`), { priority });
    }
    await test.clock.advance(50 * SECOND_MS);
    expect(arrivals.map(({ path }) => path)).toEqual(['/critical']);
    await test.clock.advance(20 * SECOND_MS);
    expect(arrivals.length).toBe(5);
  });

  it('lets what it kept back go when it is a new one, not at some later look', async () => {
    const test = await gated();
    test.server.script.next(answer({ status: 200, headers: quotaIn('RateLimit', 100, 8, 3), body: {} }));
    await test.queue.enqueue(get('/first'));
    await test.clock.settle();
    const opensAt = test.clock.now() + 3 * SECOND_MS;
    const arrivals = noteArrivals(test);
    for (const priority of ['bulk', 'low', 'normal'] as const)
      await test.queue.enqueue(put(`/${priority}`), { priority });
    await test.clock.advance(opensAt - test.clock.now() - 1);
    expect(arrivals).toEqual([]);
    await test.clock.advance(2);
    expect(arrivals.map(({ path }) => path).sort()).toEqual(['/bulk', '/low', '/normal']);
  });

  it('keeps it from what has priority 9, whether that comes in or waits', async () => {
    const test = await gated();
    test.server.script.next(answer({ status: 200, headers: quotaIn('RateLimit', 100, 8, 60), body: {} }));
    await test.queue.enqueue(get('/first'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.clock.advance(10 * SECOND_MS);
    await test.queue.enqueue(put('/comes'), { priority: 9 });
    test.queue.pause();
    await test.queue.enqueue(put('/waits'), { priority: 9 });
    test.queue.resume();
    await test.clock.advance(40 * SECOND_MS);
    expect(arrivals).toEqual([]);
  });

  it('keeps what is below normal back from three quarters of it on', async () => {
    const test = await gated();
    test.server.script.next(answer({ status: 200, headers: quotaIn('RateLimit', 100, 20, 60), body: {} }));
    await test.queue.enqueue(get('/first'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    for (const priority of ['bulk', 'low', 'normal', 'high', 'critical'] as const) {
      await test.queue.enqueue(put(`/${priority}`), { priority });
    }
    await test.clock.advance(50 * SECOND_MS);
    expect(arrivals.map(({ path }) => path).sort()).toEqual(['/critical', '/high', '/normal']);
  });

  it('is of the endpoint it was said of, where there are such', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    test.server.script.next(answer({ status: 200, headers: quotaIn('RateLimit', 100, 0, 30), body: {} }));
    await test.queue.enqueue(get('/spent/1'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.queue.enqueue(put('/spent/2'));
    await test.queue.enqueue(put('/other/1'));
    await test.clock.advance(29 * SECOND_MS);
    expect(arrivals.map(({ path }) => path)).toEqual(['/other/1']);
  });

  it('is not believed of an answer from a cache', async () => {
    const test = await gated();
    test.server.script.next(
      answer({ status: 200, headers: [['age', '5'], ...quotaIn('RateLimit', 100, 0, 3_600)], body: {} }),
    );
    await test.queue.enqueue(get('/first'));
    await test.clock.settle();
    await enqueueEach(test.queue, 3);
    await test.clock.settle();
    expect((await test.queue.counts()).succeeded).toBe(4);
  });

  it('caps the calls at once by a policy of concurrent requests', async () => {
    const test = await gated();
    const changes = record(test.queue, 'limit:changed');
    test.server.script.next(
      answer({ status: 200, headers: [['ratelimit-policy', '"c";q=3;qu="concurrent-requests"']], body: {} }),
    );
    await test.queue.enqueue(get('/first'));
    await test.clock.settle();
    expect(changes).toMatchObject([{ zone: ZONE, channel: ZONE, from: 10, to: 3, cause: 'capped' }]);
    test.server.script.always(park);
    await enqueueEach(test.queue, 10);
    await test.clock.settle();
    expect(test.network.underWay).toBe(3);
  });
});

describe('a 429', () => {
  it('without a time cuts the rate, and gives it back', async () => {
    const test = await gated({ adaptiveConcurrency: false });
    const arrivals = noteArrivals(test, ({ n }) => (n === 101 ? refuse({ status: 429 }) : undefined));
    for (let n = 0; n < 100; n += 1) {
      await test.queue.enqueue(get(`/steady/${n}`));
      await test.clock.advance(100);
    }
    await enqueueEach(test.queue, 1);
    await test.clock.settle();
    arrivals.length = 0;
    await enqueueEach(test.queue, 400, '/after');
    await test.clock.advance(5 * SECOND_MS);
    expect(arrivals.length).toBeGreaterThan(20);
    expect(arrivals.length).toBeLessThanOrEqual(50);
    await test.clock.advance(20 * SECOND_MS);
    expect((await test.queue.counts()).succeeded).toBe(501);
  });

  it.each([
    ['seconds', [['retry-after', '60']]],
    ['seconds with a fraction', [['retry-after', '60.0']]],
    ['several values', [['retry-after', '5, 60']]],
    ['milliseconds', [['retry-after-ms', '60000']]],
    ['milliseconds as Azure tells them', [['x-ms-retry-after-ms', '60000']]],
  ] as const)('is waited for as long as it asks, in %s', async (_, headers) => {
    const test = await gated();
    test.server.script.next(refuse({ status: 429, headers }));
    await test.queue.enqueue(put('/things/1'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.queue.enqueue(put('/things/2'));
    await test.clock.advance(MINUTE_MS - 1);
    expect(arrivals).toEqual([]);
    await test.clock.advance(6 * SECOND_MS);
    expect(arrivals.length).toBe(2);
  });

  it.each([
    ['a date', (now: number) => new Date(now + MINUTE_MS).toUTCString()],
    ['a date by a clock that is wrong', (now: number) => new Date(now + MINUTE_MS - 5 * HOUR_MS).toUTCString()],
    ['an instant in seconds', (now: number) => String(Math.round((now + MINUTE_MS) / 1_000))],
    ['an instant in milliseconds', (now: number) => String(now + MINUTE_MS)],
  ])('is waited for until the time it names, as %s', async (form, value) => {
    const test = await gated();
    const serverNow = test.clock.now() - (form.endsWith('wrong') ? 5 * HOUR_MS : 0);
    const headers = [
      ['date', new Date(serverNow).toUTCString()],
      ['retry-after', value(test.clock.now())],
    ] as const;
    test.server.script.next(refuse({ status: 429, headers }));
    await test.queue.enqueue(put('/things/1'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.clock.advance(59 * SECOND_MS);
    expect(arrivals).toEqual([]);
    await test.clock.advance(8 * SECOND_MS);
    expect(arrivals.length).toBe(1);
  });

  it.each(['Mon, 01 Jan 2001 00:00:00 GMT', '0', 'soon', '', '-5'])(
    'is not waited for with %j as its time',
    async (value) => {
      const test = await gated();
      test.server.script.next(refuse({ status: 429, headers: [['retry-after', value]] }));
      await test.queue.enqueue(put('/things/1'));
      await test.clock.advance(3 * SECOND_MS);
      expect((await test.queue.counts()).succeeded).toBe(1);
    },
  );

  it('parks its request, and the zone, for an hour, which costs no attempt and nothing of the store', async () => {
    const test = await gated();
    test.server.script.next(refuse({ status: 429, headers: [['retry-after', '3600']] }));
    const { id } = await test.queue.enqueue(put('/things/1'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 3, '/others');
    await test.clock.advance(HOUR_MS - 1);
    expect(arrivals).toEqual([]);
    expect(breakerOf(test.queue)).toBe('closed');
    expect(await test.queue.get(id)).toMatchObject({ state: 'scheduled', progress: { faults: 0 } });
    await test.clock.advance(10 * SECOND_MS);
    expect(arrivals.length).toBe(4);
  });

  it('keeps its request parked over a crash', async () => {
    const test = await gated();
    test.server.script.next(refuse({ status: 429, headers: [['retry-after', '3600']] }));
    await test.queue.enqueue(put('/things/1'));
    await test.clock.advance(10 * MINUTE_MS);
    await test.crash();
    const arrivals = noteArrivals(test);
    await test.clock.advance(49 * MINUTE_MS);
    expect(arrivals).toEqual([]);
    await test.clock.advance(2 * MINUTE_MS);
    expect(arrivals.length).toBe(1);
  });

  it.each([
    ['429', 'retry-after'],
    ['503', 'retry-after'],
  ])('of ten days is waited for a day: %s', async (status, header) => {
    const test = await gated({}, { giveUpAfterMs: 20 * DAY_MS });
    test.server.script.next(refuse({ status: Number(status), headers: [[header, String(10 * 24 * 3_600)]] }));
    await test.queue.enqueue(put('/things/1'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.queue.enqueue(put('/things/2'));
    await test.clock.advance(DAY_MS - SECOND_MS);
    expect(arrivals).toEqual([]);
    await test.clock.advance(MINUTE_MS);
    expect(arrivals.length).toBe(2);
  });
});

describe('calls at once', () => {
  it('are halved once by a 429, however many come in the same second', async () => {
    const test = await gated();
    const changes = record(test.queue, 'limit:changed');
    test.server.script.always(refuse({ status: 429 }));
    await enqueueEach(test.queue, 10);
    await test.clock.advance(900);
    expect(changes).toMatchObject([{ from: 10, to: 5, cause: 'throttled' }]);
    await test.clock.advance(30 * SECOND_MS);
    expect(gatesOf(test.queue).concurrency.limit).toBeLessThan(5);
    for (const [index, { at }] of changes.entries()) {
      if (index > 0) expect(at - (changes[index - 1]?.at ?? 0)).toBeGreaterThanOrEqual(1_000);
    }
  });

  it('are a tenth fewer after calls that were not answered in time, and never fewer than one', async () => {
    const test = await gated(
      { breaker: false, retryBudget: false, adaptiveTimeout: false },
      { attemptTimeoutMs: 2_000 },
    );
    const changes = record(test.queue, 'limit:changed');
    // Some are answered, so that the zone can be reached.
    test.server.script.always(({ path }) => (path.startsWith('/good') ? undefined : { kind: 'hang', apply: false }));
    await enqueueEach(test.queue, 10);
    await test.queue.enqueue(put('/good/0'));
    await test.clock.advance(2 * SECOND_MS);
    expect(changes[0]).toMatchObject({ from: 10, to: 9, cause: 'timeout' });
    for (let n = 1; n < 40; n += 1) {
      await test.queue.enqueue(put(`/good/${n}`), { priority: 10 });
      await test.clock.advance(5 * SECOND_MS);
    }
    expect(gatesOf(test.queue).concurrency.limit).toBeGreaterThanOrEqual(1);
    expect(changes.length).toBeGreaterThan(1);
  });

  it('grow back while all that are allowed are used, and succeed', async () => {
    const test = await gated();
    test.server.script.next(...Array.from({ length: 10 }, () => refuse({ status: 429 })));
    await enqueueEach(test.queue, 10);
    await test.clock.advance(2 * SECOND_MS);
    expect(gatesOf(test.queue).concurrency.limit).toBeLessThanOrEqual(5);
    test.server.script.always(slow(200));
    await enqueueEach(test.queue, 400, '/more');
    expect(await test.clock.advanceUntil(() => gatesOf(test.queue).concurrency.limit === 10, 10 * MINUTE_MS)).toBe(
      true,
    );
  });

  it('do not grow back while fewer are used than are allowed', async () => {
    const test = await gated();
    test.server.script.next(refuse({ status: 429 }));
    await enqueueEach(test.queue, 1);
    await test.clock.advance(30 * SECOND_MS);
    for (let n = 0; n < 100; n += 1) {
      await test.queue.enqueue(put(`/more/${n}`));
      await test.clock.advance(100);
    }
    expect(gatesOf(test.queue).concurrency.limit).toBe(5);
  });

  it('stay as they are where they do not adapt', async () => {
    const test = await gated({ adaptiveConcurrency: false });
    const changes = record(test.queue, 'limit:changed');
    test.server.script.next(...Array.from({ length: 10 }, () => refuse({ status: 429 })));
    await enqueueEach(test.queue, 10);
    await test.clock.advance(2 * MINUTE_MS);
    expect(changes).toEqual([]);
    test.server.script.always(park);
    await enqueueEach(test.queue, 20, '/more');
    await test.clock.settle();
    expect(test.network.underWay).toBe(10);
  });

  it('are those of the endpoint that was asked for too much, and of no other', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    test.server.script.next(refuse({ status: 429 }));
    await test.queue.enqueue(put('/narrow/1'));
    await test.queue.enqueue(put('/wide/1'));
    await test.clock.settle();
    const { concurrency, endpoints } = gatesOf(test.queue);
    expect(concurrency.limit).toBe(10);
    expect(endpoints.map((one) => [one.scope, one.concurrency.limit])).toEqual([
      [`${ZONE}#narrow`, 5],
      [`${ZONE}#wide`, 10],
    ]);
  });

  it('are fewer where a 500 tells of a limit of threads, which opens no breaker', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    const body = { errors: ['The Autotask API thread threshold of 3 threads has been exceeded.'] };
    test.server.script.always(refuse({ status: 500, body }));
    await enqueueEach(test.queue, 20, '/tickets');
    await test.clock.advance(10 * SECOND_MS);
    expect(gatesOf(test.queue).endpoints[0]?.concurrency.limit).toBeLessThanOrEqual(5);
    expect(breakerOf(test.queue, 'tickets')).toBe('closed');
  });
});
