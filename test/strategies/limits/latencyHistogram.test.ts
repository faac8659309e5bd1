import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LatencyHistogram } from '../../../src/queue/strategies/limits/LatencyHistogram.ts';

const WIDTH = 2 ** (1 / 6);

/** The same by the slow way: every sample is kept. */
class Oracle {
  #all: { readonly durationMs: number; readonly slice: number }[] = [];

  add(durationMs: number, now: number): void {
    this.#all.push({ durationMs, slice: Math.floor(now / 50_000) });
  }

  durations(now: number): number[] {
    return this.#all.flatMap(({ durationMs, slice }) => (slice > Math.floor(now / 50_000) - 6 ? [durationMs] : []));
  }
}

describe('the histogram of durations', () => {
  it('is empty at first', () => {
    const histogram = new LatencyHistogram();
    expect([histogram.size(0), histogram.quantile(0.99)]).toEqual([0, 0]);
  });

  it('takes what is longer than all buckets for the longest, and less than a millisecond for one', () => {
    const histogram = new LatencyHistogram();
    histogram.add(1e12, 0);
    expect(histogram.quantile(1)).toBe(2 ** 20);
    const quick = new LatencyHistogram();
    quick.add(0, 0);
    expect(quick.quantile(1)).toBeLessThan(1.13);
  });

  it('says the same as all samples sorted, within the width of a bucket, also after times of silence', () => {
    const steps = fc.array(
      fc.record({
        durationMs: fc.double({ min: 1, max: 900_000, noNaN: true }),
        afterMs: fc.oneof({ weight: 9, arbitrary: fc.nat(5_000) }, { weight: 1, arbitrary: fc.nat(900_000) }),
      }),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(10_000_000), (all, q, start) => {
        const histogram = new LatencyHistogram();
        const oracle = new Oracle();
        let now = start;
        for (const { durationMs, afterMs } of all) {
          histogram.add(durationMs, now);
          oracle.add(durationMs, now);
          now += afterMs;
          const sorted = oracle.durations(now).sort((a, b) => a - b);
          expect(histogram.size(now)).toBe(sorted.length);
          if (sorted.length === 0) continue;
          const exact = sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? 0;
          const estimate = histogram.quantile(q);
          expect(estimate).toBeGreaterThanOrEqual((exact / WIDTH) * 0.999_999);
          expect(estimate).toBeLessThanOrEqual(exact * WIDTH * 1.000_001);
        }
      }),
      { numRuns: 50 },
    );
  });
});
