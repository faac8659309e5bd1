import { derivePrincipal } from '../strategies/principal.ts';
import type { Credential } from '../types/auth.ts';
import type { ClientBinding } from '../types/calls.ts';
import type { NewRequest } from '../types/request.ts';
import type { LiveSecret } from './liveCredentials.ts';
import type { Offered } from './offeredCredential.ts';
import { ANYONE, clientSender, principalSender, processSender } from './senders.ts';

/** Whose request it is, and who may send it. */
export interface Identity extends Pick<NewRequest, 'principal' | 'auth' | 'client' | 'sender'> {
  /** The principal its credential has by itself, where the call named another: sending needs a pairing of the two. */
  readonly vouchesFor: string | null;
}

const NO_SECRETS = Object.freeze([]);

/** Rules of identity that are fixed for a queue (DESIGN "Principal and credentials"). */
export class Identities {
  readonly #configured: string | (() => string) | undefined;
  readonly #digestKey: Uint8Array;
  readonly #worker: string;

  constructor(configured: string | (() => string) | undefined, digestKey: Uint8Array, worker: string) {
    this.#configured = configured;
    this.#digestKey = digestKey;
    this.#worker = worker;
  }

  /**
   * Works out principal and sender of a call. Secrets that came with the call win over a provider's: they are what the
   * caller would have sent without a queue.
   */
  identify(call: {
    readonly live: LiveSecret | null;
    readonly offered: Offered | undefined;
    readonly ephemeral: boolean;
    readonly principal: string | undefined;
    readonly client: ClientBinding | undefined;
    /** Its secrets came with a call whose process may be gone: any process with one of its principal's may send it. */
    readonly isLive: boolean;
  }): Identity {
    const { live, client } = call;
    if (call.isLive && live === null && call.principal !== undefined) {
      const { principal } = call;
      return { principal, auth: 'live', client: null, sender: principalSender(principal), vouchesFor: null };
    }
    const offered = live === null ? call.offered : undefined;
    const own =
      live === null ? this.ofCredential(offered?.credential, client) : (client?.principal ?? this.#ofSecret(live));
    const principal = call.principal ?? own;
    const clientName = offered !== undefined && client?.auth !== undefined ? client.name : null;
    return {
      principal,
      auth: live !== null ? 'live' : offered === undefined ? 'none' : 'zone',
      client: clientName,
      sender:
        call.ephemeral || live !== null
          ? processSender(this.#worker)
          : clientName === null
            ? ANYONE
            : clientSender(clientName),
      vouchesFor: offered !== undefined && principal !== own ? own : null,
    };
  }

  /** Whether a provider's credentials belong to a principal known without asking it. */
  isDeclared(client: ClientBinding | undefined): boolean {
    return client?.principal !== undefined || this.#configured !== undefined;
  }

  /** Whose a provider's credential is, at acceptance as at sending. */
  ofCredential(credential: Credential | undefined, client: ClientBinding | undefined): string {
    return (
      client?.principal ??
      this.#declared() ??
      credential?.principal ??
      derivePrincipal(credential?.headers ?? NO_SECRETS, '', this.#digestKey)
    );
  }

  #ofSecret(live: LiveSecret): string {
    return this.#declared() ?? derivePrincipal(live.headers, live.query, this.#digestKey);
  }

  #declared(): string | undefined {
    return typeof this.#configured === 'function' ? this.#configured() : this.#configured;
  }
}
