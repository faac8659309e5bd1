import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TimeoutChange } from '../../../src/queue/strategies/limits/AttemptTimeouts.ts';
import { AttemptTimeouts } from '../../../src/queue/strategies/limits/AttemptTimeouts.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';

const OPTIONS = { initialMs: 30_000, minMs: 1_000, maxMs: 60_000 };

function timeoutsOf(options: Partial<typeof OPTIONS> = {}) {
  const changes: TimeoutChange[] = [];
  const timeouts = new AttemptTimeouts({ ...OPTIONS, ...options, changed: (change) => changes.push(change) });
  return { timeouts, changes };
}

/** Calls that would take so long, each cut off at the timeout it gets. Returns the time after them. */
function call(timeouts: AttemptTimeouts, durations: readonly number[], from = 0, everyMs = 100): number {
  let now = from;
  for (const durationMs of durations) {
    const timeoutMs = timeouts.timeoutFor(1, now);
    timeouts.ended(Math.min(durationMs, timeoutMs), durationMs > timeoutMs, timeoutMs, now);
    now += everyMs;
  }
  return now;
}

const repeat = (durationMs: number, times: number) => Array.from({ length: times }, () => durationMs);

describe('the timeout of an attempt', () => {
  it('is the initial one until twenty calls were seen', () => {
    const { timeouts, changes } = timeoutsOf();
    const now = call(timeouts, repeat(100, 19));
    expect(timeouts.timeoutFor(1, now)).toBe(30_000);
    expect([timeouts.p50(now), timeouts.p99(now), timeouts.samples(now)]).toEqual([undefined, undefined, 19]);
    call(timeouts, [100], now);
    expect(timeouts.timeoutFor(1, now)).toBe(27_000);
    expect(changes).toEqual([{ from: 30_000, to: 27_000, p99: expect.any(Number), samples: 20 }]);
  });

  it('has an initial value within its bounds', () => {
    expect(timeoutsOf({ maxMs: 10_000 }).timeouts.timeoutFor(1, 0)).toBe(10_000);
    expect(timeoutsOf({ initialMs: 5 }).timeouts.timeoutFor(1, 0)).toBe(1_000);
  });

  it('comes down to what calls need', () => {
    const { timeouts } = timeoutsOf();
    const now = call(timeouts, repeat(2_000, 2_000));
    // 2 × p95 + 100 ms, as far as buckets of 12 % tell
    expect(timeouts.timeoutFor(1, now)).toBeGreaterThanOrEqual(4_100);
    expect(timeouts.timeoutFor(1, now)).toBeLessThanOrEqual(4_100 * 1.13);
  });

  it('follows the slowest hundredth where that asks for more', () => {
    const { timeouts } = timeoutsOf();
    const random = seededRandom(1).number;
    const now = call(
      timeouts,
      Array.from({ length: 2_900 }, () => (random() < 0.03 ? 6_000 : 200)),
    );
    expect(timeouts.timeoutFor(1, now)).toBeGreaterThanOrEqual(9_000);
    expect(timeouts.timeoutFor(1, now)).toBeLessThanOrEqual(9_100 * 1.13);
  });

  it('knows half and nearly all of the durations', () => {
    const { timeouts } = timeoutsOf();
    const random = seededRandom(2).number;
    const now = call(
      timeouts,
      Array.from({ length: 2_000 }, () => 1_000 * random()),
    );
    expect(timeouts.p50(now)).toBeGreaterThan(450);
    expect(timeouts.p50(now)).toBeLessThan(550);
    expect(timeouts.p99(now)).toBeGreaterThan(930);
    expect(timeouts.p99(now)).toBeLessThan(1_060);
  });

  it('stays within its bounds', () => {
    const fast = timeoutsOf().timeouts;
    expect(fast.timeoutFor(1, call(fast, repeat(3, 2_000)))).toBe(1_000);
    const slow = timeoutsOf().timeouts;
    expect(slow.timeoutFor(1, call(slow, repeat(59_000, 2_000)))).toBe(60_000);
  });

  it('is the longest for the last attempt, unless that is the first one too', () => {
    const { timeouts } = timeoutsOf();
    const now = call(timeouts, repeat(100, 2_000));
    expect(timeouts.timeoutFor(3, now, true)).toBe(60_000);
    expect(timeouts.timeoutFor(3, now)).toBe(1_000);
    expect(timeouts.timeoutFor(1, now, true)).toBe(1_000);
  });

  it('is longer after two timeouts in a row, until a call succeeds', () => {
    const { timeouts } = timeoutsOf();
    let now = call(timeouts, repeat(2_000, 2_000));
    const usual = timeouts.timeoutFor(1, now);
    timeouts.ended(usual, true, usual, now);
    expect(timeouts.timeoutFor(1, now)).toBe(usual);
    timeouts.ended(usual, true, usual, now);
    expect(timeouts.timeoutFor(1, now)).toBe(Math.ceil(1.5 * usual));
    now += 1;
    timeouts.ended(2_000, false, 1.5 * usual, now);
    expect(timeouts.timeoutFor(1, now)).toBe(usual);
  });

  it('does not collapse when a zone gets slower than its timeout: it grows until calls get through', () => {
    const { timeouts, changes } = timeoutsOf();
    const now = call(timeouts, repeat(100, 2_000));
    expect(timeouts.timeoutFor(1, now)).toBe(1_000);
    const later = call(timeouts, repeat(9_000, 600), now);
    expect(timeouts.timeoutFor(1, later)).toBeGreaterThan(9_000);
    expect(timeouts.p99(later)).toBeGreaterThan(9_000);
    for (const { from, to } of changes) expect(to).toBeLessThanOrEqual(2 * from);
  });

  it.each([1, 2, 3, 4, 5])('does not collapse when a part of the calls is always slow (seed %i)', (seed) => {
    const { timeouts } = timeoutsOf();
    const random = seededRandom(seed).number;
    const durations = Array.from({ length: 10_000 }, () => (random() < 0.02 ? 25_000 : 150));
    let now = call(timeouts, durations);
    // A timeout learned only from calls that it let through would cut off every slow one
    const given = durations.map(() => {
      now = call(timeouts, [random() < 0.02 ? 25_000 : 150], now);
      return timeouts.timeoutFor(1, now);
    });
    expect(Math.min(...given)).toBeGreaterThan(25_000);
  });

  it('is not lowered by calls that a deadline cut off earlier', () => {
    const { timeouts } = timeoutsOf();
    const now = call(timeouts, repeat(5_000, 1_000));
    const before = timeouts.timeoutFor(1, now);
    const samples = timeouts.samples(now);
    for (let cut = 0; cut < 1_000; cut += 1) timeouts.ended(50, true, 50, now + cut);
    timeouts.ended(5_000, false, before, now + 1_000);
    expect(timeouts.timeoutFor(1, now + 10_000)).toBe(before);
    expect(timeouts.samples(now)).toBe(samples + 1);
  });

  it('learns from deadlines alone where it knows nothing else', () => {
    const { timeouts } = timeoutsOf();
    for (let cut = 0; cut < 100; cut += 1) timeouts.ended(400, true, 400, cut);
    expect(timeouts.p50(100)).toBeGreaterThan(560);
  });

  it('forgets what is older than five minutes, and is the initial one again', () => {
    const { timeouts, changes } = timeoutsOf();
    const now = call(timeouts, repeat(100, 2_000));
    expect(timeouts.samples(now + 100_000)).toBeGreaterThan(0);
    expect(timeouts.samples(now + 300_000)).toBe(0);
    expect(timeouts.timeoutFor(1, now + 300_000)).toBe(30_000);
    expect(timeouts.p50(now + 300_000)).toBe(undefined);
    expect(changes.at(-1)).toEqual({ from: 1_000, to: 30_000, p99: null, samples: 0 });
  });

  it('comes down step by step while nothing new is seen, too', () => {
    const { timeouts } = timeoutsOf();
    call(timeouts, repeat(100, 20), 0, 1);
    const seen = [5_100, 10_200, 15_300].map((now) => timeouts.timeoutFor(1, now));
    expect(seen).toEqual([24_300, 21_870, 19_683]);
  });

  it('is computed no oftener than every five seconds or twenty calls', () => {
    const { timeouts, changes } = timeoutsOf();
    call(timeouts, repeat(100, 400), 0, 1);
    for (let now = 400; now < 5_000; now += 1) timeouts.timeoutFor(1, now);
    expect(changes).toHaveLength(20);
    for (let now = 60_000; now < 65_000; now += 1) timeouts.timeoutFor(1, now);
    expect(changes).toHaveLength(21);
  });

  it('takes nothing for a duration that is none', () => {
    const { timeouts } = timeoutsOf();
    for (let ended = 0; ended < 50; ended += 1) timeouts.ended(Number.NaN, false, 1_000, ended);
    expect(timeouts.timeoutFor(1, 50)).toBe(30_000);
  });

  const calls = fc.array(
    fc.record({ durationMs: fc.integer({ min: 0, max: 200_000 }), afterMs: fc.integer({ min: 0, max: 40_000 }) }),
    { minLength: 100, maxLength: 400 },
  );

  it('is within its bounds, and changes by a step at most, whatever happens', () => {
    fc.assert(
      fc.property(calls, (all) => {
        const { timeouts, changes } = timeoutsOf();
        let now = 0;
        for (const { durationMs, afterMs } of all) {
          now += afterMs;
          const timeoutMs = timeouts.timeoutFor(1, now);
          expect(timeoutMs >= 1_000 && timeoutMs <= 60_000).toBe(true);
          timeouts.ended(Math.min(durationMs, timeoutMs), durationMs > timeoutMs, timeoutMs, now);
        }
        for (const { from, to, p99 } of changes) {
          if (p99 === null) expect(to).toBe(30_000);
          else expect(to >= 0.9 * from && to <= 2 * from).toBe(true);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('never falls while every call is cut off', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 30, maxLength: 300 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1_000, max: 60_000 }), (all, initialMs) => {
        const { timeouts } = timeoutsOf({ initialMs });
        let now = 0;
        let before = timeouts.timeoutFor(1, now);
        for (const gapMs of all) {
          now += gapMs;
          const timeoutMs = timeouts.timeoutFor(1, now);
          expect(timeoutMs).toBeGreaterThanOrEqual(before);
          before = timeoutMs;
          timeouts.ended(timeoutMs, true, timeoutMs, now);
        }
      }),
      { numRuns: 50 },
    );
  });

  it('settles above what nearly all calls take, however they are distributed', () => {
    const seeds = fc.integer({ min: 1, max: 1_000_000 });
    const scale = fc.integer({ min: 50, max: 8_000 });
    fc.assert(
      fc.property(seeds, scale, fc.double({ min: 0.1, max: 1, noNaN: true }), (seed, scaleMs, spread) => {
        const { timeouts } = timeoutsOf({ initialMs: 1_000 });
        const random = seededRandom(seed).number;
        // Log-normal, as latencies are (Box and Muller)
        const duration = () =>
          scaleMs * Math.exp(spread * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
        const now = call(timeouts, Array.from({ length: 1_500 }, duration));
        const timeoutMs = timeouts.timeoutFor(1, now);
        const tail = Array.from({ length: 1_000 }, duration).filter((durationMs) => durationMs > timeoutMs).length;
        if (timeoutMs < 60_000) expect(tail).toBeLessThan(30);
      }),
      { numRuns: 40 },
    );
  });
});
