import type { RateAlgorithm, RateLimit, RateLimiter } from './RateLimiter.ts';
import { SlidingWindow } from './SlidingWindow.ts';
import { TokenBucket } from './TokenBucket.ts';

/** A limiter of which nothing was used yet. `now` is monotonic ms. */
export function createRateLimiter(limit: RateLimit, now: number): RateLimiter {
  return new LiveRateLimiter(limit, now);
}

/** Changes its algorithm too, when it is updated. */
class LiveRateLimiter implements RateLimiter {
  #algorithm: RateAlgorithm;
  #kind: RateLimit['algorithm'];

  constructor(limit: RateLimit, now: number) {
    this.#algorithm = create(limit, now);
    this.#kind = limit.algorithm;
  }

  available(now: number): number {
    return this.#algorithm.available(now);
  }

  take(n: number, now: number): void {
    this.#algorithm.take(n, now);
  }

  giveBack(n: number, takenAt: number): void {
    this.#algorithm.giveBack(n, takenAt);
  }

  nextAt(now: number): number {
    return this.#algorithm.nextAt(now);
  }

  isAtRest(now: number): boolean {
    return this.#algorithm.isAtRest(now);
  }

  empty(now: number): void {
    this.#algorithm.empty(now);
  }

  update(limit: RateLimit): void {
    if (limit.algorithm === this.#kind) {
      this.#algorithm.update(limit);
      return;
    }
    const taken = this.#algorithm.history();
    this.#kind = limit.algorithm;
    this.#algorithm = create(limit, taken[0]?.at ?? 0);
    for (const { n, at } of taken) this.#algorithm.take(n, at);
  }
}

function create(limit: RateLimit, now: number): RateAlgorithm {
  return limit.algorithm === 'tokenBucket' ? new TokenBucket(limit, now) : new SlidingWindow(limit, now);
}
