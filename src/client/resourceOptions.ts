import type { Problem } from '../errors.ts';
import { HoldfastError } from '../errors.ts';
import { problemWords } from '../problemWords.ts';
import type { ProbeFunction } from '../queue/core/config/options.ts';
import type { Schema } from '../queue/core/handles/schema.ts';
import type { ResourceRules } from '../queue/core/resources.ts';
import type { ConflictStrategy } from '../queue/strategies/conflict.ts';
import type { OnUnknown } from '../queue/types/request.ts';
import { suggestion } from '../suggestion.ts';

/** One kind of thing that an API has, and what is to be done about it when things go wrong: written once, by the author of the client. */
export interface ResourceOptions<T = unknown> extends Omit<ResourceRules, 'name' | 'onConflict'> {
  /** Where they are made and listed, below the client's base: `/tickets`. One of them is at `/tickets/<id>`. */
  readonly path: string;
  /** What one of them is: any Standard Schema. @default unchecked */
  readonly schema?: Schema<T> | undefined;
  /** JSON pointer to the id in what creating one answers. @default '/id' */
  readonly yields?: string | undefined;
  /** What becomes of a change that meets another version on the server. @default 'merge' where what it is based on is known, else a person decides */
  readonly onConflict?: ConflictStrategy | undefined;
  /** What becomes of a write of which nobody can find out whether it was applied. @default 'hold' */
  readonly onUnknown?: OnUnknown | undefined;
  /** Content type of changes. Either is taken for a merge patch (RFC 7396). @default 'application/merge-patch+json' */
  readonly patchType?: 'application/merge-patch+json' | 'application/json' | undefined;
}

const KNOWN: Readonly<Record<keyof ResourceOptions, true>> = {
  path: true,
  schema: true,
  yields: true,
  version: true,
  staleAfterMs: true,
  onConflict: true,
  onGone: true,
  deleteWins: true,
  equals: true,
  onUnknown: true,
  probe: true,
  stamp: true,
  squash: true,
  patchType: true,
};
const NAMED_STRATEGIES: readonly unknown[] = ['server-wins', 'client-wins', 'merge', 'manual', 'fail'];

/** @throws CONFIG_INVALID with everything that is wrong with them */
export function assertResource(name: unknown, options: Omit<ResourceOptions, 'schema'>): void {
  const problems: Problem[] = [];
  const expect = (path: string, isRight: boolean, expected: string): void => {
    if (!isRight) problems.push({ path, expected, got: 'something else' });
  };
  for (const key of Object.keys(options)) {
    if (Object.hasOwn(KNOWN, key)) continue;
    problems.push({ path: key, expected: suggestion(key, Object.keys(KNOWN)), got: 'an unknown option' });
  }
  const { path, yields, version, staleAfterMs, onConflict, onGone, onUnknown, probe, stamp, patchType } = options;
  expect('name', typeof name === 'string' && name !== '', 'a non-empty string');
  expect('path', typeof path === 'string' && /^\/[^?#]*[^/?#]$/.test(path), "a path such as '/tickets'");
  expect('yields', yields === undefined || isPointer(yields), 'a JSON pointer such as /id');
  expect('version', version === undefined || version === 'etag' || isPointer(version), "'etag' or a JSON pointer");
  const isSpan = staleAfterMs === undefined || (Number.isSafeInteger(staleAfterMs) && staleAfterMs >= 0);
  expect('staleAfterMs', isSpan, 'milliseconds, a whole number');
  expect('onConflict', isStrategy(onConflict), 'a strategy by name, { merge }, { lww }, { reapply } or a function');
  expect('onGone', [undefined, 'drop', 'hold', 'recreate'].includes(onGone), "'drop', 'hold' or 'recreate'");
  expect('onUnknown', [undefined, 'hold', 'resend', 'drop'].includes(onUnknown), "'hold', 'resend' or 'drop'");
  expect('probe', probe === undefined || typeof (probe as ProbeFunction) === 'function', 'a function');
  const isStamp = stamp === undefined || (typeof stamp?.field === 'string' && typeof stamp.path === 'function');
  expect('stamp', isStamp, '{ field, path: (request, stamp) => path }');
  const types = [undefined, 'application/merge-patch+json', 'application/json'];
  expect('patchType', types.includes(patchType), 'one of application/merge-patch+json, application/json');
  for (const flag of ['squash', 'deleteWins'] as const) {
    expect(flag, options[flag] === undefined || typeof options[flag] === 'boolean', 'a boolean');
  }
  expect('equals', options.equals === undefined || typeof options.equals === 'function', 'a function');
  if (problems.length === 0) return;
  const message = `The resource ${String(name)} is not declared right: ${problemWords(problems)}`;
  throw new HoldfastError('CONFIG_INVALID', message, { problems });
}

function isPointer(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith('/') && value.length > 1;
}

function isStrategy(value: unknown): boolean {
  if (value === undefined || typeof value === 'function' || NAMED_STRATEGIES.includes(value)) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { merge, lww, reapply } = value as { merge?: unknown; lww?: unknown; reapply?: unknown };
  return (typeof merge === 'object' && merge !== null) || typeof lww === 'string' || typeof reapply === 'function';
}
