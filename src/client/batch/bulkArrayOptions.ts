import type { JsonObject } from '../../queue/strategies/jsonValue.ts';
import { isJson, isJsonObject } from '../../queue/strategies/jsonValue.ts';
import type { Json } from '../../queue/types/request.ts';
import type { BatchOptions } from './batchOptions.ts';
import { checkBatchOptions, OptionCheck } from './batchOptions.ts';
import { isPathPattern, PATTERN_EXPECTED, partNames } from './pathPattern.ts';

/** The call that takes many. */
export interface BulkCall {
  /** Parts of the single path may stand in it; they tell calls apart. */
  readonly path: string;
  /** @default that of the single request */
  readonly method?: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | undefined;
  /** JSON pointer to the array in its body: `/inputs`. @default '' (the body is the array) */
  readonly inputs?: string | undefined;
  /** What stands beside the array: `{ allOrNone: false }`. @default nothing */
  readonly fields?: JsonObject | undefined;
}

/** What a single request is within the array. */
export interface BulkEntry {
  /** JSON pointer to its body in the entry: `/properties`. @default '' (the body is the entry) */
  readonly wrap?: string | undefined;
  /** Fields beside it. In their strings `{id}` is the part of the path; `'{id:number}'` is that as a number. @default nothing */
  readonly add?: JsonObject | undefined;
}

/**
 * How answers are told apart:
 * - `position`: as many results as inputs, in the same order
 * - `echo`: `field` is set in each entry, and comes back with its result or error
 * - `id`: by the part `{id}` of the path
 */
export type BulkMatch =
  | { readonly by: 'position' }
  | {
      readonly by: 'echo';
      readonly field: string;
      /** JSON pointer to it in a result. @default the field */
      readonly result?: string | undefined;
      /** JSON pointer to it, or to a list of them, in an error. @default the field */
      readonly error?: string | undefined;
    }
  | {
      readonly by: 'id';
      /** @default '/id' */
      readonly result?: string | undefined;
      /** @default '/id' */
      readonly error?: string | undefined;
    };

/** What a failed entry would have been answered with by itself. */
export interface BulkFailure {
  /** 400 to 599. */
  readonly status: number;
  readonly body?: Json | undefined;
  /** Seconds, or a date. */
  readonly retryAfter?: number | string | undefined;
}

/** What the answer looks like. */
export interface BulkResults {
  /** JSON pointer to the results. @default '' (the whole) */
  readonly results?: string | undefined;
  /** JSON pointer to a list of errors apart from the results. @default none */
  readonly errors?: string | undefined;
  /** JSON pointer to an HTTP status in a result or error. @default none */
  readonly status?: string | undefined;
  /** JSON pointer to a boolean in a result that says whether it succeeded. @default none: what is no error did */
  readonly success?: string | undefined;
  /** JSON pointer in a result to what a single request is answered with. @default '' (the whole) */
  readonly unwrap?: string | undefined;
  /** Status of a success where the result has none. Those of 204 have no body. @default 201 for POST, 204 for DELETE, else 200 */
  readonly succeeded?: number | undefined;
  /** What a failure would have been answered with. Undefined: nobody can tell. @default its status or 400, and the whole as its body */
  readonly failed?: ((item: Json) => BulkFailure | undefined) | undefined;
  /** JSON pointer to the seconds to wait, in a failure. @default none */
  readonly retryAfter?: string | undefined;
}

/** Which requests are folded, how, and what comes back. */
export interface BulkArrayOptions extends BatchOptions {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** The path of a single request: `/objects/{type}`. */
  readonly path: string;
  readonly bulk: BulkCall;
  readonly entry?: BulkEntry | undefined;
  readonly match: BulkMatch;
  readonly answer?: BulkResults | undefined;
  /** Headers that do not change the answer: by all others, requests are told apart. @default none */
  readonly ignoreHeaders?: readonly string[] | undefined;
}

const METHODS = ['POST', 'PUT', 'PATCH', 'DELETE'] as const;
const KNOWN = ['method', 'path', 'bulk', 'entry', 'match', 'answer', 'ignoreHeaders'];
const ANSWER = ['results', 'errors', 'status', 'success', 'unwrap', 'succeeded', 'failed', 'retryAfter'];
/** `{name}` or `{name:number}`. */
export const PLACEHOLDER = /\{(\w+)(:number)?\}/g;

