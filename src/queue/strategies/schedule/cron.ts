import { Cron } from 'croner';
import type { DueTimes } from './dueTimes.ts';

/**
 * When a cron expression of five fields (or six with seconds, or seven with years) is due in a time zone. Hours and minutes without `*` and
 * step mean a time of day: one that a clock change leaves out is due right after the change, one that comes twice is due the first time. Others
 * mean a pace: they leave out what the clock leaves out, and come again when it does.
 *
 * @throws Error with what is wrong with the expression
 */
export function cronTimes(cron: string, timeZone: string): DueTimes {
  // A date would be taken for a job that runs once.
  if (cron.includes(':')) throw new Error('a date is no cron expression');
  const parsed = new Cron(cron, { timezone: timeZone, fixedTimeRule: 'no-wildcard' });
  return { after: (instant) => parsed.nextRun(new Date(instant))?.getTime() ?? null };
}
