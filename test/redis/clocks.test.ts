import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Backend } from '../../src/queue/types/backend.ts';
import { systemClock } from '../../src/system/clock.ts';
import type { PlainRedis } from './support/describeRedis.ts';
import { describePlainRedis, plainRedis } from './support/describeRedis.ts';
import { enqueue, newRequest, openStore } from './support/openStore.ts';

const FIVE_MINUTES = 300_000;

describePlainRedis('machines whose clocks differ by five minutes', () => {
  let redis: PlainRedis;
  let right: Backend;
  let wrong: Backend;

  beforeAll(async () => {
    redis = await plainRedis();
  });
  afterAll(() => redis?.dispose());
  afterEach(async () => {
    await right?.close();
    await wrong?.close();
  });

  const now = (skewMs = 0): number => systemClock.now() + skewMs;
  const leaseNow = (skewMs = 0): number => systemClock.monotonicNow() + skewMs;

  async function open(name: string): Promise<void> {
    right = await openStore({ url: redis.url, keyPrefix: redis.keyPrefix, name }, { worker: 'right' });
    wrong = await openStore({ url: redis.url, keyPrefix: redis.keyPrefix, name }, { worker: 'wrong' });
  }

  const claim = async (backend: Backend, worker: string, skewMs = 0) => {
    const channels = [{ channel: 'api', senders: [''], calls: 10, perCall: 1 }];
    const leaseUntil = leaseNow(skewMs) + 30_000;
    return (await backend.requests.claim({ worker, now: now(skewMs), leaseUntil, channels })).claimed;
  };

  describe.each([FIVE_MINUTES, -FIVE_MINUTES])('by %i ms', (skewMs) => {
    it('do not take each other’s leases for lapsed', async () => {
      await open(`leases${skewMs}`);
      await enqueue(right, newRequest({ lane: 'one' }), newRequest({ lane: 'one' }));
      expect((await claim(right, 'right')).length).toBe(1);
      const looker = { worker: 'wrong', now: now(skewMs), leaseNow: leaseNow(skewMs), limit: 10 };
      expect(await wrong.requests.recover(looker)).toEqual({ recovered: [], ended: [], more: false });
      await wrong.keepAlive({ worker: 'wrong', leaseNow: leaseNow(skewMs) });
      expect(await right.requests.recover({ worker: 'right', now: now(), leaseNow: leaseNow(), limit: 10 })).toEqual({
        recovered: [],
        ended: [],
        more: false,
      });
      expect((await claim(wrong, 'wrong', skewMs)).length).toBe(0);
    });

    it('agree on a semaphore, a value and a bucket', async () => {
      await open(`shared${skewMs}`);
      const key = 'k';
      const lease = (backend: Backend, holder: string, skew: number, ms: number) =>
        backend.shared.acquire({ key, holder, permits: 1, now: now(skew), expiresAt: now(skew) + ms });
      expect(await lease(right, 'a', 0, 1_500)).toBe(true);
      expect(await lease(wrong, 'b', skewMs, 1_500)).toBe(false);
      await vi.waitFor(async () => expect(await lease(wrong, 'b', skewMs, 10_000)).toBe(true), { timeout: 30_000 });
      expect(await lease(right, 'a', 0, 1_500)).toBe(false);

      await right.shared.set({ key, value: 1, expiresAt: now() + 60_000, now: now() });
      const seen = await wrong.shared.get({ key, now: now(skewMs) });
      expect(seen?.value).toBe(1);
      expect(Math.abs((seen?.expiresAt ?? 0) - now(skewMs) - 60_000)).toBeLessThan(5_000);

      const take = (backend: Backend, skew: number) =>
        backend.shared.take({ key, cost: 2, ratePerSecond: 0.1, burst: 2, now: now(skew) });
      expect(await take(right, 0)).toBe(0);
      expect(await take(wrong, skewMs)).toBeGreaterThan(10_000);
    });
  });
});
