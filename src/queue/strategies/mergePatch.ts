import type { Json } from '../types/request.ts';
import { deepEqual } from './deepEqual.ts';
import type { JsonObject } from './jsonValue.ts';
import { isJsonObject } from './jsonValue.ts';

/** What a merge patch makes of a value (RFC 7396): objects field by field, null removes, all else takes the place of what was there. */
export function applyMergePatch(target: Json, patch: Json): Json {
  if (!isJsonObject(patch)) return patch;
  const fields = new Map(isJsonObject(target) ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) fields.delete(name);
    else fields.set(name, applyMergePatch(fields.get(name) ?? null, value));
  }
  return Object.fromEntries(fields);
}

/**
 * The one patch that does what two do in a row; undefined where there is none: a patch can put an object in the place of another value only
 * by adding to what is there.
 */
export function composeMergePatches(first: JsonObject, second: JsonObject): JsonObject | undefined {
  const fields = new Map(Object.entries(first));
  for (const [name, value] of Object.entries(second)) {
    const earlier = fields.get(name);
    if (!isJsonObject(value) || earlier === undefined) {
      fields.set(name, value);
      continue;
    }
    const both = isJsonObject(earlier) ? composeMergePatches(earlier, value) : undefined;
    if (both === undefined) return undefined;
    fields.set(name, both);
  }
  return Object.fromEntries(fields);
}

/** The patch that makes `to` of `from`. Nulls inside an object of `to` come out as absent: no patch can set them. */
export function mergePatchBetween(from: Json, to: Json): Json {
  if (!isJsonObject(from) || !isJsonObject(to)) return to;
  const fields = new Map<string, Json>();
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) fields.set(name, null);
  for (const [name, value] of Object.entries(to)) {
    const earlier = Object.hasOwn(from, name) ? (from[name] ?? null) : null;
    if (!deepEqual(earlier, value)) fields.set(name, mergePatchBetween(earlier, value));
  }
  return Object.fromEntries(fields);
}

/** What a field is meant to be, on top of what it was: a PATCH sends only what is to change in it (RFC 7396). */
export function intendedValue(method: string, before: Json, sent: Json): Json {
  return method === 'PATCH' ? applyMergePatch(before, sent) : sent;
}
