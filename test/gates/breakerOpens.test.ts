import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import type { NetworkStep } from '../../src/testing/FakeServer.ts';
import { answer, hang, park, refuse, resetBeforeApply, slow, unavailable } from '../../src/testing/serverSteps.ts';
import { errorOf, record } from '../core/harness.ts';
import {
  breakerOf,
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

const status = (code: number): NetworkStep => refuse({ status: code, body: {} });

async function settled(test: TestQueue): Promise<void> {
  await test.clock.settle();
}

function openings(queue: QueueManager) {
  return record(queue, 'breaker:opened');
}

describe('a zone', () => {
  it.each([
    ['502', status(502)],
    ['503', status(503)],
    ['504', status(504)],
    ['a reset', resetBeforeApply],
  ])('is left alone once five different requests in a row met %s', async (_, step) => {
    const test = await gated();
    const opened = openings(test.queue);
    const arrivals = noteArrivals(test, () => step);
    await enqueueEach(test.queue, 4);
    await settled(test);
    expect(opened).toEqual([]);
    const at = test.clock.now();
    await test.queue.enqueue(put('/things/5'));
    await settled(test);
    expect(opened).toEqual([
      {
        name: 'breaker:opened',
        at,
        queue: 'queue',
        zone: ZONE,
        channel: ZONE,
        reason: 'consecutiveFailures',
        failureRate: 1,
        threshold: 0.3,
        baseline: 0.05,
        until: expect.any(Number),
        tries: 1,
      },
    ]);
    const until = opened[0]?.until ?? 0;
    expect(until - at).toBeGreaterThanOrEqual(5_000);
    expect(until - at).toBeLessThanOrEqual(6_250);
    await enqueueEach(test.queue, 20, '/more');
    await test.clock.advance(until - at - 1);
    expect(arrivals.length).toBe(5);
    expect(breakerOf(test.queue)).toBe('open');
  });

  it('is left alone once five calls that were sent together were not answered in time', async () => {
    const test = await gated();
    const opened = openings(test.queue);
    test.server.script.always(hang);
    await enqueueEach(test.queue, 5);
    await test.clock.advance(29 * SECOND_MS);
    expect(opened).toEqual([]);
    await test.clock.advance(2 * SECOND_MS);
    expect(opened).toMatchObject([{ zone: ZONE, reason: 'consecutiveFailures' }]);
    expect(gatesOf(test.queue).connectivity).not.toBe('down');
  });

  it('is left alone by its rate of failures where some calls of it succeed', async () => {
    const test = await gated({ retryBudget: false });
    const opened = openings(test.queue);
    // Two of three fail: never five in a row.
    test.server.script.always(({ n }) => (n % 3 === 0 ? undefined : status(503)));
    for (let n = 0; n < 30 && opened.length === 0; n += 1) {
      await test.queue.enqueue(put(`/things/${n}`));
      await test.clock.advance(300);
    }
    expect(opened).toMatchObject([{ reason: 'failureRate', channel: ZONE }]);
    expect(opened[0]?.failureRate).toBeGreaterThanOrEqual(opened[0]?.threshold ?? 1);
  });

  it('is left alone within seconds where an outage is total, at one call a second', async () => {
    const test = await gated({ retryBudget: false }, { retry: { baseDelayMs: 60_000 } });
    for (let n = 0; n < 120; n += 1) {
      await test.queue.enqueue(put(`/before/${n}`));
      await test.clock.advance(SECOND_MS);
    }
    const opened = openings(test.queue);
    test.server.script.always(unavailable());
    const from = test.clock.now();
    for (let n = 0; n < 60 && opened.length === 0; n += 1) {
      await test.queue.enqueue(put(`/things/${n}`));
      await test.clock.advance(SECOND_MS);
    }
    expect(opened[0]?.reason).toBe('consecutiveFailures');
    expect((opened[0]?.at ?? 0) - from).toBeLessThanOrEqual(5 * SECOND_MS);
  });

  it('is left alone where nearly all of its calls take longer than they may', async () => {
    const test = await gated({ breaker: { slowCallMs: 500 } });
    const opened = openings(test.queue);
    test.server.script.always(slow(600));
    for (let n = 0; n < 40 && opened.length === 0; n += 1) {
      await test.queue.enqueue(put(`/things/${n}`));
      await test.clock.advance(700);
    }
    expect(opened).toMatchObject([{ reason: 'slowCalls', failureRate: 0 }]);
  });

  it('is left alone until the time that its 503 asks for', async () => {
    const test = await gated();
    const opened = openings(test.queue);
    test.server.script.next(unavailable(90));
    await test.queue.enqueue(put('/things/1'));
    const until = test.clock.now() + 90 * SECOND_MS;
    await settled(test);
    expect(opened).toMatchObject([{ reason: 'serverHint', until }]);
    const arrivals = noteArrivals(test);
    await test.queue.enqueue(put('/things/2'));
    await test.clock.advance(90 * SECOND_MS - 1);
    expect(arrivals).toEqual([]);
    await test.clock.advance(30 * SECOND_MS);
    expect(arrivals.length).toBe(2);
  });

  it('is not left alone for one request that fails again and again', async () => {
    const test = await gated();
    const opened = openings(test.queue);
    const arrivals = noteArrivals(test, () => status(503));
    await test.queue.enqueue(put('/things/poison'));
    await test.clock.advance(HOUR_MS);
    expect(arrivals.length).toBeGreaterThan(50);
    expect(opened).toEqual([]);
    expect(breakerOf(test.queue)).toBe('closed');
  });

  it('is not left alone for one that fails again and again among others that are served', async () => {
    const test = await gated();
    const opened = openings(test.queue);
    test.server.script.always(({ path }) => (path === '/things/poison' ? status(503) : undefined));
    await test.queue.enqueue(put('/things/poison'));
    for (let n = 0; n < 60; n += 1) {
      await test.queue.enqueue(put(`/things/${n}`));
      await test.clock.advance(5 * SECOND_MS);
    }
    expect(opened).toEqual([]);
  });

  it.each([400, 401, 403, 404, 408, 409, 412, 413, 422, 423, 500, 501])(
    'is not left alone for answers of %d',
    async (code) => {
      const test = await gated();
      const opened = openings(test.queue);
      const arrivals = noteArrivals(test, () => status(code));
      await enqueueEach(test.queue, 30);
      await test.clock.advance(MINUTE_MS);
      expect(arrivals.length).toBeGreaterThanOrEqual(30);
      expect(opened).toEqual([]);
      expect(breakerOf(test.queue)).toBe('closed');
    },
  );

  it.each([
    ['without a time to wait', []],
    ['with a time to wait', [['retry-after', '2']]],
  ] as const)('is not left alone for a storm of 429 %s', async (_, headers) => {
    const test = await gated();
    const opened = openings(test.queue);
    const arrivals = noteArrivals(test, () => refuse({ status: 429, headers, body: {} }));
    await enqueueEach(test.queue, 100);
    await test.clock.advance(10 * MINUTE_MS);
    expect(arrivals.length).toBeGreaterThan(50);
    expect(opened).toEqual([]);
    expect(breakerOf(test.queue)).toBe('closed');
  });

  it('is not left alone for calls that their callers called off', async () => {
    const test = await gated();
    const opened = openings(test.queue);
    test.server.script.always(park);
    for (let n = 0; n < 20; n += 1) {
      const abort = new AbortController();
      const caller = test.queue.call(get(`/things/${n}`), { signal: abort.signal });
      await settled(test);
      expect(test.network.underWay).toBe(1);
      abort.abort(new Error('enough'));
      await caller.settled().catch(() => undefined);
      await settled(test);
      expect(test.network.underWay).toBe(0);
    }
    expect(opened).toEqual([]);
    expect(gatesOf(test.queue).breaker).toMatchObject({ status: 'closed', calls: 0, failures: 0 });
  });

  it('is not left alone for what the queue itself refuses', async () => {
    const test = await gated({}, { maxSize: 3 });
    const opened = openings(test.queue);
    test.queue.pause();
    await enqueueEach(test.queue, 3);
    for (let n = 0; n < 20; n += 1) {
      expect((await errorOf(test.queue.enqueue(put(`/more/${n}`)))).code).toBe('QUEUE_FULL');
      await test.clock.advance(SECOND_MS);
    }
    expect(opened).toEqual([]);
    test.queue.resume();
    await settled(test);
    expect(test.server.ledger.applied()).toBe(3);
    expect(gatesOf(test.queue).breaker).toMatchObject({ status: 'closed', calls: 3, failures: 0 });
  });

  it('is not left alone where this machine has no network, which costs no attempt', async () => {
    const test = await gated();
    const opened = openings(test.queue);
    test.network.online = false;
    const ids = await enqueueEach(test.queue, 50);
    await test.clock.advance(HOUR_MS);
    expect(opened).toEqual([]);
    expect(gatesOf(test.queue)).toMatchObject({ connectivity: 'down', breaker: { status: 'closed', failures: 0 } });
    for (const id of ids) expect(await test.queue.get(id)).toMatchObject({ progress: { faults: 0 } });
    test.network.online = true;
    expect(await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded === 50, 3 * MINUTE_MS)).toBe(
      true,
    );
  });

  it('is not left alone for one failure after an idle hour that four failures came before', async () => {
    const classify = () => ({ is: 'rejected', scope: 'zone' }) as const;
    const test = await gated({ classify });
    const opened = openings(test.queue);
    await enqueueEach(test.queue, 4);
    await test.clock.advance(HOUR_MS);
    expect(gatesOf(test.queue).breaker).toMatchObject({ calls: 0, failures: 0 });
    await test.queue.enqueue(put('/things/later'));
    await settled(test);
    expect(opened).toEqual([]);
    expect(gatesOf(test.queue).breaker).toMatchObject({ status: 'closed', calls: 1, failures: 1 });
  });
});

