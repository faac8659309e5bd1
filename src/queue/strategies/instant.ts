import type { Json } from '../types/request.ts';

/** A point in time: whole milliseconds since 1970, and what a timestamp says beyond them, as a fraction of one. */
interface Instant {
  readonly ms: number;
  readonly beyond: number;
}

const TIMESTAMP = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,12})\d*)?\s?([Zz]|[+-]\d\d:?\d\d)?$/;
const HTTP_DATE = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;
/** Smaller numbers are seconds: as milliseconds they would lie before March 1973. */
const LEAST_MS = 1e11;

/** Epoch ms of a timestamp: an RFC 3339 text with its offset, an HTTP date, or a number of seconds or ms. Undefined for anything else. */
export function instantMs(value: Json | undefined): number | undefined {
  if (typeof value === 'number') return value >= 0 ? (value < LEAST_MS ? value * 1000 : value) : undefined;
  return typeof value === 'string' ? instantOf(value, false)?.ms : undefined;
}

/**
 * Which of two timestamps is the later one; undefined where they are equal or cannot be compared: of different kinds, unreadable, or only
 * one of them with an offset. Two numbers are in the same unit, and two texts without an offset in the same zone.
 */
export function laterOf(local: Json | undefined, remote: Json | undefined): 'local' | 'remote' | undefined {
  if (typeof local === 'number' && typeof remote === 'number') return later(local - remote);
  if (typeof local !== 'string' || typeof remote !== 'string') return undefined;
  const isBare = isWithoutOffset(local);
  if (isBare !== isWithoutOffset(remote)) return undefined;
  const [a, b] = [instantOf(local, isBare), instantOf(remote, isBare)];
  if (a === undefined || b === undefined) return undefined;
  return later(a.ms === b.ms ? a.beyond - b.beyond : a.ms - b.ms);
}

function later(difference: number): 'local' | 'remote' | undefined {
  if (difference > 0) return 'local';
  return difference < 0 ? 'remote' : undefined;
}

function isWithoutOffset(text: string): boolean {
  const match = TIMESTAMP.exec(text);
  return match !== null && match[4] === undefined;
}

function instantOf(text: string, isBare: boolean): Instant | undefined {
  const match = TIMESTAMP.exec(text);
  if (match === null) return HTTP_DATE.test(text) ? known(Date.parse(text), 0) : undefined;
  const [, date, time, fraction = '', offset] = match;
  if (offset === undefined && !isBare) return undefined;
  const digits = fraction.padEnd(12, '0');
  // Date.parse knows no more than ms, and rounds or cuts what is beyond as it likes.
  const zone = offset === undefined ? 'Z' : offset.toUpperCase().replace(/^(...)(\d\d)$/, '$1:$2');
  return known(Date.parse(`${date}T${time}.${digits.slice(0, 3)}${zone}`), Number(digits.slice(3)));
}

function known(ms: number, beyond: number): Instant | undefined {
  return Number.isNaN(ms) ? undefined : { ms, beyond };
}
