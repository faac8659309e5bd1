import type { MissedPolicy } from '../../strategies/schedule/plan.ts';
import type { RequestInput, RequestOptions } from '../../types/calls.ts';

/**
 * What becomes of a due time while the request of the one before has not ended:
 * - `skip`: it does not fire
 * - `queue`: it fires, and its request waits for that one
 * - `replace`: it fires; that one is cancelled if it was never sent, else its request waits for it
 * - `allow`: it fires
 */
export type OverlapPolicy = 'skip' | 'queue' | 'replace' | 'allow';

/** How the requests of a schedule are queued: options of every request, but for those that say when, and by which key. */
export interface FiringOptions
  extends Pick<
    RequestOptions,
    'priority' | 'lane' | 'effect' | 'tags' | 'principal' | 'zone' | 'onFailure' | 'onUnknown'
  > {
  /** Name of the `ApiClient` whose credentials its requests have. They are made by processes that have constructed it. @default that of its zone */
  readonly client?: string | undefined;
  /** Ms after its firing from which a request is not sent any more. @default none for writes, `readTtlMs` for reads */
  readonly expiresAfterMs?: number | undefined;
}

/** A recurring request. Either `cron` or `everyMs` says when. */
export interface ScheduleOptions {
  /** Five fields; six with seconds before them, seven with years behind these. Also `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. */
  readonly cron?: string | undefined;
  /** Name of the time zone that `cron` is read in, such as `Europe/Berlin`. @default 'UTC' */
  readonly timeZone?: string | undefined;
  /** At least 1,000. Counted from `startAt`, without one from the epoch: 3,600,000 is due at each full hour (UTC). */
  readonly everyMs?: number | undefined;
  /** Epoch ms or Date before which it is not due. @default at once */
  readonly startAt?: number | Date | undefined;
  /** Epoch ms or Date after which it is not due. @default never */
  readonly endAt?: number | Date | undefined;
  /** What is sent. Credentials are no part of it: its zone attaches them (`auth`). */
  readonly request: RequestInput;
  readonly options?: FiringOptions | undefined;
  /** What becomes of a due time while the request before has not ended. @default 'skip', with `missed: 'runAll'` 'queue' */
  readonly overlap?: OverlapPolicy | undefined;
  /** What becomes of due times that passed while nobody could fire. @default 'runOnce' */
  readonly missed?: MissedPolicy | undefined;
  /** The most that `runAll` makes up for, 1 to 1,000; the latest. @default 100 */
  readonly maxMissed?: number | undefined;
  /**
   * Each firing is put off by 0 to so many ms, drawn anew for each due time and otherwise in each store, so that many who have the same
   * schedule do not all call in the same second. At most a day. @default 0
   */
  readonly jitterMs?: number | undefined;
}

/** A schedule as it stands. */
export interface ScheduleState {
  readonly name: string;
  /** `over`: nothing is due any more. */
  readonly state: 'active' | 'paused' | 'over';
  /** Changes of its definition so far, 1 for the first one. */
  readonly generation: number;
  readonly definition: ScheduleDefinition;
  /** Epoch ms of the next due time, met already or not; null while none is to come. */
  readonly dueAt: number | null;
  /** Its latest firing, by its time or by hand (`dueAt` null); null before the first. */
  readonly last: { readonly dueAt: number | null; readonly firedAt: number; readonly requestId: string } | null;
  /** Requests it made. */
  readonly fired: number;
  /** Due times that made no request, for whatever reason; of a cron that was far behind at least so many. */
  readonly missed: number;
  /** Those of them that met the request before them. */
  readonly overlapped: number;
  /** Why its latest due time could not fire, until one does; null otherwise. */
  readonly problem: { readonly at: number; readonly code: string; readonly message: string } | null;
}

/** A definition with its defaults. */
export interface ScheduleDefinition {
  readonly cron: string | null;
  readonly timeZone: string | null;
  readonly everyMs: number | null;
  readonly startAt: number | null;
  readonly endAt: number | null;
  /** The failure domain it is sent to. A process that does not know it leaves the firing to one that does. */
  readonly zone: string;
  readonly request: {
    readonly method: string;
    /** With query, relative to the zone. */
    readonly path: string;
    readonly headers: readonly (readonly [name: string, value: string])[];
    /** Bytes as base64. */
    readonly body: { readonly text: string } | { readonly base64: string } | null;
  };
  readonly options: Omit<FiringOptions, 'zone'>;
  readonly overlap: OverlapPolicy;
  readonly missed: MissedPolicy;
  readonly maxMissed: number;
  readonly jitterMs: number;
}

/** A page of schedules, by name. */
export interface SchedulePage {
  readonly schedules: readonly ScheduleState[];
  /** Cursor of the next page, null at the end. */
  readonly next: string | null;
}
