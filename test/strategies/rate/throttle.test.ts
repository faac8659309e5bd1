import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RateHint } from '../../../src/queue/strategies/rate/hints.ts';
import { Throttle } from '../../../src/queue/strategies/rate/Throttle.ts';

const DAY = 86_400_000;
const FREE = Number.POSITIVE_INFINITY;

/** A throttle that saw `perSecond` calls per second for half a minute, which ended just now. */
function busy(perSecond: number): { readonly throttle: Throttle; readonly now: number } {
  const throttle = new Throttle();
  let now = 0;
  for (; now < 30_000; now += 1_000 / perSecond) throttle.take(1, now);
  return { throttle, now };
}

/** How many start from `from` on, and before `until`, if all start as soon as they may. */
function greedy(throttle: Throttle, from: number, until: number): number {
  let started = 0;
  for (let now = throttle.nextAt(from); now < until; now = throttle.nextAt(now)) {
    const n = throttle.available(now);
    if (n === FREE) return FREE;
    throttle.take(n, now);
    started += n;
  }
  return started;
}

describe('a throttle', () => {
  it('is free before anything was said', () => {
    const throttle = new Throttle();
    expect([throttle.available(5), throttle.nextAt(5), throttle.minPriority(5), throttle.allFrom(5)]).toEqual([
      FREE,
      5,
      1,
      5,
    ]);
  });
});

describe('a hint', () => {
  it('blocks until its time', () => {
    const throttle = new Throttle();
    throttle.hinted(2_000);
    expect([throttle.available(1_999), throttle.nextAt(1_000)]).toEqual([0, 2_000]);
    expect([throttle.available(2_000), throttle.nextAt(2_000)]).toEqual([FREE, 2_000]);
  });

  it('does not shorten a longer one', () => {
    const throttle = new Throttle();
    throttle.hinted(2_000);
    throttle.hinted(1_000);
    throttle.hinted(Number.NaN);
    expect(throttle.nextAt(0)).toBe(2_000);
  });

  it.each([
    ['of ten days', 10 * DAY],
    ['without an end', FREE],
  ])('%s is taken for a day', (_, until) => {
    const throttle = new Throttle();
    throttle.hinted(until);
    expect(throttle.nextAt(1_000)).toBe(DAY + 1_000);
    expect(throttle.nextAt(5_000)).toBe(DAY + 1_000);
    expect(throttle.available(DAY + 1_000)).toBe(FREE);
  });
});

