import { cronTimes } from './cron.ts';
import type { DueTimes } from './dueTimes.ts';
import { intervalTimes, within } from './dueTimes.ts';

/** When a schedule is due, as stored. */
export interface Timing {
  /** Null where it goes by an interval. */
  readonly cron: string | null;
  readonly timeZone: string | null;
  /** Null where it goes by a cron. */
  readonly everyMs: number | null;
  /** Epoch ms. */
  readonly startAt: number | null;
  readonly endAt: number | null;
}

/** The due times of a timing that was found to be good. An interval without a start counts from the epoch, so that it is the same for everybody. */
export function timesOf({ cron, timeZone, everyMs, startAt, endAt }: Timing): DueTimes {
  const times = cron === null ? intervalTimes(everyMs ?? 0, startAt ?? 0) : cronTimes(cron, timeZone ?? 'UTC');
  return within(times, startAt, endAt);
}
