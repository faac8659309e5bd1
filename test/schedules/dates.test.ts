import { describe, expect, it } from 'vitest';
import { timesOf } from '../../src/queue/strategies/schedule/timing.ts';

/** The first due times from 2026 on. */
function dates(cron: string, count = 4, timeZone = 'UTC'): string[] {
  const times = timesOf({ cron, timeZone, everyMs: null, startAt: null, endAt: null });
  const found: string[] = [];
  for (let due = times.after(Date.UTC(2026, 0, 1)); due !== null && found.length < count; due = times.after(due)) {
    found.push(new Date(due).toISOString().slice(0, 10));
  }
  return found;
}

describe('a date', () => {
  it('that a month does not have is left out, and its last day is L', () => {
    expect(dates('0 0 31 * *')).toEqual(['2026-01-31', '2026-03-31', '2026-05-31', '2026-07-31']);
    expect(dates('0 0 L * *')).toEqual(['2026-01-31', '2026-02-28', '2026-03-31', '2026-04-30']);
    expect(dates('0 0 L 2 *', 3)).toEqual(['2026-02-28', '2027-02-28', '2028-02-29']);
    expect(dates('0 0 L * *', 3, 'America/New_York')).toEqual(['2026-01-31', '2026-02-28', '2026-03-31']);
  });

  it('of a leap day comes in leap years', () => {
    expect(dates('0 0 29 2 *', 2)).toEqual(['2028-02-29', '2032-02-29']);
    expect(dates('0 0 0 29 2 * 2028')).toEqual(['2028-02-29']);
    expect(dates('0 0 0 29 2 * 2027')).toEqual([]);
  });

  it('of a month and one of a week are met by either, as with cron', () => {
    expect(dates('0 0 13 * 5')).toEqual(['2026-01-02', '2026-01-09', '2026-01-13', '2026-01-16']);
    expect(dates('0 0 * * 5L', 2)).toEqual(['2026-01-30', '2026-02-27']);
    expect(dates('0 0 * * 7', 2)).toEqual(dates('0 0 * * 0', 2));
  });
});
