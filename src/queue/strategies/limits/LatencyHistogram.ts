const SLICES = 6;
const SLICE_MS = 50_000;
/** A bucket is 12 % wide: finer than the factors a timeout is made of. */
const BUCKETS_PER_DOUBLING = 6;
/** From 1 ms to 17 min; what is longer counts as that. */
const BUCKETS = 20 * BUCKETS_PER_DOUBLING;

/**
 * How long calls took during the last 5 minutes, in slices of 50 s that are forgotten one at a time. Space and work are
 * fixed: a sample is counted in a bucket, a quantile looks at every bucket once. Times are monotonic ms.
 */
export class LatencyHistogram {
  readonly #slices = new Uint32Array(SLICES * BUCKETS);
  readonly #sizes = new Uint32Array(SLICES);
  readonly #sums = new Uint32Array(BUCKETS);
  #size = 0;
  /** The number of the current slice, counted from time 0. */
  #current = 0;

  add(durationMs: number, now: number): void {
    if (!(durationMs >= 0)) return;
    this.#advance(now);
    const slice = place(this.#current);
    const bucket = bucketOf(durationMs);
    increment(this.#slices, slice * BUCKETS + bucket);
    increment(this.#sizes, slice);
    increment(this.#sums, bucket);
    this.#size += 1;
  }

  size(now: number): number {
    this.#advance(now);
    return this.#size;
  }

  /**
   * The duration that a part `q` of the samples did not exceed, as far as buckets can tell: between those of a bucket as if they were evenly
   * distributed in it. 0 where there are none. As of the latest call of another method.
   */
  quantile(q: number): number {
    if (this.#size === 0) return 0;
    const rank = Math.max(1, Math.ceil(q * this.#size));
    let before = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const count = this.#sums[bucket] ?? 0;
      if (before + count >= rank) return 2 ** ((bucket + (rank - before) / count) / BUCKETS_PER_DOUBLING);
      before += count;
    }
    return 2 ** (BUCKETS / BUCKETS_PER_DOUBLING);
  }

  /** Forgets the slices that are over. */
  #advance(now: number): void {
    const current = Math.floor(now / SLICE_MS);
    const passed = current - this.#current;
    if (passed <= 0) return;
    for (let step = 1; step <= Math.min(passed, SLICES); step += 1) this.#forget(place(this.#current + step));
    this.#current = current;
  }

  #forget(slice: number): void {
    const size = this.#sizes[slice] ?? 0;
    if (size === 0) return;
    this.#size -= size;
    this.#sizes[slice] = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const index = slice * BUCKETS + bucket;
      this.#sums[bucket] = (this.#sums[bucket] ?? 0) - (this.#slices[index] ?? 0);
      this.#slices[index] = 0;
    }
  }
}

function bucketOf(durationMs: number): number {
  if (durationMs <= 1) return 0;
  return Math.min(BUCKETS - 1, Math.floor(Math.log2(durationMs) * BUCKETS_PER_DOUBLING));
}

/** Where the slice of that number is kept. */
function place(slice: number): number {
  return ((slice % SLICES) + SLICES) % SLICES;
}

function increment(counts: Uint32Array, index: number): void {
  counts[index] = (counts[index] ?? 0) + 1;
}
