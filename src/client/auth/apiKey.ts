import { HoldfastError } from '../../errors.ts';
import type { AuthProvider } from '../../queue/types/auth.ts';
import type { PrincipalOption } from './bearerToken.ts';
import { secretHeader } from './secretHeader.ts';
import type { TokenSource } from './tokenSource.ts';

export interface ApiKeyOptions extends PrincipalOption {
  /** Name of the header: `x-api-key`. */
  readonly header: string;
  readonly value: TokenSource;
}

/** A token of RFC 9110 section 5.6.2. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~\w]+$/;

/**
 * A key in a header of its own. It is attached when the request is sent and never stored.
 *
 * @throws CONFIG_INVALID for a name that is no header name, or a fixed key that cannot stand in a header
 */
export function apiKey({ header, value, principal }: ApiKeyOptions): AuthProvider {
  if (typeof header !== 'string' || !HEADER_NAME.test(header)) {
    const problem = { path: 'header', expected: 'a header name', got: JSON.stringify(header) ?? 'undefined' };
    throw new HoldfastError('CONFIG_INVALID', 'apiKey needs the name of a header.', { problems: [problem] });
  }
  const name = header.toLowerCase();
  return secretHeader(value, { what: 'value', principal, toHeader: (key) => [name, key] });
}
