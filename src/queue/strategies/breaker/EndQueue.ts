/** The end of a call that is under way. */
export interface CallEnd {
  readonly permit: number;
  readonly ok: boolean;
  readonly durationMs: number;
  readonly at: number;
}

/** Calls under way, by when they end; of those that end together the one that started first. */
export class EndQueue {
  /** The latest first, so that the next one is taken from the end. */
  readonly #ends: CallEnd[] = [];

  /** When the last of them ends; -Infinity where none is under way. */
  get lastAt(): number {
    return this.#ends[0]?.at ?? Number.NEGATIVE_INFINITY;
  }

  add(permit: number, ok: boolean, durationMs: number, at: number): void {
    let [low, high] = [0, this.#ends.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle]?.at ?? 0) <= at) high = middle;
      else low = middle + 1;
    }
    this.#ends.splice(low, 0, { permit, ok, durationMs, at });
  }

  /** The next one that ended by `now`. */
  takeUntil(now: number): CallEnd | undefined {
    const next = this.#ends.at(-1);
    return next !== undefined && next.at <= now ? this.#ends.pop() : undefined;
  }
}
