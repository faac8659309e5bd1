import type { ConflictTrigger } from '../types/events.ts';
import type { Effect, Json } from '../types/request.ts';
import { deepEqual } from './deepEqual.ts';
import type { JsonObject } from './jsonValue.ts';
import { fieldOf, isJsonObject } from './jsonValue.ts';
import { intendedValue } from './mergePatch.ts';

/** A write that met a server with another state than it was made on. */
export interface Conflict {
  readonly trigger: ConflictTrigger;
  /** Of the request, in capitals. */
  readonly method: string;
  readonly effect: Effect;
  /** Snapshot the change was made on; null where it is not known. */
  readonly base: Json;
  /** The body sent; null where there is none, as for a DELETE, or where it is not JSON. */
  readonly local: Json;
  /** What the server has; null where it has nothing. */
  readonly remote: Json;
  /** Top-level fields the change means to set: those sent that differ from `base`; all where `base` is null, and of a PATCH where none differs. */
  readonly changed: readonly string[];
  /** Top-level fields that differ between `base` and `remote`; none where `base` is null. */
  readonly remoteChanged: readonly string[];
  /** 1 for the first conflict of the request. */
  readonly round: number;
  /** Since the request was accepted. */
  readonly ageMs: number;
}

/** What becomes of a write in conflict. */
export type Resolution =
  /** The server's state stands, and the write ends `superseded`. */
  | { readonly action: 'acceptRemote' }
  /** Sent again on top of the server's version, with this body; without one, as it is. */
  | { readonly action: 'resend'; readonly body?: Json | undefined }
  /** The server shows what was meant: the write succeeded. */
  | { readonly action: 'noop' }
  /** A person decides. */
  | { readonly action: 'hold' }
  /** The write fails for good. */
  | { readonly action: 'reject' };

/**
 * Who decides a conflict, and how:
 * - `server-wins`: the server's state stands
 * - `client-wins`: what was sent is sent again on top of it
 * - `merge`: field by field, a field that only one side changed is taken from that side; both changed: as `fields` says, else held
 * - `lww`: the side with the later timestamp wins whole; equal or unreadable ones are held
 * - `reapply`: the change is made again, by this function, on the server's state; undefined is held
 * - `manual`: a person
 * - `fail`: nobody, the write is rejected
 * - a function: its answer, which must come at once
 */
export type ConflictStrategy =
  | 'server-wins'
  | 'client-wins'
  | 'merge'
  | 'manual'
  | 'fail'
  | { readonly merge: MergeOptions }
  /** JSON pointer, or name of a top-level field. */
  | { readonly lww: string }
  | { readonly reapply: (remote: Json, conflict: Conflict) => Json | undefined }
  | ((conflict: Conflict) => Resolution);

/** A field that both sides changed, to different values; null where a side does not have it. */
export interface FieldConflict {
  readonly field: string;
  readonly base: Json;
  /** What the change makes of the field, where a PATCH sends only part of it. */
  readonly local: Json;
  readonly remote: Json;
}

/** Decides a field that both sides changed, at once; undefined where it cannot, and the write is held. */
export type FieldResolver = (of: FieldConflict) => Json | undefined;

/** How single fields are merged. */
export interface MergeOptions {
  /**
   * By top-level field that both sides changed. One that the server changed and a PUT leaves out is put into it, unless it is `local` here.
   * @default held
   */
  readonly fields?: Readonly<Record<string, FieldResolver | 'local' | 'remote'>> | undefined;
  /** Fields whose arrays are sets: their order and repetitions mean nothing, and what either side added or removed is kept. */
  readonly arraysAsSets?: readonly string[] | undefined;
}

/** Whether the server shows a field as it was sent, where it rounds, trims or re-cases; asked where the values differ. */
export type Equals = (field: string, local: Json, remote: Json) => boolean;

/** What was declared about conflicts of a request. */
export interface ConflictRules {
  /** @default 'merge' where the base is known, else 'manual' */
  readonly onConflict: ConflictStrategy | undefined;
  /** A change of what the server has no more. `recreate` is for a PUT; another method is held. @default 'hold' */
  readonly onGone?: 'drop' | 'hold' | 'recreate' | undefined;
  /** A DELETE goes through where the server has another version. @default false: held */
  readonly deleteWins?: boolean | undefined;
  readonly equals?: Equals | undefined;
}

/** Conflicts of one request that are resolved without a person. */
export const MAX_ROUNDS = 5;

/** What {@link conflictOf} is given. */
export type ConflictInput = Omit<Conflict, 'changed' | 'remoteChanged'>;

/**
 * A conflict, with the fields that either side changed. What a PUT leaves out is not taken for changed: most do not send what the
 * server sets itself. Absent and null are the same.
 */
export function conflictOf(input: ConflictInput): Conflict {
  const { base, remote } = input;
  return {
    ...input,
    changed: changedFields(input),
    remoteChanged: isJsonObject(base) ? fieldsThatDiffer(base, isJsonObject(remote) ? remote : {}) : [],
  };
}

function changedFields({ method, base, local }: ConflictInput): string[] {
  if (!isJsonObject(local)) return [];
  const fields = Object.keys(local);
  if (!isJsonObject(base)) return fields;
  const changed = fields.filter((field) => {
    const before = fieldOf(base, field);
    return !deepEqual(intendedValue(method, before, fieldOf(local, field)), before);
  });
  // Who sends nothing but what was there already means it to be there.
  return method === 'PATCH' && changed.length === 0 ? fields : changed;
}

function fieldsThatDiffer(base: JsonObject, remote: JsonObject): string[] {
  const fields = new Set([...Object.keys(base), ...Object.keys(remote)]);
  return [...fields].filter((field) => !deepEqual(fieldOf(base, field), fieldOf(remote, field)));
}
