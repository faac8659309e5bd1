import type { Json } from '../types/request.ts';

/** A JSON object. */
export type JsonObject = { readonly [key: string]: Json };

/** Deeper documents are not looked into, so that a hostile one cannot exhaust the stack. */
export const MAX_DEPTH = 200;

/** Whether a JSON value is an object, and no array. */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a JSON value is an array. */
export function isJsonArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

/** A field of an object; null where it has none of that name. Only own ones count, whatever they are called. */
export function fieldOf(object: JsonObject, name: string): Json {
  return Object.hasOwn(object, name) ? (object[name] ?? null) : null;
}

/** Whether something foreign is JSON as it stands: plain objects and arrays of finite numbers, strings, booleans and null, not too deep. */
export function isJson(value: unknown, depth = 0): value is Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || depth >= MAX_DEPTH) return false;
  // A hole in an array is no value, and `every` would skip it.
  if (Array.isArray(value)) return Array.from(value).every((item) => isJson(item, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).every((item) => isJson(item, depth + 1));
}

/** Makes sure that what a function of the user's gave is JSON. A promise comes too late, and its rejection is nobody's. */
export function assertJson(value: unknown, what: string): asserts value is Json {
  if (isJson(value)) return;
  assertNow(value, what);
  throw new TypeError(`${what} is not JSON`);
}

/** Makes sure that a function of the user's gave its answer at once. */
export function assertNow(value: unknown, what: string): void {
  if (typeof value !== 'object' || value === null || !('then' in value)) return;
  Promise.resolve(value).catch(() => undefined);
  throw new TypeError(`${what} is a promise: the answer has to be there at once`);
}
