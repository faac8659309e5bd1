import type { Body, Json, RequestContent } from '../types/request.ts';
import { parseExactly } from './exactJson.ts';
import { headerValue } from './headerValue.ts';
import type { JsonObject } from './jsonValue.ts';
import { isJsonObject } from './jsonValue.ts';
import { applyMergePatch, composeMergePatches } from './mergePatch.ts';

const MERGE_PATCH = 'application/merge-patch+json';

/**
 * The body of one request that does what two do in a row; undefined where that cannot be said for sure: of bodies that are not JSON or hold
 * numbers that would be rounded, and where it depends on how the server reads them.
 */
export function squashedBody(first: RequestContent, second: RequestContent): string | undefined {
  const [earlier, later] = [jsonText(first), jsonText(second)];
  if (earlier === undefined || later === undefined) return undefined;
  const [before, after] = [parseExactly(earlier), parseExactly(later)];
  if (before === undefined || after === undefined) return undefined;
  if (second.method === 'PUT') return isCovered(before, after) && isSameType(first, second) ? later : undefined;
  if (second.method !== 'PATCH' || !isJsonObject(before) || !isJsonObject(after)) return undefined;
  const isMergePatch = mediaType(second) === MERGE_PATCH;
  if (first.method === 'PUT' && isBeyond(before, after)) return undefined;
  if (first.method !== 'PATCH') return patched(before, after, isMergePatch);
  return isSameType(first, second) ? composed(before, after, isMergePatch) : undefined;
}

/** The later whole says something of every field of the earlier one. */
function isCovered(before: Json, after: Json): boolean {
  if (!isJsonObject(before)) return !isJsonObject(after);
  return isJsonObject(after) && Object.keys(before).every((field) => Object.hasOwn(after, field));
}

/** The patch removes a field, or goes into one that the whole leaves out: not every server removed that before. */
function isBeyond(whole: JsonObject, patch: JsonObject): boolean {
  return Object.entries(patch).some(
    ([field, value]) => value === null || (isJsonObject(value) && !Object.hasOwn(whole, field)),
  );
}

function patched(whole: JsonObject, patch: JsonObject, isMergePatch: boolean): string | undefined {
  if (isMergePatch) return JSON.stringify(applyMergePatch(whole, patch));
  return Object.values(patch).every(isPlain) ? JSON.stringify(overlaid(whole, patch)) : undefined;
}

function composed(first: JsonObject, second: JsonObject, isMergePatch: boolean): string | undefined {
  if (isMergePatch) {
    const patch = composeMergePatches(first, second);
    return patch && JSON.stringify(patch);
  }
  const isTorn = Object.keys(second).some((field) => Object.hasOwn(first, field) && isJsonObject(second[field]));
  return isTorn ? undefined : JSON.stringify(overlaid(first, second));
}

/** Another kind of patch may set null or remove by it, replace an object or go into it. */
function isPlain(value: Json): boolean {
  return value !== null && !isJsonObject(value);
}

function overlaid(under: JsonObject, over: JsonObject): JsonObject {
  return Object.fromEntries([...Object.entries(under), ...Object.entries(over)]);
}

/** A patch of another type than the whole is what it always is. */
function isSameType(first: RequestContent, second: RequestContent): boolean {
  return (first.method === 'PATCH' && second.method === 'PUT') || mediaType(first) === mediaType(second);
}

function mediaType({ headers }: RequestContent): string {
  return (headerValue(headers, 'content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function jsonText(content: RequestContent): string | undefined {
  const type = mediaType(content);
  return type === 'application/json' || type.endsWith('+json') ? textOf(content.body) : undefined;
}

function textOf(body: Body): string | undefined {
  if (body === null || typeof body === 'string') return body ?? undefined;
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  return text.includes('\uFFFD') ? undefined : text; // bytes that are no text would be lost
}
