import { describe, expect, it } from 'vitest';
import { park, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { record } from '../core/harness.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
  get,
  HOUR_MS,
  MINUTE_MS,
  mostWithin,
  noteArrivals,
  post,
  put,
  rig,
  SECOND_MS,
  ZONE,
  zones,
} from './support/world.ts';

const byFirstSegment = ({ path }: { path: string }) => path.split(/[/?]/)[1];
const limited = (seconds: number) => refuse({ status: 429, headers: [['retry-after', String(seconds)]] });

describe('an endpoint of a zone', () => {
  it('is left alone for its own 500s, and no other endpoint is', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    const opened = record(test.queue, 'breaker:opened');
    const arrivals = noteArrivals(test, ({ path }) => (path.startsWith('/bad') ? refuse({ status: 500 }) : undefined));
    await enqueueEach(test.queue, 5, '/bad');
    await test.clock.settle();
    expect(opened).toMatchObject([{ zone: ZONE, channel: `${ZONE}#bad`, reason: 'consecutiveFailures' }]);
    expect(breakerOf(test.queue)).toBe('closed');
    arrivals.length = 0;
    await enqueueEach(test.queue, 3, '/bad/more');
    await enqueueEach(test.queue, 3, '/good');
    await test.clock.advance(4 * SECOND_MS);
    expect(arrivals.map(({ path }) => path)).toEqual(['/good/1', '/good/2', '/good/3']);
    const { id } = await test.queue.enqueue(put('/bad/waits'));
    expect((await test.queue.explain(id)).waitsFor).toMatchObject([{ what: 'breaker', of: `${ZONE}#bad` }]);
  });

  it('is tried by one request, and recovers by itself', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    const events = record(test.queue, 'breaker:opened', 'breaker:halfOpened', 'breaker:recovering', 'breaker:closed');
    test.server.script.always(refuse({ status: 500 }));
    await enqueueEach(test.queue, 5, '/bad');
    await test.clock.settle();
    await enqueueEach(test.queue, 10, '/bad/more');
    test.server.script.always(park);
    await test.clock.advance(7 * SECOND_MS);
    expect(test.network.underWay).toBe(1);
    test.server.script.clear();
    test.server.release();
    await test.clock.advance(3 * MINUTE_MS);
    expect((await test.queue.counts()).succeeded).toBe(15);
    expect(events.map(({ name, channel }) => [name, channel])).toEqual([
      ['breaker:opened', `${ZONE}#bad`],
      ['breaker:halfOpened', `${ZONE}#bad`],
      ['breaker:recovering', `${ZONE}#bad`],
      ['breaker:closed', `${ZONE}#bad`],
    ]);
  });

  it('opens the breaker of its zone with what is the fault of the zone, and not its own', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5, '/some');
    await test.clock.settle();
    expect(breakerOf(test.queue)).toBe('open');
    expect(breakerOf(test.queue, 'some')).toBe('closed');
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 3, '/other');
    await test.clock.advance(4 * SECOND_MS);
    expect(arrivals).toEqual([]);
  });

  it('is waited for by itself where its 429 asks for a time', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    const events = record(test.queue, 'zone:limited');
    test.server.script.next(limited(60));
    await test.queue.enqueue(put('/slow/1'));
    const until = test.clock.now() + MINUTE_MS;
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.queue.enqueue(put('/slow/2'));
    await test.queue.enqueue(put('/quick/1'));
    await test.queue.enqueue(post('/'));
    await test.clock.advance(MINUTE_MS - 1);
    expect(arrivals.map(({ path }) => path)).toEqual(['/quick/1', '/']);
    expect(events).toMatchObject([{ zone: ZONE, channel: `${ZONE}#slow`, until }]);
    await test.clock.advance(10 * SECOND_MS);
    expect(arrivals.map(({ path }) => path).sort()).toEqual(['/', '/quick/1', '/slow/1', '/slow/2']);
  });

  it('is not waited for by the whole zone where its 503 is its own fault by the rule of the zone', async () => {
    const test = await gated({
      endpoint: byFirstSegment,
      classify: ({ status }) => (status === 503 ? { is: 'retry', scope: 'endpoint' } : undefined),
    });
    test.server.script.next(unavailable(60));
    await test.queue.enqueue(put('/slow/1'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.queue.enqueue(put('/quick/1'));
    await test.clock.advance(SECOND_MS);
    expect(arrivals.map(({ path }) => path)).toEqual(['/quick/1']);
  });

  it('has its zone wait where a 503 asks for a time', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    test.server.script.next(unavailable(60));
    await test.queue.enqueue(put('/slow/1'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    await test.queue.enqueue(put('/quick/1'));
    await test.clock.advance(59 * SECOND_MS);
    expect(arrivals).toEqual([]);
  });

  it('holds its own limit of calls at once, beside that of the zone', async () => {
    const test = await gated({
      maxConcurrency: 6,
      endpoint: { of: byFirstSegment, maxConcurrency: 2, byName: { wide: { maxConcurrency: 5 } } },
    });
    test.server.script.always(park);
    await enqueueEach(test.queue, 10, '/narrow');
    await test.clock.settle();
    expect(test.network.underWay).toBe(2);
    await enqueueEach(test.queue, 10, '/wide');
    await test.clock.settle();
    expect(test.network.underWay).toBe(6);
    const { endpoints } = gatesOf(test.queue);
    expect(endpoints.map(({ scope, concurrency }) => [scope, concurrency.inUse])).toEqual([
      [`${ZONE}#narrow`, 2],
      [`${ZONE}#wide`, 4],
    ]);
  });

  it.each(['tokenBucket', 'slidingWindow'] as const)('holds its own limit of the rate (%s)', async (algorithm) => {
    const test = await gated({
      endpoint: { of: byFirstSegment, byName: { slow: { rateLimit: { max: 5, perMs: 10_000, burst: 2, algorithm } } } },
    });
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 12, '/slow');
    await enqueueEach(test.queue, 12, '/quick');
    await test.clock.advance(MINUTE_MS);
    const slow = arrivals.filter(({ path }) => path.startsWith('/slow'));
    expect(slow.length).toBe(12);
    expect(mostWithin(slow, 10_000)).toBeLessThanOrEqual(5);
    expect(arrivals.filter(({ path }) => path.startsWith('/quick')).every(({ at }) => at === arrivals[0]?.at)).toBe(
      true,
    );
  });

  it('may have no breaker of its own, and adapts its calls at once all the same', async () => {
    const test = await gated({ endpoint: { of: byFirstSegment, breaker: false } });
    test.server.script.always(refuse({ status: 429 }));
    await enqueueEach(test.queue, 3, '/some');
    await test.clock.settle();
    expect(breakerOf(test.queue, 'some')).toBe(undefined);
    expect(gatesOf(test.queue).endpoints[0]?.concurrency).toMatchObject({ limit: 5, max: 10 });
    test.server.script.always(refuse({ status: 500 }));
    await enqueueEach(test.queue, 20, '/some/more');
    await test.clock.advance(MINUTE_MS);
    expect(gatesOf(test.queue).endpoints[0]).toMatchObject({ breaker: null });
  });

  it('holds its limit of calls at once over processes that share the store, also as it is changed', async () => {
    const config = { zones: zones({ endpoint: { of: byFirstSegment, maxConcurrency: 2 } }) };
    const first = await rig({ config, isShared: true });
    const { storage, clock, network, server } = first;
    const second = await rig({ config, isShared: true, storage, clock, network, seed: 2 });
    server.script.always(park);
    for (let n = 0; n < 10; n += 1) {
      await first.queue.enqueue(put(`/some/first/${n}`));
      await second.queue.enqueue(put(`/some/second/${n}`));
    }
    await clock.advance(5 * SECOND_MS);
    expect(network.underWay).toBe(2);
    for (const { queue } of [first, second]) queue.zones.update(ZONE, { maxConcurrency: 5 }, 'some');
    await clock.advance(10 * SECOND_MS);
    expect(network.underWay).toBe(5);
  });

  it('holds its limit over processes for requests of all priorities together', async () => {
    const config = { zones: zones({ endpoint: { of: byFirstSegment, maxConcurrency: 3 } }) };
    const first = await rig({ config, isShared: true });
    const { storage, clock, network, server } = first;
    const second = await rig({ config, isShared: true, storage, clock, network, seed: 2 });
    server.script.always(park);
    for (const { queue } of [first, second]) {
      for (const [n, priority] of [10, 1, 3, 5, 10, 1, 3, 5].entries()) {
        await queue.enqueue(put(`/some/${priority}/${queue === first.queue ? 1 : 2}/${n}`), { priority });
        await clock.settle();
        expect(network.underWay).toBeLessThanOrEqual(3);
      }
    }
    await clock.advance(5 * SECOND_MS);
    expect(network.underWay).toBe(3);
    server.script.clear();
    server.release();
    await clock.advance(MINUTE_MS);
    expect((await first.queue.counts()).succeeded).toBe(16);
  });

  it('does without a limit that says nothing of it, and keeps those that all endpoints have', async () => {
    const rateLimit = { max: 2, perMs: MINUTE_MS, algorithm: 'slidingWindow' } as const;
    const test = await gated({
      endpoint: { of: byFirstSegment, rateLimit, byName: { wide: { maxConcurrency: 9 } } },
    });
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 5, '/wide');
    await test.clock.advance(30 * SECOND_MS);
    expect(arrivals.length).toBe(2);
  });
});

