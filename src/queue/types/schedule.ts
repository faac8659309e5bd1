import type { Json } from './request.ts';

/** A schedule as stored. What it asks for and how far it has got is `data`, opaque to backends. */
export interface StoredSchedule {
  /** Not empty, and well-formed Unicode. */
  readonly name: string;
  /**
   * One more with every write. A new schedule starts above what any deleted one had (at 1, where none was deleted), so that no
   * version of a name is met twice.
   */
  readonly version: number;
  /** Epoch ms at which it fires next; null: never by itself (paused, or over). */
  readonly dueAt: number | null;
  readonly data: Json;
}

/** Where a schedule stands among those that are due. */
export interface Place {
  readonly dueAt: number;
  readonly name: string;
}

/**
 * Schedules of recurring requests, by name, with an index by due time. The rules of `RequestStore` hold for its verbs; writes are told to
 * the other handles by `RequestStore.watch`. How one fires: see `Firing`. Names and times other than {@link StoredSchedule} allows are
 * refused with `REQUEST_INVALID`.
 */
export interface ScheduleStore {
  /** Writes, unless `ifVersion` is given and differs from the stored version (0: absent). Gives the new version, or undefined when it lost. */
  set(query: {
    readonly name: string;
    readonly dueAt: number | null;
    readonly data: Json;
    readonly ifVersion?: number | undefined;
  }): Promise<number | undefined>;
  /** In the order asked; undefined where there is none. */
  get(query: { readonly names: readonly string[] }): Promise<(StoredSchedule | undefined)[]>;
  /** By name, ascending by its UTF-8 bytes, strictly after `after`, at most `limit`. */
  list(query: { readonly after: string | null; readonly limit: number }): Promise<StoredSchedule[]>;
  /** False where there is none, or another version than `ifVersion`. */
  delete(query: { readonly name: string; readonly ifVersion?: number | undefined }): Promise<boolean>;
  /** Those due at `now` or before, earliest first, ties by name as in `list`, strictly after `after` where given, at most `limit`. Reads no others. */
  due(query: {
    readonly now: number;
    readonly limit: number;
    readonly after?: Place | undefined;
  }): Promise<StoredSchedule[]>;
  /** When the first is due, met already or not; null where none is. One read of the index, however many there are. */
  nextDueAt(): Promise<number | null>;
}
