import type { SharedState, SharedValue } from '../../types/backend.ts';
import type { Json } from '../../types/request.ts';
import type { MemoryStorage, SharedRow } from './MemoryStorage.ts';

type Query<Verb extends keyof SharedState> = Parameters<SharedState[Verb]>[0];

const SWEEP_EVERY = 1024;

/** The verbs of {@link SharedState} on a memory store, each in one synchronous step. Values are kept as text. */
export class MemorySharedState {
  readonly #storage: MemoryStorage;
  #untilSweep = SWEEP_EVERY;

  constructor(storage: MemoryStorage) {
    this.#storage = storage;
  }

  get({ key, now }: Query<'get'>): SharedValue | undefined {
    const row = this.#present(key, now);
    return row === undefined ? undefined : toValue(row);
  }

  set({ key, value, expiresAt, now, ifVersion }: Query<'set'>): number | undefined {
    const storage = this.#storage;
    if (ifVersion !== undefined && ifVersion !== (this.#present(key, now)?.version ?? 0)) return undefined;
    this.#untilSweep -= 1;
    if (this.#untilSweep <= 0) this.#sweep(now);
    const version = ++storage.lastVersion;
    storage.shared.set(key, { text: JSON.stringify(value), version, expiresAt });
    return version;
  }

  delete({ key }: Query<'delete'>): boolean {
    return this.#storage.shared.delete(key);
  }

  list({ prefix, now, limit }: Query<'list'>): (SharedValue & { readonly key: string })[] {
    const found: (SharedValue & { readonly key: string })[] = [];
    for (const [key, row] of this.#storage.shared) {
      if (key.startsWith(prefix) && !hasLapsed(row, now)) found.push({ key, ...toValue(row) });
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1)).slice(0, limit);
  }

  acquire({ key, holder, permits, now, expiresAt }: Query<'acquire'>): boolean {
    const { holders } = this.#storage;
    let places = holders.get(key);
    if (places === undefined) {
      places = new Map();
      holders.set(key, places);
    }
    for (const [other, until] of places) if (until <= now) places.delete(other);
    const isTaken = places.has(holder) || places.size < permits;
    if (isTaken) places.set(holder, expiresAt);
    else if (places.size === 0) holders.delete(key);
    return isTaken;
  }

  release({ key, holder }: Query<'release'>): boolean {
    const places = this.#storage.holders.get(key);
    if (places?.delete(holder) !== true) return false;
    if (places.size === 0) this.#storage.holders.delete(key);
    return true;
  }

  /** GCRA: the bucket is the instant at which it would be full again. */
  take({ key, cost, ratePerSecond, burst, now }: Query<'take'>): number {
    const { buckets } = this.#storage;
    if (cost > burst) return Number.POSITIVE_INFINITY;
    const perToken = 1000 / ratePerSecond;
    const window = burst * perToken;
    // never further ahead than an empty bucket: a clock that stepped back must not stall it
    const full = Math.min(Math.max(buckets.get(key) ?? now, now), now + window);
    const next = full + cost * perToken;
    const waitMs = next - window - now;
    // what is left of a rounding error is not worth a wait
    const isTaken = waitMs <= 1e-6;
    buckets.set(key, isTaken ? next : full);
    return isTaken ? 0 : Math.ceil(waitMs);
  }

  #present(key: string, now: number): SharedRow | undefined {
    const row = this.#storage.shared.get(key);
    return row === undefined || hasLapsed(row, now) ? undefined : row;
  }

  /** Drops what lapsed and was never asked for again. */
  #sweep(now: number): void {
    const { shared, buckets, holders } = this.#storage;
    for (const [key, row] of shared) if (hasLapsed(row, now)) shared.delete(key);
    for (const [key, full] of buckets) if (full <= now) buckets.delete(key);
    for (const [key, places] of holders) {
      for (const [holder, until] of places) if (until <= now) places.delete(holder);
      if (places.size === 0) holders.delete(key);
    }
    this.#untilSweep = SWEEP_EVERY + shared.size;
  }
}

function hasLapsed(row: SharedRow, now: number): boolean {
  return row.expiresAt !== null && row.expiresAt <= now;
}

function toValue(row: SharedRow): SharedValue {
  return { value: JSON.parse(row.text) as Json, version: row.version, expiresAt: row.expiresAt }; // written by set
}
