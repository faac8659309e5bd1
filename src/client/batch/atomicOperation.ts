import { hasCondition } from '../../queue/strategies/conditions.ts';
import { headerValue } from '../../queue/strategies/headerValue.ts';
import { percentDecoded } from '../../queue/strategies/percentDecoded.ts';
import type { BatchCandidate } from '../../queue/types/batch.ts';
import type { AtomicOperationsOptions } from './atomicOptions.ts';
import { hasBody, jsonBody } from './jsonMember.ts';
import { joinRaw, rawAt, rawItems, rawMembers, rawScalar } from './rawJson.ts';

/** A single write of JSON:API as an operation. */
export interface Operation {
  /** Its JSON text. */
  readonly text: string;
  readonly makesResource: boolean;
  /** What its result is about, where it has data of a resource. */
  readonly type: string | undefined;
  readonly id: string | undefined;
}

/** What a path names. */
interface Target {
  readonly type: string;
  readonly id: string | undefined;
  readonly relationship: string | undefined;
}

const OPERATIONS: Readonly<Record<string, string>> = { POST: 'add', PATCH: 'update', DELETE: 'remove' };

/** Reads a request as an operation; undefined where it has to go alone. */
export function operationReader(
  options: AtomicOperationsOptions,
): (candidate: BatchCandidate) => Operation | undefined {
  const { base = '', types = {}, target = 'ref' } = options;

  return (candidate) => {
    const op = OPERATIONS[candidate.method];
    if (op === undefined || hasCondition(candidate.headers)) return undefined;
    const named = targetOf(candidate.path, base, types);
    // Only what makes a thing names no thing, and that is always done to a collection.
    if (named === undefined || (named.relationship === undefined && (named.id === undefined) !== (op === 'add'))) {
      return undefined;
    }
    const isRemoval = op === 'remove' && named.relationship === undefined;
    if (isRemoval === hasBody(candidate)) return undefined;
    const data = isRemoval ? undefined : dataOf(candidate);
    if (!isRemoval && (data === undefined || !fits(data, op, named))) return undefined;
    const { id, relationship } = named;
    const ref = {
      type: named.type,
      ...(id !== undefined && { id }),
      ...(relationship !== undefined && { relationship }),
    };
    const place: readonly (readonly [string, string])[] =
      target === 'href'
        ? [['href', JSON.stringify(candidate.path)]]
        : isRemoval || relationship !== undefined
          ? [['ref', JSON.stringify(ref)]]
          : [];
    const isResource = relationship === undefined;
    return {
      text: joinRaw([['op', JSON.stringify(op)], ...place, ...(data === undefined ? [] : [['data', data] as const])]),
      makesResource: op === 'add' && isResource,
      type: isResource && data !== undefined ? rawScalar(rawAt(data, '/type')) : undefined,
      id: isResource ? id : undefined,
    };
  };
}

function targetOf(path: string, base: string, types: Readonly<Record<string, string>>): Target | undefined {
  if (!path.startsWith(`${base}/`) || path.includes('?')) return undefined;
  const parts = path
    .slice(base.length + 1)
    .split('/')
    .map(percentDecoded);
  if (parts.length > 4 || parts.some((part) => part === undefined || part === '')) return undefined;
  const [name = '', id, word, relationship] = parts;
  if (parts.length > 2 && (word !== 'relationships' || relationship === undefined)) return undefined;
  return { type: Object.hasOwn(types, name) ? (types[name] ?? name) : name, id, relationship };
}

/** The data of a document that has nothing else which an operation could not say. */
function dataOf(candidate: BatchCandidate): string | undefined {
  if (headerValue(candidate.headers, 'content-type')?.includes('ext=')) return undefined;
  const body = jsonBody(candidate);
  const members = body === undefined ? undefined : rawMembers(body);
  const isPlain = members?.every(([name]) => name === 'data' || name === 'jsonapi');
  return isPlain ? members?.findLast(([name]) => name === 'data')?.[1] : undefined;
}

/** Whether it is data of such an operation: a local id has a meaning within one document only. */
function fits(data: string, op: string, { id, relationship }: Target): boolean {
  if (relationship !== undefined) return op === 'update' || rawItems(data) !== undefined;
  const type = rawAt(data, '/type');
  if (rawScalar(type) === undefined || rawAt(data, '/lid') !== undefined) return false;
  return op === 'add' || rawScalar(rawAt(data, '/id')) === id;
}
