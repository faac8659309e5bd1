import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { hang, park, slow, unavailable } from '../../src/testing/serverSteps.ts';
import { record, world } from '../core/harness.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
  HOUR_MS,
  MINUTE_MS,
  noteArrivals,
  put,
  rig,
  SECOND_MS,
  ZONE,
  zones,
} from './support/world.ts';

const DAY_MS = 24 * HOUR_MS;
const OTHER = 'https://other.test';
const THIRD = 'https://third.test';

describe('zones that fail over in a circle', () => {
  const circle = (failover: { [ZONE]: string[]; other?: string[]; third?: string[] }) =>
    world({
      zones: {
        [ZONE]: { origins: [TEST_ORIGIN], failover: failover[ZONE] },
        other: { origins: [OTHER], failover: failover.other },
        third: { origins: [THIRD], failover: failover.third },
      },
    });

  it('send to one that is open, wait where none is, and go on when one is released', async () => {
    const test = await circle({ [ZONE]: ['other'], other: ['third'], third: [ZONE] });
    const [other, third] = [test.network.serve(OTHER), test.network.serve(THIRD)];
    const undo = test.queue.zones.isolate(ZONE);
    const { id } = await test.queue.enqueue(put('/things/1'));
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
    expect(other.ledger.entries.length).toBe(1);
    const others = [test.queue.zones.isolate('other'), test.queue.zones.isolate('third')];
    for (const origin of [TEST_ORIGIN, OTHER, THIRD]) {
      await test.queue.enqueue({ method: 'PUT', url: `${origin}/waiting`, body: {} });
    }
    await test.clock.advance(HOUR_MS);
    expect((await test.queue.counts()).succeeded).toBe(1);
    for (const release of [undo, ...others]) release();
    await test.clock.advance(10 * MINUTE_MS);
    expect((await test.queue.counts()).succeeded).toBe(4);
    expect(third.ledger.entries.length).toBe(1);
  });

  it('serve all that waits, whichever of them are down in turn', async () => {
    const test = await circle({ [ZONE]: ['other', 'third'], other: ['third', ZONE], third: [ZONE, 'other'] });
    const servers = [test.server, test.network.serve(OTHER), test.network.serve(THIRD)];
    let made = 0;
    for (let round = 0; round < 12; round += 1) {
      for (const [index, server] of servers.entries()) {
        server.script.clear();
        if (round % 4 === 3 || index === round % 3) server.script.always(unavailable());
      }
      for (const origin of [TEST_ORIGIN, OTHER, THIRD]) {
        for (let n = 0; n < 10; n += 1) {
          await test.queue.enqueue({ method: 'PUT', url: `${origin}/things/${made}`, body: {} });
          made += 1;
        }
      }
      await test.clock.advance(MINUTE_MS);
    }
    for (const server of servers) server.script.clear();
    const areServed = async () => (await test.queue.counts()).succeeded === made;
    expect(await test.clock.advanceUntil(areServed, HOUR_MS)).toBe(true);
    expect(servers.reduce((sum, { ledger }) => sum + ledger.applied(), 0)).toBe(made);
  });

  it('is refused where a zone names itself', async () => {
    const error = await circle({ [ZONE]: [ZONE] }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(HoldfastError);
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
  });
});

describe('limits that get smaller while calls hang', () => {
  it('let none begin before so many have ended, and then as many as they say', async () => {
    const test = await gated({ maxConcurrency: 10 }, { maxConcurrency: 50 });
    test.server.script.always(park);
    await enqueueEach(test.queue, 60);
    await test.clock.settle();
    expect(test.network.underWay).toBe(10);
    test.queue.zones.update(ZONE, { maxConcurrency: 2 });
    for (let left = 9; left >= 2; left -= 1) {
      test.server.release(1);
      await test.clock.settle();
      expect(test.network.underWay).toBe(left);
    }
    test.server.release(1);
    await test.clock.settle();
    expect(test.network.underWay).toBe(2);
    test.queue.zones.update(ZONE, { maxConcurrency: 5 });
    await test.clock.settle();
    expect(test.network.underWay).toBe(5);
    test.server.script.clear();
    test.server.release();
    await test.clock.advance(MINUTE_MS);
    expect((await test.queue.counts()).succeeded).toBe(60);
    expect(gatesOf(test.queue).concurrency).toMatchObject({ inUse: 0 });
  });

  it('leave no permit behind where the calls that hung are cut off', async () => {
    const test = await gated({ maxConcurrency: 10, breaker: false });
    test.server.script.always(hang);
    await enqueueEach(test.queue, 30);
    await test.clock.settle();
    test.queue.zones.update(ZONE, { maxConcurrency: 1, rateLimit: { max: 10, perMs: SECOND_MS } });
    await test.clock.advance(2 * MINUTE_MS);
    expect(test.network.underWay).toBeLessThanOrEqual(1);
    test.server.script.clear();
    const areServed = async () => (await test.queue.counts()).succeeded === 30;
    expect(await test.clock.advanceUntil(areServed, 30 * MINUTE_MS)).toBe(true);
    expect(gatesOf(test.queue).concurrency).toMatchObject({ inUse: 0 });
  });
});

describe('a zone that is paused while it is found out about', () => {
  it.each([
    ['answers', (release: () => void) => release()],
    ['hangs', () => undefined],
  ])('goes on from there when it is resumed, where the probe %s meanwhile', async (_, meanwhile) => {
    const test = await gated();
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 8);
    await test.clock.settle();
    test.server.script.always(park);
    expect(await test.clock.advanceUntil(() => test.network.underWay === 1, MINUTE_MS)).toBe(true);
    test.queue.pause(ZONE);
    test.server.script.clear();
    meanwhile(() => test.server.release());
    const arrivals = noteArrivals(test);
    await test.clock.advance(HOUR_MS);
    expect(arrivals).toEqual([]);
    test.queue.resume(ZONE);
    await test.clock.advance(5 * MINUTE_MS);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 8, held: 0, dead: 0 });
    expect(breakerOf(test.queue)).toBe('closed');
  });

  it('is isolated, reset and resumed in any order, and serves in the end', async () => {
    const test = await gated();
    for (let seed = 0; seed < 40; seed += 1) {
      test.server.script.always(seed % 3 === 0 ? unavailable() : seed % 3 === 1 ? hang : slow(300));
      await enqueueEach(test.queue, 6, `/things/${seed}`);
      await test.clock.advance(test.random.number() * 20_000);
      const undo = test.random.number() < 0.5 ? test.queue.zones.isolate(ZONE) : () => test.queue.resume(ZONE);
      if (test.random.number() < 0.5) test.queue.pause(ZONE);
      await test.clock.advance(test.random.number() * 20_000);
      if (test.random.number() < 0.5) test.queue.zones.reset(ZONE);
      undo();
      test.queue.resume(ZONE);
    }
    test.server.script.clear();
    const areServed = async () => (await test.queue.counts()).succeeded === 240;
    expect(await test.clock.advanceUntil(areServed, 2 * HOUR_MS)).toBe(true);
  });
});

