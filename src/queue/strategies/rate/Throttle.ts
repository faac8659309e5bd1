import { MAX_HINT_MS } from '../retryAfter.ts';
import { CallRate } from './CallRate.ts';
import type { RateHint } from './hints.ts';

/** Share of the present rate that is left after a refusal. */
const CUT = 0.7;
/** Share of the former rate that is regained each second. */
const REGAINED_PER_SECOND = 0.05;
/** Calls under way together are refused together: that is one refusal. */
const REFUSALS_APART_MS = 1_000;
/** Spaced calls that came due while nobody looked are made up for, but not more than these. */
const CATCH_UP_MS = 10;
/** Taken for the window of an answer that does not name it. */
const UNNAMED_WINDOW_MS = 1_000;

/** From this share of a quota on, what is left is spread over what is left of its window. */
const PACED_USAGE = 0.5;
const NORMAL_USAGE = 0.75;
const CRITICAL_USAGE = 0.9;
const NORMAL_PRIORITY = 5;
const CRITICAL_PRIORITY = 9;

/**
 * What the answers of one scope (a zone or an endpoint) say about how fast it may be called. All times are monotonic ms; every
 * wait ends by itself, within {@link MAX_HINT_MS}.
 *
 * Three things are in force at once, each until its time, and the strictest counts:
 * - a block, by {@link hinted};
 * - a cut of the rate, by {@link refused}: 0.7 of the present rate, regaining 0.05 of the rate before the first cut each second,
 *   over when that rate is reached, so at most 20 s after the last refusal;
 * - a quota, by {@link observed}: free below half of it; from there on calls are spaced by the time left of its window over the
 *   calls left of it, and none starts when none is left; until the window ends or another answer tells.
 */
export class Throttle {
  readonly #rate = new CallRate();
  #blockedUntil = 0;

  /** Calls per ms before the first of the latest refusals, and right after the last. */
  #formerRate = 0;
  #cutRate = 0;
  #cutAt = Number.NEGATIVE_INFINITY;
  #regainedAt = 0;

  #usage = 0;
  /** Calls per ms; Infinity where it is free, 0 where none is left. */
  #quotaRate = Number.POSITIVE_INFINITY;
  #quotaEndsAt = 0;

  /** When the next call is due while calls are spaced. */
  #dueAt = 0;
  #lastAt = 0;
  #spacingMs = 0;

  /** The server asked for no calls before `until`. */
  hinted(until: number): void {
    if (until > this.#blockedUntil) this.#blockedUntil = until;
  }

  /** Somebody knows better than the server: what it asked to wait for is waited for no longer. */
  released(): void {
    this.#blockedUntil = 0;
  }

  /** A call was refused for the rate of calls, without a time to wait for. */
  refused(now: number): void {
    if (now - this.#cutAt < REFUSALS_APART_MS) return;
    const measured = this.#rate.perMs(now);
    const isCut = now < this.#regainedAt;
    const present = isCut ? Math.min(this.#allowedRate(now), measured) : measured;
    if (!isCut) this.#formerRate = measured;
    this.#cutRate = CUT * present;
    this.#cutAt = now;
    const missing = Math.max(0, this.#formerRate - this.#cutRate);
    this.#regainedAt = now + (missing / (REGAINED_PER_SECOND * this.#formerRate)) * 1_000;
    const rate = this.#rateAt(now);
    if (rate > 0) this.#dueAt = now + 1 / rate;
  }

  /** What an answer said of the quota of its scope; one that does not tell how much is left changes nothing. */
  observed({ limit, remaining, resetMs }: RateHint, now: number): void {
    if (remaining === null) return;
    const leftMs = Math.min(Math.max(resetMs ?? UNNAMED_WINDOW_MS, 0), MAX_HINT_MS);
    this.#usage = usedShare(limit, remaining);
    this.#quotaEndsAt = now + leftMs;
    this.#quotaRate =
      this.#usage < PACED_USAGE ? Number.POSITIVE_INFINITY : Math.max(0, remaining) / Math.max(1, leftMs);
    const rate = this.#rateAt(now);
    if (rate > 0) this.#dueAt = Math.min(this.#dueAt, now + 1 / rate);
  }

  /** Calls that may start now; Infinity where nothing limits them. */
  available(now: number): number {
    if (now < this.#blockEnd(now)) return 0;
    const rate = this.#rateAt(now);
    if (rate === Number.POSITIVE_INFINITY) return rate;
    if (rate === 0 || now < this.#dueAt) return 0;
    return 1 + Math.floor(Math.min(now - this.#dueAt, CATCH_UP_MS) * rate);
  }

  take(n: number, now: number): void {
    this.#rate.took(n, now);
    const rate = this.#rateAt(now);
    this.#lastAt = now;
    this.#spacingMs = rate === 0 ? 0 : 1 / rate;
    this.#dueAt = Math.max(this.#dueAt, now - CATCH_UP_MS) + n * this.#spacingMs;
  }

  /** Gives back what was taken at `takenAt` and not used. Once others were taken since, they keep their distance. */
  giveBack(n: number, takenAt: number): void {
    this.#rate.gaveBack(n);
    if (takenAt >= this.#lastAt) this.#dueAt -= n * this.#spacingMs;
  }

  /** When at least one may start; `now` or before if already. */
  nextAt(now: number): number {
    let at = Math.max(now, this.#blockEnd(now));
    if (this.#rateAt(at) === 0) at = this.#quotaEndsAt;
    if (this.#dueAt <= at || this.#rateAt(at) === Number.POSITIVE_INFINITY) return at;
    const spacedUntil = this.#quotaRate === Number.POSITIVE_INFINITY ? 0 : this.#quotaEndsAt;
    return Math.min(this.#dueAt, Math.max(spacedUntil, this.#regainedAt));
  }

  /** Nothing that was said limits anything any more. */
  isAtRest(now: number): boolean {
    return this.available(now) === Number.POSITIVE_INFINITY && this.minPriority(now) === 1;
  }

  /** The least priority (1–10) that may start: 1, 5 from three quarters of a quota on, 9 from nine tenths on. */
  minPriority(now: number): number {
    if (now >= this.#quotaEndsAt || this.#usage < NORMAL_USAGE) return 1;
    return this.#usage < CRITICAL_USAGE ? NORMAL_PRIORITY : CRITICAL_PRIORITY;
  }

  /** When every priority may start again; `now` or before if already. */
  allFrom(now: number): number {
    return this.minPriority(now) === 1 ? now : this.#quotaEndsAt;
  }

  /** Nobody waits longer than a day on a server's word. */
  #blockEnd(now: number): number {
    this.#blockedUntil = Math.min(this.#blockedUntil, now + MAX_HINT_MS);
    return this.#blockedUntil;
  }

  #rateAt(at: number): number {
    return Math.min(this.#allowedRate(at), at < this.#quotaEndsAt ? this.#quotaRate : Number.POSITIVE_INFINITY);
  }

  #allowedRate(at: number): number {
    if (at >= this.#regainedAt) return Number.POSITIVE_INFINITY;
    return this.#cutRate + (REGAINED_PER_SECOND * this.#formerRate * (at - this.#cutAt)) / 1_000;
  }
}

/** 0 to 1. Where the limit is not known only an exhausted quota says anything. */
function usedShare(limit: number | null, remaining: number): number {
  if (remaining <= 0) return 1;
  return limit === null || limit <= 0 ? 0 : Math.max(0, 1 - remaining / limit);
}