/** @throws CONFIG_INVALID with everything that is wrong with them */
export function assertBulkArrayOptions(options: BulkArrayOptions): void {
  const check = new OptionCheck('bulkArray');
  const { method, path, bulk, entry, match, answer, ignoreHeaders } = checkBatchOptions(check, options, KNOWN);
  check.oneOf('method', method, ...METHODS);
  check.expect('path', isPathPattern(path), PATTERN_EXPECTED, path);
  const parts = isPathPattern(path) ? partNames(path) : [];
  checkBulk(check, bulk, parts);
  if (entry !== undefined) checkEntry(check, entry, parts);
  checkMatch(check, match, parts);
  if (answer !== undefined) checkAnswer(check, answer, match);
  check.headerNames('ignoreHeaders', ignoreHeaders);
  check.done();
}

function checkBulk(check: OptionCheck, bulk: unknown, parts: readonly string[]): void {
  const { path, method, inputs, fields } = check.keys('bulk', bulk, ['path', 'method', 'inputs', 'fields']);
  const isPath = isPathPattern(path) && partNames(path).every((name) => parts.includes(name));
  check.expect('bulk.path', isPath, "a path that starts with '/', without query, with parts of `path`", path);
  check.oneOf('bulk.method', method, undefined, ...METHODS);
  check.pointer('bulk.inputs', inputs);
  if (fields === undefined) return;
  const isFree = isPlainObject(fields) && !Object.hasOwn(fields, firstName(inputs));
  check.expect(
    'bulk.fields',
    isFree && firstName(inputs) !== '',
    'fields beside the array that `inputs` names',
    fields,
  );
}

function checkEntry(check: OptionCheck, entry: unknown, parts: readonly string[]): void {
  const { wrap, add } = check.keys('entry', entry, ['wrap', 'add']);
  check.pointer('entry.wrap', wrap);
  if (add === undefined) return;
  const isFree = isPlainObject(add) && (firstName(wrap) === '' || !Object.hasOwn(add, firstName(wrap)));
  check.expect('entry.add', isFree, 'fields beside that of `wrap`', add);
  const named = isPlainObject(add)
    ? [...JSON.stringify(add).matchAll(PLACEHOLDER)].map(([, name]) => name as string)
    : [];
  const unknown = named.find((name) => !parts.includes(name));
  check.expect('entry.add', unknown === undefined, 'parts of `path` in braces', unknown);
}

function checkMatch(check: OptionCheck, match: unknown, parts: readonly string[]): void {
  const { by, field, result, error } = check.keys('match', match, ['by', 'field', 'result', 'error']);
  check.oneOf('match.by', by, 'position', 'echo', 'id');
  if (by === 'echo')
    check.expect('match.field', typeof field === 'string' && field !== '', 'the name of a field', field);
  else check.expect('match.field', field === undefined, "nothing, but with by: 'echo'", field);
  if (by === 'id') check.expect('path', parts.includes('id'), "{id} in it, with match.by: 'id'", parts);
  const isByName = by !== 'position' || (result === undefined && error === undefined);
  check.expect('match', isByName, "no pointers with by: 'position'", match);
  check.pointer('match.result', result);
  check.pointer('match.error', error);
}

function checkAnswer(check: OptionCheck, answer: unknown, match: unknown): void {
  const given = check.keys('answer', answer, ANSWER);
  const { succeeded, failed, errors } = given;
  for (const name of ['results', 'errors', 'status', 'success', 'unwrap', 'retryAfter']) {
    check.pointer(`answer.${name}`, given[name]);
  }
  const isSuccess = succeeded === undefined || [200, 201, 202, 204].includes(succeeded as number);
  check.expect('answer.succeeded', isSuccess, '200, 201, 202 or 204', succeeded);
  check.callback('answer.failed', failed);
  const isByPosition = typeof match === 'object' && match !== null && 'by' in match && match.by === 'position';
  const isApart = errors === undefined || !isByPosition;
  check.expect('answer.errors', isApart, "nothing with match.by: 'position', which errors apart do not have", errors);
}

function isPlainObject(value: unknown): value is JsonObject {
  return isJson(value) && isJsonObject(value);
}

function firstName(pointer: unknown): string {
  const [, name = ''] = typeof pointer === 'string' ? pointer.split('/') : [];
  return name.replaceAll('~1', '/').replaceAll('~0', '~');
}
