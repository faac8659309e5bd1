import * as z from 'zod';
import { hasMethods, isRecord } from './fields.ts';

const NAME = /^[A-Za-z0-9_-]{1,100}$/;

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 1;
const isFunction = (value: unknown): boolean => value === undefined || typeof value === 'function';

/** What the members of an adapter must be, by name. */
const FIELDS: Readonly<Record<string, readonly [expected: string, isRight: (value: unknown) => boolean]>> = {
  name: ["up to 100 letters, digits, '-' and '_'", (v) => typeof v === 'string' && NAME.test(v)],
  maxItems: ['a whole number of at least 1', isCount],
  maxBytes: ['a whole number of bytes of at least 1', (v) => v === undefined || isCount(v)],
  countsAs: ["one of 'one', 'each'", (v) => v === undefined || v === 'one' || v === 'each'],
  carriesHeaders: ['true or false', (v) => typeof v === 'boolean'],
  next: ['a function', isFunction],
  refused: ['a function', isFunction],
};

/** One adapter, or a list of some. They may be objects of a class, so nothing is said of what else they have. */
export const batch = z.unknown().superRefine((value, context) => {
  if (value === undefined) return;
  const isList = Array.isArray(value);
  const names = new Set<unknown>();
  for (const [index, adapter] of (isList ? value : [value]).entries()) {
    const at = isList ? [index] : [];
    if (!isRecord(adapter) || !hasMethods(adapter, 'key', 'compose', 'outcomes')) {
      context.addIssue({ code: 'custom', path: at, message: 'an adapter with key, compose and outcomes' });
      continue;
    }
    for (const [field, [expected, isRight]] of Object.entries(FIELDS)) {
      if (!isRight(adapter[field])) context.addIssue({ code: 'custom', path: [...at, field], message: expected });
    }
    const { name } = adapter;
    if (names.has(name)) {
      context.addIssue({
        code: 'custom',
        path: [...at, 'name'],
        message: 'a name that no other adapter of the zone has',
      });
    }
    names.add(name);
  }
});
