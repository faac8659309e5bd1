import { hasCondition } from '../../queue/strategies/conditions.ts';
import type { JsonObject } from '../../queue/strategies/jsonValue.ts';
import { isJsonArray, isJsonObject } from '../../queue/strategies/jsonValue.ts';
import { percentDecoded } from '../../queue/strategies/percentDecoded.ts';
import type { BatchCandidate } from '../../queue/types/batch.ts';
import type { Json } from '../../queue/types/request.ts';
import type { BulkArrayOptions } from './bulkArrayOptions.ts';
import { PLACEHOLDER } from './bulkArrayOptions.ts';
import { hasBody, jsonBody } from './jsonMember.ts';
import { pathPattern } from './pathPattern.ts';
import { joinRaw, rawMembers, wrapRaw } from './rawJson.ts';

/** A single request as one of many. */
export interface BulkInput {
  /** Parts of its path, as they stand there. */
  readonly parts: Readonly<Record<string, string>>;
  readonly search: string;
  /** What its id in the path means; undefined where there is none. */
  readonly id: string | undefined;
  /** JSON text of its entry, without what is echoed. */
  readonly entry: string;
}

const WHOLE_NUMBER = /^(?:0|-?[1-9]\d*)$/;

/** Reads a request as an input; undefined where it has to go alone. */
export function bulkInputReader(options: BulkArrayOptions): (candidate: BatchCandidate) => BulkInput | undefined {
  const { wrap = '', add = {} } = options.entry ?? {};
  const pattern = pathPattern(options.path);
  const echoed = options.match.by === 'echo' ? [options.match.field] : [];
  const added = [...Object.keys(add), ...echoed];

  return (candidate) => {
    if (candidate.method !== options.method || hasCondition(candidate.headers)) return undefined;
    const match = pattern.match(candidate.path);
    const decoded = match && decodeAll(match.parts);
    if (match === undefined || decoded === undefined) return undefined;
    const own = ownMembers(candidate, wrap, added);
    const extra = filled(add, decoded);
    if (own === undefined || extra === undefined) return undefined;
    const { id } = decoded;
    return { ...match, id, entry: typeof own === 'string' ? own : joinRaw([...own, ...extra]) };
  };
}

/** The entry with the id of its member in it. */
export function withEcho(entry: string, field: string, id: string): string {
  return joinRaw([...(rawMembers(entry) ?? []), [field, JSON.stringify(id)]]);
}

/** What of an entry the request's own body is: its members, or the text of what nothing is added to. */
function ownMembers(
  candidate: BatchCandidate,
  wrap: string,
  added: readonly string[],
): readonly (readonly [string, string])[] | string | undefined {
  if (!hasBody(candidate)) return candidate.method === 'DELETE' && wrap === '' ? [] : undefined;
  const body = candidate.method === 'DELETE' ? undefined : jsonBody(candidate);
  if (body === undefined) return undefined;
  const wrapped = wrapRaw(body, wrap);
  if (added.length === 0) return wrapped;
  const members = rawMembers(wrapped);
  return members?.some(([name]) => added.includes(name)) ? undefined : members;
}

function decodeAll(parts: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const decoded = Object.entries(parts).map(([name, part]) => [name, percentDecoded(part)] as const);
  const isWhole = decoded.every((entry): entry is readonly [string, string] => entry[1] !== undefined);
  return isWhole ? Object.fromEntries(decoded) : undefined;
}

/** JSON texts of the added fields; undefined where a part is no number that should be one. */
function filled(add: JsonObject, parts: Readonly<Record<string, string>>): [string, string][] | undefined {
  const result: [string, string][] = [];
  for (const [name, value] of Object.entries(add)) {
    const text = textOf(value, parts);
    if (text === undefined) return undefined;
    result.push([name, text]);
  }
  return result;
}

function textOf(value: Json, parts: Readonly<Record<string, string>>): string | undefined {
  if (typeof value === 'string') return stringText(value, parts);
  if (isJsonArray(value)) {
    const items = value.map((item) => textOf(item, parts));
    return items.includes(undefined) ? undefined : `[${items.join(',')}]`;
  }
  if (!isJsonObject(value)) return JSON.stringify(value);
  const members = filled(value, parts);
  return members && joinRaw(members);
}

function stringText(value: string, parts: Readonly<Record<string, string>>): string | undefined {
  const asNumber = /^\{(\w+):number\}$/.exec(value)?.[1];
  if (asNumber === undefined)
    return JSON.stringify(value.replaceAll(PLACEHOLDER, (_, name: string) => parts[name] ?? ''));
  const part = parts[asNumber] ?? '';
  return WHOLE_NUMBER.test(part) ? part : undefined;
}
