/** Steps get smaller with every sample down to this part of the estimate: small enough to be steady, large enough to follow. */
const SMALLEST_STEP = 0.05;
/** Below this the estimate grows as if it were that: a product of 0 would stay 0. */
const LEAST_MS = 1;

/**
 * An estimate of the median of durations in constant space: each sample moves it one step of a fixed ratio towards itself, so that it rests
 * where as many lie above as below. It never steps past the sample.
 */
export class RunningMedian {
  #value = 0;
  #seen = 0;

  /** In ms; 0 before the first sample. */
  get value(): number {
    return this.#value;
  }

  add(sampleMs: number): void {
    if (!(sampleMs >= 0)) return;
    this.#seen += 1;
    if (this.#seen === 1) {
      this.#value = sampleMs;
      return;
    }
    const ratio = 1 + Math.max(SMALLEST_STEP, 1 / this.#seen);
    this.#value =
      sampleMs > this.#value
        ? Math.min(sampleMs, Math.max(LEAST_MS, this.#value) * ratio)
        : Math.max(sampleMs, this.#value / ratio);
  }
}
