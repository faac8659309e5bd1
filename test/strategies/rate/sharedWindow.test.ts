import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RateLimit } from '../../../src/queue/strategies/rate/RateLimiter.ts';
import { giveBackShared, takeShared } from '../../../src/queue/strategies/rate/sharedWindow.ts';
import type { Json } from '../../../src/queue/types/request.ts';

const LIMIT: RateLimit = { max: 60, perMs: 60_000, burst: 60, algorithm: 'slidingWindow' };
const NOW = 1_900_000_020_500;

describe('a shared window', () => {
  it('starts with nothing used, and gives no more than it has', () => {
    const first = takeShared(undefined, LIMIT, NOW, 50);
    expect([first.taken, first.waitMs]).toEqual([50, 0]);
    const second = takeShared(first.value, LIMIT, NOW, 50);
    expect([second.taken, second.waitMs]).toEqual([10, 60_500]);
    const third = takeShared(second.value, LIMIT, NOW, 50);
    expect([third.taken, third.waitMs]).toEqual([0, 60_500]);
    expect(takeShared(third.value, LIMIT, NOW + 60_499, 50).taken).toBe(0);
    expect(takeShared(third.value, LIMIT, NOW + 60_500, 50)).toMatchObject({ taken: 50, waitMs: 0 });
  });

  it('tells without taking when one may start', () => {
    const { value } = takeShared(undefined, LIMIT, NOW, 59);
    expect(takeShared(value, LIMIT, NOW, 0)).toEqual({ value, taken: 0, waitMs: 0 });
    const full = takeShared(value, LIMIT, NOW, 1).value;
    expect(takeShared(full, LIMIT, NOW, 0)).toEqual({ value: full, taken: 0, waitMs: 60_500 });
  });

  it('is small', () => {
    const { value } = takeShared(undefined, LIMIT, NOW, 3);
    expect(value).toEqual({ perMs: 60_000, head: 1_900_000_020, counts: [3] });
  });

  it('takes back what was not used, from when it was taken', () => {
    const first = takeShared(undefined, LIMIT, NOW, 30).value;
    const second = takeShared(first, LIMIT, NOW + 5_000, 30).value;
    const returned = giveBackShared(second, LIMIT, NOW, 10);
    expect(returned).toEqual({ perMs: 60_000, head: 1_900_000_025, counts: [30, 0, 0, 0, 0, 20] });
    expect(giveBackShared(second, LIMIT, NOW - 120_000, 10)).toBe(undefined);
    expect(giveBackShared(undefined, LIMIT, NOW, 10)).toBe(undefined);
  });

  it.each([
    ['null', null],
    ['a text', '{"perMs":60000}'],
    ['a list', [60_000]],
    ['no head', { perMs: 60_000, counts: [60] }],
    ['a head that is no slot', { perMs: 60_000, head: 0.5, counts: [60] }],
    ['counts that are none', { perMs: 60_000, head: 1_900_000_020, counts: 60 }],
    ['less than no calls', { perMs: 60_000, head: 1_900_000_020, counts: [-60] }],
    ['half a call', { perMs: 60_000, head: 1_900_000_020, counts: [59.5] }],
    ['too many counts', { perMs: 60_000, head: 1_900_000_020, counts: new Array<number>(62).fill(1) }],
    ['no time', { perMs: 0, head: 1_900_000_020, counts: [60] }],
    ['endless time', { perMs: Number.POSITIVE_INFINITY, head: 1_900_000_020, counts: [60] }],
  ] as [string, Json][])('takes a foreign value for unused: %s', (_, value) => {
    expect(takeShared(value, LIMIT, NOW, 60).taken).toBe(60);
    expect(giveBackShared(value, LIMIT, NOW, 1)).toBe(undefined);
  });

  it('goes by the clock that is ahead', () => {
    const ahead = takeShared(undefined, LIMIT, NOW + 30_000, 60).value;
    const behind = takeShared(ahead, LIMIT, NOW, 1);
    expect([behind.taken, behind.waitMs]).toEqual([0, 90_500]);
    expect(takeShared(ahead, LIMIT, NOW + 90_500, 1).taken).toBe(1);
  });

  it('does not stall when the clock was set back', () => {
    const before = takeShared(undefined, LIMIT, NOW + 3_600_000, 60).value;
    const after = takeShared(before, LIMIT, NOW, 1);
    expect([after.taken, after.waitMs]).toEqual([0, 60_500]);
  });

  it('counts what was taken under another length', () => {
    const { value } = takeShared(undefined, LIMIT, NOW, 40);
    const longer = { ...LIMIT, perMs: 3_600_000 };
    const next = takeShared(value, longer, NOW + 1_000, 40);
    expect(next.taken).toBe(20);
    expect(takeShared(next.value, LIMIT, NOW + 1_000, 40).taken).toBe(0);
    expect(giveBackShared(value, longer, NOW, 1)).toBe(undefined);
  });

  it('counts more than it allows until enough lapsed', () => {
    const full = takeShared(takeShared(undefined, LIMIT, NOW, 30).value, LIMIT, NOW + 10_000, 30).value;
    expect(takeShared(full, { ...LIMIT, max: 10 }, NOW + 10_000, 1).waitMs).toBe(60_500);
    expect(takeShared(full, { ...LIMIT, max: 31 }, NOW + 10_000, 1).waitMs).toBe(50_500);
  });
});

