import type { HeaderList } from '../../types/request.ts';
import { headerValue } from '../headerValue.ts';
import { cappedHint, retryAfterMs, sentAtOf } from '../retryAfter.ts';
import { draftHints } from './draftHints.ts';
import type { RateHint, RateHints, Told } from './hints.ts';
import { legacyHints } from './legacyHints.ts';

/** In the order of their precedence: a family is looked at where those before it do not tell how much is left. */
const FAMILIES: readonly ((headers: HeaderList, sentAt: number) => Told)[] = [
  draftHints,
  legacyHints('ratelimit-'),
  legacyHints('x-ratelimit-'),
  legacyHints('x-rate-limit-'),
];

/**
 * Reads, in this order of precedence, `Retry-After` with its variants, `RateLimit` and `RateLimit-Policy`
 * (draft-ietf-httpapi-ratelimit-headers, also in its older forms), `RateLimit-Limit` and its siblings, and those with `X-`. A family is taken
 * as a whole. Of several policies the strictest counts: the one of which the largest share is used, then the slowest. Instants
 * are relative to the `Date` header. Null where nothing is told, and for an answer from a cache, which says nothing of now.
 */
export function rateHints(headers: HeaderList, nowWall: number): RateHints | null {
  for (const header of headers) if (mayTell(header[0])) return read(headers, nowWall);
  return null;
}

/** `x-ratelimit-remaining-requests`. */
const LONGEST_NAME = 30;

/**
 * Whether a name is worth a closer look. Asked of every header of every answer: nothing is made, and nearly all are told apart by a
 * letter and their length.
 */
function mayTell(name: string): boolean {
  const { length } = name;
  if (length < 9 || length > LONGEST_NAME) return false;
  const first = name.charCodeAt(0) | 0x20;
  if (first === 0x72 /* r */) {
    // "ratelimit…" and "retry-after…"
    const third = name.charCodeAt(2) | 0x20;
    return third === 0x74 /* t */ && (length === 9 || length === 11 || (length >= 14 && length <= 19));
  }
  if (first !== 0x78 /* x */ || length < 17) return false;
  // "x-rate…" and "x-ms-retry-after-ms"
  const third = name.charCodeAt(2) | 0x20;
  return third === 0x72 /* r */ || (third === 0x6d /* m */ && length === 19);
}

/** Beside them, when the answer was made. */
function isDated({ length }: string): boolean {
  return length === 'date'.length || length === 'age'.length;
}

function read(all: HeaderList, nowWall: number): RateHints | null {
  const headers = all.filter(([name]) => mayTell(name) || isDated(name));
  if (Number(headerValue(headers, 'age') ?? 0) > 0) return null;
  const waitMs = retryAfterMs(headers, nowWall);
  const { strictest, concurrency } = quotaOf(headers, sentAtOf(headers, nowWall));
  if (waitMs === null && strictest === null && concurrency === null) return null;
  const { limit, remaining, resetMs } = strictest ?? NOTHING;
  // What the server asks for goes before the time at which the quota would be renewed.
  const renewedMs = waitMs !== null && remaining === 0 ? waitMs : resetMs;
  return {
    retryAfterMs: waitMs,
    limit,
    remaining,
    resetMs: renewedMs === null ? null : cappedHint(renewedMs),
    concurrency,
  };
}

const NOTHING: RateHint = Object.freeze({ limit: null, remaining: null, resetMs: null });

function quotaOf(headers: HeaderList, sentAt: number) {
  let partial: RateHint | null = null;
  let concurrency: number | null = null;
  for (const family of FAMILIES) {
    const told = family(headers, sentAt);
    concurrency ??= told.concurrency;
    const strictest = told.quotas.reduce<RateHint | null>(stricter, null);
    if (strictest === null) continue;
    if (strictest.remaining !== null) return { strictest, concurrency };
    partial ??= strictest;
  }
  return { strictest: partial, concurrency };
}

function stricter(a: RateHint | null, b: RateHint): RateHint {
  if (a === null) return b;
  const [used, other] = [usage(a), usage(b)];
  if (used !== other) return used > other ? a : b;
  const [pace, otherPace] = [paceOf(a), paceOf(b)];
  if (pace !== otherPace) return pace < otherPace ? a : b;
  return (a.resetMs ?? 0) >= (b.resetMs ?? 0) ? a : b;
}

/** Share of the quota that is used; less than nothing where it is not told. */
function usage({ limit, remaining }: RateHint): number {
  if (remaining === null) return -1;
  if (remaining === 0) return 1;
  return limit === null || limit === 0 ? 0 : 1 - remaining / limit;
}

/** Calls per ms until it is renewed; of one that does not tell, as if by its limit in a ms. */
function paceOf({ limit, remaining, resetMs }: RateHint): number {
  return (remaining ?? limit ?? Number.POSITIVE_INFINITY) / Math.max(1, resetMs ?? 1);
}