describe('a 503 that asks for ten days', () => {
  it.each([
    ['a day forward and back', [DAY_MS, -DAY_MS]],
    ['a day back and forward', [-DAY_MS, DAY_MS]],
  ])('is waited for a day, by a wall clock that goes %s too', async (_, steps) => {
    const test = await gated();
    test.server.script.next(unavailable(10 * 86_400));
    await test.queue.enqueue(put('/things/1'));
    await test.clock.settle();
    const arrivals = noteArrivals(test);
    const since = test.clock.monotonicNow();
    for (const step of steps) {
      await test.clock.advance(HOUR_MS);
      test.clock.setWall(test.clock.now() + step);
    }
    await test.queue.enqueue(put('/things/2'));
    await test.clock.advance(23 * HOUR_MS - (test.clock.monotonicNow() - since));
    expect(arrivals).toEqual([]);
    const areServed = async () => (await test.queue.counts()).succeeded === 2;
    expect(await test.clock.advanceUntil(areServed, 2 * HOUR_MS)).toBe(true);
  });
});

describe('a process that ends while its zone recovers', () => {
  it('goes on with the share it had, and not with all', async () => {
    const test = await gated({ maxConcurrency: 20 }, { maxConcurrency: 50 });
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    await enqueueEach(test.queue, 500, '/waiting');
    test.server.script.always(slow(900));
    expect(await test.clock.advanceUntil(() => breakerOf(test.queue) === 'recovering', MINUTE_MS)).toBe(true);
    await test.clock.advance(15 * SECOND_MS);
    const before = gatesOf(test.queue).share;
    const queue = await test.crash();
    expect(breakerOf(queue)).toBe('recovering');
    await test.clock.advance(2 * SECOND_MS);
    const { share, concurrency } = gatesOf(queue);
    expect(share).toBeGreaterThanOrEqual(before);
    expect(share).toBeLessThan(0.7);
    expect(concurrency.inUse).toBeLessThanOrEqual(Math.floor(20 * share));
    const areServed = async () => (await queue.counts()).succeeded === 505;
    expect(await test.clock.advanceUntil(areServed, 10 * MINUTE_MS)).toBe(true);
  });
});

