import type { Problem } from '../../errors.ts';
import { REQUEST_OPTIONS } from '../../queue/core/checkCall.ts';
import { SETTINGS } from '../../queue/core/fetchSettings.ts';
import { invalidRequest } from '../../queue/core/target.ts';
import type { RequestOptions } from '../../queue/types/calls.ts';
import type { FetchOptions, FetchSettings } from '../../queue/types/fetch.ts';
import { suggestion } from '../../suggestion.ts';

/** What concerns `fetch`, and what is the queue's. */
export interface SplitOptions {
  readonly settings: FetchSettings & Pick<FetchOptions, 'attemptTimeoutMs'>;
  readonly options: RequestOptions;
}

/** Options over options: what is undefined overrides nothing. */
export function over(base: FetchOptions, ...nearer: readonly (FetchOptions | undefined)[]): FetchOptions {
  let merged: Record<string, unknown> | undefined;
  for (const options of nearer) {
    if (options === undefined) continue;
    if (typeof options !== 'object' || options === null) {
      throw invalidRequest([{ path: 'queue', expected: 'an object of options', got: String(options) }]);
    }
    for (const [name, value] of Object.entries(options)) {
      if (value === undefined) continue;
      merged ??= { ...base };
      merged[name] = value;
    }
  }
  return merged ?? base;
}

/** @throws REQUEST_INVALID for values that a setting cannot have */
export function splitOptions(given: FetchOptions): SplitOptions {
  const { respond, offline, mode, honorPrefer, noRetryHeaders, attemptTimeoutMs, ...options } = given;
  const problems: Problem[] = [];
  const oneOf = (path: string, value: unknown, ...allowed: readonly unknown[]): void => {
    if (value === undefined || allowed.includes(value)) return;
    problems.push({ path, expected: `one of ${allowed.join(', ')}`, got: String(value) });
  };
  oneOf('respond', respond, 'settled', 'accepted');
  oneOf('offline', offline, 'wait', 'accept', 'reject', 'rejectAndKeep');
  oneOf('mode', mode, 'queue', 'bypass');
  oneOf('honorPrefer', honorPrefer, true, false);
  oneOf('noRetryHeaders', noRetryHeaders, true, false);
  if (attemptTimeoutMs !== undefined && !(Number.isFinite(attemptTimeoutMs) && attemptTimeoutMs > 0)) {
    problems.push({ path: 'attemptTimeoutMs', expected: 'milliseconds above 0', got: String(attemptTimeoutMs) });
  }
  const known = [...REQUEST_OPTIONS, ...SETTINGS, 'attemptTimeoutMs'];
  for (const name of Object.keys(options)) {
    if (name === 'signal' || REQUEST_OPTIONS.has(name)) continue;
    problems.push({ path: `queue.${name}`, expected: suggestion(name, known), got: 'an unknown option' });
  }
  if ('signal' in options)
    problems.push({ path: 'signal', expected: 'to stand in init, as with any fetch', got: 'an option' });
  if (problems.length > 0) throw invalidRequest(problems);
  return { settings: { respond, offline, mode, honorPrefer, noRetryHeaders, attemptTimeoutMs }, options };
}
