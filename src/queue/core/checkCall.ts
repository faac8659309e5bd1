import type { Problem } from '../../errors.ts';
import { suggestion } from '../../suggestion.ts';
import { assertHeaders } from '../strategies/headers.ts';
import { parseLocalId } from '../strategies/localId.ts';
import { priorityNumber } from '../strategies/priority.ts';
import type { RequestInput, RequestOptions } from '../types/calls.ts';
import type { Effect, HeaderList, OnFailure, OnUnknown } from '../types/request.ts';
import type { EncodedBody } from './body.ts';
import { headerOf, listHeaders } from './headerList.ts';
import { invalidRequest } from './target.ts';

const FIELDS: ReadonlySet<string> = new Set(
  Object.keys({ method: true, url: true, headers: true, body: true } satisfies Record<keyof RequestInput, true>),
);

const EFFECTS: ReadonlySet<unknown> = new Set(
  Object.keys({
    read: true,
    absolute: true,
    delete: true,
    create: true,
    action: true,
    relative: true,
  } satisfies Record<Effect, true>),
);

const ON_FAILURE: ReadonlySet<unknown> = new Set<OnFailure>(['continue', 'halt', 'cascade']);
const ON_UNKNOWN: ReadonlySet<unknown> = new Set<OnUnknown>(['hold', 'resend', 'drop']);

/** Options of a request, by name. */
export const REQUEST_OPTIONS: ReadonlySet<string> = new Set(
  Object.keys({
    priority: true,
    lane: true,
    effect: true,
    key: true,
    notBefore: true,
    deadline: true,
    after: true,
    tags: true,
    dedupe: true,
    principal: true,
    zone: true,
    base: true,
    localId: true,
    yields: true,
    onFailure: true,
    onUnknown: true,
    resource: true,
    signal: true,
  } satisfies Record<keyof RequestOptions, true>),
);

/** The parts of a call that are read while they are checked. */
export interface ValidCall {
  readonly listed: HeaderList;
  readonly priority: number;
  /** Epoch ms. */
  readonly notBefore: number | null;
  /** Epoch ms. */
  readonly deadline: number | null;
}

/** Refuses what is no request, and misspelled fields: a body or headers that go missing without a word are worse than an error. */
export function checkInput(input: RequestInput): void {
  if (typeof input !== 'object' || input === null) {
    throw invalidRequest([{ path: 'request', expected: 'an object with method and url', got: nameOf(input) }]);
  }
  let problems: Problem[] | undefined;
  for (const name of Object.keys(input)) {
    if (FIELDS.has(name)) continue;
    problems ??= [];
    problems.push({ path: name, expected: suggestion(name, [...FIELDS]), got: 'an unknown field' });
  }
  if (problems !== undefined) throw invalidRequest(problems);
}

/** What a call asks for, where all of it is right: else REQUEST_INVALID with everything that is wrong. */
export function validCall(
  { input, options }: { readonly input: RequestInput; readonly options: RequestOptions },
  encoded: EncodedBody,
  maxBytes: number,
): ValidCall {
  const problems: Problem[] = [];
  const listed = withContentType(listHeaders(input.headers, problems), encoded.contentType);
  assertHeaders(listed, problems);
  const priority = priorityNumber(options.priority);
  if (priority === undefined) {
    problems.push({ path: 'priority', expected: '1 to 10 or the name of a priority', got: String(options.priority) });
  }
  const notBefore = instant(options.notBefore, 'notBefore', problems);
  const deadline = instant(options.deadline, 'deadline', problems);
  if (encoded.bytes > maxBytes) {
    problems.push({ path: 'body', expected: `at most ${maxBytes} bytes (maxBytes)`, got: `${encoded.bytes} bytes` });
  }
  for (const name of Object.keys(options)) {
    if (!REQUEST_OPTIONS.has(name)) {
      problems.push({
        path: `options.${name}`,
        expected: suggestion(name, [...REQUEST_OPTIONS]),
        got: 'an unknown option',
      });
    }
  }
  checkOptions(options, problems);
  for (const name of ['key', 'lane', 'principal'] as const) {
    const value = options[name];
    if (value === undefined || (name === 'lane' && value === null)) continue;
    if (typeof value !== 'string' || value === '')
      problems.push({ path: name, expected: 'a non-empty string', got: String(value) });
  }
  if (priority === undefined || problems.length > 0) throw invalidRequest(problems);
  return { listed, priority, notBefore, deadline };
}

/** With the content type of the body, where the caller named none. */
export function withContentType(headers: HeaderList, contentType: string | null): HeaderList {
  if (contentType === null || headerOf(headers, 'content-type') !== null) return headers;
  return [...headers, ['content-type', contentType]];
}

function instant(given: number | Date | undefined, path: string, problems: Problem[]): number | null {
  if (given === undefined) return null;
  const ms = given instanceof Date ? given.getTime() : given;
  if (typeof ms === 'number' && Number.isFinite(ms)) return ms;
  problems.push({ path, expected: 'epoch milliseconds or a valid Date', got: String(given) });
  return null;
}

/** Adds a problem for every option that is not what its type says and that would be stored as it is. */
export function checkOptions(options: RequestOptions, problems: Problem[]): void {
  const { effect, tags, after, base, dedupe } = options;
  if (effect !== undefined && !EFFECTS.has(effect)) {
    problems.push({ path: 'effect', expected: `one of ${[...EFFECTS].join(', ')}`, got: String(effect) });
  }
  if (dedupe !== undefined && typeof dedupe !== 'boolean') {
    problems.push({ path: 'dedupe', expected: 'a boolean', got: nameOf(dedupe) });
  }
  checkIntent(options, problems);
  if (tags !== undefined) checkTexts('tags', tags, problems);
  if (after !== undefined) checkTexts('after', after, problems);
  if (base !== undefined && !isJson(base)) {
    problems.push({ path: 'base', expected: 'a value that JSON can express', got: nameOf(base) });
  }
}

function checkIntent({ localId, yields, onFailure, onUnknown, resource }: RequestOptions, problems: Problem[]): void {
  if (localId !== undefined && parseLocalId(localId) === undefined) {
    problems.push({ path: 'localId', expected: 'a local id that queue.localId() gave', got: nameOf(localId) });
  }
  if (yields !== undefined && !(typeof yields === 'string' && yields.startsWith('/'))) {
    problems.push({ path: 'yields', expected: 'a JSON pointer such as /id', got: String(yields) });
  }
  if (onFailure !== undefined && !ON_FAILURE.has(onFailure)) {
    problems.push({ path: 'onFailure', expected: `one of ${[...ON_FAILURE].join(', ')}`, got: String(onFailure) });
  }
  if (onUnknown !== undefined && !ON_UNKNOWN.has(onUnknown)) {
    problems.push({ path: 'onUnknown', expected: `one of ${[...ON_UNKNOWN].join(', ')}`, got: String(onUnknown) });
  }
  if (resource !== undefined && (typeof resource !== 'string' || resource === '')) {
    problems.push({ path: 'resource', expected: 'the name of a resource', got: nameOf(resource) });
  }
}

function checkTexts(path: string, given: unknown, problems: Problem[]): void {
  if (Array.isArray(given) && given.every((one) => typeof one === 'string' && one !== '')) return;
  problems.push({ path, expected: 'an array of non-empty strings', got: nameOf(given) });
}

function isJson(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

/** What a value is, without what it holds. */
function nameOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array with something else' : typeof value;
}
