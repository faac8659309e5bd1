import type { Json } from '../../types/request.ts';
import { isJsonArray, isJsonObject } from '../jsonValue.ts';
import type { RateLimit } from './RateLimiter.ts';
import { COUNTED_SLOTS, lapsesAt, SLOTS, slotAt, slotEnd } from './slots.ts';

/** What was taken of a window that processes share. */
export interface SharedTake {
  /** To be stored in place of the value it was made from, by compare-and-set; needless where nothing was taken. */
  readonly value: Json;
  readonly taken: number;
  /** From `wallNow` until at least one more may start; 0 where all that was wanted was taken. */
  readonly waitMs: number;
}

/**
 * The window as it is stored: `{ perMs, head, counts }`, where `head` is the newest slot (of epoch ms) and `counts` are the calls of
 * that slot and of those before it, as far back as there were any. It is worth nothing two windows after it was written.
 */
interface Window {
  readonly perMs: number;
  head: number;
  readonly counts: number[];
}

/** A head that far ahead is another machine's clock; one further ahead is a clock that was set back since. */
const MAX_SKEW_MS = 60_000;

/**
 * Takes up to `wanted` calls of the sliding window that `value` holds; the same rules as of a limiter of one process, by the
 * wall clock. Undefined, or anything but such a window, is a window of which nothing was used. 0 wanted only asks.
 */
export function takeShared(value: Json | undefined, limit: RateLimit, wallNow: number, wanted: number): SharedTake {
  const window = openedAt(parseWindow(value), limit.perMs, wallNow);
  const { counts } = window;
  const left = limit.max - counts.reduce((sum, count) => sum + count, 0);
  const taken = Math.max(0, Math.min(wanted, left));
  counts[0] = (counts[0] ?? 0) + taken;
  const isServed = taken < left || (wanted > 0 && taken === wanted);
  return { value: asJson(window), taken, waitMs: isServed ? 0 : waitOf(window, taken - left + 1, wallNow) };
}

/** The value without `n` of the calls that were taken at `takenAt` (epoch ms); undefined where none of them counts any more. */
export function giveBackShared(
  value: Json | undefined,
  limit: RateLimit,
  takenAt: number,
  n: number,
): Json | undefined {
  const window = parseWindow(value);
  if (window === undefined || window.perMs !== limit.perMs) return undefined;
  const { counts, head } = window;
  let rest = n;
  for (let index = Math.max(0, head - slotAt(takenAt, limit.perMs)); index < counts.length && rest > 0; index++) {
    const count = counts[index] ?? 0;
    counts[index] = Math.max(0, count - rest);
    rest -= count - (counts[index] ?? 0);
  }
  return rest < n ? asJson(window) : undefined;
}

function parseWindow(value: Json | undefined): Window | undefined {
  if (!isJsonObject(value)) return undefined;
  const { perMs, head, counts } = value;
  if (!isLength(perMs) || !isCount(head) || !isJsonArray(counts)) return undefined;
  return counts.length <= COUNTED_SLOTS && counts.every(isCount) ? { perMs, head, counts: [...counts] } : undefined;
}

function isLength(value: Json | undefined): value is number {
  return typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY;
}

function isCount(value: Json | undefined): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** The window with its head at `wallNow`, or where the process that is furthest ahead left it. */
function openedAt(stored: Window | undefined, perMs: number, wallNow: number): Window {
  const head = slotAt(wallNow, perMs);
  const window: Window = { perMs, head, counts: new Array<number>(COUNTED_SLOTS).fill(0) };
  if (stored === undefined) return window;
  if (stored.perMs === perMs && stored.head > head) {
    const isSkew = slotEnd(stored.head, perMs) - wallNow <= Math.max(perMs, MAX_SKEW_MS);
    if (isSkew) window.head = stored.head;
    else stored.head = head;
  }
  stored.counts.forEach((count, index) => {
    const slot = stored.head - index;
    const now = stored.perMs === perMs ? slot : slotAt(Math.min(slotEnd(slot, stored.perMs), wallNow), perMs);
    const age = window.head - now;
    if (age < COUNTED_SLOTS) window.counts[age] = (window.counts[age] ?? 0) + count;
  });
  return window;
}

/** Until `tooMany` of the calls that count have lapsed, the oldest first. */
function waitOf({ perMs, head, counts }: Window, tooMany: number, wallNow: number): number {
  let rest = tooMany;
  let age = SLOTS;
  for (; age > 0; age--) {
    rest -= counts[age] ?? 0;
    if (rest <= 0) break;
  }
  return lapsesAt(head - age, perMs) - wallNow;
}

function asJson({ perMs, head, counts }: Window): Json {
  const used = counts.findLastIndex((count) => count > 0) + 1;
  return { perMs, head, counts: counts.slice(0, used) };
}
