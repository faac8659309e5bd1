import type { DueTimes } from './dueTimes.ts';
import { countUpTo, lastBefore, lastUpTo } from './dueTimes.ts';
import type { FiredRange } from './fired.ts';
import { firedRange, withFired } from './fired.ts';

/**
 * What becomes of due times that passed while nobody could fire:
 * - `skip`: nothing; the next one fires
 * - `runOnce`: one firing for all of them, for the last
 * - `runAll`: each fires, oldest first; of more than `maxMissed` the latest
 */
export type MissedPolicy = 'skip' | 'runOnce' | 'runAll';

/** How far a schedule has got. */
export interface Position {
  /** The first due time that neither fired nor was passed over; null: there is none. */
  readonly dueAt: number | null;
  /** The due time before `dueAt`, where that one fired. */
  readonly runTo: number | null;
  /** What fired. A clock that goes back comes upon it again. */
  readonly fired: readonly FiredRange[];
  /** Due times up to this one were found to be late, and all that are left of them fire. */
  readonly judgedUntil: number | null;
}

/** Due times that made no request. */
export interface Missed {
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** False: there were more than were counted. */
  readonly isExact: boolean;
}

export interface Plan {
  /** The due time to fire for now, or null. */
  readonly fire: number | null;
  /** Those before it that are passed over, or null. */
  readonly missed: Missed | null;
  /** The position once it fired. */
  readonly whenFired: Position;
  /** The position where it is passed over instead. */
  readonly whenPassed: Position;
}

/** A firing no later than this is on time: the clocks of machines differ, and stores have to be waited for. */
export const ON_TIME_MS = 60_000;
/** Missed times of a cron are counted one by one, which takes time. */
const MOST_COUNTED = 200;

/** The position of a schedule that begins, or goes on, after `instant`. */
export function positionAfter(times: DueTimes, instant: number, fired: readonly FiredRange[]): Position {
  return { ...nextOpen(times, instant, fired), fired, judgedUntil: null };
}

/** What to do at `now` with a schedule whose `dueAt` is met. */
export function plan(
  times: DueTimes,
  position: Position & { readonly dueAt: number },
  policy: { readonly missed: MissedPolicy; readonly maxMissed: number },
  now: number,
): Plan {
  const { judgedUntil, fired } = position;
  const dueAt = realigned(times, position.dueAt, fired);
  if (dueAt === null || dueAt > now) {
    const moved = { ...position, dueAt, runTo: null, judgedUntil: null };
    return { fire: null, missed: null, whenFired: moved, whenPassed: moved };
  }
  if (judgedUntil !== null && dueAt <= judgedUntil) return firing(times, position, dueAt, null, judgedUntil);
  // What fired by a clock that was ahead parts what is left before it from what is left behind it.
  const ahead = fired.filter(([from]) => from > dueAt).map(([from]) => from - 1);
  const until = Math.min(now, ...ahead);
  const next = times.after(dueAt);
  const last = next === null || next > until ? dueAt : lastUpTo(times, next, until);
  const isLate = now - last > ON_TIME_MS;
  if (policy.missed === 'skip' && isLate) {
    const passed = after(times, position, last, null, null);
    return { fire: null, missed: missedOf(times, dueAt, last), whenFired: passed, whenPassed: passed };
  }
  if (policy.missed !== 'runAll') return firing(times, position, last, missedBefore(times, dueAt, last), null);
  const first = earliestKept(times, dueAt, last, policy.maxMissed);
  return firing(times, position, first, missedBefore(times, dueAt, first), last);
}

/** The position a clock that went back to `now` leads to; undefined where it stands. */
export function repaired(times: DueTimes, position: Position, now: number): Position | undefined {
  const anew = positionAfter(times, now, position.fired);
  if (anew.dueAt === null || (position.dueAt !== null && position.dueAt <= anew.dueAt)) return undefined;
  return anew;
}

function firing(
  times: DueTimes,
  position: Position,
  due: number,
  missed: Missed | null,
  judgedUntil: number | null,
): Plan {
  const previous = due === position.dueAt ? (position.runTo ?? undefined) : undefined;
  return {
    fire: due,
    missed,
    whenFired: after(times, { ...position, fired: withFired(position.fired, due, previous) }, due, due, judgedUntil),
    whenPassed: after(times, position, due, null, judgedUntil),
  };
}

function after(
  times: DueTimes,
  { fired }: Position,
  due: number,
  runTo: number | null,
  judgedUntil: number | null,
): Position {
  const next = nextOpen(times, due, fired);
  const isJudged = judgedUntil !== null && next.dueAt !== null && next.dueAt <= judgedUntil;
  return { dueAt: next.dueAt, runTo: next.runTo ?? runTo, fired, judgedUntil: isJudged ? judgedUntil : null };
}

/** The first due time after `instant` that did not fire, and the one before it, where that is known to have fired. */
function nextOpen(times: DueTimes, instant: number, fired: readonly FiredRange[]): Pick<Position, 'dueAt' | 'runTo'> {
  let runTo: number | null = null;
  let dueAt = times.after(instant);
  for (;;) {
    const range = dueAt === null ? undefined : firedRange(fired, dueAt);
    if (range === undefined) return { dueAt, runTo };
    runTo = range[1];
    dueAt = times.after(runTo);
  }
}

/**
 * The nearest due time, where a stored one is none any more: the rules of its time zone have changed since. One that fired is no candidate.
 */
function realigned(times: DueTimes, stored: number, fired: readonly FiredRange[]): number | null {
  const next = times.after(stored - 1);
  if (next === null || next === stored) return stored;
  const from = times.after(stored - (next - stored));
  const before = from === null || from >= stored ? undefined : lastUpTo(times, from, stored);
  if (before !== undefined && firedRange(fired, before) === undefined) return before;
  return nextOpen(times, next - 1, fired).dueAt;
}

function earliestKept(times: DueTimes, first: number, last: number, most: number): number {
  let kept = last;
  let stepMs = 1_000;
  for (let left = most - 1; left > 0; left -= 1) {
    const before = lastBefore(times, kept, first, stepMs);
    if (before === undefined) break;
    stepMs = kept - before;
    kept = before;
  }
  return kept;
}

function missedBefore(times: DueTimes, first: number, due: number): Missed | null {
  const last = lastBefore(times, due, first, 1_000);
  return last === undefined ? null : missedOf(times, first, last);
}

function missedOf(times: DueTimes, from: number, to: number): Missed {
  return { from, to, ...countUpTo(times, from - 1, to, MOST_COUNTED) };
}
