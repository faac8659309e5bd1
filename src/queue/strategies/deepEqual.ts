import type { Json } from '../types/request.ts';
import { canonicalJson } from './canonicalJson.ts';
import { isJsonArray, isJsonObject, MAX_DEPTH } from './jsonValue.ts';

/**
 * Whether two JSON values are the same: objects whatever the order of their keys, arrays in order, all else by value. Own properties only;
 * 0, '', false and null are values like others. Documents that are too deep differ.
 */
export function deepEqual(a: Json, b: Json, depth = 0): boolean {
  if (a === b) return true;
  if (depth >= MAX_DEPTH) return false;
  if (isJsonArray(a)) {
    return (
      isJsonArray(b) && a.length === b.length && a.every((item, index) => deepEqual(item, b[index] ?? null, depth + 1))
    );
  }
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && deepEqual(a[name] ?? null, b[name] ?? null, depth + 1))
  );
}

/** Whether two arrays hold the same values, in any order and number; other values as {@link deepEqual} has it. */
export function equalAsSets(a: Json, b: Json): boolean {
  if (!isJsonArray(a) || !isJsonArray(b)) return deepEqual(a, b);
  const left = new Set(a.map(identityOf));
  const right = new Set(b.map(identityOf));
  if (left.has(undefined) || right.has(undefined)) return false;
  return left.size === right.size && [...left].every((item) => right.has(item));
}

/** What equal values have in common and different ones have not; undefined for a value that is too deep to be told. */
export function identityOf(value: Json): string | undefined {
  return canonicalJson(JSON.stringify(value));
}
