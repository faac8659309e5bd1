/** How many calls may start in a time, as configured and checked. */
export interface RateLimit {
  /** Most calls that start in any half-open window of `perMs`; whole, at least 1. */
  readonly max: number;
  /** Whole ms. */
  readonly perMs: number;
  /** Most calls that start at once after a rest; 1 to `max`. A sliding window does not look at it. */
  readonly burst: number;
  readonly algorithm: 'tokenBucket' | 'slidingWindow';
}

/** A limit on how often calls start. All times are monotonic ms; nothing is driven by a timer. */
export interface RateLimiter {
  /** Calls that may start now (whole number, >= 0). */
  available(now: number): number;
  /** Takes n; the caller asked {@link available} in the same step. */
  take(n: number, now: number): void;
  /** Gives back what was taken at `takenAt` and not used, so that what was taken since does not count as older than it is. */
  giveBack(n: number, takenAt: number): void;
  /** When at least one may start: `now` or before if already, never Infinity. */
  nextAt(now: number): number;
  /** Nothing that was used counts any more: one that is new would allow no more. */
  isAtRest(now: number): boolean;
  /** As after an outage: nothing is saved up, and calls come at the rate of the limit from here on. */
  empty(now: number): void;
  /** Another limit from now on; what was used counts against it. */
  update(limit: RateLimit): void;
}

/** Calls that still count against a limit. */
export interface Taken {
  readonly n: number;
  /** No earlier than they started. */
  readonly at: number;
}

/** One way to keep a limit. */
export interface RateAlgorithm extends RateLimiter {
  /** What counts, oldest first: for any time before the last call, no fewer calls than were taken since. */
  history(): readonly Taken[];
}
