import { expect } from 'vitest';
import { nativeFetch } from './nativeFetch.ts';
import type { Fetch } from './types.ts';

/** How a call ended, as a value: nothing rejects unheard while a case waits for something else. */
export type Ending<T> = { readonly value: T } | { readonly error: unknown };

export function ending<T>(promise: Promise<T>): Promise<Ending<T>> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
}

/** The reason of a rejection; fails where there is none. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const end = await ending(promise);
  if ('error' in end) return end.error;
  expect.fail('it was fulfilled');
}

/** What code that sorts errors looks at. */
export interface Portrait {
  readonly class: unknown;
  readonly tag: string;
  readonly name: unknown;
  readonly message: unknown;
  readonly code: unknown;
  readonly cause: Portrait | undefined;
}

export function portrait(error: unknown): Portrait {
  const { name, message, code, cause } = Object(error) as Record<string, unknown>;
  return {
    class: (Object(error) as object).constructor,
    tag: Object.prototype.toString.call(error),
    name,
    message,
    code,
    cause: cause === undefined ? undefined : portrait(cause),
  };
}

/** The call is rejected as native fetch rejects it in the same run. */
export async function expectNativeRejection(fetch: Fetch, call: (fetch: Fetch) => Promise<unknown>): Promise<Portrait> {
  const native = portrait(await rejection(call(nativeFetch)));
  expect(portrait(await rejection(call(fetch)))).toEqual(native);
  return native;
}
