import type { HeaderList } from '../../types/request.ts';
import { instantMs } from '../instant.ts';
import { deltaMs, httpDate } from '../retryAfter.ts';

const NUMBER = /^\d{1,15}(?:\.\d{1,15})?$/;
const DURATION = /^(?:\d{1,15}(?:\.\d{1,15})?(?:ms|[dhms]))+$/;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The value of a header, its lines joined as RFC 9110 section 5.3 says; undefined when there is none. Names are lower-case. */
export function fieldValue(headers: HeaderList, name: string): string | undefined {
  let joined: string | undefined;
  for (const [candidate, value] of headers) {
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    joined = joined === undefined ? value.trim() : `${joined}, ${value.trim()}`;
  }
  return joined;
}

/** A number of calls, without a fraction; null for anything else, also for less than none. */
export function callCount(text: string | null | undefined): number | null {
  return typeof text === 'string' && NUMBER.test(text) ? Math.floor(Number(text)) : null;
}

/**
 * Ms from `sentAt` until a quota is renewed: seconds, an instant in seconds or ms, a date, an RFC 3339 timestamp or a duration
 * such as `6m0s`; null for anything else.
 */
export function resetValueMs(text: string | null | undefined, sentAt: number): number | null {
  if (typeof text !== 'string') return null;
  if (NUMBER.test(text)) return deltaMs(Number(text), sentAt);
  if (DURATION.test(text)) return durationMs(text);
  const instant = httpDate(text) ?? instantMs(text);
  return instant === undefined ? null : instant - sentAt;
}

function durationMs(text: string): number {
  let sum = 0;
  for (const [, amount, unit = ''] of text.matchAll(/([\d.]+)(ms|[dhms])/g))
    sum += Number(amount) * (UNITS_MS[unit] ?? 0);
  return sum;
}
