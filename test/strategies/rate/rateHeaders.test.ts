import { describe, expect, it } from 'vitest';
import type { Case } from './support/hints.ts';
import { DAY, date, expected, NOW, read } from './support/hints.ts';

const RETRY_AFTER: readonly Case[] = [
  ['seconds', { 'Retry-After': '120' }, { retryAfterMs: 120_000 }],
  ['a fraction', { 'retry-after': '1.5' }, { retryAfterMs: 1_500 }],
  ['a date', { 'retry-after': date(NOW + 90_000) }, { retryAfterMs: 90_000 }],
  [
    "a date by the server's clock",
    { 'retry-after': date(NOW + 3_690_000), date: date(NOW + 3_600_000) },
    { retryAfterMs: 90_000 },
  ],
  ['a past date', { 'retry-after': date(NOW - 90_000) }, { retryAfterMs: 0 }],
  ['epoch seconds', { 'retry-after': String(NOW / 1_000 + 30) }, { retryAfterMs: 30_000 }],
  ['epoch ms', { 'retry-after': String(NOW + 30_000) }, { retryAfterMs: 30_000 }],
  ['merged numbers', { 'retry-after': '5, 10' }, { retryAfterMs: 10_000 }],
  ['merged dates', { 'retry-after': `${date(NOW + 5_000)}, ${date(NOW + 9_000)}` }, { retryAfterMs: 9_000 }],
  ['a date merged with a number', { 'retry-after': `${date(NOW + 5_000)},7` }, { retryAfterMs: 7_000 }],
  ['ten days', { 'retry-after': '864000' }, { retryAfterMs: DAY }],
  ['ms', { 'retry-after-ms': '250', 'retry-after': '9' }, { retryAfterMs: 250 }],
  ["Azure's ms", { 'x-ms-retry-after-ms': '750' }, { retryAfterMs: 750 }],
  ['garbage', { 'retry-after': 'soon' }, null],
];