describe('a server that dies again while what waited for it goes', () => {
  it('costs none of 10,000 an attempt, and gets no more than its share each time', async () => {
    const waiting = 10_000;
    const test = await gated({ maxConcurrency: 10 }, { maxSize: 20_000 });
    const openings = record(test.queue, 'breaker:opened', 'zone:offline');
    test.network.online = false;
    for (let from = 0; from < waiting; from += 1_000) {
      await test.queue.enqueueMany(Array.from({ length: 1_000 }, (_, n) => ({ request: put(`/things/${from + n}`) })));
    }
    await test.clock.advance(MINUTE_MS);
    for (let round = 0; round < 3; round += 1) {
      test.server.script.always(slow(50));
      test.network.online = true;
      const served = (await test.queue.counts()).succeeded;
      expect(
        await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded > served, 15 * MINUTE_MS),
      ).toBe(true);
      await test.clock.advance(10 * SECOND_MS);
      const failed = noteArrivals(test, () => (round === 1 ? hang : unavailable()));
      await test.clock.advance(5 * MINUTE_MS);
      expect(failed.length).toBeLessThanOrEqual(20);
    }
    expect(openings.length).toBeGreaterThanOrEqual(4);
    const { requests } = await test.queue.find({ state: ['ready', 'scheduled'] }, { limit: 1_000 });
    expect(Math.max(...requests.map(({ progress }) => progress.faults))).toBeLessThanOrEqual(1);
    expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0 });
    expect(gatesOf(test.queue).concurrency.inUse).toBeLessThanOrEqual(1);
  });
});

describe('a zone that closes while a request of it is being claimed', () => {
  const isolate = (queue: QueueManager) => queue.zones.isolate(ZONE);
  const pause = (queue: QueueManager) => {
    queue.pause(ZONE);
    return () => queue.resume(ZONE);
  };

  it.each([
    ['claim', 'isolated', isolate],
    ['claim', 'paused', pause],
    ['enqueue', 'isolated', isolate],
    ['enqueue', 'paused', pause],
  ] as const)('is sent it once it is open again (%s, %s)', async (verb, _, close) => {
    let undo: (() => void) | undefined;
    let isArmed = false;
    const { queue, clock, network, server } = await rig({
      config: { zones: zones({ maxConcurrency: 4 }) },
      hooks: {
        after: (called) => {
          if (called === verb && isArmed) undo ??= close(queue);
        },
      },
    });
    const arrivals = noteArrivals({ server, clock });
    await queue.enqueue(put('/first'));
    await clock.advance(SECOND_MS);
    if (verb === 'claim') queue.pause(ZONE);
    if (verb === 'claim') await enqueueEach(queue, 7);
    isArmed = true;
    if (verb === 'claim') queue.resume(ZONE);
    else await queue.enqueue(put('/newcomer'));
    await clock.advance(MINUTE_MS);
    expect(undo).toBeDefined();
    expect(arrivals.length).toBe(1);
    expect(network.underWay).toBe(0);
    undo?.();
    await clock.advance(MINUTE_MS);
    expect(await queue.counts()).toMatchObject({ succeeded: verb === 'claim' ? 8 : 2 });
    expect(gatesOf(queue).concurrency).toMatchObject({ inUse: 0 });
    const { requests } = await queue.find({});
    expect(Math.max(...requests.map(({ progress }) => progress.attempts.length))).toBeLessThanOrEqual(1);
  });
});
