import { HoldfastError } from '../../errors.ts';
import type { AuthProvider } from '../../queue/types/auth.ts';

export interface BasicCredentials {
  /** Also the principal. */
  readonly username: string;
  readonly password: string;
}

/** No control characters (RFC 7617 section 2). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const CONTROL = /[\x00-\x1f\x7f]/;

/**
 * `Authorization: Basic …`, in UTF-8 (RFC 7617). A 401 is final.
 *
 * @throws CONFIG_INVALID for a user name with a colon, or control characters
 */
export function basicAuth({ username, password }: BasicCredentials): AuthProvider {
  const problems = [];
  if (typeof username !== 'string' || username.includes(':') || CONTROL.test(username)) {
    problems.push({ path: 'username', expected: 'text without colon and control characters', got: 'something else' });
  }
  if (typeof password !== 'string' || CONTROL.test(password)) {
    problems.push({ path: 'password', expected: 'text without control characters', got: 'something else' });
  }
  if (problems.length > 0) {
    const message = `basicAuth cannot send this ${problems.map((problem) => problem.path).join(' and ')}.`;
    throw new HoldfastError('CONFIG_INVALID', message, { problems });
  }
  const value = `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
  const credential = Object.freeze({
    headers: Object.freeze([['authorization', value] as const]),
    version: 1,
    principal: username,
  });
  return { credential: () => credential };
}
