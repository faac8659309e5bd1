import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { rateHints } from '../../../src/queue/strategies/rate/rateHints.ts';
import type { HeaderList } from '../../../src/queue/types/request.ts';
import type { Case } from './support/hints.ts';
import { DAY, date, expected, NOW, read } from './support/hints.ts';

const PRECEDENCE: readonly Case[] = [
  [
    'the draft before RateLimit-*',
    { 'ratelimit-remaining': '1', ratelimit: '"a";r=2;t=9', 'x-ratelimit-remaining': '3' },
    { remaining: 2, resetMs: 9_000 },
  ],
  [
    'RateLimit-* before X-RateLimit-*',
    { 'x-rate-limit-remaining': '4', 'x-ratelimit-remaining': '3', 'ratelimit-remaining': '1' },
    { remaining: 1 },
  ],
  [
    'a family that tells what is left before one that does not',
    { 'ratelimit-limit': '100', 'x-ratelimit-remaining': '3', 'x-ratelimit-limit': '5' },
    { limit: 5, remaining: 3 },
  ],
  [
    'a draft that is malformed after what can be read',
    { ratelimit: '"a', 'ratelimit-remaining': '1' },
    { remaining: 1 },
  ],
  [
    'what the server asks for before the end of a window that is used up',
    { 'retry-after': '5', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '3600' },
    { retryAfterMs: 5_000, remaining: 0, resetMs: 5_000 },
  ],
  [
    'both where something is left',
    { 'retry-after': '60', 'x-ratelimit-remaining': '40', 'x-ratelimit-reset': '3600' },
    { retryAfterMs: 60_000, remaining: 40, resetMs: 3_600_000 },
  ],
  ['nothing of an answer from a cache', { age: '3', 'retry-after': '5', ratelimit: '"a";r=0;t=9' }, null],
  ['an answer that a cache has just got', { age: '0', ratelimit: '"a";r=0;t=9' }, { remaining: 0, resetMs: 9_000 }],
  ['an age that is none', { age: 'old', 'retry-after': '5' }, { retryAfterMs: 5_000 }],
];

describe('the rate hints of an answer', () => {
  it.each(PRECEDENCE)('take %s', (_, headers, told) => {
    expect(read(headers)).toEqual(expected(told));
  });

  it('are found whatever the letters of a name are', () => {
    const name = (text: string): string => [...text].map((c, index) => (index % 2 ? c.toUpperCase() : c)).join('');
    const each = ['retry-after', 'ratelimit-remaining', 'x-ratelimit-remaining', 'x-rate-limit-remaining'];
    for (const header of each) expect(read({ [name(header)]: '7' }), header).not.toBe(null);
    expect(read({ [name('ratelimit')]: '"a";r=7' })).not.toBe(null);
  });

  it('cost an ordinary answer no more than a look at its names', () => {
    const headers: HeaderList = [
      ['Content-Type', 'application/json'],
      ['Content-Length', '12'],
      ['Date', date(NOW)],
      ['ETag', '"a"'],
      ['Referrer-Policy', 'no-referrer'],
      ['Retry-Attempt', '1'],
      ['X-Request-Id', '1'],
      ['X-Powered-By', 'a'],
      ['X-Content-Type-Options', 'nosniff'],
      ['X-Frame-Options', 'DENY'],
      ['Strict-Transport-Security', 'max-age=1'],
      ['', ''],
    ];
    const lowerCased = vi.spyOn(String.prototype, 'toLowerCase');
    const hints = rateHints(headers, NOW);
    const times = lowerCased.mock.calls.length;
    lowerCased.mockRestore();
    expect([hints, times]).toEqual([null, 0]);
  });

  it('are null without headers', () => {
    expect(rateHints([], NOW)).toBe(null);
  });

  it('of any headers at all are numbers within their bounds, and never an error', () => {
    const names = fc.constantFrom(
      'retry-after',
      'retry-after-ms',
      'ratelimit',
      'ratelimit-policy',
      'ratelimit-limit',
      'ratelimit-remaining',
      'x-ratelimit-reset',
      'X-RateLimit-Remaining',
      'x-rate-limit-limit',
      'x-ratelimit-reset-requests',
      'date',
      'age',
    );
    const pieces = fc.constantFrom(
      '"a"',
      ';r=',
      ';t=',
      ';q=',
      ';w=',
      ';qu="concurrent-requests"',
      ',',
      ' ',
      '0',
      '50',
      '1e9',
      '"',
      '\\',
      ':',
      '=',
      'remaining=',
      '9999999999999',
      date(NOW),
      '1h',
      'ms',
      '-',
      '.',
    );
    const values = fc.oneof(
      fc.nat().map(String),
      fc.string(),
      fc.string({ unit: 'binary-ascii' }),
      fc.array(pieces, { maxLength: 12 }).map((all) => all.join('')),
    );
    const headers = fc.array(
      fc.tuple(fc.oneof({ weight: 4, arbitrary: names }, { weight: 1, arbitrary: fc.string() }), values),
    );
    let told = 0;
    fc.assert(
      fc.property(headers, (list) => {
        const hints = rateHints(list, NOW);
        if (hints === null) return;
        told += 1;
        for (const ms of [hints.retryAfterMs, hints.resetMs]) {
          if (ms === null) continue;
          expect(ms).toBeGreaterThanOrEqual(0);
          expect(ms).toBeLessThanOrEqual(DAY);
        }
        for (const count of [hints.limit, hints.remaining, hints.concurrency]) {
          if (count === null) continue;
          expect(Number.isInteger(count)).toBe(true);
          expect(count).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 1_000 },
    );
    expect(told).toBeGreaterThan(100);
  });

  it('of a hostile value take no longer than its length', () => {
    const long = [
      ' '.repeat(100_000),
      '"'.repeat(100_000),
      ','.repeat(100_000),
      '1'.repeat(100_000),
      ', '.repeat(50_000),
    ];
    for (const value of [...long, `${'a;b='.repeat(25_000)}`, `${'1, '.repeat(30_000)}x`]) {
      for (const name of ['retry-after', 'ratelimit', 'x-ratelimit-reset', 'x-ratelimit-remaining'])
        read({ [name]: value });
    }
  });
});
