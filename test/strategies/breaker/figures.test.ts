import { describe, expect, it } from 'vitest';
import type { TraceCall } from '../../../src/queue/strategies/breaker/simulate.ts';
import { simulate } from '../../../src/queue/strategies/breaker/simulate.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';
import { env } from '../../conformance/support/env.ts';

/** 1,000 by `npm run test:deep`. */
const SEEDS = Number(env('BREAKER_SEEDS') ?? 200);
const TEN_MINUTES = 600_000;
const HOUR_MS = 3_600_000;

interface Course {
  readonly seed: number;
  readonly perSecond: number;
  readonly untilMs: number;
  /** The share of calls that fail at a time. */
  readonly failing: (at: number) => number;
}

/** The object it yields is one and the same: millions are made. */
function* trace({ seed, perSecond, untilMs, failing }: Course): Generator<TraceCall> {
  const { number } = seededRandom(seed);
  const call = { at: 0, ok: true };
  for (let index = 0; call.at < untilMs; index++) {
    call.at = (index * 1_000) / perSecond;
    call.ok = number() >= failing(call.at);
    yield call;
  }
}

/** Times from the first failure to the opening, in order, when of the calls `failing` fail from `from` on; before, one in a hundred. */
function timesToOpen(failing: number, from: number): number[] {
  const times: number[] = [];
  for (let seed = 0; seed < SEEDS; seed++) {
    const fault = { from, until: from + TEN_MINUTES };
    const course = { seed, perSecond: 1, untilMs: fault.until, failing: (at: number) => (at < from ? 0.01 : failing) };
    const { timeToOpenMs } = simulate({}, trace(course), { fault, random: seededRandom(-seed).number });
    times.push(timeToOpenMs ?? Number.POSITIVE_INFINITY);
  }
  return times.sort((one, other) => one - other);
}

const at = (times: readonly number[], share: number): number =>
  times[Math.ceil(share * times.length) - 1] ?? Number.NaN;

function told(what: string, figures: Readonly<Record<string, number>>): string {
  const text = `${what}: ${Object.entries(figures)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')}`;
  console.info(text);
  return text;
}

describe(`a breaker over ${SEEDS} seeds`, () => {
  it.each([
    ['cold', 0],
    ['warm', TEN_MINUTES],
  ])('opens in 6 s in each when everything fails at 1 request/s, %s', (name, from) => {
    const times = timesToOpen(1, from);
    const figures = told(`ms to open in a total outage, ${name}`, { p50: at(times, 0.5), most: at(times, 1) });
    expect(at(times, 1), figures).toBeLessThanOrEqual(6_000);
  });

  it.each([
    ['cold', 0],
    ['warm', TEN_MINUTES],
  ])('opens in 35 s in 95 of 100 when four in ten fail at 1 request/s, %s', (name, from) => {
    const times = timesToOpen(0.4, from);
    const figures = told(`ms to open at 40 % failing, ${name}`, {
      p50: at(times, 0.5),
      p95: at(times, 0.95),
      p99: at(times, 0.99),
    });
    expect(at(times, 0.95), figures).toBeLessThanOrEqual(35_000);
  });

  it.each([
    [1, HOUR_MS],
    [5, HOUR_MS / 2],
    [10, HOUR_MS / 4],
  ])(
    'opens for nothing at most once in two hours at %i requests/s of which one in five usually fails, within %i ms',
    (perSecond, watchedMs) => {
      const untilMs = TEN_MINUTES + watchedMs;
      // What it does while it learns what is usual does not count.
      const fault = { from: 0, until: TEN_MINUTES };
      let sum = 0;
      for (let seed = 0; seed < SEEDS; seed++) {
        const course = { seed, perSecond, untilMs, failing: () => 0.2 };
        sum += simulate({}, trace(course), { fault, random: seededRandom(-seed).number }).falseOpensPerHour ?? 0;
      }
      const figures = told(`false opens per hour at 20 % failing, ${perSecond}/s`, { mean: sum / SEEDS });
      expect(sum / SEEDS, figures).toBeLessThanOrEqual(0.5);
    },
  );
});
