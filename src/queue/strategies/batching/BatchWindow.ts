/**
 * How long the first request waits for others: all of the time while that brings some, half as long each time it brings none, and
 * not at all in the end. Then others are found only where they wait for a permit anyhow, which opens it again.
 */
export class BatchWindow {
  readonly #maxMs: number;
  #ms: number;

  constructor(maxMs: number) {
    this.#maxMs = maxMs;
    this.#ms = maxMs;
  }

  get ms(): number {
    return this.#ms;
  }

  /** So many were found to go, after the first of them had waited. */
  found(requests: number): void {
    if (requests === 0) return;
    if (requests > 1) this.#ms = Math.min(this.#maxMs, Math.max(1, this.#ms * 2));
    else this.#ms = this.#ms < 2 ? 0 : this.#ms / 2;
  }
}