describe('a refusal without a time', () => {
  it('leaves seven tenths of the rate, and gives a twentieth back each second', () => {
    const { throttle, now } = busy(20);
    throttle.refused(now);
    const perSecond = [0, 1, 2, 3, 4, 5].map((second) =>
      greedy(throttle, now + second * 1_000, now + (second + 1) * 1_000),
    );
    expect(perSecond.reduce((sum, calls) => sum + calls, 0)).toBeCloseTo(20 * 6 * 0.85, -1);
    expect(perSecond[0]).toBeGreaterThanOrEqual(13);
    expect(perSecond[0]).toBeLessThanOrEqual(15);
    expect(perSecond[5]).toBeGreaterThanOrEqual(18);
    expect(perSecond[5]).toBeLessThanOrEqual(20);
  });

  it('is over when the former rate is reached', () => {
    const { throttle, now } = busy(20);
    throttle.refused(now);
    expect(throttle.available(now + 5_999)).toBeLessThan(FREE);
    expect(throttle.available(now + 6_001)).toBe(FREE);
  });

  it('counts once for calls that were refused together', () => {
    const { throttle, now } = busy(20);
    for (let index = 0; index < 10; index++) throttle.refused(now + index * 99);
    expect(throttle.available(now + 6_001)).toBe(FREE);
  });

  it('cuts what the one before left, and recovers to the rate before both', () => {
    const { throttle, now } = busy(20);
    throttle.refused(now);
    greedy(throttle, now, now + 1_000);
    throttle.refused(now + 1_000);
    const share = 0.75 * 0.7;
    const next = greedy(throttle, now + 1_000, now + 2_000);
    expect(next).toBeGreaterThanOrEqual(9);
    expect(next).toBeLessThanOrEqual(12);
    const recovered = now + 1_000 + ((1 - share) / 0.05) * 1_000;
    expect(throttle.available(recovered - 100)).toBeLessThan(FREE);
    expect(throttle.available(recovered + 100)).toBe(FREE);
  });

  it('spaces calls that came at once by the rate of that second', () => {
    const throttle = new Throttle();
    throttle.take(10, 0);
    throttle.refused(50);
    expect(throttle.available(50)).toBe(0);
    const spacing = throttle.nextAt(50) - 50;
    expect(spacing).toBeGreaterThan(140);
    expect(spacing).toBeLessThan(145);
  });

  it('of whoever seldom calls is over within seconds', () => {
    const throttle = new Throttle();
    throttle.take(1, 0);
    throttle.take(1, 600_000);
    throttle.refused(600_000);
    expect(throttle.nextAt(600_000)).toBeLessThanOrEqual(606_000);
    const never = new Throttle();
    never.refused(0);
    expect(never.nextAt(0)).toBeLessThanOrEqual(6_000);
  });

  it('that comes again and again never makes anybody wait longer than twenty seconds', () => {
    const throttle = new Throttle();
    let now = 0;
    for (let index = 0; index < 500; index++) {
      throttle.take(1, now);
      throttle.refused(now);
      const next = throttle.nextAt(now);
      expect(next - now).toBeLessThanOrEqual(20_000);
      now = Math.max(next, now + 1_000);
    }
  });

  it('makes up for what came due while nobody looked, but not for a pause', () => {
    const { throttle, now } = busy(1_000);
    throttle.refused(now);
    throttle.take(1, now + 10);
    const rate = throttle.available(now + 1_010);
    expect(rate).toBeGreaterThanOrEqual(7);
    expect(rate).toBeLessThanOrEqual(9);
    throttle.take(rate, now + 1_010);
    expect(throttle.available(now + 1_010)).toBe(0);
  });

  it('gives back what was not used', () => {
    const { throttle, now } = busy(10);
    throttle.refused(now);
    const at = throttle.nextAt(now);
    throttle.take(1, at);
    expect(throttle.available(at)).toBe(0);
    throttle.giveBack(1, at);
    expect(throttle.available(at)).toBe(1);
    throttle.take(1, at + 500);
    throttle.giveBack(1, at);
    expect(throttle.available(at + 500)).toBe(0);
  });
});