describe('the name of an endpoint', () => {
  it.each([
    ['#', 'a#b'],
    ['~', 'a~read'],
    ['!', 'a!bulk'],
    ['/', 'a/b//c'],
    ['%', '100%'],
    ['a space', 'a b'],
    ['other alphabets', 'заказы-ордера-🚚'],
    ['the name of its zone', ZONE],
    ['a name of an object', '__proto__'],
    ['a name of a function', 'constructor'],
  ])('may have %s in it', async (_, name) => {
    const test = await gated({
      endpoint: ({ path }) => (path.startsWith('/x') ? name : undefined),
      classes: { read: 3 },
    });
    test.server.script.next(...Array.from({ length: 5 }, () => refuse({ status: 500 })));
    const ids = await enqueueEach(test.queue, 5, '/x');
    await test.clock.settle();
    expect(breakerOf(test.queue, name) ?? gatesOf(test.queue).endpoints.map(({ scope }) => scope)).toBe('open');
    expect(breakerOf(test.queue)).toBe('closed');
    const queue = await test.crash();
    expect(await test.clock.advanceUntil(async () => (await queue.counts()).succeeded === 5, 2 * MINUTE_MS)).toBe(true);
    expect(await queue.get(ids[0] ?? '')).toMatchObject({ state: 'succeeded' });
    expect(queue.zones.get(ZONE).endpoints.length).toBe(1);
  });

  it('keeps apart what differs', async () => {
    const test = await gated({ endpoint: ({ path }) => decodeURIComponent(path.slice(1).split('/')[0] ?? '') });
    const names = ['a#b', 'a~b', 'a', 'A', 'a%23b', 'a!b', 'a%2521b', 'a/b', '\u00e4', 'a\u0308'];
    for (const name of names) await test.queue.enqueue(put(`/${encodeURIComponent(name)}/1`));
    await test.clock.settle();
    expect(new Set(gatesOf(test.queue).endpoints.map(({ scope }) => scope)).size).toBe(names.length);
    expect((await test.queue.counts()).succeeded).toBe(names.length);
  });

  it.each([
    [
      'is thrown',
      () => {
        throw new Error('a bug');
      },
    ],
    ['is a promise', () => Promise.reject(new Error('a bug')) as never],
    ['is no text', () => 7 as never],
    ['is empty', () => ''],
    ['is too long', () => 'x'.repeat(201)],
    ['is not given', () => undefined],
  ])('that %s leaves the request to its zone', async (_, endpoint) => {
    const test = await gated({ endpoint });
    await enqueueEach(test.queue, 3);
    await test.clock.settle();
    expect((await test.queue.counts()).succeeded).toBe(3);
    expect(gatesOf(test.queue).endpoints).toEqual([]);
  });
});

