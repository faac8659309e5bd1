import type { Json } from './request.ts';
import type { ScheduleStore } from './schedule.ts';
import type { RequestStore } from './store.ts';

/** What a committed verb survives. `process`: a killed process; `disk`: power loss; `replicated`: loss of a machine. */
export type Durability = 'none' | 'process' | 'disk' | 'replicated';

/** Differences between backends, as data. Shared code asks these; it never tests a class or a name. */
export interface BackendCapabilities {
  /** For messages, events and metrics: `memory`, `sqlite`, … */
  readonly kind: string;
  readonly durability: Durability;
  /** Several processes may open the same store at once. */
  readonly shared: boolean;
  /** `now`/`leaseNow` parameters are used as given; false where the store judges by a clock of its own. */
  readonly acceptsTime: boolean;
  /** `open` resolves, and `enqueue` accepts, also while the store is away: a queue starts, and makes up for the rest later. @default false */
  readonly opensOffline?: boolean | undefined;
}

/**
 * Who a worker is, stored with what it leases. A worker is presumed dead early only when `bootId` and `pidNamespace`
 * equal the observer's and no process of that `pid` and `processStart` runs.
 */
export interface WorkerIdentity {
  /** Unique per started queue: UUIDv7. */
  readonly worker: string;
  readonly bootId: string;
  readonly pidNamespace: string;
  readonly pid: number;
  /** Start time of the process in the system's own unit, as text; '' where it cannot be told. */
  readonly processStart: string;
}

export interface OpenOptions {
  readonly identity: WorkerIdentity;
  readonly now: number;
  readonly leaseNow: number;
  /** A worker that did not renew its lease of life for so long is dead. */
  readonly leaseMs: number;
  /** True when the given process surely no longer runs. */
  readonly isGone: (other: WorkerIdentity) => boolean;
}

/**
 * A store of requests with its companions. `open` and `close` are idempotent; a verb before `open` or after
 * `close` rejects with `BACKEND_UNAVAILABLE`. `open` writes the worker's identity; `keepAlive` renews its lease of life;
 * `close` gives it up.
 */
export interface Backend {
  readonly capabilities: BackendCapabilities;
  readonly requests: RequestStore;
  readonly schedules: ScheduleStore;
  readonly shared: SharedState;
  readonly history: History;
  open(options: OpenOptions): Promise<void>;
  keepAlive(query: { readonly worker: string; readonly leaseNow: number }): Promise<void>;
  close(): Promise<void>;
}

/** Small values, leases, semaphores and buckets that processes share. All atomic; lapsed entries count as absent. */
export interface SharedState {
  get(query: { readonly key: string; readonly now: number }): Promise<SharedValue | undefined>;
  /**
   * Writes unless `ifVersion` is given and differs from the stored version (0: absent). Returns the new version, or
   * undefined when it lost. `expiresAt` null keeps it for ever.
   */
  set(query: {
    readonly key: string;
    readonly value: Json;
    readonly expiresAt: number | null;
    readonly now: number;
    readonly ifVersion?: number | undefined;
  }): Promise<number | undefined>;
  delete(query: { readonly key: string }): Promise<boolean>;
  /** Keys with their values under a prefix, by key, at most `limit`. */
  list(query: {
    readonly prefix: string;
    readonly now: number;
    readonly limit: number;
  }): Promise<(SharedValue & { readonly key: string })[]>;

  /** One of `permits` places under `key` for `holder` until `expiresAt`; true also when it already has one (extended). A lease is a semaphore of one. */
  acquire(query: {
    readonly key: string;
    readonly holder: string;
    readonly permits: number;
    readonly now: number;
    readonly expiresAt: number;
  }): Promise<boolean>;
  release(query: { readonly key: string; readonly holder: string }): Promise<boolean>;

  /**
   * Takes `cost` tokens from the bucket (GCRA: capacity `burst`, refilled at `ratePerSecond`). Returns 0 when taken, else
   * the ms until it could be; nothing is taken then. A cost below 0 gives so many back, as far as the bucket is not full.
   */
  take(query: {
    readonly key: string;
    readonly cost: number;
    readonly ratePerSecond: number;
    readonly burst: number;
    readonly now: number;
  }): Promise<number>;
}

export interface SharedValue {
  readonly value: Json;
  readonly version: number;
  readonly expiresAt: number | null;
}

/** Append-only streams with a bounded length. */
export interface History {
  /** Appends and returns the entries' sequence numbers (ascending over all streams). */
  append(query: {
    readonly entries: readonly { readonly stream: string; readonly at: number; readonly data: Json }[];
  }): Promise<number[]>;
  /** Entries of a stream with `seq > after`, ascending, at most `limit`. */
  query(query: { readonly stream: string; readonly after: number; readonly limit: number }): Promise<HistoryEntry[]>;
  /** Drops the oldest entries of a stream beyond `keep` newest ones or older than `before`. Returns how many. */
  trim(query: { readonly stream: string; readonly keep: number; readonly before: number }): Promise<number>;
}

export interface HistoryEntry {
  readonly seq: number;
  readonly stream: string;
  readonly at: number;
  readonly data: Json;
}
