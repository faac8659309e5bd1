import type { AuthProvider, Credential } from '../../queue/types/auth.ts';
import type { TokenSource } from './tokenSource.ts';
import { assertFixedSecret, assertPresentSecret, isPromise } from './tokenSource.ts';

export interface SecretHeader {
  /** What messages call the secret. */
  readonly what: string;
  readonly principal: string | undefined;
  toHeader(secret: string): readonly [name: string, value: string];
}

/**
 * One secret in one header. A fixed one never changes, so a 401 is final; a source is asked for every attempt, and after a
 * 401 whether it has another one by now.
 */
export function secretHeader(source: TokenSource, how: SecretHeader): AuthProvider {
  if (typeof source !== 'function') {
    assertFixedSecret(source, how.what);
    const fixed = toCredential(source, 1, how);
    return { credential: () => fixed };
  }
  return new SourcedSecret(source, how);
}

class SourcedSecret implements AuthProvider {
  readonly #source: () => string | Promise<string>;
  readonly #how: SecretHeader;
  #secret: string | undefined;
  #current: Credential | undefined;

  constructor(source: () => string | Promise<string>, how: SecretHeader) {
    this.#source = source;
    this.#how = how;
  }

  credential(): Credential | Promise<Credential> {
    const secret = this.#source();
    return isPromise(secret) ? secret.then((value) => this.#take(value)) : this.#take(secret);
  }

  async refresh(version: number): Promise<boolean> {
    const { version: present } = await this.credential();
    return present !== version;
  }

  #take(secret: string): Credential {
    if (this.#current === undefined || secret !== this.#secret) {
      assertPresentSecret(secret, this.#how.what);
      this.#secret = secret;
      this.#current = toCredential(secret, (this.#current?.version ?? 0) + 1, this.#how);
    }
    return this.#current;
  }
}

/** Made once per secret: what asks for it per attempt gets the same frozen object. */
export function toCredential(secret: string, version: number, how: SecretHeader): Credential {
  return Object.freeze({ headers: Object.freeze([how.toHeader(secret)]), version, principal: how.principal });
}
