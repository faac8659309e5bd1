const START = 0.05;
/** No zone is taken to fail more often than this: a quarter is wrong, however usual. So the threshold is 0.6 at most. */
const CAP = 0.25;
const FIRST_SAMPLES = 100;
const FIRST_TAU_MS = 60_000;
const TAU_MS = 600_000;

/**
 * How many of a zone's calls fail while it is well, and the failure rate from which it is not. An average that forgets: quick
 * over the first {@link FIRST_SAMPLES} calls, then slow enough that an outage on its way does not pass for the usual.
 */
export class Baseline {
  #rate = START;
  #threshold = thresholdOf(START);
  #samples = 0;
  #learnedAt = Number.POSITIVE_INFINITY;

  get rate(): number {
    return this.#rate;
  }

  get threshold(): number {
    return this.#threshold;
  }

  /**
   * The failure rate of a window that shows nothing wrong. Its weight is the time since the one before it, none for the first, and
   * at most `windowMs`: a single call after an idle hour speaks for its window, not for the hour.
   */
  learn(failureRate: number, windowMs: number, now: number): void {
    const elapsedMs = Math.max(0, Math.min(now - this.#learnedAt, windowMs));
    const tauMs = this.#samples < FIRST_SAMPLES ? FIRST_TAU_MS : TAU_MS;
    this.#samples++;
    this.#learnedAt = now;
    this.set(this.#rate + (failureRate - this.#rate) * (elapsedMs / (tauMs + elapsedMs)));
  }

  set(rate: number): void {
    this.#rate = Math.min(Math.max(rate, 0), CAP);
    this.#threshold = thresholdOf(this.#rate);
  }
}

function thresholdOf(rate: number): number {
  return Math.max(0.3, 2 * rate + 0.1);
}
