import type { Problem } from '../../../errors.ts';
import type { DueTimes } from '../../strategies/schedule/dueTimes.ts';
import type { Timing } from '../../strategies/schedule/timing.ts';
import { timesOf } from '../../strategies/schedule/timing.ts';
import type { ScheduleOptions } from './options.ts';

const LEAST_EVERY_MS = 1_000;
const MOST_EVERY_MS = 10 * 366 * 86_400_000;

/** When a schedule is due, read from what its maker says; undefined, with problems added, where that cannot be. */
export function readTiming(
  options: ScheduleOptions,
  problems: Problem[],
): { timing: Timing; times: DueTimes } | undefined {
  const before = problems.length;
  const { cron, timeZone, everyMs } = options;
  if ((cron === undefined) === (everyMs === undefined)) {
    problems.push({ path: 'cron', expected: 'either cron or everyMs', got: cron === undefined ? 'neither' : 'both' });
  }
  if (cron !== undefined && typeof cron !== 'string') {
    problems.push({ path: 'cron', expected: 'a cron expression', got: typeof cron });
  }
  if (everyMs !== undefined && !isBetween(everyMs, LEAST_EVERY_MS, MOST_EVERY_MS)) {
    const expected = `a whole number of ${LEAST_EVERY_MS} to ${MOST_EVERY_MS}`;
    problems.push({ path: 'everyMs', expected, got: String(everyMs) });
  }
  checkTimeZone(timeZone, cron, problems);
  const startAt = instantOf(options.startAt, 'startAt', problems);
  const endAt = instantOf(options.endAt, 'endAt', problems);
  if (startAt !== null && endAt !== null && endAt < startAt) {
    problems.push({ path: 'endAt', expected: `not before startAt (${startAt})`, got: String(endAt) });
  }
  if (problems.length > before) return undefined;
  const isCron = cron !== undefined;
  const zone = isCron ? (timeZone ?? 'UTC') : null;
  const timing = { cron: cron?.trim() ?? null, timeZone: zone, everyMs: everyMs ?? null, startAt, endAt };
  try {
    return { timing, times: timesOf(timing) };
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error);
    problems.push({ path: 'cron', expected: `a cron expression (${why})`, got: JSON.stringify(cron) });
    return undefined;
  }
}

/** What is wrong where nothing is due after `instant`; undefined where something is. */
export function neverDue({ cron, endAt }: Timing, times: DueTimes, instant: number): Problem | undefined {
  if (times.after(instant) !== null) return undefined;
  if (endAt === null)
    return { path: 'cron', expected: 'a cron expression that is ever due', got: JSON.stringify(cron) };
  return { path: 'endAt', expected: 'a due time before it that is still to come', got: new Date(endAt).toISOString() };
}

function checkTimeZone(timeZone: unknown, cron: unknown, problems: Problem[]): void {
  if (timeZone === undefined) return;
  if (cron === undefined) problems.push({ path: 'timeZone', expected: 'none without cron', got: String(timeZone) });
  try {
    if (typeof timeZone !== 'string') throw new TypeError('no text');
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    const expected = 'the name of a time zone, such as Europe/Berlin';
    problems.push({ path: 'timeZone', expected, got: JSON.stringify(timeZone) ?? typeof timeZone });
  }
}

function instantOf(given: number | Date | undefined, path: string, problems: Problem[]): number | null {
  if (given === undefined) return null;
  const ms = given instanceof Date ? given.getTime() : given;
  if (isBetween(ms, -8.64e15, 8.64e15)) return ms;
  problems.push({ path, expected: 'epoch milliseconds or a valid Date', got: String(given) });
  return null;
}

function isBetween(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most;
}
