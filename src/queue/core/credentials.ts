import type { Clock } from '../../system/clock.ts';
import type { AuthProvider } from '../types/auth.ts';
import type { SharedState } from '../types/backend.ts';
import type { ClientBinding } from '../types/calls.ts';
import type { StoredRequest } from '../types/request.ts';
import type { Identities } from './identify.ts';
import type { LiveCredentials, LiveSecret } from './liveCredentials.ts';
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

/**
 * Finds the credential a request is sent with, at the moment it is sent: its own caller's, one of the same principal, or its
 * client's or zone's provider's. Never another principal's.
 *
 * Where a call names its principal and a provider brings the credential, acceptance pairs the two (stored as a digest of
 * neither secret); a request is sent only under a credential that its principal was paired with.
 */
export class Credentials {
  readonly live: LiveCredentials;
  readonly #identities: Identities;
  readonly #shared: SharedState;
  readonly #clock: Clock;
  readonly #clients = new Map<string, ClientBinding>();
  readonly #pairings = new Set<string>();

  constructor(live: LiveCredentials, identities: Identities, shared: SharedState, clock: Clock) {
    this.live = live;
    this.#identities = identities;
    this.#shared = shared;
    this.#clock = clock;
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
  async attach(request: StoredRequest, zone: Zone): Promise<Attachment | undefined> {
    if (request.auth === 'none') return NO_CREDENTIAL;
    if (request.auth === 'live') {
      const secret = this.live.find(request.id, request.principal);
      if (secret !== undefined) return { secret, version: null, provider: undefined };
    }
    const client = request.client === null ? undefined : this.#clients.get(request.client);
    const provider = client?.auth ?? zone.policy.auth;
    if (provider === undefined) return undefined;
    const credential = await provider.credential();
    const own = this.#identities.ofCredential(credential, client);
    const isTheirs = own === request.principal || (await this.#isPaired(request.principal, own));
    if (!isTheirs) return undefined;
    return { secret: { headers: credential.headers, query: '' }, version: credential.version, provider };
  }

  /** Whether the zone's provider or a client's has a credential of that principal at present. */
  async provides(principal: string, zone: Zone, clientName: string | null): Promise<boolean> {
    const client = clientName === null ? undefined : this.#clients.get(clientName);
    const provider = client?.auth ?? zone.policy.auth;
    if (provider === undefined) return false;
    const own = this.#identities.ofCredential(await provider.credential(), client);
    return own === principal || this.#isPaired(principal, own);
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