describe('requests that are stored under an endpoint', () => {
  it('are found and sent after a crash, whatever state they were in', async () => {
    const test = await gated({ endpoint: byFirstSegment });
    test.queue.pause();
    await enqueueEach(test.queue, 3, '/ready');
    await test.queue.enqueue(put('/later/1'), { notBefore: test.clock.now() + 10 * MINUTE_MS });
    const [first] = await enqueueEach(test.queue, 1, '/first');
    await test.queue.enqueue(put('/after/1'), { after: [first ?? ''] });
    const queue = await test.crash();
    await test.clock.advance(9 * MINUTE_MS);
    expect((await queue.counts()).succeeded).toBe(5);
    await test.clock.advance(2 * MINUTE_MS);
    expect((await queue.counts()).succeeded).toBe(6);
  });

  it('are looked at after a crash where it is not known what became of them', async () => {
    const test = await gated({ endpoint: byFirstSegment, idempotency: 'stripe' });
    test.server.script.next(park);
    const { id } = await test.queue.enqueue(post('/orders'));
    await test.clock.settle();
    const queue = await test.crash();
    expect(await test.clock.advanceUntil(async () => (await queue.get(id))?.state === 'succeeded', MINUTE_MS)).toBe(
      true,
    );
    expect(test.server.ledger.applied('/orders')).toBe(1);
  });

  it.each([
    ['has no endpoints any more', {}],
    ['names them in another way', { endpoint: () => 'all' }],
    ['has classes instead', { classes: { write: 2, read: 1 } }],
  ])('are sent by a process whose configuration %s', async (_, zone) => {
    const before = await rig({ config: { zones: zones({ endpoint: byFirstSegment, classes: { bulk: 1 } }) } });
    before.queue.pause();
    await enqueueEach(before.queue, 3, '/orders');
    await before.queue.enqueue(put('/bulk/1'), { priority: 'bulk' });
    await before.queue.enqueue(put('/low/1'), { priority: 'low' });
    await before.queue.enqueue(put('/critical/1'), { priority: 'critical' });
    await before.queue.enqueue(put('/users/later'), { notBefore: before.clock.now() + MINUTE_MS });
    await before.close();
    const { storage, clock, network } = before;
    const { queue } = await rig({ config: { zones: zones(zone) }, storage, clock, network });
    await clock.advance(SECOND_MS);
    expect((await queue.counts()).succeeded).toBe(6);
    await clock.advance(MINUTE_MS);
    expect((await queue.counts()).succeeded).toBe(7);
  });

  it('are sent by a process whose configuration has endpoints only since', async () => {
    const before = await rig({ config: { zones: zones() } });
    before.queue.pause();
    await enqueueEach(before.queue, 3, '/orders');
    await before.close();
    const { storage, clock, network } = before;
    const { queue } = await rig({ config: { zones: zones({ endpoint: byFirstSegment }) }, storage, clock, network });
    await clock.settle();
    expect((await queue.counts()).succeeded).toBe(3);
  });
});

