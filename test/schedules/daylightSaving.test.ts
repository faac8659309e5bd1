import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { timesOf } from '../../src/queue/strategies/schedule/timing.ts';

/** Due times of a day, as UTC. */
function due(cron: string, timeZone: string, from: string, hours = 26): string[] {
  const times = timesOf({ cron, timeZone, everyMs: null, startAt: null, endAt: null });
  const until = Date.parse(from) + hours * 3_600_000;
  const found: string[] = [];
  for (let next = times.after(Date.parse(from) - 1); next !== null && next < until; next = times.after(next)) {
    found.push(new Date(next).toISOString().slice(5, 16));
  }
  return found;
}

describe('a time of day', () => {
  it.each([
    ['30 2 * * *', 'Europe/Berlin', '2025-03-29T23:00:00Z', ['03-30T01:00']],
    ['30 2,14 * * *', 'Europe/Berlin', '2025-03-29T23:00:00Z', ['03-30T01:00', '03-30T12:30']],
    ['30 2 * * *', 'America/New_York', '2025-03-09T05:00:00Z', ['03-09T07:00']],
    ['15 2 * * *', 'Australia/Lord_Howe', '2025-10-04T13:30:00Z', ['10-04T15:30']],
  ])('%s in %s that the clock leaves out is due when the clock has changed', (cron, timeZone, from, expected) => {
    expect(due(cron, timeZone, from, 23)).toEqual(expected);
  });

  it.each([
    ['30 2 * * *', 'Europe/Berlin', '2025-10-25T22:00:00Z', ['10-26T00:30']],
    ['30 2-3 * * *', 'Europe/Berlin', '2025-10-25T22:00:00Z', ['10-26T00:30', '10-26T02:30']],
    ['30 1 * * *', 'America/New_York', '2025-11-02T04:00:00Z', ['11-02T05:30']],
    ['45 1 * * *', 'Australia/Lord_Howe', '2025-04-05T13:00:00Z', ['04-05T14:45']],
  ])('%s in %s that comes twice is due the first time', (cron, timeZone, from, expected) => {
    expect(due(cron, timeZone, from, 24)).toEqual(expected);
  });

  it('keeps to the clock of its zone the year round', () => {
    expect(due('0 9 * * *', 'Europe/Berlin', '2025-01-15T00:00:00Z', 24)).toEqual(['01-15T08:00']);
    expect(due('0 9 * * *', 'Europe/Berlin', '2025-07-15T00:00:00Z', 24)).toEqual(['07-15T07:00']);
  });
});

describe('a pace', () => {
  it('leaves out what the clock leaves out', () => {
    expect(due('*/30 1-3 * * *', 'Europe/Berlin', '2025-03-29T23:00:00Z', 4)).toEqual([
      '03-30T00:00',
      '03-30T00:30',
      '03-30T01:00',
      '03-30T01:30',
    ]);
  });

  it('comes again in the hour that comes twice', () => {
    expect(due('*/30 2 * * *', 'Europe/Berlin', '2025-10-25T22:00:00Z')).toEqual([
      '10-26T00:00',
      '10-26T00:30',
      '10-26T01:00',
      '10-26T01:30',
    ]);
    expect(due('*/15 * * * *', 'Australia/Lord_Howe', '2025-04-05T14:00:00Z', 2)).toHaveLength(8);
  });

  it('of an interval knows no clock', () => {
    const times = timesOf({ cron: null, timeZone: null, everyMs: 3_600_000, startAt: null, endAt: null });
    expect(times.after(Date.parse('2025-03-30T00:30:00Z'))).toBe(Date.parse('2025-03-30T01:00:00Z'));
  });
});

describe('due times', () => {
  it('never go back where the asking goes on', () => {
    for (const [cron, timeZone, from] of [
      ['30 2 * * *', 'Europe/Berlin', '2025-10-25T20:00:00Z'],
      ['*/10 1-2 * * *', 'Europe/Berlin', '2025-03-29T20:00:00Z'],
      ['*/10 1-2 * * *', 'Australia/Lord_Howe', '2025-04-05T10:00:00Z'],
      ['5 1,2 * * *', 'Australia/Lord_Howe', '2025-10-04T10:00:00Z'],
    ] as const) {
      const times = timesOf({ cron, timeZone, everyMs: null, startAt: null, endAt: null });
      let before = 0;
      for (let at = Date.parse(from); at < Date.parse(from) + 12 * 3_600_000; at += 97_000) {
        const next = times.after(at) ?? 0;
        expect(next).toBeGreaterThan(at);
        expect(next).toBeGreaterThanOrEqual(before);
        before = next;
      }
    }
  });

  it('of a cron that never comes are none', () => {
    const times = timesOf({ cron: '0 0 30 2 *', timeZone: 'UTC', everyMs: null, startAt: null, endAt: null });
    expect(times.after(0)).toBeNull();
  });
});

describe('a time of day, in any zone', () => {
  const DAY_MS = 86_400_000;
  const ZONES = [
    ['Europe/Berlin', 2024],
    ['America/Nuuk', 2024],
    ['America/Santiago', 2024],
    ['Asia/Beirut', 2024],
    ['Africa/Casablanca', 2025],
    ['Australia/Lord_Howe', 2024],
    ['Pacific/Chatham', 2024],
    ['America/Havana', 2024],
    ['Antarctica/Troll', 2024],
    ['Atlantic/Azores', 2024],
    ['Pacific/Apia', 2011],
    ['Pacific/Kwajalein', 1993],
  ] as const;

  it('comes once for each date, and never at a time that the clock does not show but for a change', () => {
    const minutes = fc.integer({ min: 0, max: 1_439 });
    fc.assert(
      fc.property(fc.constantFrom(...ZONES), minutes, ([timeZone, year], minute) => {
        const cron = `${minute % 60} ${Math.floor(minute / 60)} * * *`;
        const times = timesOf({ cron, timeZone, everyMs: null, startAt: null, endAt: null });
        const format = new Intl.DateTimeFormat('en-CA', {
          timeZone,
          hourCycle: 'h23',
          dateStyle: 'short',
          timeStyle: 'short',
        });
        const end = Date.UTC(year + 1, 0, 1);
        let count = 0;
        let shifted = 0;
        for (let due = times.after(Date.UTC(year, 0, 1) - 1); due !== null && due < end; due = times.after(due)) {
          const [hour, min] = format.format(due).slice(-5).split(':').map(Number);
          if ((hour ?? 0) * 60 + (min ?? 0) !== minute) shifted += 1;
          expect(times.after(due - 1)).toBe(due);
          count += 1;
        }
        // A change that leaves out a whole day leaves out its due time, or has it at once.
        const days = (end - Date.UTC(year, 0, 1)) / DAY_MS;
        expect(Math.abs(count - days)).toBeLessThanOrEqual(year === 2024 || year === 2025 ? 0 : 1);
        expect(shifted).toBeLessThanOrEqual(2);
      }),
      { numRuns: 24 },
    );
  });

  it('that a change around midnight leaves out is due when the clock has changed', () => {
    expect(due('30 23 * * *', 'America/Nuuk', '2024-03-30T12:00:00Z', 24)).toEqual(['03-31T01:00']);
    expect(due('30 23 30 3 *', 'America/Nuuk', '2024-03-01T00:00:00Z', 24 * 60)).toEqual(['03-31T01:00']);
  });
});
