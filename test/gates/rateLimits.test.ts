import { describe, expect, it } from 'vitest';
import type { AuthProvider } from '../../src/queue/types/auth.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { applyThenReset, hang, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { at } from '../core/harness.ts';
import type { RigOptions } from './support/world.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
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

const ALGORITHMS = ['tokenBucket', 'slidingWindow'] as const;

/** Calls that come at odd times: in bursts, after pauses, while others wait. */
async function comeAndGo(test: TestQueue, forMs: number): Promise<number> {
  const until = test.clock.monotonicNow() + forMs;
  let sent = 0;
  while (test.clock.monotonicNow() < until) {
    const burst = Math.floor(test.random.number() * 8);
    for (let n = 0; n < burst; n += 1) {
      sent += 1;
      await test.queue.enqueue(put(`/things/${sent}`));
    }
    await test.clock.advance(Math.floor(test.random.number() ** 3 * 8_000));
  }
  return sent;
}

describe('a limit of the rate', () => {
  it.each(ALGORITHMS)('is never passed in any span, by the times at which calls arrive (%s)', async (algorithm) => {
    for (const seed of [1, 2, 3]) {
      const test = await gated({ rateLimit: { max: 10, perMs: 10_000, burst: 4, algorithm } }, {}, seed);
      const arrivals = noteArrivals(test);
      const sent = await comeAndGo(test, 5 * MINUTE_MS);
      expect(await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded === sent, HOUR_MS)).toBe(
        true,
      );
      expect(arrivals.length).toBe(sent);
      expect(mostWithin(arrivals, 10_000)).toBeLessThanOrEqual(10);
    }
  });

  it.each(ALGORITHMS)('is used to nine tenths at least while calls wait (%s)', async (algorithm) => {
    const test = await gated({ rateLimit: { max: 60, perMs: MINUTE_MS, burst: 6, algorithm } });
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 700);
    await test.clock.advance(10 * MINUTE_MS);
    expect(arrivals.length).toBeGreaterThanOrEqual(0.85 * 600);
    expect(arrivals.length).toBeLessThanOrEqual(660);
  });

  it('lets as many begin at once as its burst, and the rest one by one', async () => {
    const test = await gated({ rateLimit: { max: 10, perMs: 10_000, burst: 4 } });
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 12);
    await test.clock.settle();
    expect(arrivals.length).toBe(4);
    await test.clock.advance(10_000);
    const gaps = arrivals.slice(4).map(({ at: when }, index) => when - (arrivals[index + 3]?.at ?? 0));
    for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(1_428);
  });

  it('lets all begin at once in a window that nothing was used of', async () => {
    const test = await gated({ rateLimit: { max: 8, perMs: 10_000, algorithm: 'slidingWindow' } });
    const arrivals = noteArrivals(test);
    await enqueueEach(test.queue, 12);
    await test.clock.settle();
    expect(arrivals.length).toBe(8);
    await test.clock.advance(11_000);
    expect(arrivals.length).toBe(12);
  });

  it('needs no look to go on where only what is ready waits', async () => {
    const test = await gated({ rateLimit: { max: 10, perMs: 10_000, burst: 1 } });
    const arrivals = noteArrivals(test);
    for (let n = 0; n < 5; n += 1) await test.queue.enqueue(post('/orders', { n }));
    await test.clock.advance(4 * SECOND_MS);
    expect(arrivals.map(({ at: when }) => when - (arrivals[0]?.at ?? 0))).toEqual([0, 1_000, 2_000, 3_000, 4_000]);
  });

  it('counts retries', async () => {
    const test = await gated({ rateLimit: { max: 5, perMs: 10_000, burst: 2 }, breaker: false, retryBudget: false });
    const arrivals = noteArrivals(test, () => unavailable());
    await enqueueEach(test.queue, 20);
    await test.clock.advance(5 * MINUTE_MS);
    expect(mostWithin(arrivals, 10_000)).toBeLessThanOrEqual(5);
  });

  it('counts the reads by which it is found out what became of a request, and they wait for it', async () => {
    const test = await gated({ rateLimit: { max: 3, perMs: MINUTE_MS, algorithm: 'slidingWindow' } });
    test.server.script.next(applyThenReset, applyThenReset, applyThenReset);
    for (let n = 0; n < 3; n += 1) {
      await test.queue.enqueue({ method: 'PATCH', url: at(`/things/${n}`), body: { n } }, { lane: null });
    }
    const arrivals = noteArrivals(test);
    const whole = [
      { at: test.clock.monotonicNow() },
      { at: test.clock.monotonicNow() },
      { at: test.clock.monotonicNow() },
    ];
    await test.clock.advance(10 * MINUTE_MS);
    expect(arrivals.filter(({ method }) => method === 'GET').length).toBeGreaterThan(0);
    expect(
      mostWithin([...whole.map((one) => ({ ...one, method: 'PATCH', path: '' })), ...arrivals], MINUTE_MS),
    ).toBeLessThanOrEqual(3);
  });

  it('counts the call that is made again with a new credential', async () => {
    let version = 1;
    const auth: AuthProvider = {
      credential: () => ({ headers: [['authorization', `Bearer ${version}`]], version, principal: 'me' }),
      refresh: () => {
        version += 1;
        return Promise.resolve(true);
      },
    } as AuthProvider;
    const test = await gated({ rateLimit: { max: 2, perMs: MINUTE_MS, algorithm: 'slidingWindow' }, auth });
    const arrivals = noteArrivals(test, ({ headers }) =>
      headers.some(([, value]) => value === 'Bearer 1') ? refuse({ status: 401 }) : undefined,
    );
    for (let n = 0; n < 3; n += 1) await test.queue.enqueue(put(`/things/${n}`));
    await test.clock.advance(30 * SECOND_MS);
    expect(arrivals.length).toBe(2);
  });

  it('keeps nobody waiting for it who was refused by another gate', async () => {
    const test = await gated({ rateLimit: { max: 2, perMs: MINUTE_MS, algorithm: 'slidingWindow' } });
    test.queue.pause();
    await enqueueEach(test.queue, 2);
    await test.clock.advance(30 * SECOND_MS);
    test.queue.resume();
    await test.clock.settle();
    expect((await test.queue.counts()).succeeded).toBe(2);
  });

  it('says why a request waits, and until when', async () => {
    const test = await gated({ rateLimit: { max: 1, perMs: MINUTE_MS } });
    const [, waits] = await enqueueEach(test.queue, 2);
    await test.clock.settle();
    const until = test.clock.now() + MINUTE_MS;
    expect((await test.queue.explain(waits ?? '')).waitsFor).toEqual([{ what: 'rate', of: ZONE, until }]);
    expect(gatesOf(test.queue)).toMatchObject({ rate: { available: 0, max: 1, perMs: MINUTE_MS }, opensAt: until });
  });

  it('is not hurried by a wall clock that is set ahead, nor stalled by one that is set back', async () => {
    for (const stepMs of [HOUR_MS, -HOUR_MS]) {
      const test = await gated({ rateLimit: { max: 2, perMs: 10_000, algorithm: 'slidingWindow' } });
      const arrivals = noteArrivals(test);
      await enqueueEach(test.queue, 6);
      await test.clock.settle();
      test.clock.setWall(test.clock.now() + stepMs);
      await test.clock.advance(25_000);
      expect(arrivals.length).toBe(6);
      expect(mostWithin(arrivals, 10_000)).toBe(2);
    }
  });
});

