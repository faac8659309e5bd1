/** How much of the latest call goes into what a request of a batch usually takes. */
const WEIGHT = 0.2;
/** Chance alone makes calls so much slower. */
const TOLERANCE = 1.1;
/** After so many full batches of nearly that size, one that was too large is tried again. */
const CALM = 50;

/**
 * How many requests go into one call: one more while full batches are answered and a request of them takes no longer than usual, half
 * as many after a call that failed (additive increase, multiplicative decrease). It begins with what was declared, as that is what an API
 * takes as a rule.
 */
export class BatchSize {
  readonly #max: number;
  #size: number;
  #perMemberMs: number | undefined;
  /** The most that was not too large, as far as is known. */
  #ceiling = Number.POSITIVE_INFINITY;
  #calm = 0;

  constructor(max: number) {
    this.#max = max;
    this.#size = max;
  }

  get size(): number {
    return this.#size;
  }

  /** A batch of so many was answered. */
  answered(members: number, durationMs: number): void {
    const ms = durationMs / members;
    const usualMs = this.#perMemberMs ?? ms;
    this.#perMemberMs = usualMs + (ms - usualMs) * WEIGHT;
    if (members < this.#size || this.#size >= this.#max || ms > usualMs * TOLERANCE) return;
    if (this.#size >= this.#ceiling) {
      this.#calm += 1;
      if (this.#calm < CALM) return;
      this.#ceiling = Number.POSITIVE_INFINITY;
    }
    this.#size += 1;
  }

  /** So many went alone at the size of one, at which no batch says that more would go. */
  wentAlone(requests: number): void {
    if (this.#size > 1 || this.#max === 1) return;
    this.#calm += requests;
    if (this.#calm < CALM) return;
    this.#calm = 0;
    this.#size = 2;
  }

  /** A batch of so many was more than the server takes. Gives what takes that back, where it was not their number. */
  tooLarge(members: number): () => void {
    const [size, ceiling] = [this.#size, this.#ceiling];
    this.#ceiling = Math.max(1, members - 1);
    this.#calm = 0;
    this.#size = Math.max(1, Math.floor(Math.min(this.#size, members) / 2));
    return () => {
      this.#size = Math.max(this.#size, size);
      this.#ceiling = Math.max(this.#ceiling, ceiling);
    };
  }

  /** The server takes no batch at all: none is tried before many went alone. */
  refused(): void {
    this.#calm = 0;
    this.#size = 1;
  }

  /** A call failed that was made when the size was `sizeThen`: those that were under way together count once. */
  failed(sizeThen: number): void {
    this.#calm = 0;
    if (sizeThen <= this.#size) this.#size = Math.max(1, Math.floor(this.#size / 2));
  }
}
