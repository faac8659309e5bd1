import type { Clock } from '../../system/clock.ts';
import type { AuthProvider, Credential } from '../types/auth.ts';
import type { SharedState } from '../types/backend.ts';
import type { ClientBinding } from '../types/calls.ts';
import type { StoredRequest } from '../types/request.ts';
import type { Identities } from './identify.ts';
import type { LiveCredentials, LiveSecret } from './liveCredentials.ts';
import type { SentRequest } from './sentRequest.ts';
import { within } from './within.ts';
import type { Zone } from './zone.ts';

/** What is attached to one attempt. */
export interface Attachment {
  readonly secret: LiveSecret;
  /** Version of a provider's credential, for its refresh. */
  readonly version: number | null;
  readonly provider: AuthProvider | undefined;
}

/** For requests that need none. */
export const NO_CREDENTIAL: Attachment = Object.freeze({
  secret: Object.freeze({ headers: Object.freeze([]), query: '' }),
  version: null,
  provider: undefined,
});

/** How long a pairing of principal and credential is remembered since it was last made. */
const PAIRING_MS = 30 * 24 * 3_600_000;
const MAX_PAIRINGS = 10_000;
const MAX_REFUSED = 10_000;
/** Times a provider is asked while the declared principal changes under it. */
const MAX_ASKED = 3;

/**
 * Finds the credential a request is sent with, at the moment it is sent: its own caller's, one of the same principal, or its
 * client's or zone's provider's. Never another principal's.
 *
 * Where a call names its principal and a provider brings the credential, acceptance pairs the two (stored as a digest of
 * neither secret); a request is sent only under a credential that its principal was paired with.
 *
 * Where the configuration declares the principal by a function, the credential's own `principal` counts if the provider tells it; else
 * what the function says must be the same before and after the provider was asked.
 */
export class Credentials {
  readonly live: LiveCredentials;
  readonly #identities: Identities;
  readonly #shared: SharedState;
  readonly #clock: Clock;
  /** What a provider may take. */
  readonly #timeoutMs: number;
  readonly #clients = new Map<string, ClientBinding>();
  readonly #pairings = new Set<string>();
  /** The credential the server refused, by request: of a live one its secret, else whose it was and its version, which every provider counts for itself. */
  readonly #refused = new Map<string, LiveSecret | Pick<Attachment, 'provider' | 'version'>>();

  constructor(
    live: LiveCredentials,
    identities: Identities,
    shared: SharedState,
    time: { readonly clock: Clock; readonly timeoutMs: number },
  ) {
    this.live = live;
    this.#identities = identities;
    this.#shared = shared;
    this.#clock = time.clock;
    this.#timeoutMs = time.timeoutMs;
  }

  addClient(client: ClientBinding): void {
    this.#clients.set(client.name, client);
  }

  client(name: string): ClientBinding | undefined {
    return this.#clients.get(name);
  }

  removeClient(name: string): void {
    this.#clients.delete(name);
  }

  /** Remembers that `principal` sends with the credential of `own`. True when that is new. */
  async pair(principal: string, own: string): Promise<boolean> {
    const key = pairingKey(principal, own);
    if (this.#pairings.has(key)) return false;
    this.#remember(key);
    const now = this.#clock.now();
    await this.#shared.set({ key, value: true, expiresAt: now + PAIRING_MS, now });
    return true;
  }

  /** Undefined when this process has no credential of the request's principal (any more). */
  async attach(request: SentRequest, zone: Zone): Promise<Attachment | undefined> {
    if (request.auth === 'none') return NO_CREDENTIAL;
    if (request.auth === 'live') {
      const secret = this.live.find(request.id, request.principal);
      if (secret !== undefined) return { secret, version: null, provider: undefined };
    }
    const client = request.client === null ? undefined : this.#clients.get(request.client);
    const provider = this.#providerOf(request, zone);
    if (provider === undefined) return undefined;
    const present = await this.#present(provider, client);
    if (present === undefined || !(await this.#isTheirs(request.principal, present.own))) return undefined;
    const { credential } = present;
    return { secret: { headers: credential.headers, query: '' }, version: credential.version, provider };
  }

  /** The server refused the request with this: it goes on only under another one. */
  refused(id: string, { secret, provider, version }: Attachment): void {
    this.live.forgetSecret(id);
    this.#refused.set(id, version === null ? secret : { provider, version });
    if (this.#refused.size <= MAX_REFUSED) return;
    const oldest = this.#refused.keys().next().value;
    if (oldest !== undefined) this.#refused.delete(oldest);
  }

  /** Whether a live credential of its principal is at hand that was not refused to it. */
  hasOtherLive(request: Pick<StoredRequest, 'id' | 'principal'>): boolean {
    const newest = this.live.newest(request.principal);
    return newest !== undefined && newest !== this.#refused.get(request.id);
  }

  /** Whether the zone's provider or a client's has one of its principal at present that was not refused to it. */
  async provides(request: Pick<StoredRequest, 'id' | 'principal' | 'client'>, zone: Zone): Promise<boolean> {
    const client = request.client === null ? undefined : this.#clients.get(request.client);
    const provider = this.#providerOf(request, zone);
    if (provider === undefined) return false;
    const present = await this.#present(provider, client);
    if (present === undefined || this.#isRefused(request.id, provider, present.credential)) return false;
    return this.#isTheirs(request.principal, present.own);
  }

  #isRefused(id: string, provider: AuthProvider, { version }: Credential): boolean {
    const refused = this.#refused.get(id);
    return (
      refused !== undefined && 'provider' in refused && refused.provider === provider && refused.version === version
    );
  }

  /** None for a client's request where that client is not: the zone's credential is another one. */
  #providerOf(request: Pick<StoredRequest, 'client'>, zone: Zone): AuthProvider | undefined {
    if (request.client === null) return zone.policy.auth;
    const client = this.#clients.get(request.client);
    return client === undefined ? undefined : (client.auth ?? zone.policy.auth);
  }

  /** The present credential and whose it is. Undefined while that changes as often as it is asked for. */
  async #present(provider: AuthProvider, client: ClientBinding | undefined) {
    for (let left = MAX_ASKED; left > 0; left -= 1) {
      const before = this.#identities.declaredNow;
      const credential = await this.#ask(provider);
      // Somebody else's turn began meanwhile: the credential may be of either.
      const isCertain = (client?.principal ?? credential.principal) !== undefined;
      if (!isCertain && this.#identities.declaredNow !== before) continue;
      return { credential, own: this.#identities.ofCredential(credential, client) };
    }
    return undefined;
  }

  async #isTheirs(principal: string, own: string): Promise<boolean> {
    return own === principal || this.#isPaired(principal, own);
  }

  /** The present credential, if the provider has it in time. */
  async #ask(provider: AuthProvider): Promise<Credential> {
    const credential = provider.credential();
    return credential instanceof Promise
      ? within(this.#clock, this.#timeoutMs, 'the credential provider', credential)
      : credential;
  }

  async #isPaired(principal: string, own: string): Promise<boolean> {
    const key = pairingKey(principal, own);
    if (this.#pairings.has(key)) return true;
    const stored = await this.#shared.get({ key, now: this.#clock.now() });
    if (stored === undefined) return false;
    this.#remember(key);
    return true;
  }

  #remember(key: string): void {
    this.#pairings.add(key);
    if (this.#pairings.size <= MAX_PAIRINGS) return;
    const oldest = this.#pairings.values().next().value;
    if (oldest !== undefined) this.#pairings.delete(oldest);
  }
}

function pairingKey(principal: string, own: string): string {
  return `pairing:${JSON.stringify([principal, own])}`;
}
