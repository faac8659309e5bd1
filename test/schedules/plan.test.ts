import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Position } from '../../src/queue/strategies/schedule/plan.ts';
import { ON_TIME_MS, plan, positionAfter, repaired } from '../../src/queue/strategies/schedule/plan.ts';
import { timesOf } from '../../src/queue/strategies/schedule/timing.ts';

const BEGIN = Date.UTC(2025, 2, 29);
const HOUR_MS = 3_600_000;

const crons = fc.constantFrom(
  '* * * * *',
  '*/7 * * * *',
  '30 2 * * *',
  '0 1-3 * * *',
  '*/20 2 * * *',
  '15 4 * * 1,4',
  '*/10 * * * * *',
);
const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe');
const timings = fc.oneof(
  fc.record({
    cron: crons,
    timeZone: zones,
    everyMs: fc.constant(null),
    startAt: fc.option(fc.integer({ min: 0, max: 4 }).map((hours) => BEGIN + hours * HOUR_MS)),
    endAt: fc.option(fc.integer({ min: 5, max: 60 }).map((hours) => BEGIN + hours * HOUR_MS)),
  }),
  fc.record({
    cron: fc.constant(null),
    timeZone: fc.constant(null),
    everyMs: fc.integer({ min: 1_000, max: 5 * HOUR_MS }),
    startAt: fc.option(fc.integer({ min: -5 * HOUR_MS, max: 5 * HOUR_MS }).map((ms) => BEGIN + ms)),
    endAt: fc.option(fc.integer({ min: 6, max: 60 }).map((hours) => BEGIN + hours * HOUR_MS)),
  }),
);

/** How a clock is read, from look to look: mostly a little later, now and then much. */
const sleeps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 20 * 60_000 }) },
    fc.integer({ min: 0, max: 3 * HOUR_MS }),
  ),
  { minLength: 1, maxLength: 12 },
);

interface Told {
  readonly fired: number[];
  missed: number;
  isExact: boolean;
}

/** What a process does at one look: all that is due. */
function look(
  timing: Parameters<typeof timesOf>[0],
  position: Position,
  policy: { readonly missed: 'skip' | 'runOnce' | 'runAll'; readonly maxMissed: number },
  now: number,
  told: Told,
): { readonly position: Position; readonly firings: number } {
  const times = timesOf(timing);
  let [at, firings] = [position, 0];
  while (at.dueAt !== null && at.dueAt <= now) {
    const { fire, missed, whenFired } = plan(times, { ...at, dueAt: at.dueAt }, policy, now);
    told.missed += missed?.count ?? 0;
    told.isExact &&= missed?.isExact !== false;
    if (fire !== null) {
      told.fired.push(fire);
      firings += 1;
    }
    at = whenFired;
  }
  return { position: at, firings };
}

/** All due times, one after the other. */
function allDue(timing: Parameters<typeof timesOf>[0], after: number, until: number): number[] {
  const times = timesOf(timing);
  const due: number[] = [];
  for (let next = times.after(after); next !== null && next <= until; next = times.after(next)) due.push(next);
  return due;
}

const nothing = (): Told => ({ fired: [], missed: 0, isExact: true });

