import type { RateAlgorithm, RateLimit, Taken } from './RateLimiter.ts';

/** Finer than the microseconds of the clock, and a power of two: sums of whole ticks are exact for years of uptime. */
const TICKS_PER_MS = 65_536;

/** Into how many parts the past is cut for another algorithm. */
const PARTS = 60;

/**
 * A token bucket as one instant: when it would be full again, which each call puts off by one interval (GCRA, the generic cell
 * rate algorithm of ITU-T I.371, in its virtual scheduling form).
 *
 * Never more than `max` in any half-open window of `perMs`: after `burst` calls at once each further one needs an interval, so
 * call number `max + 1` comes at least `max + 1 - burst` intervals after the first. They have to last `perMs`; hence the
 * rate `(max - burst + 1) / perMs`. A window without calls fills the bucket, however much it lacked: no window holds calls from
 * before and from after.
 */
export class TokenBucket implements RateAlgorithm {
  #limit: RateLimit;
  /** Ticks from one call to the next at the limit's rate, rounded up. */
  #interval: number;
  /** Ticks; the shortest interval of the limits under which the calls of the window were taken. */
  #shortest: number;
  /** Ticks. */
  #fullAt: number;
  /** Ticks; of the latest call. */
  #lastAt: number;
  /** Ticks; what was taken earlier makes no difference any more, and cannot be given back. */
  #countsSince: number;

  constructor(limit: RateLimit, now: number) {
    this.#limit = limit;
    this.#interval = intervalOf(limit);
    this.#shortest = this.#interval;
    this.#fullAt = ticks(now);
    this.#lastAt = this.#fullAt;
    this.#countsSince = this.#fullAt;
  }

  available(now: number): number {
    return Math.max(0, this.#limit.burst - Math.ceil(this.#lacking(ticks(now)) / this.#interval));
  }

  take(n: number, now: number): void {
    if (n <= 0) return;
    const at = ticks(now);
    const lacking = this.#lacking(at);
    if (lacking === 0) this.#countsSince = at;
    if (at - this.#lastAt >= windowOf(this.#limit)) this.#shortest = this.#interval;
    this.#fullAt = at + lacking + n * this.#interval;
    this.#lastAt = Math.max(this.#lastAt, at);
  }

  /**
   * Calls taken since may have needed the time that went by since `takenAt`: without the ones given back the bucket could
   * have been full meanwhile. So much time stays used.
   */
  giveBack(n: number, takenAt: number): void {
    const at = ticks(takenAt);
    if (at < this.#countsSince) return;
    this.#fullAt -= Math.max(0, n * this.#interval - Math.max(0, this.#lastAt - at));
  }

  nextAt(): number {
    const filledAt = this.#fullAt - (this.#limit.burst - 1) * this.#interval;
    return Math.min(filledAt, this.#lastAt + windowOf(this.#limit)) / TICKS_PER_MS;
  }

  isAtRest(now: number): boolean {
    return this.#lacking(ticks(now)) === 0;
  }

  empty(now: number): void {
    const at = ticks(now);
    this.#fullAt = Math.max(this.#fullAt, at + this.#limit.burst * this.#interval);
    this.#lastAt = Math.max(this.#lastAt, at);
    this.#countsSince = this.#lastAt + 1;
  }

  /**
   * As if the limit had changed right after the latest call. What is saved up does not grow by it, and shrinks with the burst: so
   * a window that holds the change has no more calls than the larger `max` allows.
   */
  update(limit: RateLimit): void {
    const before = this.#limit;
    this.#limit = limit;
    if (limit.max === before.max && limit.burst === before.burst && limit.perMs === before.perMs) return;
    const owed = (this.#fullAt - this.#lastAt) / this.#interval + Math.max(0, limit.burst - before.burst);
    this.#interval = intervalOf(limit);
    this.#shortest = Math.min(this.#shortest, this.#interval);
    this.#fullAt = this.#lastAt + Math.ceil(owed * this.#interval);
    this.#countsSince = this.#lastAt + 1;
  }

  /** In any time before the latest call: at most what the bucket lacks since, and what it was refilled with. */
  history(): readonly Taken[] {
    const { perMs } = this.#limit;
    const last = this.#lastAt / TICKS_PER_MS;
    const refilled = windowOf(this.#limit) / this.#shortest / PARTS;
    const taken: Taken[] = [];
    for (let part = PARTS - 1; part >= 0; part--) {
      const n = Math.ceil((part + 1) * refilled) - Math.ceil(part * refilled);
      if (n > 0) taken.push({ n, at: last - (part * perMs) / PARTS });
    }
    const lacking = Math.ceil((this.#fullAt - this.#lastAt) / this.#interval);
    if (lacking > 0) taken.push({ n: lacking, at: last });
    return taken;
  }

  /** Ticks until it is full. */
  #lacking(at: number): number {
    return at - this.#lastAt >= windowOf(this.#limit) ? 0 : Math.max(0, this.#fullAt - at);
  }
}

function windowOf({ perMs }: RateLimit): number {
  return perMs * TICKS_PER_MS;
}

function intervalOf(limit: RateLimit): number {
  return Math.ceil(windowOf(limit) / (limit.max - limit.burst + 1));
}

function ticks(ms: number): number {
  return Math.floor(ms * TICKS_PER_MS);
}
