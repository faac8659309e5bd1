import type { Problem } from '../../errors.ts';
import { HoldfastError } from '../../errors.ts';
import { isJson } from '../../queue/strategies/jsonValue.ts';
import { suggestion } from '../../suggestion.ts';

/** Options that every adapter has. */
export interface BatchOptions {
  /** Letters, digits, `-` and `_`: stored with requests. One queue has no two of a name. @default the name of the function */
  readonly name?: string | undefined;
  /** The most members of one call. `maxBatchSize` of the queue holds as well. @default what the protocol takes */
  readonly maxItems?: number | undefined;
  /** The most bytes of the bodies and paths of its members together. @default 1 MiB */
  readonly maxBytes?: number | undefined;
  /** What counts against the server's rates: the call as `one`, or `each` member. @default 'one' */
  readonly countsAs?: 'one' | 'each' | undefined;
}

const COMMON: readonly string[] = ['name', 'maxItems', 'maxBytes', 'countsAs'];
const LIMITS = { maxBytes: 1_048_576, countsAs: 'one' } as const;

/** Collects everything that is wrong with the options of an adapter. */
export class OptionCheck {
  readonly #what: string;
  readonly #problems: Problem[] = [];

  constructor(what: string) {
    this.#what = what;
  }

  expect(path: string, isRight: boolean, expected: string, got: unknown): void {
    if (!isRight) this.#problems.push({ path, expected, got: describe(got) });
  }

  /** An object with no other keys than these; rubbish is taken for one that has none. */
  keys(path: string, value: unknown, known: readonly string[]): Readonly<Record<string, unknown>> {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    this.expect(path === '' ? 'options' : path, isObject, 'an object', value);
    if (!isObject) return {};
    for (const key of Object.keys(value).filter((name) => !known.includes(name))) {
      const expected = suggestion(key, known);
      this.#problems.push({ path: path === '' ? key : `${path}.${key}`, expected, got: 'an unknown option' });
    }
    return { ...value };
  }

  pointer(path: string, value: unknown, isNeeded = false): void {
    const isRight = isNeeded ? isPointer(value) : value === undefined || isPointer(value);
    this.expect(path, isRight, "a JSON pointer such as '/items', or '' for the whole", value);
  }

  count(path: string, value: unknown, min: number): void {
    const isRight = value === undefined || (Number.isSafeInteger(value) && (value as number) >= min);
    this.expect(path, isRight, `a whole number of at least ${min}`, value);
  }

  oneOf(path: string, value: unknown, ...values: readonly (string | undefined)[]): void {
    const words = values.filter((one) => one !== undefined).map((one) => `'${one}'`);
    this.expect(path, (values as readonly unknown[]).includes(value), `one of ${words.join(', ')}`, value);
  }

  status(path: string, value: unknown): void {
    const isRight =
      value === undefined || (Number.isInteger(value) && (value as number) >= 200 && (value as number) < 600);
    this.expect(path, isRight, 'a status from 200 to 599', value);
  }

  callback(path: string, value: unknown): void {
    this.expect(path, value === undefined || typeof value === 'function', 'a function', value);
  }

  json(path: string, value: unknown): void {
    this.expect(path, value === undefined || isJson(value), 'JSON', value);
  }

  headerNames(path: string, value: unknown): void {
    const isRight =
      value === undefined || (Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== ''));
    this.expect(path, isRight, 'a list of header names', value);
  }

  /** @throws CONFIG_INVALID with everything that is wrong */
  done(): void {
    if (this.#problems.length === 0) return;
    const words = this.#problems.map(({ path, expected, got }) => `${path} (expected ${expected}, got ${got})`);
    const message = `The options of ${this.#what} cannot be used: ${words.join('; ')}.`;
    throw new HoldfastError('CONFIG_INVALID', message, { problems: this.#problems });
  }
}

/** Looks at the options all have and at the names of all; gives the options as what they are until the rest is looked at. */
export function checkBatchOptions(
  check: OptionCheck,
  options: unknown,
  known: readonly string[],
): Readonly<Record<string, unknown>> {
  const given = check.keys('', options, [...COMMON, ...known]);
  const { name, maxItems, maxBytes, countsAs } = given;
  const isName = name === undefined || (typeof name === 'string' && /^[\w-]{1,100}$/.test(name));
  check.expect('name', isName, "up to 100 letters, digits, '-' and '_'", name);
  check.count('maxItems', maxItems, 2);
  check.count('maxBytes', maxBytes, 1);
  check.oneOf('countsAs', countsAs, undefined, 'one', 'each');
  return given;
}

/** The options all have, with what holds where one is not given. */
export function limitsOf(
  given: BatchOptions,
  defaults: {
    readonly name: string;
    readonly maxItems: number;
    readonly maxBytes?: number;
    readonly countsAs?: 'each';
  },
): { readonly name: string; readonly maxItems: number; readonly maxBytes: number; readonly countsAs: 'one' | 'each' } {
  return {
    name: given.name ?? defaults.name,
    maxItems: given.maxItems ?? defaults.maxItems,
    maxBytes: given.maxBytes ?? defaults.maxBytes ?? LIMITS.maxBytes,
    countsAs: given.countsAs ?? defaults.countsAs ?? LIMITS.countsAs,
  };
}

/** Header names as they are compared. */
export function lowerCased(names: readonly string[] | undefined): readonly string[] {
  return (names ?? []).map((name) => name.toLowerCase());
}

function isPointer(value: unknown): boolean {
  return typeof value === 'string' && /^(?:\/(?:[^~/]|~[01])*)*$/.test(value);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) return String(value);
  return typeof value === 'object' ? (Array.isArray(value) ? 'a list' : 'an object') : `a ${typeof value}`;
}
