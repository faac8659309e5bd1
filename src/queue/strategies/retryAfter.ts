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
  if (ms !== null) return cap(ms);
  const sentAt = longest(headers, 'date', dateValue) ?? now;
  const wait = longest(headers, 'retry-after', (value) => secondsOrDate(value, sentAt));
  return wait === null ? null : cap(wait);
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

function secondsOrDate(value: string, sentAt: number): number | null {
  const date = dateValue(value);
  if (date !== null) return date - sentAt;
  // Two headers of the same name arrive joined by a comma.
  const parts = value.split(',').map((part) => part.trim());
  if (!parts.every((part) => NUMBER.test(part))) return null;
  return Math.max(...parts.map((part) => deltaMs(Number(part), sentAt)));
}

/** Some servers send an instant where seconds belong: nobody asks to wait for thirty years. */
function deltaMs(value: number, sentAt: number): number {
  if (value > 1e12) return value - sentAt;
  if (value > 1e9) return value * 1000 - sentAt;
  return value * 1000;
}

/** The three date forms of RFC 9110 section 5.6.7. Checked first, as `Date.parse` takes nearly anything for a date. */
const HTTP_DATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? (?:\d{2}[ -][A-Z][a-z]{2}[ -]\d{2,4} |[A-Z][a-z]{2} [ \d]\d )/;

function dateValue(value: string): number | null {
  if (!HTTP_DATE.test(value)) return null;
  // asctime has no zone and would be read as local time.
  const parsed = Date.parse(/GMT|UTC|Z$/.test(value) ? value : `${value} GMT`);
  return Number.isNaN(parsed) ? null : parsed;
}

function cap(ms: number): number {
  return Math.min(Math.max(ms, 0), MAX_HINT_MS);
}
