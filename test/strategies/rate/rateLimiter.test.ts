import { describe, expect, it } from 'vitest';
import { createRateLimiter } from '../../../src/queue/strategies/rate/createRateLimiter.ts';
import type { RateLimit, RateLimiter } from '../../../src/queue/strategies/rate/RateLimiter.ts';

const BUCKET: RateLimit = { max: 10, perMs: 1_000, burst: 1, algorithm: 'tokenBucket' };
const WINDOW: RateLimit = { max: 60, perMs: 60_000, burst: 60, algorithm: 'slidingWindow' };

/** How many start by `until` if all start as soon as they may. */
function greedy(limiter: RateLimiter, from: number, until: number): number {
  let started = 0;
  for (let now = from; now < until; now = limiter.nextAt(now)) {
    const n = limiter.available(now);
    limiter.take(n, now);
    started += n;
  }
  return started;
}

describe('a token bucket', () => {
  it('starts one each tenth of a second at ten per second without a burst', () => {
    const limiter = createRateLimiter(BUCKET, 0);
    const starts: number[] = [];
    for (let now = 0; now < 500; now = limiter.nextAt(now)) {
      limiter.take(1, now);
      starts.push(now);
    }
    expect(starts).toEqual([0, 100, 200, 300, 400]);
  });

  it('pays for its burst with its rate', () => {
    const limiter = createRateLimiter({ ...BUCKET, burst: 6 }, 0);
    expect(limiter.available(0)).toBe(6);
    limiter.take(6, 0);
    expect(limiter.nextAt(0)).toBe(200);
    expect(greedy(limiter, 200, 10_000)).toBe(49);
  });

  it('is full again after a window without calls, whatever its rate', () => {
    const limiter = createRateLimiter({ ...BUCKET, burst: 10 }, 0);
    limiter.take(10, 0);
    expect(limiter.available(999.99)).toBe(0);
    expect(limiter.nextAt(0)).toBe(1_000);
    expect(limiter.available(1_000)).toBe(10);
  });

  it('fills at its rate once it was emptied', () => {
    const limiter = createRateLimiter({ ...BUCKET, burst: 6 }, 0);
    limiter.empty(5_000);
    expect([5_000, 5_199, 5_200, 5_400, 5_600].map((now) => limiter.available(now))).toEqual([0, 0, 1, 2, 3]);
  });

  it('does not give back time that calls taken since have used', () => {
    const limiter = createRateLimiter(BUCKET, 0);
    limiter.take(1, 0);
    limiter.take(1, 5_000);
    limiter.giveBack(1, 0);
    expect(limiter.available(5_000)).toBe(0);
    limiter.giveBack(1, 5_000);
    expect(limiter.available(5_000)).toBe(1);
  });

  it('keeps its time exactly over millions of calls', () => {
    const limiter = createRateLimiter({ ...BUCKET, max: 3 }, 0);
    limiter.take(3_000_000, 0);
    limiter.giveBack(2_999_999, 0);
    const third = limiter.nextAt(0);
    expect(third * 3).toBeGreaterThanOrEqual(1_000);
    expect(third * 3).toBeLessThan(1_000.001);
  });
});