describe('any use of a shared window', () => {
  const limits = fc.record({ max: fc.integer({ min: 1, max: 30 }), perMs: fc.integer({ min: 1, max: 5_000 }) });
  const takes = fc.array(
    fc.record({
      gap: fc.double({ min: 0, max: 1.2, noNaN: true }),
      wanted: fc.integer({ min: 0, max: 40 }),
      unused: fc.integer({ min: 0, max: 5 }),
      skew: fc.double({ min: -0.4, max: 0.4, noNaN: true }),
    }),
    { maxLength: 60 },
  );

  it('never has more than the limit in any window, and waits exactly', () => {
    fc.assert(
      fc.property(limits, takes, ({ max, perMs }, steps) => {
        const limit: RateLimit = { max, perMs, burst: max, algorithm: 'slidingWindow' };
        const used: number[] = [];
        let value: Json | undefined;
        let now = NOW;
        for (const { gap, wanted, unused } of steps) {
          now += Math.round(gap * perMs);
          const got = takeShared(value, limit, now, wanted);
          expect(got.taken).toBeLessThanOrEqual(wanted);
          value = JSON.parse(JSON.stringify(got.value)) as Json; // as it comes out of a store
          if (got.waitMs > 0) {
            expect(takeShared(value, limit, now + got.waitMs - 1, 1).taken).toBe(0);
            expect(takeShared(value, limit, now + got.waitMs, 1).taken).toBe(1);
          }
          const back = Math.min(unused, got.taken);
          value = giveBackShared(value, limit, now, back) ?? value;
          used.push(...Array.from({ length: got.taken - back }, () => now));
        }
        used.slice(max).forEach((at, index) => {
          expect(at - (used[index] ?? 0)).toBeGreaterThanOrEqual(perMs);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('by clocks that differ never has more than the limit in any window of the clocks', () => {
    fc.assert(
      fc.property(limits, takes, ({ max, perMs }, steps) => {
        const limit: RateLimit = { max, perMs, burst: max, algorithm: 'slidingWindow' };
        const used: number[] = [];
        let value: Json | undefined;
        let now = NOW;
        for (const { gap, wanted, skew } of steps) {
          now += Math.round(gap * perMs);
          const got = takeShared(value, limit, now + Math.round(skew * perMs), wanted);
          value = got.value;
          used.push(...Array.from({ length: got.taken }, () => now));
        }
        used.slice(max).forEach((at, index) => {
          expect(at - (used[index] ?? 0)).toBeGreaterThanOrEqual(perMs * 0.1);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('of any value neither throws nor waits for ever', () => {
    const values = fc.oneof(
      fc.jsonValue(),
      fc.record({
        perMs: fc.oneof(fc.double(), fc.integer()),
        head: fc.oneof(fc.maxSafeInteger(), fc.integer({ min: 1_900_000_000, max: 1_900_000_100 })),
        counts: fc.array(fc.oneof(fc.maxSafeInteger(), fc.nat(3)), { maxLength: 70 }),
      }),
    );
    fc.assert(
      fc.property(values, fc.nat(70), (value, wanted) => {
        const got = takeShared(value as Json, LIMIT, NOW, wanted);
        expect(got.taken).toBeGreaterThanOrEqual(0);
        expect(got.taken).toBeLessThanOrEqual(60);
        expect(got.waitMs).toBeGreaterThanOrEqual(0);
        expect(got.waitMs).toBeLessThanOrEqual(2 * LIMIT.perMs + 61_000);
        giveBackShared(value as Json, LIMIT, NOW, wanted);
      }),
      { numRuns: 1_000 },
    );
  });
});
