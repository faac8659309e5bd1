import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RunningMedian } from '../../../src/queue/strategies/limits/RunningMedian.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';

describe('the running median', () => {
  it('is near the median of a skewed distribution, which a mean is not', () => {
    const random = seededRandom(7).number;
    const median = new RunningMedian();
    for (let sample = 0; sample < 5_000; sample += 1) median.add(random() < 0.1 ? 30_000 : 100 + 200 * random());
    expect(median.value).toBeGreaterThan(150);
    expect(median.value).toBeLessThan(280);
  });

  it('follows when calls get slower, or faster', () => {
    const median = new RunningMedian();
    for (let sample = 0; sample < 100; sample += 1) median.add(100);
    for (let sample = 0; sample < 100; sample += 1) median.add(10_000);
    expect(median.value).toBe(10_000);
    for (let sample = 0; sample < 100; sample += 1) median.add(100);
    expect(median.value).toBe(100);
  });

  it('leaves 0, and takes nothing for a duration that is none', () => {
    const median = new RunningMedian();
    median.add(0);
    median.add(Number.NaN);
    median.add(-1);
    expect(median.value).toBe(0);
    for (let sample = 0; sample < 100; sample += 1) median.add(50);
    expect(median.value).toBe(50);
  });

  it('is never beyond what was seen', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1 }), (samples) => {
        const median = new RunningMedian();
        for (const sample of samples) median.add(sample);
        expect(median.value).toBeGreaterThanOrEqual(Math.min(...samples));
        expect(median.value).toBeLessThanOrEqual(Math.max(...samples));
      }),
    );
  });
});
