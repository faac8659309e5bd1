import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/testing/seededRandom.ts';

describe('seededRandom', () => {
  it('repeats itself from the same seed', () => {
    const [one, two] = [seededRandom('a'), seededRandom('a')];
    const draw = (random: typeof one): unknown[] => [random.number(), random.bytes(5), random.number()];
    expect(draw(one)).toEqual(draw(two));
  });

  it('differs between seeds', () => {
    expect(seededRandom(1).number()).not.toBe(seededRandom(2).number());
  });

  it('spreads numbers evenly over [0, 1)', () => {
    const random = seededRandom(7);
    const buckets = new Array<number>(10).fill(0);
    for (let draw = 0; draw < 10_000; draw += 1) {
      const bucket = Math.floor(random.number() * 10);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    expect(buckets).toHaveLength(10);
    for (const count of buckets) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});
