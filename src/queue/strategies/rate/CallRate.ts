/** How fast the past is forgotten: after so long a third of it counts. */
const MEMORY_MS = 10_000;

/** A pause counts for no more: it is the rate while calls are made that matters, not how rare they are. */
const MAX_GAP_MS = 1_000;

/** Calls that came at once are taken for those of a second. */
const MIN_SPAN_MS = 1_000;

/** How often calls started of late: their number over the time they took, both fading exponentially. */
export class CallRate {
  #calls = 0;
  #spanMs = 0;
  #at: number | null = null;

  took(n: number, now: number): void {
    this.#fade(now);
    this.#calls += n;
  }

  gaveBack(n: number): void {
    this.#calls = Math.max(0, this.#calls - n);
  }

  /** Calls per ms; at least the one that must have been. */
  perMs(now: number): number {
    this.#fade(now);
    return Math.max(this.#calls, 1) / Math.max(this.#spanMs, MIN_SPAN_MS);
  }

  #fade(now: number): void {
    const gap = now - (this.#at ?? now);
    if (this.#at === null || gap > 0) this.#at = now;
    if (gap <= 0) return;
    const kept = Math.exp(-gap / MEMORY_MS);
    this.#calls *= kept;
    this.#spanMs = this.#spanMs * kept + Math.min(gap, MAX_GAP_MS);
  }
}
