import type { AuthProvider, Credential } from '../../queue/types/auth.ts';
import type { Clock } from '../../system/clock.ts';
import { systemClock } from '../../system/clock.ts';
import type { PrincipalOption } from './bearerToken.ts';
import { bearer } from './bearerToken.ts';
import type { SecretHeader } from './secretHeader.ts';
import { toCredential } from './secretHeader.ts';
import type { TokenSource } from './tokenSource.ts';
import { assertFixedSecret, assertPresentSecret, isPromise } from './tokenSource.ts';

export interface RefreshingTokenOptions extends PrincipalOption {
  /** The token to start with. A function is asked once, at the first send. */
  readonly token: TokenSource;
  /** Gets another token after a 401. Rejects, or gives the same one again, when there is none. */
  readonly refresh: (refused: string) => string | Promise<string>;
  /** After a failed refresh, for how long 401s are final before it is tried again. @default 10_000 */
  readonly retryRefreshMs?: number | undefined;
  /** Told of each failed refresh, which otherwise shows only as requests held or rejected with 401. */
  readonly onRefreshFailed?: ((error: unknown) => void) | undefined;
  /** @default systemClock */
  readonly clock?: Clock | undefined;
}

/**
 * A bearer token that is refreshed when the server refuses it: once for all that were refused together, and calls that start
 * meanwhile wait for the new one. Tokens that are not JWTs need `principal`, since each new one would otherwise be a stranger, who does
 * not send the requests of the old one.
 *
 * @throws CONFIG_INVALID for a fixed token that cannot stand in a header
 * @example refreshingToken({ token: saved, refresh: () => oauth.refresh(), principal: user.id })
 */
export function refreshingToken(options: RefreshingTokenOptions): AuthProvider {
  if (typeof options.token !== 'function') assertFixedSecret(options.token, 'token');
  return new RefreshingToken(options);
}

class RefreshingToken implements AuthProvider {
  readonly #options: RefreshingTokenOptions;
  readonly #clock: Clock;
  readonly #how: SecretHeader;
  #token: string | undefined;
  #current: Credential | undefined;
  #first: Promise<Credential> | undefined;
  #refreshing: Promise<boolean> | undefined;
  /** Monotonic ms of the last failed refresh of the present version. */
  #failedAt: number | undefined;

  constructor(options: RefreshingTokenOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#how = bearer(options.principal);
  }

  credential(): Credential | Promise<Credential> {
    if (this.#refreshing !== undefined) return this.#afterRefresh(this.#refreshing);
    return this.#current ?? this.#first ?? this.#begin();
  }

  refresh(version: number): Promise<boolean> {
    if (this.#current === undefined) return Promise.resolve(false);
    if (version !== this.#current.version) return Promise.resolve(true);
    if (this.#refreshing !== undefined) return this.#refreshing;
    const quietMs = this.#options.retryRefreshMs ?? 10_000;
    if (this.#failedAt !== undefined && this.#clock.monotonicNow() - this.#failedAt < quietMs) {
      return Promise.resolve(false);
    }
    this.#refreshing = this.#renew(this.#token as string).finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  /** The old one when the refresh failed: its 401 is then final, and says more than an error here. */
  async #afterRefresh(refreshing: Promise<boolean>): Promise<Credential> {
    await refreshing;
    return this.#current as Credential; // there is one whenever a refresh runs
  }

  #begin(): Credential | Promise<Credential> {
    const { token } = this.#options;
    const first = typeof token === 'function' ? token() : token;
    if (!isPromise(first)) return this.#take(first);
    this.#first = first
      .then((value) => this.#take(value))
      .finally(() => {
        this.#first = undefined; // a source that failed is asked again
      });
    return this.#first;
  }

  async #renew(refused: string): Promise<boolean> {
    try {
      const token = await this.#options.refresh(refused);
      if (token === refused) throw new Error('The refresh gave the refused token again.');
      this.#take(token);
      return true;
    } catch (error) {
      this.#fail(error);
      return false;
    }
  }

  #fail(error: unknown): void {
    this.#failedAt = this.#clock.monotonicNow();
    this.#options.onRefreshFailed?.(error);
  }

  #take(token: string): Credential {
    assertPresentSecret(token, 'token');
    this.#token = token;
    this.#failedAt = undefined;
    this.#current = toCredential(token, (this.#current?.version ?? 0) + 1, this.#how);
    return this.#current;
  }
}