describe('a rate that processes share', () => {
  const shared = (options: RigOptions & { readonly rateLimit: object }): RigOptions => ({
    ...options,
    config: { zones: zones({ rateLimit: options.rateLimit as never }) },
    isShared: true,
  });

  it.each(ALGORITHMS)(
    'is never passed by them together, by the times at which calls arrive (%s)',
    async (algorithm) => {
      const rateLimit = { max: 20, perMs: 10_000, burst: 6, algorithm };
      const first = await rig(shared({ rateLimit }));
      const { storage, clock, network } = first;
      const second = await rig(shared({ rateLimit, storage, clock, network, seed: 2 }));
      const arrivals = noteArrivals(first);
      for (let n = 0; n < 150; n += 1) {
        await (n % 2 === 0 ? first : second).queue.enqueue(put(`/things/${n}`));
        if (n % 13 === 0) await clock.advance(((n * 7_919) % 3_000) + 1);
      }
      expect(await clock.advanceUntil(async () => (await first.queue.counts()).succeeded === 150, 10 * MINUTE_MS)).toBe(
        true,
      );
      expect(arrivals.length).toBe(150);
      expect(mostWithin(arrivals, 10_000)).toBeLessThanOrEqual(20);
    },
  );

  it.each(ALGORITHMS)('is used well by one of them while the other has nothing to send (%s)', async (algorithm) => {
    const rateLimit = { max: 60, perMs: MINUTE_MS, burst: 6, algorithm };
    const first = await rig(shared({ rateLimit }));
    const { storage, clock, network } = first;
    await rig(shared({ rateLimit, storage, clock, network, seed: 2 }));
    const arrivals = noteArrivals(first);
    await enqueueEach(first.queue, 300);
    await clock.advance(4 * MINUTE_MS);
    expect(arrivals.length).toBeGreaterThanOrEqual(0.8 * 240);
    expect(mostWithin(arrivals, MINUTE_MS)).toBeLessThanOrEqual(60);
  });

  it('holds also where what was fetched is used later than it was fetched', async () => {
    const rateLimit = { max: 10, perMs: 10_000, burst: 5 };
    const { queue, clock, server } = await rig(shared({ rateLimit }));
    const arrivals = noteArrivals({ server, clock });
    // Once it has learned to fetch several at a time.
    await enqueueEach(queue, 12, '/first');
    await clock.advance(30_000);
    for (let n = 0; n < 60; n += 1) {
      await queue.enqueue(put(`/things/${n}`));
      await clock.advance(n % 3 === 0 ? 990 : 700);
    }
    await clock.advance(MINUTE_MS);
    expect(mostWithin(arrivals, 10_000)).toBeLessThanOrEqual(10);
  });

  it('goes on after a read that was made beside requests had used the last of it', async () => {
    const { queue, clock, server } = await rig(shared({ rateLimit: { max: 6, perMs: MINUTE_MS, burst: 1 } }));
    server.script.next(applyThenReset);
    await queue.enqueue({ method: 'PATCH', url: at('/things/1'), body: { n: 1 } });
    await clock.advance(5 * MINUTE_MS);
    await enqueueEach(queue, 5, '/others');
    expect(await clock.advanceUntil(async () => (await queue.counts()).succeeded >= 5, 5 * MINUTE_MS)).toBe(true);
  });

  it('is not used up by whoever looks at the zones', async () => {
    const { queue, clock, server } = await rig(
      shared({ rateLimit: { max: 3, perMs: HOUR_MS, algorithm: 'slidingWindow' } }),
    );
    for (let n = 0; n < 20; n += 1) {
      queue.zones.list();
      await clock.advance(5 * SECOND_MS);
    }
    const arrivals = noteArrivals({ server, clock });
    await enqueueEach(queue, 3);
    await clock.advance(SECOND_MS);
    expect(arrivals.length).toBe(3);
  });

  it('is asked of the store far less often than calls are made', async () => {
    const takes: number[] = [];
    const { queue, clock } = await rig({
      ...shared({ rateLimit: { max: 2_000, perMs: SECOND_MS, burst: 1_000 } }),
      take: (cost) => void takes.push(cost),
    });
    queue.pause();
    await enqueueEach(queue, 400);
    queue.resume();
    for (let turns = 0; turns < 40 && (await queue.counts()).succeeded < 400; turns += 1) await clock.settle();
    expect((await queue.counts()).succeeded).toBe(400);
    expect(takes.length).toBeLessThanOrEqual(60);
  });

  it('gives back what looks at an idle zone fetched for nothing', async () => {
    const { queue, clock, server, storage } = await rig(shared({ rateLimit: { max: 4, perMs: HOUR_MS, burst: 4 } }));
    await queue.enqueue(put('/later'), { notBefore: clock.now() + 50 * MINUTE_MS });
    await clock.advance(10 * MINUTE_MS);
    expect(storage.shared.size + storage.buckets.size).toBeGreaterThan(0);
    const arrivals = noteArrivals({ server, clock });
    await enqueueEach(queue, 3);
    await clock.advance(SECOND_MS);
    expect(arrivals.length).toBe(3);
  });
});

describe('a queue whose zone waits for a permit', () => {
  it('is not looked at over and over by a clock that moves on between two questions', async () => {
    const looks: string[] = [];
    const { queue, clock, server } = await rig({
      clock: new CreepingClock(),
      config: { zones: zones({ maxConcurrency: 1 }) },
      hooks: { before: (verb) => void looks.push(verb) },
    });
    server.script.always(hang);
    await enqueueEach(queue, 5);
    await queue.enqueue(put('/later'), { notBefore: clock.now() + SECOND_MS });
    await clock.advance(2 * SECOND_MS);
    looks.length = 0;
    await clock.advance(20 * SECOND_MS);
    expect(looks.filter((verb) => verb === 'nextDueAt').length).toBeLessThanOrEqual(10);
    expect(breakerOf(queue)).toBe('closed');
  });
});

/** As a real one: no two questions get the same answer. */
class CreepingClock extends FakeClock {
  #crept = 0;

  override monotonicNow(): number {
    this.#crept += 1e-4;
    return super.monotonicNow() + this.#crept;
  }
}
