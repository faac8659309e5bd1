import { HoldfastError } from '../../errors.ts';

/** A secret, or where to get the present one. */
export type TokenSource = string | (() => string | Promise<string>);

/** What may stand in a header value: visible Latin-1 and inner blanks (RFC 9110 section 5.5). */
const HEADER_VALUE = /^[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?$/;

/** @throws CONFIG_INVALID for a fixed secret that cannot be sent. Never shows the secret. */
export function assertFixedSecret(secret: string, path: string): void {
  if (typeof secret === 'string' && HEADER_VALUE.test(secret)) return;
  const problem = { path, expected: 'text that can stand in a header, not empty', got: 'something else' };
  throw new HoldfastError('CONFIG_INVALID', `${path} cannot be sent as a header value.`, { problems: [problem] });
}

/** @throws AUTH_REQUIRED when a source has no secret, or one that cannot be sent. Never shows the secret. */
export function assertPresentSecret(secret: unknown, what: string): asserts secret is string {
  if (typeof secret === 'string' && HEADER_VALUE.test(secret)) return;
  throw new HoldfastError('AUTH_REQUIRED', `The source of the ${what} gave none that can be sent.`, {});
}

export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value;
}
