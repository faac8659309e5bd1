/** Until so many calls were seen, none is slow: a zone that always takes 5 s is not at fault for it. */
const FIRST_SAMPLES = 100;
const LEAST_SLOW_MS = 2_000;
const FACTOR = 3;
const STEP = 0.05;
const FIRST_STEP = 0.2;
const QUANTILE = 0.95;

/**
 * The usual 95th percentile of the time a call takes, followed in constant space: a call above it moves it up by a share of
 * itself, one below it moves it down by a nineteenth of that, so that it rests where one in twenty is above.
 */
export class Latency {
  #usualMs = 0;
  #samples = 0;

  /** Above this a call is slow. */
  get slowMs(): number {
    if (this.#samples < FIRST_SAMPLES) return Number.POSITIVE_INFINITY;
    return Math.max(LEAST_SLOW_MS, FACTOR * this.#usualMs);
  }

  learn(durationMs: number): void {
    if (this.#samples === 0) this.#usualMs = Math.max(1, durationMs);
    const step = this.#samples++ < FIRST_SAMPLES ? FIRST_STEP : STEP;
    const direction = durationMs > this.#usualMs ? QUANTILE : QUANTILE - 1;
    this.#usualMs = Math.max(1, this.#usualMs * (1 + step * direction));
  }
}
