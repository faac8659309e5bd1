import type { HeaderList } from '../types/request.ts';

/** Longer hints are taken for this long: a day is the longest a request is parked on a server's word. */
export const MAX_HINT_MS = 86_400_000;

/**
 * How long the server asks to wait, in ms; null when it does not say. Reads `retry-after-ms`, `x-ms-retry-after-ms` (these win,
 * being finer) and `Retry-After` as seconds or a date relative to the `Date` header, so that a wrong clock here does no
 * harm (RFC 9110 section 10.2.3). Of several values the longest counts. A past date is 0; garbage is ignored.
 */
export function retryAfterMs(headers: HeaderList, now: number): number | null {
  const ms = longest(headers, 'retry-after-ms', milliseconds) ?? longest(headers, 'x-ms-retry-after-ms', milliseconds);
  if (ms !== null) return cappedHint(ms);
  const wait = longest(headers, 'retry-after', (value) => secondsOrDate(value, sentAtOf(headers, now)));
  return wait === null ? null : cappedHint(wait);
}

/** Epoch ms at which the server says that it answered; `now` where it does not say. */
export function sentAtOf(headers: HeaderList, now: number): number {
  return longest(headers, 'date', httpDate) ?? now;
}

function longest(headers: HeaderList, name: string, parse: (value: string) => number | null): number | null {
  let result: number | null = null;
  for (const [candidate, value] of headers) {
    if (candidate.length !== name.length || candidate.toLowerCase() !== name) continue;
    const parsed = parse(value.trim());
    if (parsed !== null && (result === null || parsed > result)) result = parsed;
  }
  return result;
}

const NUMBER = /^\d+(?:\.\d+)?$/;

function milliseconds(value: string): number | null {
  return NUMBER.test(value) ? Number(value) : null;
}

/** Between the values of headers of the same name, which arrive joined by a comma; a date has one of its own. */
const BETWEEN_VALUES = /,(?=\s*(?:\d+(?:\.\d+)?\s*(?:,|$)|[A-Z][a-z]{2,8},? ))/;

function secondsOrDate(value: string, sentAt: number): number | null {
  let longestMs: number | null = null;
  for (const one of value.split(BETWEEN_VALUES)) {
    const part = one.trim();
    const date = httpDate(part);
    if (date === null && !NUMBER.test(part)) return null;
    const ms = date === null ? deltaMs(Number(part), sentAt) : date - sentAt;
    if (longestMs === null || ms > longestMs) longestMs = ms;
  }
  return longestMs;
}

/** Ms from `sentAt` on. Some servers send an instant where seconds belong: nobody asks to wait for thirty years. */
export function deltaMs(value: number, sentAt: number): number {
  if (value > 1e12) return value - sentAt;
  if (value > 1e9) return value * 1000 - sentAt;
  return value * 1000;
}

/** The three date forms of RFC 9110 section 5.6.7. Checked first, as `Date.parse` takes nearly anything for a date. */
const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? (?:\d{2}[ -][A-Z][a-z]{2}[ -]\d{2,4} |[A-Z][a-z]{2} [ \d]\d )/;

/** Epoch ms of an HTTP date; null for anything else. */
export function httpDate(value: string): number | null {
  if (!HTTP_DATE.test(value)) return null;
  // asctime has no zone and would be read as local time.
  const parsed = Date.parse(/GMT|UTC|Z$/.test(value) ? value : `${value} GMT`);
  return Number.isNaN(parsed) ? null : parsed;
}

/** 0 to {@link MAX_HINT_MS}. */
export function cappedHint(ms: number): number {
  return Math.min(Math.max(ms, 0), MAX_HINT_MS);
}
