import type { Json } from './request.ts';

/** A schedule as stored. What it asks for and how far it has got is `data`, opaque to backends. */
export interface StoredSchedule {
  readonly name: string;
  /** Raised by every write; 1 when new. */
  readonly version: number;
  /** Epoch ms at which it fires next; null: never by itself (paused, or over). */
  readonly dueAt: number | null;
  readonly data: Json;
}

/**
 * Schedules of recurring requests, by name, with an index by due time. The rules of `RequestStore` hold for its verbs; writes are told to the
 * other handles by `RequestStore.watch`.
 */
export interface ScheduleStore {
  /** Writes, unless `ifVersion` is given and differs from the stored version (0: absent). Gives the new version, or undefined when it lost. */
  set(query: {
    readonly name: string;
    readonly dueAt: number | null;
    readonly data: Json;
    readonly ifVersion?: number | undefined;
  }): Promise<number | undefined>;
  get(query: { readonly names: readonly string[] }): Promise<(StoredSchedule | undefined)[]>;
  /** By name, ascending by its UTF-8 bytes, strictly after `after`, at most `limit`. */
  list(query: { readonly after: string | null; readonly limit: number }): Promise<StoredSchedule[]>;
  /** False where there is none, or another version than `ifVersion`. */
  delete(query: { readonly name: string; readonly ifVersion?: number | undefined }): Promise<boolean>;
  /** Those due at `now`, earliest first, ties by name, at most `limit`. Reads no others. */
  due(query: { readonly now: number; readonly limit: number }): Promise<StoredSchedule[]>;
  /** When the first is due, met already or not; null where none is. One read of the index, however many there are. */
  nextDueAt(): Promise<number | null>;
}

/**
 * What a request does to the schedule it is a firing of. It is accepted (or joins) only while the schedule is at `version`, and the
 * schedule gets `dueAt` and `data`, and a new version, in the same step: so each due time fires once, whoever else tries and
 * wherever a process dies. A request that is refused for any reason leaves the schedule as it is.
 */
export interface Firing {
  readonly name: string;
  readonly version: number;
  readonly dueAt: number | null;
  readonly data: Json;
}
