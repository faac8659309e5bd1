/** After so many claims that went out whole, twice as many per call are asked for. */
const CLEAN = 4;

/**
 * How many requests to claim per call, so that few have to be given back: those of one claim may need more calls than there are permits,
 * as only what has the same key and credentials shares one.
 */
export class FoldedShare {
  #share: number;
  #clean = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
    this.#share = max;
  }

  get perCall(): number {
    return this.#share;
  }

  /** So many went out in so many calls, and `left` were given back. */
  folded(sent: number, calls: number, left: number): void {
    if (left > 0) {
      this.#share = Math.max(1, Math.min(this.#share - 1, Math.floor(sent / Math.max(1, calls))));
      this.#clean = 0;
      return;
    }
    if (this.#share >= this.#max || calls === 0) return;
    this.#clean += 1;
    if (this.#clean < CLEAN) return;
    this.#clean = 0;
    this.#share = Math.min(this.#max, this.#share * 2);
  }
}