describe('who is to blame for an answer', () => {
  it('is the zone, where its rule says so of a 500', async () => {
    const test = await gated({
      classify: ({ status: code }) => (code === 500 ? { is: 'retry', scope: 'zone' } : undefined),
    });
    const opened = openings(test.queue);
    test.server.script.always(status(500));
    await enqueueEach(test.queue, 5);
    await settled(test);
    expect(opened).toMatchObject([{ channel: ZONE, reason: 'consecutiveFailures' }]);
  });

  it('is the zone, where its rule says so of an answer with status 200', async () => {
    const test = await gated({
      classify: ({ body }) =>
        new TextDecoder().decode(body).includes('down') ? { is: 'retry', scope: 'zone' } : undefined,
    });
    const opened = openings(test.queue);
    test.server.script.always(answer({ status: 200, body: { error: 'down' } }));
    await enqueueEach(test.queue, 5);
    await settled(test);
    expect(opened).toMatchObject([{ channel: ZONE, failureRate: 1 }]);
  });

  it('is nobody, where the rule of the zone says so of a 503', async () => {
    const test = await gated({
      classify: ({ status: code }) => (code === 503 ? { is: 'retry', scope: 'none' } : undefined),
    });
    const opened = openings(test.queue);
    test.server.script.always(status(503));
    await enqueueEach(test.queue, 30);
    await test.clock.advance(MINUTE_MS);
    expect(opened).toEqual([]);
  });

  it('is the endpoint, where the rule of the zone says so of a 503', async () => {
    const test = await gated({
      endpoint: ({ path }) => path.split('/')[1],
      classify: ({ status: code }) => (code === 503 ? { is: 'retry', scope: 'endpoint' } : undefined),
    });
    const opened = openings(test.queue);
    test.server.script.always(({ path }) => (path.startsWith('/bad') ? status(503) : undefined));
    await enqueueEach(test.queue, 5, '/bad');
    await settled(test);
    expect(opened).toMatchObject([{ zone: ZONE, channel: `${ZONE}#bad` }]);
    expect(breakerOf(test.queue)).toBe('closed');
    await test.queue.enqueue(post('/good'));
    await settled(test);
    expect(test.server.ledger.applied('/good')).toBe(1);
  });

  it('stays with the status, where the rule of the zone throws', async () => {
    const test = await gated({
      classify: () => {
        throw new Error('a bug');
      },
    });
    const opened = openings(test.queue);
    test.server.script.always(status(503));
    await enqueueEach(test.queue, 5);
    await settled(test);
    expect(opened).toMatchObject([{ channel: ZONE }]);
  });
});
