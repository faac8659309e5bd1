/** A call that is saved is worth so many requests that were claimed and given back, as a call takes about so much longer. */
const WORTH = 8;
/** After so many claims that paid, twice as many per call are asked for. */
const CLEAN = 4;
/** Where that was too many each time, after so many at last. */
const MOST_CLEAN = 256;

/**
 * How many requests to claim per call, so that no more are given back than that pays for: those of one claim may need more calls than there are
 * permits, as only what has the same key and credentials shares one. It is tried less often the more often it was too many.
 */
export class FoldedShare {
  #share: number;
  #clean = 0;
  #needed = CLEAN;
  /** More are asked for than before, and whether these fit is being found out. */
  #isTrial = false;
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
    if (left > WORTH * (sent - calls)) {
      this.#share = Math.max(1, Math.min(this.#share - 1, Math.floor(sent / Math.max(1, calls))));
      this.#clean = 0;
      if (this.#isTrial) this.#needed = Math.min(MOST_CLEAN, this.#needed * 2);
      this.#isTrial = false;
      return;
    }
    if (calls === 0) return;
    this.#clean += 1;
    if (this.#isTrial && this.#clean >= CLEAN) {
      this.#needed = CLEAN;
      this.#isTrial = false;
    }
    if (this.#share >= this.#max || this.#clean < this.#needed) return;
    this.#clean = 0;
    this.#share = Math.min(this.#max, this.#share * 2);
    this.#isTrial = true;
  }
}