describe('what was observed of a quota', () => {
  const left = (remaining: number | null, resetMs: number | null = 60_000, limit: number | null = 100): RateHint => ({
    limit,
    remaining,
    resetMs,
  });

  const observing = (hint: RateHint, now = 0): Throttle => {
    const throttle = new Throttle();
    throttle.observed(hint, now);
    return throttle;
  };

  it.each([
    [100, FREE, 1],
    [51, FREE, 1],
    [50, 1, 1],
    [26, 1, 1],
    [25, 1, 5],
    [11, 1, 5],
    [10, 1, 9],
    [1, 1, 9],
    [0, 0, 9],
  ])('with %i of 100 left lets %f start, of a priority from %i on', (remaining, available, priority) => {
    const throttle = observing(left(remaining));
    expect([throttle.available(0), throttle.minPriority(0)]).toEqual([available, priority]);
    expect(throttle.allFrom(0)).toBe(priority === 1 ? 0 : 60_000);
  });

  it('spreads what is left over what is left of the window', () => {
    const throttle = observing(left(30));
    throttle.take(1, 0);
    expect(throttle.nextAt(0)).toBe(2_000);
    expect([throttle.available(1_999), throttle.available(2_000)]).toEqual([0, 1]);
    expect(greedy(throttle, 2_000, 60_000)).toBe(29);
  });

  it('ends with the window', () => {
    const throttle = observing(left(1));
    throttle.take(1, 0);
    expect([throttle.nextAt(0), throttle.allFrom(0)]).toEqual([60_000, 60_000]);
    expect([throttle.available(60_000), throttle.minPriority(60_000)]).toEqual([FREE, 1]);
  });

  it('blocks when nothing is left, until the window ends or an answer tells of more', () => {
    const throttle = observing(left(0));
    expect(throttle.nextAt(10)).toBe(60_000);
    throttle.observed(left(80), 20_000);
    expect(throttle.available(20_000)).toBe(FREE);
  });

  it('speeds up what is spaced when there is more', () => {
    const throttle = observing(left(1));
    throttle.take(1, 0);
    throttle.observed(left(40), 100);
    expect(throttle.nextAt(100)).toBe(1_600);
  });

  it('without a window is taken for one of a second', () => {
    const throttle = observing(left(0, null));
    expect(throttle.nextAt(0)).toBe(1_000);
  });

  it('without a limit counts only when nothing is left', () => {
    expect(observing(left(1, 60_000, null)).available(0)).toBe(FREE);
    expect(observing(left(0, 60_000, null)).nextAt(0)).toBe(60_000);
  });

  it('that does not tell what is left changes nothing', () => {
    const throttle = observing(left(10));
    throttle.observed(left(null), 10);
    expect(throttle.minPriority(10)).toBe(9);
  });

  it.each([
    ['a reset that is past', left(5, -10), 0],
    ['a reset right now', left(0, 0), 0],
    ['less than nothing left', left(-3), 60_000],
    ['more left than there is', left(500), 0],
    ['a limit of none', left(0, 60_000, 0), 60_000],
    ['a reset in a month', left(0, 30 * DAY), DAY],
  ])('stands %s', (_, hint, next) => {
    expect(observing(hint).nextAt(0)).toBe(next);
  });

  it('goes together with a hint and a refusal: the strictest counts', () => {
    const throttle = observing(left(30));
    throttle.take(1, 0);
    throttle.refused(0);
    expect(throttle.nextAt(0)).toBe(2_000);
    throttle.hinted(30_000);
    expect(throttle.nextAt(0)).toBe(30_000);
    throttle.observed(left(0, 50_000), 10_000);
    expect(throttle.nextAt(10_000)).toBe(60_000);
  });
});

describe('any use of a throttle', () => {
  const gap = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3_000 }), fc.double({ min: 0, max: 50, noNaN: true }));
  const hint = fc.record({
    limit: fc.option(fc.nat(100)),
    remaining: fc.option(fc.nat(120)),
    resetMs: fc.option(fc.nat(90_000)),
  });
  const steps = fc.array(
    fc.record({
      gap,
      does: fc.oneof(
        fc.record({ take: fc.integer({ min: 1, max: 20 }) }),
        fc.record({ hintMs: fc.integer({ min: -100, max: 5_000 }) }),
        fc.constant({ refused: true }),
        fc.record({ hint }),
      ),
    }),
    { maxLength: 60 },
  );

  it('lets one start at the time it names and not before, and never keeps anybody for more than a day', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const throttle = new Throttle();
        let now = 0;
        for (const step of taken) {
          now += step.gap;
          if ('take' in step.does) throttle.take(Math.min(step.does.take, throttle.available(now)), now);
          else if ('hintMs' in step.does) throttle.hinted(now + step.does.hintMs);
          else if ('hint' in step.does) throttle.observed(step.does.hint, now);
          else throttle.refused(now);
          const next = throttle.nextAt(now);
          expect(next - now).toBeLessThanOrEqual(DAY);
          expect(throttle.available(Math.max(next, now))).toBeGreaterThan(0);
          if (next <= now) continue;
          expect(throttle.available(now)).toBe(0);
          expect(throttle.available(now + (next - now) * 0.999)).toBe(0);
        }
      }),
      { numRuns: 500 },
    );
  });
});
