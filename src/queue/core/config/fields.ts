import * as z from 'zod';

/** Ten years: longer waits are a slip of the unit. */
const MAX_MS = 10 * 365 * 86_400_000;

/**
 * A value that passes `accepts`; `expected` is what the problem says was wanted. One kind of field for all options, so that every
 * message reads alike.
 */
export function field<T>(expected: string, accepts: (value: unknown) => boolean): z.ZodType<T> {
  return z.custom<T>(accepts, { error: expected });
}

/** A whole number of at least `min`. */
export function count(min: number, unit = ''): z.ZodType<number> {
  return field(`a whole number${unit} of at least ${min}`, (v) => Number.isSafeInteger(v) && (v as number) >= min);
}

/** A span of time in whole ms. */
export function duration(min: number): z.ZodType<number> {
  const expected = `milliseconds: a whole number from ${min} to ${MAX_MS} (ten years)`;
  return field(expected, (v) => Number.isSafeInteger(v) && (v as number) >= min && (v as number) <= MAX_MS);
}

export function oneOf<const T extends string>(...values: readonly T[]): z.ZodType<T> {
  return field(`one of ${values.map((value) => `'${value}'`).join(', ')}`, (v) =>
    (values as readonly unknown[]).includes(v),
  );
}

export const flag: z.ZodType<boolean> = field('true or false', (v) => typeof v === 'boolean');

/** A function; what it takes and gives is up to the caller's types. */
export function callback<T>(): z.ZodType<T> {
  return field('a function', (v) => typeof v === 'function');
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object with these methods: somebody's implementation of a port. */
export function hasMethods(value: unknown, ...names: readonly string[]): boolean {
  return isRecord(value) && names.every((name) => typeof value[name] === 'function');
}
