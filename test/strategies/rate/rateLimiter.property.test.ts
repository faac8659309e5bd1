import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRateLimiter } from '../../../src/queue/strategies/rate/createRateLimiter.ts';
import type { RateLimit, RateLimiter } from '../../../src/queue/strategies/rate/RateLimiter.ts';

type Algorithm = RateLimit['algorithm'];

const ALGORITHMS: readonly Algorithm[] = ['tokenBucket', 'slidingWindow'];
const RUNS = { numRuns: 300 };

/** Microseconds, which is what the clock tells: sums and differences are exact. */
type Us = number;

const sizes = fc
  .integer({ min: 1, max: 40 })
  .chain((max) => fc.record({ max: fc.constant(max), burst: fc.integer({ min: 1, max }) }));
const lengths = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constantFrom(1_000, 60_000, 3_600_000));

function limitsOf(algorithm: Algorithm): fc.Arbitrary<RateLimit> {
  return fc.tuple(sizes, lengths).map(([size, perMs]) => ({ ...size, perMs, algorithm }));
}

/** One step of a caller: waits a share of a window, or until it may, takes some and gives some back, perhaps later. */
interface Step {
  readonly gap: number | 'untilNext';
  readonly wanted: number;
  readonly unused: number;
  readonly late: boolean;
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    gap: fc.oneof(
      { weight: 2, arbitrary: fc.constant('untilNext' as const) },
      { weight: 1, arbitrary: fc.constant(0) },
      { weight: 3, arbitrary: fc.double({ min: 0, max: 0.2, noNaN: true }) },
      { weight: 1, arbitrary: fc.double({ min: 0, max: 3, noNaN: true }) },
    ),
    wanted: fc.integer({ min: 1, max: 60 }),
    unused: fc.integer({ min: 0, max: 10 }),
    late: fc.boolean(),
  }),
  { minLength: 1, maxLength: 80 },
);

interface Run {
  readonly limiter: RateLimiter;
  readonly perMs: number;
  now: Us;
  /** When the calls started that were used. */
  readonly used: Us[];
  readonly owed: { readonly n: number; readonly at: Us }[];
}

function start(limit: RateLimit, at: Us): Run {
  return { limiter: createRateLimiter(limit, at / 1_000), perMs: limit.perMs, now: at, used: [], owed: [] };
}

function take(run: Run, { gap, wanted, unused, late }: Step): void {
  const { limiter, owed } = run;
  if (gap === 'untilNext') run.now = Math.max(run.now, Math.ceil(limiter.nextAt(run.now / 1_000) * 1_000));
  else run.now += Math.round(gap * run.perMs * 1_000);
  if (!late) for (const { n, at } of owed.splice(0)) limiter.giveBack(n, at / 1_000);
  const n = Math.min(wanted, limiter.available(run.now / 1_000));
  limiter.take(n, run.now / 1_000);
  const returned = Math.min(unused, n);
  run.used.push(...Array.from({ length: n - returned }, () => run.now));
  if (returned > 0) owed.push({ n: returned, at: run.now });
}

/** The least time that `count` calls in a row and the one after them took. */
function tightest(used: readonly Us[], count: number): Us {
  let least = Number.POSITIVE_INFINITY;
  used.slice(count).forEach((at, index) => {
    least = Math.min(least, at - (used[index] ?? 0));
  });
  return least;
}

const starts = fc.integer({ min: 0, max: 5_000_000_000_000 });

