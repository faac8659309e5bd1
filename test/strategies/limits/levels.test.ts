import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importanceOf, isShed, Levels } from '../../../src/queue/strategies/limits/levels.ts';
import type { Level } from '../../../src/queue/types/events.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';

const ORDER: readonly Level[] = ['normal', 'elevated', 'high', 'critical'];

/** Reads the same pressure once a second for so long. */
function hold(levels: Levels, pressure: number, from: number, forMs: number): number {
  for (let now = from; now <= from + forMs; now += 1_000) levels.observe(pressure, now);
  return from + forMs;
}

function settled(pressure: number): Levels {
  const levels = new Levels();
  hold(levels, pressure, 0, 120_000);
  return levels;
}

describe('the level of degradation', () => {
  it.each([
    [0, 'normal'],
    [0.69, 'normal'],
    [0.71, 'elevated'],
    [0.86, 'high'],
    [0.96, 'critical'],
    [1.5, 'critical'],
  ] as const)('at a pressure that stays %f is %s', (pressure, level) => {
    expect(settled(pressure).level).toBe(level);
  });

  it('is smoothed over five seconds', () => {
    const levels = new Levels();
    levels.observe(0, 0);
    levels.observe(1, 5_000);
    expect(levels.pressure).toBeCloseTo(1 - 1 / Math.E, 10);
  });

  it('is smoothed alike by many readings and by few', () => {
    const [often, seldom] = [new Levels(), new Levels()];
    for (let now = 0; now <= 7_000; now += 10) often.observe(0.9, now);
    for (const now of [0, 1_000, 7_000]) seldom.observe(0.9, now);
    expect(often.pressure).toBeCloseTo(seldom.pressure, 10);
  });

  it('is not raised by a single spike, or by what is read first', () => {
    const levels = new Levels();
    expect(levels.observe(2, 0)).toBe('normal');
    hold(levels, 0.2, 0, 10_000);
    expect(levels.observe(2, 11_000)).toBe('normal');
  });

  it('stays for ten seconds after the pressure fell', () => {
    const levels = settled(1);
    let now = 120_000;
    while (levels.pressure >= 0.85) now = hold(levels, 0, now + 100, 0);
    expect(levels.level).toBe('critical');
    hold(levels, 0.84, now, 9_900);
    expect(levels.level).toBe('critical');
    expect(levels.observe(0.84, now + 10_000)).toBe('high');
  });

  it('stays while the pressure is not a tenth below its entry', () => {
    const levels = settled(0.9);
    hold(levels, 0.76, 120_000, 600_000);
    expect(levels.level).toBe('high');
  });

  it('waits again after the pressure rose in between', () => {
    const levels = settled(0.72);
    let now = hold(levels, 0.5, 120_000, 10_000);
    now = hold(levels, 0.68, now, 10_000);
    now = hold(levels, 0.5, now, 8_000);
    expect(levels.level).toBe('elevated');
    hold(levels, 0.5, now, 20_000);
    expect(levels.level).toBe('normal');
  });

  it('leaves several levels together where the pressure fell below all of them at once', () => {
    const levels = settled(1);
    expect(levels.observe(0, 130_000)).toBe('critical');
    expect(levels.observe(0, 139_999)).toBe('critical');
    expect(levels.observe(0, 140_000)).toBe('normal');
  });

  it('forgets an absurd reading within seconds, and takes none for one that is no number', () => {
    const levels = new Levels();
    levels.observe(0, 0);
    levels.observe(Number.POSITIVE_INFINITY, 60_000);
    levels.observe(Number.NaN, 61_000);
    expect(levels.pressure).toBeLessThanOrEqual(2);
    hold(levels, 0, 61_000, 30_000);
    expect(levels.level).toBe('normal');
  });

  it('is never below what the pressure says, nor more than the hysteresis above', () => {
    const readings = fc.array(
      fc.tuple(fc.double({ min: 0, max: 1.5, noNaN: true }), fc.integer({ min: 0, max: 8_000 })),
      {
        maxLength: 100,
      },
    );
    fc.assert(
      fc.property(readings, (all) => {
        const levels = new Levels();
        let now = 0;
        let calmSince: number | undefined;
        for (const [reading, afterMs] of all) {
          now += afterMs;
          const level = levels.observe(reading, now);
          const { pressure } = levels;
          const least = pressure >= 0.95 ? 3 : pressure >= 0.85 ? 2 : pressure >= 0.7 ? 1 : 0;
          expect(ORDER.indexOf(level)).toBeGreaterThanOrEqual(least);
          calmSince = pressure < 0.6 ? (calmSince ?? now) : undefined;
          if (calmSince !== undefined && now - calmSince >= 10_000) expect(level).toBe('normal');
        }
      }),
    );
  });
});

describe('shedding', () => {
  const never = () => 0.999;

  it('takes importance from priority', () => {
    expect([importanceOf(1), importanceOf(5), importanceOf(10)]).toEqual([10, 50, 100]);
  });

  it.each([
    [0.5, 'normal', 0],
    [0.7, 'elevated', 0],
    [0.85, 'high', 12.5],
    [0.94, 'high', 51.2],
    [0.95, 'critical', 90],
    [1, 'critical', 100],
    [7, 'critical', 100],
    [0.86, 'critical', 90],
  ] as const)('at a pressure of %f and level %s refuses what is less important than %f', (pressure, level, cut) => {
    for (let importance = 0; importance <= 100; importance += 1) {
      expect(isShed(importance, pressure, level, never)).toBe(importance < cut - 1e-9);
    }
  });

  it('admits two of a hundred of each class whatever the pressure', () => {
    const random = seededRandom(3).number;
    for (const importance of [10, 30, 50, 80]) {
      let admitted = 0;
      for (let call = 0; call < 50_000; call += 1) if (!isShed(importance, 1.5, 'critical', random)) admitted += 1;
      expect(admitted / 50_000).toBeGreaterThan(0.017);
      expect(admitted / 50_000).toBeLessThan(0.023);
    }
  });

  it('spares the more important whenever it spares the less important', () => {
    const importance = fc.integer({ min: 0, max: 100 });
    const pressure = fc.double({ min: 0, max: 2, noNaN: true });
    fc.assert(
      fc.property(importance, importance, pressure, fc.constantFrom(...ORDER), (one, other, at, level) => {
        const [less, more] = one < other ? [one, other] : [other, one];
        if (!isShed(less, at, level, never)) expect(isShed(more, at, level, never)).toBe(false);
      }),
    );
  });

  it('draws no chance for what is admitted anyway', () => {
    const drawn = () => {
      throw new Error('drawn');
    };
    expect(isShed(50, 0.6, 'normal', drawn)).toBe(false);
  });
});