describe('the gates of a zone and of its endpoint', () => {
  it('are taken together or not at all', async () => {
    const test = await gated({
      maxConcurrency: 3,
      endpoint: { of: byFirstSegment, byName: { closed: { rateLimit: { max: 1, perMs: HOUR_MS } } } },
    });
    await enqueueEach(test.queue, 1, '/closed');
    await test.clock.settle();
    await enqueueEach(test.queue, 20, '/closed/more');
    await test.clock.advance(MINUTE_MS);
    expect(gatesOf(test.queue).concurrency.inUse).toBe(0);
    test.server.script.always(park);
    await enqueueEach(test.queue, 20, '/open');
    await test.clock.settle();
    expect(test.network.underWay).toBe(3);
    test.server.release();
    test.server.script.clear();
    await test.clock.settle();
    expect(gatesOf(test.queue).concurrency.inUse).toBe(0);
    expect(gatesOf(test.queue).endpoints.every(({ concurrency }) => concurrency.inUse === 0)).toBe(true);
  });

  it('let no endpoint starve beside one that always has work', async () => {
    const test = await gated({ maxConcurrency: 2, endpoint: byFirstSegment });
    const arrivals = noteArrivals(test, () => ({ kind: 'answer', apply: true, delayMs: 100 }));
    await enqueueEach(test.queue, 200, '/busy');
    await test.queue.enqueue(get('/rare/1'));
    await test.clock.advance(SECOND_MS);
    expect(arrivals.some(({ path }) => path === '/rare/1')).toBe(true);
  });
});