const DRAFT: readonly Case[] = [
  [
    'a limit and its policy',
    { RateLimit: '"default";r=50;t=30', 'RateLimit-Policy': '"default";q=100;w=60' },
    { limit: 100, remaining: 50, resetMs: 30_000 },
  ],
  ['a limit alone', { ratelimit: '"default";r=50;t=30' }, { remaining: 50, resetMs: 30_000 }],
  [
    'a limit without a time, by the window of its policy',
    { ratelimit: '"default";r=9;pk=:dHJpYWw=:', 'ratelimit-policy': '"default";q=10;w=60;pk=:dHJpYWw=:' },
    { limit: 10, remaining: 9, resetMs: 60_000 },
  ],
  [
    'several, of which the one that is used most counts',
    { ratelimit: '"day";r=4900;t=80000, "minute";r=5;t=23', 'ratelimit-policy': '"day";q=5000, "minute";q=50;w=60' },
    { limit: 50, remaining: 5, resetMs: 23_000 },
  ],
  [
    'several used alike, of which the slowest counts',
    { ratelimit: '"minute";r=30;t=30,"hour";r=600;t=1800', 'ratelimit-policy': '"minute";q=60,"hour";q=1200' },
    { limit: 1_200, remaining: 600, resetMs: 1_800_000 },
  ],
  [
    'several used up, of which the longest counts',
    { ratelimit: '"a";r=0;t=10, "b";r=0;t=90, "c";r=1;t=900' },
    { remaining: 0, resetMs: 90_000 },
  ],
  [
    'lines of their own',
    [
      ['RateLimit', '"a";r=9;t=10'],
      ['ratelimit', '"b";r=0;t=5'],
    ],
    { remaining: 0, resetMs: 5_000 },
  ],
  [
    'names that are tokens',
    { ratelimit: 'default;r=1;t=2', 'ratelimit-policy': 'default;q=4' },
    { limit: 4, remaining: 1, resetMs: 2_000 },
  ],
  [
    'a name with a comma and a quote in it',
    { ratelimit: '"a,\\"b";r=3;t=2', 'ratelimit-policy': '"a,\\"b";q=4, "c";q=1' },
    { limit: 4, remaining: 3, resetMs: 2_000 },
  ],
  [
    'the dictionary of the older form',
    { ratelimit: 'limit=100, remaining=50, reset=5', 'ratelimit-policy': '100;w=10' },
    { limit: 100, remaining: 50, resetMs: 5_000 },
  ],
  [
    'two dictionaries that were merged',
    { ratelimit: 'limit=100, remaining=50, reset=5, limit=10, remaining=1, reset=60' },
    { limit: 10, remaining: 1, resetMs: 60_000 },
  ],
  ['a policy alone', { 'ratelimit-policy': '"a";q=100;w=60,"b";q=10;w=1' }, { limit: 10 }],
  [
    'a limit on calls at once',
    {
      'ratelimit-policy': '"conc";q=3;qu="concurrent-requests", "all";q=100;w=60',
      ratelimit: '"conc";r=0, "all";r=90;t=5',
    },
    { concurrency: 3, limit: 100, remaining: 90, resetMs: 5_000 },
  ],
  [
    'the least of several limits on calls at once',
    { 'ratelimit-policy': '"a";q=8;qu="concurrent-requests","b";q=3;qu="concurrent-requests"' },
    { concurrency: 3 },
  ],
  [
    'bytes, of which nothing can be told',
    { 'ratelimit-policy': '"b";q=65535;qu="content-bytes";w=10', ratelimit: '"b";r=1000;t=5' },
    null,
  ],
  [
    'bytes that are used up',
    { 'ratelimit-policy': '"b";q=65535;qu="content-bytes";w=10', ratelimit: '"b";r=0;t=5' },
    { remaining: 0, resetMs: 5_000 },
  ],
  ['ten days', { ratelimit: '"a";r=0;t=864000' }, { remaining: 0, resetMs: DAY }],
  ['a string without an end', { ratelimit: '"default;r=50;t=30' }, null],
  ['a field of which a part is malformed', { ratelimit: '"a";r=1;t=2, "b' }, null],
  ['nothing', { ratelimit: '' }, null],
  ['less than nothing left', { ratelimit: '"a";r=-1;t=2' }, null],
  ['no number', { ratelimit: '"a";r=many;t=2', 'ratelimit-policy': '"a";q=x' }, null],
  ['a comma at the end', { ratelimit: '"a";r=1;t=2 , ' }, null],
];

