import type { AuthProvider } from '../../queue/types/auth.ts';
import type { SecretHeader } from './secretHeader.ts';
import { secretHeader } from './secretHeader.ts';
import type { TokenSource } from './tokenSource.ts';

export interface PrincipalOption {
  /** Whose credential it is. @default derived by the queue, from a JWT's issuer and subject or the token itself */
  readonly principal?: string | undefined;
}

/**
 * `Authorization: Bearer …`. A function is asked at every attempt; a 401 is retried only when it gives another token by then.
 * Opaque tokens that rotate need `principal`: without it each new token is a stranger, who does not send the old one's requests.
 *
 * @throws CONFIG_INVALID for a fixed token that cannot stand in a header
 * @example bearerToken(() => session.token, { principal: session.userId })
 */
export function bearerToken(token: TokenSource, options: PrincipalOption = {}): AuthProvider {
  return secretHeader(token, bearer(options.principal));
}

export function bearer(principal: string | undefined): SecretHeader {
  return { what: 'token', principal, toHeader: (token) => ['authorization', `Bearer ${token}`] };
}
