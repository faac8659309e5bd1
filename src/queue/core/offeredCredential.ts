import { HoldfastError, holdfastError } from '../../errors.ts';
import type { AuthProvider, Credential } from '../types/auth.ts';
import type { Context } from './context.ts';
import { within } from './within.ts';

/** What a provider has at acceptance: that it will bring a credential, and the present one as far as it is known. */
export interface Offered {
  readonly credential: Credential | undefined;
}

/**
 * Asks a provider whose credential it has, which says whose the request is. Where the principal is declared that is known
 * already, so acceptance waits for nobody: a token endpoint that is down must not keep writes from being stored. Else there is no way
 * round the provider, but it has no longer than an attempt has.
 *
 * @throws AUTH_REQUIRED when the principal is not declared and the provider fails
 */
export function offeredCredential(
  provider: AuthProvider | undefined,
  isDeclared: boolean,
  context: Context,
): Offered | undefined | Promise<Offered> {
  if (provider === undefined) return undefined;
  let credential: Credential | Promise<Credential>;
  try {
    credential = provider.credential();
  } catch (error) {
    if (isDeclared) return { credential: undefined };
    throw withoutPrincipal(error);
  }
  if (!(credential instanceof Promise)) return { credential };
  if (!isDeclared) return bounded(credential, context);
  credential.catch(() => undefined); // it is asked again when the request is sent, and heard then
  return { credential: undefined };
}

async function bounded(credential: Promise<Credential>, { clock, config }: Context): Promise<Offered> {
  try {
    return { credential: await within(clock, config.attemptTimeoutMs, 'the credential provider', credential) };
  } catch (error) {
    throw withoutPrincipal(error);
  }
}

function withoutPrincipal(cause: unknown): HoldfastError {
  const known = holdfastError(cause);
  if (known !== undefined) return known;
  const message =
    'the credential provider failed, so whose request it is cannot be told; name a `principal` to accept requests regardless';
  return new HoldfastError('AUTH_REQUIRED', message, {}, { cause });
}
