import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { atLeastHintMs, jitteredDelayMs } from '../../src/queue/strategies/backoff.ts';
import { priorityNumber } from '../../src/queue/strategies/priority.ts';
import { rankOf } from '../../src/queue/strategies/rank.ts';
import { retryAfterMs } from '../../src/queue/strategies/retryAfter.ts';
import type { Priority } from '../../src/queue/types/calls.ts';
import type { HeaderList } from '../../src/queue/types/request.ts';

const NOW = Date.UTC(2030, 0, 1, 12, 0, 0);

describe('backoff', () => {
  const chance = fc.double({ min: 0, max: 0.999_999, noNaN: true });
  const ms = fc.integer({ min: 0, max: 100_000 });

  it('stays between base and cap, and within three times the previous delay', () => {
    fc.assert(
      fc.property(ms, ms, ms, chance, (previousMs, baseDelayMs, maxDelayMs, r) => {
        const delay = jitteredDelayMs({ previousMs, baseDelayMs, maxDelayMs, random: () => r });
        expect(delay).toBeGreaterThanOrEqual(Math.min(baseDelayMs, maxDelayMs));
        expect(delay).toBeLessThanOrEqual(maxDelayMs);
        expect(delay).toBeLessThanOrEqual(3 * Math.max(previousMs, baseDelayMs));
      }),
    );
  });

  it('is never earlier than a hint, and at most a tenth or 5 s later than the later of both', () => {
    fc.assert(
      fc.property(ms, fc.integer({ min: 0, max: 86_400_000 }), chance, (previousMs, hintMs, r) => {
        const random = () => r;
        const own = jitteredDelayMs({ previousMs, baseDelayMs: 500, maxDelayMs: 60_000, random });
        const delay = atLeastHintMs(own, hintMs, random);
        expect(delay).toBeGreaterThanOrEqual(Math.max(own, hintMs));
        expect(delay).toBeLessThanOrEqual(Math.max(own, hintMs) + Math.min(0.1 * hintMs, 5_000));
      }),
    );
  });

  it('spreads the first retry too', () => {
    const at = (r: number) => jitteredDelayMs({ previousMs: 0, baseDelayMs: 500, maxDelayMs: 60_000, random: () => r });
    expect([at(0), at(0.5)]).toEqual([500, 1_000]);
  });
});

describe('retryAfterMs', () => {
  const date = (at: number) => new Date(at).toUTCString();

  it.each([
    ['none', [], null],
    ['seconds', [['retry-after', '120']], 120_000],
    ['a fraction', [['Retry-After', '1.5']], 1_500],
    ['zero', [['retry-after', '0']], 0],
    ['a negative number', [['retry-after', '-5']], null],
    ['garbage', [['retry-after', 'soon']], null],
    ['nearly a date', [['retry-after', '5 soon']], null],
    ['empty', [['retry-after', '']], null],
    ['a date', [['retry-after', date(NOW + 90_000)]], 90_000],
    [
      'a date of a server whose clock is an hour ahead',
      [
        ['retry-after', date(NOW + 3_690_000)],
        ['date', date(NOW + 3_600_000)],
      ],
      90_000,
    ],
    ['a past date', [['retry-after', date(NOW - 90_000)]], 0],
    ['an RFC 850 date', [['retry-after', 'Tuesday, 01-Jan-30 12:01:00 GMT']], 60_000],
    ['an asctime date', [['retry-after', 'Tue Jan  1 12:01:00 2030']], 60_000],
    ['merged values', [['retry-after', '5, 10']], 10_000],
    ['merged dates', [['retry-after', `${date(NOW + 5_000)}, ${date(NOW + 9_000)}`]], 9_000],
    ['a date merged with seconds', [['retry-after', `${date(NOW + 5_000)},7`]], 7_000],
    ['a date merged with garbage', [['retry-after', `7,soon`]], null],
    [
      'repeated headers',
      [
        ['retry-after', '5'],
        ['retry-after', '10'],
      ],
      10_000,
    ],
    ['epoch seconds', [['retry-after', String(NOW / 1000 + 30)]], 30_000],
    ['epoch ms', [['retry-after', String(NOW + 30_000)]], 30_000],
    ['ten days', [['retry-after', '864000']], 86_400_000],
    [
      'ms, which win',
      [
        ['retry-after', '9'],
        ['retry-after-ms', '250'],
      ],
      250,
    ],
    ["Azure's ms", [['x-ms-retry-after-ms', '750']], 750],
    [
      'garbage ms beside seconds',
      [
        ['retry-after-ms', 'x'],
        ['retry-after', '2'],
      ],
      2_000,
    ],
  ] as const)('reads %s', (_, headers, expected) => {
    expect(retryAfterMs(headers as unknown as HeaderList, NOW)).toBe(expected);
  });
});

describe('rankOf', () => {
  const request = { acceptedAt: 1_000_000, priority: 5, expiresAt: null };

  it.each([
    ['fifo', request, { form: 'value', value: 0 }],
    ['lifo', request, { form: 'negatedSeq' }],
    ['priority', request, { form: 'value', value: 700_000 }],
    ['deadline', request, { form: 'value', value: 4_600_000 }],
    ['deadline', { ...request, expiresAt: 5 }, { form: 'value', value: 5 }],
  ] as const)('of %s is by its formula: %j', (strategy, of, rank) => {
    expect(rankOf(strategy, of, 60_000)).toEqual(rank);
  });

  it('lets a waiting request overtake a newer one of a level more after the ageing time', () => {
    const at = (acceptedAt: number, priority: number) => {
      const rank = rankOf('priority', { acceptedAt, priority, expiresAt: null }, 60_000);
      return rank.form === 'value' ? rank.value : Number.NaN;
    };
    expect(at(0, 5)).toBeGreaterThan(at(59_000, 6));
    expect(at(0, 5)).toBeLessThan(at(61_000, 6));
  });
});

describe('priorityNumber', () => {
  it.each([
    [undefined, 5],
    ['critical', 10],
    ['high', 8],
    ['normal', 5],
    ['low', 3],
    ['bulk', 1],
    [1, 1],
    [10, 10],
    [0, undefined],
    [11, undefined],
    [5.5, undefined],
    [Number.NaN, undefined],
    ['urgent', undefined],
    ['toString', undefined],
  ])('of %s is %s', (given, expected) => {
    expect(priorityNumber(given as Priority | undefined)).toBe(expected);
  });
});
