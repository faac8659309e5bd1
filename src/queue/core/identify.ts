import { derivePrincipal, secretDigest } from '../strategies/principal.ts';
import type { Credential } from '../types/auth.ts';
import type { ClientBinding } from '../types/calls.ts';
import type { NewRequest } from '../types/request.ts';
import type { LiveSecret } from './liveCredentials.ts';
import type { Offered } from './offeredCredential.ts';
import { principalSender, processSender, senderOf } from './senders.ts';

/** Whose request it is, and who may send it. */
export interface Identity extends Pick<NewRequest, 'principal' | 'auth' | 'client' | 'sender'> {
  /** The principal its credential has by itself, where the call named another: sending needs a pairing of the two. */
  readonly vouchesFor: string | null;
}

const NO_SECRETS = Object.freeze([]);

/** Rules of identity that are fixed for a queue. */
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
    /** The resource it is of: whoever has its rules may send it. */
    readonly resource?: string | undefined;
    /** The dead letter it replays: as that was sent, so is it, though nothing of its credentials be at hand here. */
    readonly replay?: Pick<NewRequest, 'auth' | 'client' | 'intent'> | undefined;
  }): Identity {
    const { live, client, replay } = call;
    if (replay !== undefined && live === null && call.principal !== undefined) return replayed(replay, call.principal);
    const offered = live === null ? call.offered : undefined;
    const own =
      live === null ? this.ofCredential(offered?.credential, client) : (client?.principal ?? this.#ofSecret(live));
    const principal = call.principal ?? client?.principal ?? this.#declared() ?? own;
    const clientName = offered !== undefined && client?.auth !== undefined ? client.name : null;
    return {
      principal,
      auth: live !== null ? 'live' : offered === undefined ? 'none' : 'zone',
      client: clientName,
      sender: call.ephemeral || live !== null ? processSender(this.#worker) : senderOf(clientName, call.resource),
      // Only the call can say so: a credential that is not of the declared principal is somebody else's.
      vouchesFor: offered !== undefined && call.principal !== undefined && principal !== own ? own : null,
    };
  }

  /** By which calls with equal secrets know each other. */
  secretDigest(secret: LiveSecret): string {
    return secretDigest(secret.headers, secret.query, this.#digestKey);
  }

  /** Whether a provider's credentials belong to a principal known without asking it. */
  isDeclared(client: ClientBinding | undefined): boolean {
    return client?.principal !== undefined || this.#configured !== undefined;
  }

  /**
   * Whose a provider's credential is, at acceptance as at sending. A declared name stands before the credential's own, but for that of a
   * function: it says whose turn it is, and by the time the credential is there that may be somebody else.
   */
  ofCredential(credential: Credential | undefined, client: ClientBinding | undefined): string {
    const told = typeof this.#configured === 'function' ? credential?.principal : undefined;
    return (
      client?.principal ??
      told ??
      this.#declared() ??
      credential?.principal ??
      derivePrincipal(credential?.headers ?? NO_SECRETS, '', this.#digestKey)
    );
  }

  /** What a function declares at present, undefined without one: compared around the wait for a credential. */
  get declaredNow(): string | undefined {
    if (typeof this.#configured !== 'function') return undefined;
    try {
      return this.#configured();
    } catch {
      return undefined; // where nothing else tells whose the credential is, `ofCredential` asks again and throws
    }
  }

  #ofSecret(live: LiveSecret): string {
    return this.#declared() ?? derivePrincipal(live.headers, live.query, this.#digestKey);
  }

  #declared(): string | undefined {
    return typeof this.#configured === 'function' ? this.#configured() : this.#configured;
  }
}

/** It vouches for nobody: that a principal sends with a provider's credential is said by the call that named both. */
function replayed(
  { auth, client, intent }: Pick<NewRequest, 'auth' | 'client' | 'intent'>,
  principal: string,
): Identity {
  // Its process may be gone: any process with a credential of its principal may send it.
  const sender = auth === 'live' ? principalSender(principal) : senderOf(client, intent?.resource);
  return { principal, auth, client, sender, vouchesFor: null };
}