const LEGACY: readonly Case[] = [
  [
    'RateLimit-*',
    { 'RateLimit-Limit': '100', 'RateLimit-Remaining': '12', 'RateLimit-Reset': '30' },
    { limit: 100, remaining: 12, resetMs: 30_000 },
  ],
  [
    'a limit followed by its policies',
    { 'ratelimit-limit': '100, 100;w=60, 1000;w=3600', 'ratelimit-remaining': '12', 'ratelimit-reset': '30' },
    { limit: 100, remaining: 12, resetMs: 30_000 },
  ],
  [
    'RateLimit-* beside the policies of its draft',
    { 'ratelimit-policy': '10;w=1', 'ratelimit-limit': '10', 'ratelimit-remaining': '2', 'ratelimit-reset': '1' },
    { limit: 10, remaining: 2, resetMs: 1_000 },
  ],
  [
    'X-RateLimit-* with seconds',
    { 'X-RateLimit-Limit': '60', 'X-RateLimit-Remaining': '0', 'X-RateLimit-Reset': '17' },
    { limit: 60, remaining: 0, resetMs: 17_000 },
  ],
  [
    "GitHub's epoch seconds",
    {
      'x-ratelimit-limit': '5000',
      'x-ratelimit-remaining': '4987',
      'x-ratelimit-used': '13',
      'x-ratelimit-resource': 'core',
      'x-ratelimit-reset': String(NOW / 1_000 + 1_800),
    },
    { limit: 5_000, remaining: 4_987, resetMs: 1_800_000 },
  ],
  [
    "X-Rate-Limit-* as of Twitter, by the server's clock",
    {
      'x-rate-limit-limit': '900',
      'x-rate-limit-remaining': '10',
      'x-rate-limit-reset': String(NOW / 1_000 + 4_500),
      date: date(NOW + 3_600_000),
    },
    { limit: 900, remaining: 10, resetMs: 900_000 },
  ],
  [
    'epoch ms',
    { 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': String(NOW + 2_500) },
    { remaining: 1, resetMs: 2_500 },
  ],
  [
    "Discord's fractions",
    { 'x-ratelimit-remaining': '1', 'x-ratelimit-reset': `${NOW / 1_000 + 2}.5` },
    { remaining: 1, resetMs: 2_500 },
  ],
  [
    "OpenAI's durations, of requests",
    {
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '6m0.5s',
      'x-ratelimit-remaining-tokens': '0',
    },
    { limit: 60, remaining: 59, resetMs: 360_500 },
  ],
  ['ms', { 'x-ratelimit-reset': '12ms', 'x-ratelimit-remaining': '3' }, { remaining: 3, resetMs: 12 }],
  [
    'a timestamp',
    { 'x-ratelimit-reset': new Date(NOW + 8_000).toISOString(), 'x-ratelimit-remaining': '3' },
    { remaining: 3, resetMs: 8_000 },
  ],
  [
    'a date',
    { 'x-ratelimit-reset': date(NOW + 8_000), 'x-ratelimit-remaining': '3' },
    { remaining: 3, resetMs: 8_000 },
  ],
  [
    'the date of a script',
    {
      'x-ratelimit-reset': 'Tue Jan 01 2030 13:00:08 GMT+0100 (Central European Standard Time)',
      'x-ratelimit-remaining': '3',
    },
    { remaining: 3, resetMs: 8_000 },
  ],
  [
    'a reset that is past',
    { 'x-ratelimit-reset': String(NOW / 1_000 - 9), 'x-ratelimit-remaining': '3' },
    { remaining: 3, resetMs: 0 },
  ],
  [
    'a reset in ten days',
    { 'x-ratelimit-reset': '864000', 'x-ratelimit-remaining': '0' },
    { remaining: 0, resetMs: DAY },
  ],
  ['a reset alone', { 'x-ratelimit-reset': '5' }, { resetMs: 5_000 }],
  ['a limit alone', { 'x-ratelimit-limit': '5' }, { limit: 5 }],
  ['a fraction left', { 'x-ratelimit-remaining': '597.8' }, { remaining: 597 }],
  [
    'merged values, each a quota of its own',
    { 'x-ratelimit-limit': '100, 1000', 'x-ratelimit-remaining': '90,10', 'x-ratelimit-reset': '5, 3600' },
    { limit: 1_000, remaining: 10, resetMs: 3_600_000 },
  ],
  [
    'lines of the same name',
    [
      ['x-ratelimit-limit', '100'],
      ['x-ratelimit-remaining', '90'],
      ['X-RateLimit-Remaining', '7'],
    ],
    { limit: 100, remaining: 7 },
  ],
  [
    'garbage beside what can be read',
    { 'x-ratelimit-limit': 'unlimited', 'x-ratelimit-remaining': '7', 'x-ratelimit-reset': 'later' },
    { remaining: 7 },
  ],
  ['garbage', { 'x-ratelimit-limit': '∞', 'x-ratelimit-remaining': '-1', 'x-ratelimit-reset': '-' }, null],
  ['tokens, which are not calls', { 'x-ratelimit-remaining-tokens': '0' }, null],
];

describe('the headers about a rate', () => {
  it.each(RETRY_AFTER)('tell by Retry-After: %s', (_, headers, told) => {
    expect(read(headers)).toEqual(expected(told));
  });

  it.each(DRAFT)('tell by RateLimit and RateLimit-Policy: %s', (_, headers, told) => {
    expect(read(headers)).toEqual(expected(told));
  });

  it.each(LEGACY)('tell by the families before the draft: %s', (_, headers, told) => {
    expect(read(headers)).toEqual(expected(told));
  });
});
