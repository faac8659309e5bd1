const MOST_AT_ONCE = 4;
const SUCCESSES_TO_CLOSE = 3;

/**
 * The probes of one half-open time: first one at once, after a success two, after two four. Each holds a lease, so that a probe
 * nobody ends is over at a known time.
 */
export class Probes {
  readonly #ids = new Float64Array(MOST_AT_ONCE);
  readonly #lapsesAt = new Float64Array(MOST_AT_ONCE).fill(Number.POSITIVE_INFINITY);
  #leased = 0;
  #successes = 0;
  #failures = 0;

  /** How many more may start now. */
  get free(): number {
    return Math.max(0, Math.min(2 ** this.#successes, MOST_AT_ONCE) - this.#leased);
  }

  /** One was begun, however it ended. */
  get areBegun(): boolean {
    return this.#leased + this.#successes + this.#failures > 0;
  }

  /** When the next lease lapses, Infinity where none is held. */
  get lapsesAt(): number {
    let first = Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < MOST_AT_ONCE; slot++) first = Math.min(first, this.#lapsesAt[slot] ?? first);
    return first;
  }

  /** What the ended probes say: three successes close with at most one failure, and the first probe may not fail. */
  get verdict(): 'closes' | 'opens' | 'undecided' {
    if (this.#failures > (this.#successes === 0 ? 0 : 1)) return 'opens';
    return this.#successes >= SUCCESSES_TO_CLOSE ? 'closes' : 'undecided';
  }

  restart(): void {
    this.#ids.fill(0);
    this.#lapsesAt.fill(Number.POSITIVE_INFINITY);
    this.#leased = 0;
    this.#successes = 0;
    this.#failures = 0;
  }

  /** `id` is not 0, and used once. Only where one is free. */
  lease(id: number, lapsesAt: number): void {
    const slot = this.#lapsesAt.indexOf(Number.POSITIVE_INFINITY);
    this.#ids[slot] = id;
    this.#lapsesAt[slot] = lapsesAt;
    this.#leased++;
  }

  holds(id: number): boolean {
    return this.#ids.includes(id);
  }

  /** Ends a lease; false where it is not held: it lapsed, or was of another time. */
  release(id: number): boolean {
    const slot = this.#ids.indexOf(id);
    if (slot < 0) return false;
    this.#free(slot);
    return true;
  }

  /** The lease that lapses first has lapsed, which is a failure. */
  lapse(): void {
    this.#free(this.#lapsesAt.indexOf(this.lapsesAt));
    this.#failures++;
  }

  count(isFailure: boolean): void {
    if (isFailure) this.#failures++;
    else this.#successes++;
  }

  #free(slot: number): void {
    this.#ids[slot] = 0;
    this.#lapsesAt[slot] = Number.POSITIVE_INFINITY;
    this.#leased--;
  }
}