describe.each(ALGORITHMS)('a limiter by %s', (algorithm) => {
  const limits = limitsOf(algorithm);

  it('never lets more than its limit start in any window', () => {
    let waited = 0;
    fc.assert(
      fc.property(limits, starts, steps, (limit, at, taken) => {
        const run = start(limit, at);
        for (const step of taken) take(run, { ...step, unused: 0 });
        expect(tightest(run.used, limit.max)).toBeGreaterThanOrEqual(limit.perMs * 1_000);
        if (run.used.length > limit.max) waited += 1;
      }),
      RUNS,
    );
    expect(waited).toBeGreaterThan(20);
  });

  it('keeps to it though calls are given back, at once or later', () => {
    fc.assert(
      fc.property(limits, starts, steps, (limit, at, taken) => {
        const run = start(limit, at);
        for (const step of taken) take(run, step);
        expect(tightest(run.used, limit.max)).toBeGreaterThanOrEqual(limit.perMs * 1_000);
      }),
      RUNS,
    );
  });

  it('lets one start at the time it names, and none a ms before', () => {
    fc.assert(
      fc.property(limits, starts, steps, (limit, at, taken) => {
        const run = start(limit, at);
        for (const step of taken) {
          take(run, step);
          const now = run.now / 1_000;
          const next = run.limiter.nextAt(now);
          if (run.limiter.available(now) > 0) {
            expect(next).toBeLessThanOrEqual(now);
            continue;
          }
          expect(next).toBeGreaterThan(now);
          expect(next - now).toBeLessThanOrEqual(limit.perMs * 1.02 + 1);
          if (next - 1 >= now) expect(run.limiter.available(next - 1)).toBe(0);
          run.now = Math.ceil(next * 1_000);
          expect(run.limiter.available(next)).toBeGreaterThan(0);
        }
      }),
      RUNS,
    );
  });

  it('has as many as before when all that was taken at once is given back', () => {
    fc.assert(
      fc.property(limits, starts, steps, fc.integer({ min: 1, max: 60 }), (limit, at, taken, wanted) => {
        const run = start(limit, at);
        for (const step of taken) take(run, step);
        const now = run.now / 1_000;
        const before = run.limiter.available(now);
        const next = Math.max(now, run.limiter.nextAt(now));
        const n = Math.min(wanted, before);
        run.limiter.take(n, now);
        expect(run.limiter.available(now)).toBe(before - n);
        run.limiter.giveBack(n, now);
        expect(run.limiter.available(now)).toBe(before);
        expect(Math.max(now, run.limiter.nextAt(now))).toBe(next);
      }),
      RUNS,
    );
  });

  it('has nothing saved up once it is emptied, and still starts one in time', () => {
    fc.assert(
      fc.property(limits, starts, steps, (limit, at, taken) => {
        const run = start(limit, at);
        for (const step of taken) take(run, step);
        const now = run.now / 1_000;
        run.limiter.empty(now);
        expect(run.limiter.available(now)).toBe(0);
        expect(run.limiter.nextAt(now) - now).toBeLessThanOrEqual(limit.perMs * 1.04 + 1);
        const used = run.used.splice(0);
        for (const step of taken) take(run, step);
        expect(tightest([...used, ...run.used], limit.max)).toBeGreaterThanOrEqual(limit.perMs * 1_000);
      }),
      RUNS,
    );
  });

  it('lets no more than its burst or limit start while the clock does not move', () => {
    fc.assert(
      fc.property(limits, starts, fc.array(fc.integer({ min: 1, max: 20 })), (limit, at, wanted) => {
        const limiter = createRateLimiter(limit, at / 1_000);
        const most = algorithm === 'tokenBucket' ? limit.burst : limit.max;
        let used = 0;
        for (const some of wanted) {
          const n = Math.min(some, limiter.available(at / 1_000));
          limiter.take(n, at / 1_000);
          used += n;
          expect(limiter.available(at / 1_000)).toBe(most - used);
        }
      }),
      RUNS,
    );
  });
});

describe('a limit that changes', () => {
  const any = fc.constantFrom(...ALGORITHMS).chain(limitsOf);
  const changes = fc.array(fc.record({ limit: any, taken: steps }), { minLength: 1, maxLength: 4 });

  it('counts what was used: no window has more calls than the larger of the limits', () => {
    fc.assert(
      fc.property(any, starts, steps, changes, (first, at, taken, later) => {
        const { perMs } = first;
        const run = start(first, at);
        for (const step of taken) take(run, step);
        for (const change of later) {
          run.limiter.update({ ...change.limit, perMs });
          for (const step of change.taken) take(run, step);
        }
        const max = Math.max(first.max, ...later.map(({ limit }) => limit.max));
        expect(tightest(run.used, max)).toBeGreaterThanOrEqual(perMs * 1_000);
      }),
      { numRuns: 600 },
    );
  });

  it('gives nobody more at once, and starts one within a window', () => {
    fc.assert(
      fc.property(any, any, starts, steps, (first, second, at, taken) => {
        const run = start(first, at);
        for (const step of taken)
          take(run, { ...step, unused: 0, wanted: 60, gap: step.gap === 'untilNext' ? 0 : step.gap });
        const now = run.now / 1_000;
        run.limiter.update(second);
        const next = run.limiter.nextAt(now);
        expect(next - now).toBeLessThanOrEqual(second.perMs * 1.04 + 2);
        expect(run.limiter.available(Math.max(now, next))).toBeGreaterThan(0);
      }),
      RUNS,
    );
  });

  it('to what it was changes nothing', () => {
    fc.assert(
      fc.property(any, starts, steps, (limit, at, taken) => {
        const run = start(limit, at);
        for (const step of taken) take(run, step);
        const now = run.now / 1_000;
        const before = [run.limiter.available(now), run.limiter.nextAt(now)];
        run.limiter.update({ ...limit });
        expect([run.limiter.available(now), run.limiter.nextAt(now)]).toEqual(before);
      }),
      RUNS,
    );
  });
});