describe('a sliding window', () => {
  it('counts a call until its slot lies wholly outside the window', () => {
    const limiter = createRateLimiter(WINDOW, 0);
    limiter.take(60, 1_500);
    expect(limiter.nextAt(1_500)).toBe(62_000);
    expect(limiter.available(61_999)).toBe(0);
    expect(limiter.available(62_000)).toBe(60);
  });

  it('frees what was taken slot by slot', () => {
    const limiter = createRateLimiter(WINDOW, 0);
    limiter.take(20, 500);
    limiter.take(40, 30_500);
    expect(limiter.nextAt(30_500)).toBe(61_000);
    expect(limiter.available(61_000)).toBe(20);
    limiter.take(20, 61_000);
    expect(limiter.nextAt(61_000)).toBe(91_000);
  });

  it('loses no more than a slot to its grain', () => {
    expect(greedy(createRateLimiter(WINDOW, 0), 0, 61_000 * 10)).toBe(600);
  });

  it('that was emptied frees a slot at a time', () => {
    const limiter = createRateLimiter(WINDOW, 0);
    limiter.empty(30_000);
    expect([30_000, 31_999, 32_000, 33_000, 34_000].map((now) => limiter.available(now))).toEqual([0, 0, 1, 2, 3]);
  });

  it('that was emptied spreads a limit below one per slot over the window', () => {
    const limiter = createRateLimiter({ ...WINDOW, max: 2 }, 0);
    limiter.empty(0);
    expect(limiter.nextAt(0)).toBe(31_000);
    limiter.take(1, 31_000);
    expect(limiter.nextAt(31_000)).toBe(61_000);
  });

  it('gives back to the slot it was taken of', () => {
    const limiter = createRateLimiter(WINDOW, 0);
    limiter.take(30, 500);
    limiter.take(30, 40_500);
    limiter.giveBack(10, 500);
    expect(limiter.available(40_500)).toBe(10);
    expect(limiter.available(61_000)).toBe(30);
    limiter.giveBack(5, 500);
    expect(limiter.available(61_000)).toBe(30);
  });

  it.each([1, 7, 59, 100, 1_000])('of %i ms is exact to the ms where slots are not whole ms', (perMs) => {
    const limiter = createRateLimiter({ ...WINDOW, max: 1, perMs }, 12_345.678);
    limiter.take(1, 12_345.678);
    const next = limiter.nextAt(12_345.678);
    expect(Number.isInteger(next)).toBe(true);
    expect(next - 12_345).toBeLessThanOrEqual(Math.ceil((perMs * 61) / 60) + 1);
    expect(limiter.available(next - 0.001)).toBe(0);
    expect(limiter.available(next)).toBe(1);
  });
});

describe('an update', () => {
  it('of the maximum of a window counts what was taken', () => {
    const limiter = createRateLimiter(WINDOW, 0);
    limiter.take(50, 0);
    limiter.update({ ...WINDOW, max: 40 });
    expect(limiter.available(0)).toBe(0);
    expect(limiter.nextAt(0)).toBe(61_000);
    limiter.update({ ...WINDOW, max: 100 });
    expect(limiter.available(0)).toBe(50);
  });

  it('of the length of a window counts what was taken', () => {
    const limiter = createRateLimiter(WINDOW, 0);
    limiter.take(50, 500);
    limiter.update({ ...WINDOW, perMs: 3_600_000 });
    expect(limiter.available(500)).toBe(10);
    limiter.update(WINDOW);
    expect(limiter.available(500)).toBe(10);
  });

  it('of the burst of a bucket gives nothing to start at once', () => {
    const limiter = createRateLimiter(BUCKET, 0);
    limiter.take(1, 0);
    limiter.update({ ...BUCKET, burst: 6 });
    expect(limiter.available(0)).toBe(0);
    expect(limiter.nextAt(0)).toBe(200);
    expect(limiter.available(900)).toBe(4);
  });

  it('of the rate of a bucket counts what it lacked', () => {
    const limiter = createRateLimiter({ ...BUCKET, burst: 5 }, 0);
    limiter.take(5, 0);
    limiter.update({ ...BUCKET, burst: 5, max: 6 });
    expect(limiter.nextAt(0)).toBe(500);
  });

  it('from a bucket to a window and back counts what was taken', () => {
    const limiter = createRateLimiter({ ...WINDOW, algorithm: 'tokenBucket' }, 0);
    limiter.take(60, 1_000);
    limiter.update(WINDOW);
    expect(limiter.available(1_000)).toBe(0);
    expect(limiter.available(62_000)).toBe(60);
    limiter.take(60, 62_000);
    limiter.update({ ...WINDOW, algorithm: 'tokenBucket' });
    expect(limiter.available(62_000)).toBe(0);
    expect(limiter.nextAt(62_000)).toBe(122_000);
  });
});
