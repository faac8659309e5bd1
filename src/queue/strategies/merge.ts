import type { Json } from '../types/request.ts';
import type { Conflict, Equals, FieldConflict, FieldResolver, MergeOptions } from './conflict.ts';
import { deepEqual, equalAsSets, identityOf } from './deepEqual.ts';
import type { JsonObject } from './jsonValue.ts';
import { assertJson, fieldOf, isJsonArray } from './jsonValue.ts';
import { intendedValue, mergePatchBetween } from './mergePatch.ts';

/** The three states of what is merged, each an object. */
export interface Sides {
  readonly base: JsonObject;
  readonly local: JsonObject;
  readonly remote: JsonObject;
}

/** What a merge came to. */
export interface Merged {
  /** Fields nobody could decide: nothing may be sent. */
  readonly open: readonly string[];
  /** The server does not show all that was meant and has to be shown. */
  readonly isNeeded: boolean;
  /** A field that both sides changed was left to the server. */
  readonly gaveWay: boolean;
  /** What to send; undefined where that is what was sent. */
  readonly body: JsonObject | undefined;
}

/** What becomes of a field that the change means to set: the value to send for it, or what the server has. */
type Side = { readonly send: Json } | 'agreed' | 'gaveWay' | 'open';

/**
 * Merges field by field: what one side changed is taken from that side, what both made equal stands, and what both changed is
 * decided by its resolver. For a PUT the body is the whole object with what the server changed in it, for a PATCH what is still to be set.
 */
export function mergeFields(conflict: Conflict, sides: Sides, options: MergeOptions, equals?: Equals): Merged {
  const decided = new Map(conflict.changed.map((field) => [field, decide(conflict, sides, field, options, equals)]));
  const sideOf = [...decided.values()];
  const toSend = new Map<string, Json>();
  for (const [field, side] of decided) if (typeof side === 'object') toSend.set(field, side.send);
  const body = conflict.method === 'PUT' ? wholeBody(sides, decided, options) : Object.fromEntries(toSend);
  return {
    open: [...decided.keys()].filter((field) => decided.get(field) === 'open'),
    // A PUT that changes no field can still mean to remove those that it leaves out.
    isNeeded: toSend.size > 0 || decided.size === 0,
    gaveWay: sideOf.includes('gaveWay'),
    body: deepEqual(body, sides.local) ? undefined : body,
  };
}

/** Whether the server shows a field as it was sent. */
export function showsField(method: string, field: string, sent: Json, remote: Json, equals?: Equals): boolean {
  return deepEqual(intendedValue(method, remote, sent), remote) || equals?.(field, sent, remote) === true;
}

function decide(conflict: Conflict, sides: Sides, field: string, options: MergeOptions, equals?: Equals): Side {
  const { method } = conflict;
  const sent = fieldOf(sides.local, field);
  const base = fieldOf(sides.base, field);
  const remote = fieldOf(sides.remote, field);
  const local = intendedValue(method, base, sent);
  const isSet = isSetField(options, field);
  if (isSet && equalAsSets(local, base)) return 'agreed';
  if (isUntouched(sides, field, options)) return { send: sent };
  if (showsField(method, field, sent, remote, equals) || (isSet && equalAsSets(local, remote))) return 'agreed';
  const rule = ruleFor(options, field);
  if (rule === 'local') return { send: sent };
  if (rule === 'remote') return 'gaveWay';
  if (rule !== undefined) {
    const of = { field, base, local, remote };
    return resolved(conflict, of, rule(of));
  }
  const merged = isSet ? mergeSets(base, local, remote) : undefined;
  if (merged === undefined) return 'open';
  return equalAsSets(merged, remote) ? 'agreed' : { send: merged };
}

function resolved({ method, effect }: Conflict, { field, remote }: FieldConflict, value: unknown): Side {
  if (value === undefined) return 'open';
  assertJson(value, `what the field "${field}" was resolved to`);
  if (deepEqual(value, remote)) return 'gaveWay';
  // Only a merge patch is absolute among PATCHes: what it leaves out of an object stays as it is.
  return { send: method === 'PATCH' && effect === 'absolute' ? mergePatchBetween(remote, value) : value };
}

function wholeBody(sides: Sides, decided: ReadonlyMap<string, Side>, options: MergeOptions): JsonObject {
  const { base, local, remote } = sides;
  const body = new Map(Object.entries(local));
  const takeRemote = (field: string): void => {
    if (Object.hasOwn(remote, field)) body.set(field, fieldOf(remote, field));
    else body.delete(field);
  };
  for (const field of new Set([...Object.keys(base), ...Object.keys(remote)])) {
    if (decided.has(field) || isUntouched(sides, field, options)) continue;
    if (Object.hasOwn(local, field) || ruleFor(options, field) !== 'local') takeRemote(field);
  }
  for (const [field, side] of decided) {
    if (typeof side === 'object') body.set(field, side.send);
    else if (side === 'gaveWay' || Object.hasOwn(remote, field)) takeRemote(field);
  }
  return Object.fromEntries(body);
}

/** The server did not change the field. */
function isUntouched({ base, remote }: Sides, field: string, options: MergeOptions): boolean {
  const before = fieldOf(base, field);
  const now = fieldOf(remote, field);
  return isSetField(options, field) ? equalAsSets(before, now) : deepEqual(before, now);
}

/** What the server has, without what was removed and with what was added here; undefined where these are no sets. */
function mergeSets(base: Json, local: Json, remote: Json): readonly Json[] | undefined {
  const [before, here, there] = [base ?? [], local, remote ?? []];
  if (!isJsonArray(before) || !isJsonArray(here) || !isJsonArray(there)) return undefined;
  const [was, is] = [new Set(before.map(identityOf)), new Set(here.map(identityOf))];
  const merged = new Map<string | undefined, Json>();
  for (const item of there) {
    const identity = identityOf(item);
    if (!was.has(identity) || is.has(identity)) merged.set(identity, item);
  }
  for (const item of here) {
    const identity = identityOf(item);
    if (!was.has(identity) && !merged.has(identity)) merged.set(identity, item);
  }
  return was.has(undefined) || merged.has(undefined) ? undefined : [...merged.values()];
}

function isSetField({ arraysAsSets }: MergeOptions, field: string): boolean {
  return arraysAsSets?.includes(field) === true;
}

function ruleFor({ fields }: MergeOptions, field: string): FieldResolver | 'local' | 'remote' | undefined {
  return fields !== undefined && Object.hasOwn(fields, field) ? fields[field] : undefined;
}
