const BUCKETS = 15;

/** What the window holds, as counts of calls. */
export interface WindowCounts {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
}

/**
 * The calls that ended within the last `windowMs`, as sums that are kept while they change: nothing is added up when asked. Time
 * alone empties it, also where no call came: what is an hour old never counts.
 */
export class CallWindow implements WindowCounts {
  #bucketMs: number;
  /** The number of the newest bucket, counted from time 0. */
  #newest = 0;
  readonly #calls = new Uint32Array(BUCKETS);
  readonly #failures = new Uint32Array(BUCKETS);
  readonly #slow = new Uint32Array(BUCKETS);
  #callSum = 0;
  #failureSum = 0;
  #slowSum = 0;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  get calls(): number {
    return this.#callSum;
  }

  get failures(): number {
    return this.#failureSum;
  }

  get slow(): number {
    return this.#slowSum;
  }

  /** In [0, 1]; 0 where there is no call. */
  get failureRate(): number {
    return this.#callSum === 0 ? 0 : this.#failureSum / this.#callSum;
  }

  get windowMs(): number {
    return this.#bucketMs * BUCKETS;
  }

  /** Drops what is too old at `now`: to be called before anything is read. */
  moveTo(now: number): void {
    const bucket = Math.floor(now / this.#bucketMs);
    if (bucket <= this.#newest) return;
    if (bucket - this.#newest >= BUCKETS) this.clear();
    else for (let passed = this.#newest + 1; passed <= bucket; passed++) this.#empty(passed % BUCKETS);
    this.#newest = bucket;
  }

  add(isFailure: boolean, isSlow: boolean, now: number): void {
    this.moveTo(now);
    this.#addTo(this.#newest % BUCKETS, 1, isFailure ? 1 : 0, isSlow ? 1 : 0);
  }

  clear(): void {
    this.#calls.fill(0);
    this.#failures.fill(0);
    this.#slow.fill(0);
    this.#callSum = 0;
    this.#failureSum = 0;
    this.#slowSum = 0;
  }

  /** Another length; what lies within it stays, each bucket at the time it began. */
  resize(windowMs: number): void {
    if (windowMs === this.windowMs) return;
    const [bucketMs, newest] = [this.#bucketMs, this.#newest];
    const [calls, failures, slow] = [this.#calls.slice(), this.#failures.slice(), this.#slow.slice()];
    this.clear();
    this.#bucketMs = windowMs / BUCKETS;
    this.#newest = Math.floor((newest * bucketMs) / this.#bucketMs);
    for (let bucket = Math.max(0, newest - BUCKETS + 1); bucket <= newest; bucket++) {
      const target = Math.floor((bucket * bucketMs) / this.#bucketMs);
      const from = bucket % BUCKETS;
      if (target <= this.#newest - BUCKETS) continue;
      this.#addTo(target % BUCKETS, calls[from] ?? 0, failures[from] ?? 0, slow[from] ?? 0);
    }
  }

  #addTo(index: number, calls: number, failures: number, slow: number): void {
    this.#calls[index] = (this.#calls[index] ?? 0) + calls;
    this.#failures[index] = (this.#failures[index] ?? 0) + failures;
    this.#slow[index] = (this.#slow[index] ?? 0) + slow;
    this.#callSum += calls;
    this.#failureSum += failures;
    this.#slowSum += slow;
  }

  #empty(index: number): void {
    this.#callSum -= this.#calls[index] ?? 0;
    this.#failureSum -= this.#failures[index] ?? 0;
    this.#slowSum -= this.#slow[index] ?? 0;
    this.#calls[index] = 0;
    this.#failures[index] = 0;
    this.#slow[index] = 0;
  }
}