describe('a plan of due times', () => {
  it('fires each of them once and in order where all are to fire', () => {
    fc.assert(
      fc.property(timings, sleeps, (timing, ms) => {
        const told = nothing();
        let [now, position] = [BEGIN, positionAfter(timesOf(timing), BEGIN, [])];
        for (const sleep of ms) {
          now += sleep;
          ({ position } = look(timing, position, { missed: 'runAll', maxMissed: 1e9 }, now, told));
        }
        expect(told).toEqual({ fired: allDue(timing, BEGIN, now), missed: 0, isExact: true });
      }),
      { numRuns: 60 },
    );
  });

  it.each(['skip', 'runOnce'] as const)(
    'with %s fires no more than one at a look, and tells of the others',
    (missed) => {
      fc.assert(
        fc.property(timings, sleeps, (timing, ms) => {
          const told = nothing();
          let [now, position] = [BEGIN, positionAfter(timesOf(timing), BEGIN, [])];
          for (const sleep of ms) {
            now += sleep;
            const before = told.fired.length;
            const result = look(timing, position, { missed, maxMissed: 100 }, now, told);
            position = result.position;
            expect(result.firings).toBeLessThanOrEqual(1);
            if (missed === 'skip')
              for (const due of told.fired.slice(before)) expect(now - due).toBeLessThanOrEqual(ON_TIME_MS);
          }
          const due = allDue(timing, BEGIN, now);
          expect(due).toEqual(expect.arrayContaining(told.fired));
          expect(told.fired).toEqual([...new Set(told.fired)].sort((a, b) => a - b));
          const counted = told.fired.length + told.missed;
          if (told.isExact) expect(counted).toBe(due.length);
          else expect(counted).toBeLessThan(due.length);
          expect(position.dueAt).toBe(timesOf(timing).after(now));
        }),
        { numRuns: 60 },
      );
    },
  );

  it('keeps the latest of more than may be made up', () => {
    fc.assert(
      fc.property(
        timings,
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 6 * HOUR_MS }),
        (timing, maxMissed, ms) => {
          const told = nothing();
          const start = positionAfter(timesOf(timing), BEGIN, []);
          look(timing, start, { missed: 'runAll', maxMissed }, BEGIN + ms, told);
          const due = allDue(timing, BEGIN, BEGIN + ms);
          expect(told.fired).toEqual(due.slice(-maxMissed));
          if (told.isExact) expect(told.missed).toBe(Math.max(0, due.length - maxMissed));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('never fires a due time twice, whatever the clock does', () => {
    const jumps = fc.array(
      fc.oneof(
        { weight: 3, arbitrary: fc.integer({ min: 0, max: 40 * 60_000 }) },
        fc.integer({ min: -3 * HOUR_MS, max: 3 * HOUR_MS }),
        fc.constantFrom(-30 * 24 * HOUR_MS, 30 * 24 * HOUR_MS),
      ),
      { minLength: 1, maxLength: 10 },
    );
    fc.assert(
      fc.property(timings, jumps, fc.constantFrom('skip', 'runOnce', 'runAll'), (timing, steps, missed) => {
        const told = nothing();
        const times = timesOf(timing);
        let [now, position] = [BEGIN, positionAfter(times, BEGIN, [])];
        for (const step of steps) {
          now += step;
          if (step < 0) position = repaired(times, position, now) ?? position;
          ({ position } = look(timing, position, { missed, maxMissed: 5 }, now, told));
        }
        expect(new Set(told.fired).size).toBe(told.fired.length);
      }),
      { numRuns: 150 },
    );
  });

  it('is due again soon after a clock that was years ahead is put right', () => {
    const timing = { cron: '0 * * * *', timeZone: 'UTC', everyMs: null, startAt: null, endAt: null };
    const times = timesOf(timing);
    const told = nothing();
    const [right, wrong] = [BEGIN + HOUR_MS / 2, Date.UTC(2099, 0, 1)];
    const policy = { missed: 'runOnce', maxMissed: 1 } as const;
    let { position } = look(timing, positionAfter(times, BEGIN, []), policy, wrong, told);
    position = repaired(times, position, right) ?? position;
    expect(position.dueAt).toBe(BEGIN + HOUR_MS);
    expect(told.fired).toEqual([wrong]);
  });

  it('waits for what a step back brings again, and fires what it had passed over', () => {
    const timing = { cron: '* * * * *', timeZone: 'UTC', everyMs: null, startAt: null, endAt: null };
    const times = timesOf(timing);
    const minute = (n: number): number => BEGIN + n * 60_000;
    const policy = { missed: 'runOnce', maxMissed: 1 } as const;
    const told = nothing();
    let position = positionAfter(times, BEGIN, []);
    for (let n = 1; n <= 5; n += 1) ({ position } = look(timing, position, policy, minute(n), told));
    // An hour ahead for ten minutes, then put right.
    for (let n = 65; n <= 75; n += 1) ({ position } = look(timing, position, policy, minute(n), told));
    position = repaired(times, position, minute(15)) ?? position;
    told.fired.length = 0;
    for (let n = 16; n <= 80; n += 1) ({ position } = look(timing, position, policy, minute(n), told));
    const expected = Array.from({ length: 65 }, (_, n) => n + 16).filter((n) => n < 65 || n > 75);
    expect(told.fired).toEqual(expected.map(minute));
  });
});
