import { Cron } from 'croner';
import type { DueTimes } from './dueTimes.ts';
import { wallClock } from './wallClock.ts';

/** A pattern takes a while to be read, and many schedules have the same: so many are kept. */
const MOST_KEPT = 500;
const kept = new Map<string, DueTimes>();

/** From the year 1 to 9999: what a pattern can name. */
const EARLIEST = Date.parse('0001-01-03T00:00:00Z');
const LATEST = Date.UTC(9999, 11, 29);

/**
 * When a cron expression of five fields (or six with seconds, or seven with years) is due in a time zone. Hours and minutes without `*` and
 * step mean a time of day: one that a clock change leaves out is due right after the change, one that comes twice is due the first time. Others
 * mean a pace: they leave out what the clock leaves out, and come again when it does.
 *
 * @throws Error with what is wrong with the expression, or where the zone is not known here
 */
export function cronTimes(cron: string, timeZone: string): DueTimes {
  const key = `${timeZone} ${cron}`;
  const known = kept.get(key);
  if (known !== undefined) return known;
  const times = read(cron, timeZone);
  if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value ?? '');
  kept.set(key, times);
  return times;
}

function read(cron: string, timeZone: string): DueTimes {
  // A date would be taken for a job that runs once.
  if (cron.includes(':')) throw new Error('a date is no cron expression');
  const after = isTimeOfDay(cron) ? timesOfDay(cron, timeZone) : pace(cron, timeZone);
  return {
    after(instant) {
      const next = instant > LATEST ? null : after(Math.max(instant, EARLIEST));
      return next === null || next > LATEST ? null : next;
    },
  };
}

function pace(cron: string, timeZone: string): DueTimes['after'] {
  const parsed = new Cron(cron, { timezone: timeZone });
  wallClock(timeZone);
  return (instant) => parsed.nextRun(new Date(instant))?.getTime() ?? null;
}

/** On the face of a clock that never changes, and from there to the instant at which the clock of the zone shows it. */
function timesOfDay(cron: string, timeZone: string): DueTimes['after'] {
  const parsed = new Cron(cron, { timezone: 'UTC' });
  const { shown, instantOf } = wallClock(timeZone);
  return (instant) => {
    for (let face = shown(instant); ; ) {
      const next = parsed.nextRun(new Date(face))?.getTime() ?? null;
      if (next === null) return null;
      const due = instantOf(next);
      if (due > instant) return due;
      face = next;
    }
  };
}

function isTimeOfDay(cron: string): boolean {
  const fields = cron.trim().split(/\s+/);
  if (fields.length === 1) return fields[0]?.toLowerCase() !== '@hourly';
  return !/[*?/]/.test(fields.slice(0, fields.length === 5 ? 2 : 3).join());
}
