import { fieldOf, isJson, isJsonArray, isJsonObject } from '../../queue/strategies/jsonValue.ts';
import type { BatchAnswer, BatchMember, BatchOutcome } from '../../queue/types/batch.ts';
import type { Json } from '../../queue/types/request.ts';
import type { Operation } from './atomicOperation.ts';
import { answered, answerJson, headerOf, missing, notServed, statusOf } from './outcomes.ts';
import { rawAt, rawItems, rawMembers, rawScalar } from './rawJson.ts';

const JSON_API = 'application/vnd.api+json';
const POINTER = /^\/atomic:operations\/(0|[1-9]\d*)(\/.*)?$/;
/** They say nothing of an operation, whatever they point at. */
const OF_THE_CALL: readonly number[] = [401, 407, 408, 425, 429];

/** Results by position. Nothing is believed of a list of another length, or with a result that is about something else. */
export function atomicResults(
  answer: BatchAnswer,
  members: readonly BatchMember[],
  operations: readonly (Operation | undefined)[],
): readonly BatchOutcome[] {
  if (answer.status === 204) return members.map((member) => answered(member, 204, undefined));
  const raw = answerJson(answer);
  const list = raw === undefined ? undefined : rawAt(raw, '/atomic:results');
  const results = (list === undefined ? undefined : rawItems(list)) ?? [];
  const isWhole = results.length === members.length && results.every((result, at) => isAbout(result, operations[at]));
  if (!isWhole) return members.map(missing);
  return members.map((member, at) => {
    const result = results[at] ?? '{}';
    const data = rawAt(result, '/data');
    const isEmpty = (data === undefined || data === 'null') && rawAt(result, '/meta') === undefined;
    if (isEmpty) return answered(member, 204, undefined);
    if (operations[at]?.makesResource !== true) return answered(member, 200, result, JSON_API);
    const self = rawScalar(rawAt(result, '/data/links/self'));
    return answered(member, 201, result, JSON_API, headerOf('location', self));
  });
}

function isAbout(result: string, operation: Operation | undefined): boolean {
  if (rawMembers(result) === undefined) return false;
  const isSame = (name: 'type' | 'id'): boolean => {
    const given = rawScalar(rawAt(result, `/data/${name}`));
    return given === undefined || operation?.[name] === undefined || given === operation[name];
  };
  return isSame('type') && isSame('id');
}

/** All was undone. Who is named by an error has that as its answer; without a name, nobody knows whose fault it was. */
export function atomicRefusal(
  answer: BatchAnswer,
  members: readonly BatchMember[],
): readonly BatchOutcome[] | undefined {
  if (answer.status < 400 || answer.status > 499 || OF_THE_CALL.includes(answer.status)) return undefined;
  const raw = answerJson(answer);
  const document: unknown = raw === undefined ? undefined : JSON.parse(raw);
  if (!isJson(document) || !isJsonObject(document)) return undefined; // or it is too deep to be written again
  const errors = fieldOf(document, 'errors');
  const named = new Map<number, Json[]>();
  for (const error of isJsonArray(errors) ? errors : []) {
    const found = nameOf(error);
    if (found === undefined || found.at >= members.length) continue;
    named.set(found.at, [...(named.get(found.at) ?? []), found.error]);
  }
  if (named.size === 0) return undefined;
  return members.map((member, at) => {
    const own = named.get(at);
    if (own === undefined) return notServed(member);
    return answered(member, ownStatus(own, answer.status), JSON.stringify({ errors: own }), JSON_API);
  });
}

/** Whose error it is, and the error as it would point into a document of its own. */
function nameOf(error: Json): { readonly at: number; readonly error: Json } | undefined {
  if (!isJsonObject(error)) return undefined;
  const source = fieldOf(error, 'source');
  const pointer = isJsonObject(source) ? fieldOf(source, 'pointer') : null;
  const match = typeof pointer === 'string' ? POINTER.exec(pointer) : null;
  if (match === null || !isJsonObject(source)) return undefined;
  return { at: Number(match[1]), error: { ...error, source: { ...source, pointer: match[2] ?? '' } } };
}

/** Its own, if all its errors have the same and it is one of a refusal. */
function ownStatus(errors: readonly Json[], otherwise: number): number {
  const [first, ...others] = errors.map((error) => (isJsonObject(error) ? fieldOf(error, 'status') : null));
  const status = statusOf(typeof first === 'string' || typeof first === 'number' ? String(first) : undefined);
  const isOne = others.every((other) => String(other) === String(first));
  return status !== undefined && status >= 400 && isOne ? status : otherwise;
}
