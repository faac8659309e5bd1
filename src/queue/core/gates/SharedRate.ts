import type { RateLimit, RateLimiter } from '../../strategies/rate/RateLimiter.ts';
import { giveBackShared, takeShared } from '../../strategies/rate/sharedWindow.ts';
import type { Json } from '../../types/request.ts';
import type { Context } from '../context.ts';
import { messageOf } from '../tell.ts';

/** Tokens that were not used within so long, or a tenth of the span, go back. */
const MOST_KEPT_MS = 1_000;
/** At most so many tokens are fetched at once. */
const MOST = 25;
/** How often a compare-and-set is tried that others keep winning. */
const TRIES = 5;
const RETRY_MS = 250;

/**
 * A rate that processes share: tokens are taken from the store's bucket a few at a time, ahead of the claims that need them, and kept
 * in a purse for a moment. A claim itself costs nothing more; what a claim has no use for goes back, else looks would use it up. Where the store
 * is away nothing can be claimed, so nothing is to be decided about the rate either.
 *
 * What is kept for a while is used later than it was counted: so the store counts over a span that is so much longer.
 */
export class SharedRate implements RateLimiter {
  readonly #context: Context;
  readonly #key: string;
  readonly #arrived: () => void;
  #limit: RateLimit;
  /** Below 0 where a call was made that could not wait. */
  #tokens = 0;
  /** What was there when the latest came. */
  #fetched = 0;
  /** Fetched at once: more while all are used, fewer where some were not. */
  #portion = 1;
  /** Monotonic and epoch ms. */
  #takenAt = Number.NEGATIVE_INFINITY;
  #takenAtWall = 0;
  #notBefore = 0;
  #isAsking = false;

  constructor(context: Context, scope: string, limit: RateLimit, arrived: () => void) {
    this.#context = context;
    this.#key = `rate:${scope}`;
    this.#limit = limit;
    this.#arrived = arrived;
  }

  /** Calls that may start now; where there is none, more are asked for, and `arrived` is called when they are here. */
  available(now: number): number {
    if (this.#tokens > 0 && now - this.#takenAt > this.#keptMs) this.#return();
    if (this.#tokens <= 0 && now >= this.#notBefore && !this.#isAsking) void this.#ask();
    return Math.max(0, this.#tokens);
  }

  take(n: number): void {
    this.#tokens -= n;
    if (this.#tokens <= 0) this.#portion = Math.min(MOST, 2 * this.#portion);
  }

  giveBack(n: number, takenAt: number): void {
    if (takenAt < this.#takenAt) return;
    this.#tokens += n;
    if (this.#tokens > 0 && this.#tokens >= this.#fetched) this.#return();
  }

  nextAt(now: number): number {
    return this.#tokens > 0 ? now : Math.max(now, this.#notBefore);
  }

  /** What is used is counted in the store. */
  isAtRest(): boolean {
    return true;
  }

  /** The bucket is everybody's: only what was fetched is given up. */
  empty(): void {
    this.#tokens = Math.min(0, this.#tokens);
  }

  update(limit: RateLimit): void {
    this.#limit = limit;
  }

  get #keptMs(): number {
    return Math.floor(Math.min(MOST_KEPT_MS, this.#limit.perMs / 10));
  }

  /** As the store counts. */
  get #counted(): RateLimit {
    return { ...this.#limit, perMs: this.#limit.perMs + this.#keptMs };
  }

  get #ratePerSecond(): number {
    const { max, burst, perMs } = this.#counted;
    return ((max - burst + 1) / perMs) * 1_000;
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    const { clock, logger } = this.#context;
    try {
      const waitMs = this.#limit.algorithm === 'tokenBucket' ? await this.#fromBucket() : await this.#fromWindow();
      this.#notBefore = clock.monotonicNow() + waitMs;
    } catch (error) {
      this.#notBefore = clock.monotonicNow() + RETRY_MS;
      logger.debug('a shared rate could not be asked', { key: this.#key, error: messageOf(error) });
    }
    this.#isAsking = false;
    this.#arrived();
  }

  /** As many as are there, by halves: the bucket gives all that is asked for or nothing. */
  async #fromBucket(): Promise<number> {
    const { backend, clock } = this.#context;
    const { burst } = this.#limit;
    for (let cost = Math.min(this.#portion, burst); ; cost = Math.floor(cost / 2)) {
      const now = clock.now();
      const ratePerSecond = this.#ratePerSecond;
      const waitMs = await backend.shared.take({ key: this.#key, cost, ratePerSecond, burst, now });
      if (waitMs === 0) {
        this.#got(cost, now);
        return 0;
      }
      if (cost <= 1) return waitMs;
    }
  }

  async #fromWindow(): Promise<number> {
    const { clock } = this.#context;
    let taken = 0;
    let waitMs = 0;
    const now = clock.now();
    const isMine = await this.#exchange((stored) => {
      const take = takeShared(stored, this.#counted, now, this.#portion);
      ({ taken, waitMs } = take);
      return taken === 0 ? undefined : take.value;
    });
    if (!isMine) return RETRY_MS;
    if (taken === 0) return Math.max(1, waitMs);
    this.#got(taken, now);
    return 0;
  }

  #got(tokens: number, at: number): void {
    this.#tokens += tokens;
    this.#fetched = this.#tokens;
    this.#takenAt = this.#context.clock.monotonicNow();
    this.#takenAtWall = at;
  }

  /** Nobody needs what is in the purse. */
  #return(): void {
    const tokens = this.#tokens;
    this.#tokens = 0;
    this.#portion = Math.max(1, Math.floor(this.#portion / 2));
    this.#giveToStore(tokens).catch((error: unknown) =>
      this.#context.logger.debug('a shared rate was not given back', { key: this.#key, error: messageOf(error) }),
    );
  }

  async #giveToStore(tokens: number): Promise<void> {
    const { backend, clock } = this.#context;
    const takenAt = this.#takenAtWall;
    if (this.#limit.algorithm === 'slidingWindow') {
      await this.#exchange((stored) => giveBackShared(stored, this.#counted, takenAt, tokens));
      return;
    }
    const ratePerSecond = this.#ratePerSecond;
    // The bucket was refilled meanwhile as if they had been used: so much of them is gone.
    const left = tokens - ((clock.monotonicNow() - this.#takenAt) / 1_000) * ratePerSecond;
    if (left <= 0) return;
    const { burst } = this.#limit;
    await backend.shared.take({ key: this.#key, cost: -left, ratePerSecond, burst, now: clock.now() });
  }

  /** Changes the stored window; undefined leaves it. False where others kept winning. */
  async #exchange(change: (stored: Json | undefined) => Json | undefined): Promise<boolean> {
    const { backend, clock } = this.#context;
    for (let left = TRIES; left > 0; left -= 1) {
      const now = clock.now();
      const stored = await backend.shared.get({ key: this.#key, now });
      const value = change(stored?.value);
      if (value === undefined) return true;
      const expiresAt = now + 2 * this.#counted.perMs;
      const isMine = await backend.shared.set({
        key: this.#key,
        value,
        expiresAt,
        now,
        ifVersion: stored?.version ?? 0,
      });
      if (isMine !== undefined) return true;
    }
    return false;
  }
}
