import type { Problem } from '../../errors.ts';
import { suggestion } from '../../suggestion.ts';
import { parseLocalId } from '../strategies/localId.ts';
import type { RequestInput, RequestOptions } from '../types/calls.ts';
import type { Effect, OnFailure, OnUnknown } from '../types/request.ts';
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
