import type { StoredRequest } from '../types/request.ts';
import type { Change } from '../types/store.ts';
import type { Context } from './context.ts';
import type { Credentials } from './credentials.ts';
import { principalSender, senderOf } from './senders.ts';
import type { Teller } from './tell.ts';
import { messageOf } from './tell.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

const STEP = 256;

/**
 * Releases requests held for want of a credential once this process has one of their principal. Run when a credential is
 * new: a request that was refused with it would otherwise be released and refused for ever.
 */
export class AuthHolds {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #credentials: Credentials;
  readonly #teller: Teller;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(context: Context, zones: Zones, credentials: Credentials, teller: Teller) {
    this.#context = context;
    this.#zones = zones;
    this.#credentials = credentials;
    this.#teller = teller;
  }

  /** Starts a release; one that is under way is followed by another. */
  release(): void {
    if (!this.#context.config.dispatch) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#running = this.#releaseAll()
      .catch((error: unknown) =>
        this.#context.logger.warn('held requests were not released', { error: messageOf(error) }),
      )
      .finally(() => {
        this.#running = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.release();
      });
  }

  async stop(): Promise<void> {
    this.#again = false;
    await this.#running;
  }

  async #releaseAll(): Promise<void> {
    const { backend, clock, emitter } = this.#context;
    for (let after: number | null = null; ; ) {
      const page = await backend.requests.find({
        filter: { state: 'held', reason: 'auth' },
        order: 'accepted',
        after,
        limit: STEP,
      });
      const changes = (await Promise.all(page.requests.map((request) => this.#changeFor(request)))).filter(
        (change) => change !== undefined,
      );
      const results = changes.length === 0 ? [] : await backend.requests.amend({ now: clock.now(), changes });
      results.forEach((result, index) => {
        const change = changes[index];
        if (result.status !== 'amended' || change === undefined) return;
        const zone = change.zone;
        zone.senders.add(change.patch.sender);
        zone.hint();
        emitter.emit('request:released', { requestId: change.id, zone: zone.name, state: result.state });
        this.#teller.moved(result.moved);
      });
      if (changes.length > 0) this.#teller.due(clock.now());
      if (page.next === null) return;
      after = page.next;
    }
  }

  async #changeFor(request: StoredRequest): Promise<(Change & { zone: Zone; patch: { sender: string } }) | undefined> {
    const zone = this.#zones.named(request.zone);
    const sender = zone === undefined ? undefined : await this.#senderOf(request, zone);
    if (zone === undefined || sender === undefined) return undefined;
    const to = { state: 'ready', reason: 'released' } as const;
    // While a provider was asked, it may have been released, sent, and held again in doubt.
    return { id: request.id, from: ['held'], reason: 'auth', to, patch: { sender }, zone };
  }

  async #senderOf(request: StoredRequest, zone: Zone): Promise<string | undefined> {
    const { principal, client, intent } = request;
    if (request.auth === 'live' && this.#credentials.hasOtherLive(request)) return principalSender(principal);
    if (client !== null && !this.#zones.hasClient(client)) return undefined;
    if (intent?.resource !== undefined && !this.#zones.hasClient(intent.resource)) return undefined;
    if (!(await this.#provides(request, zone))) return undefined;
    if (request.auth === 'live') return principalSender(principal);
    return senderOf(client, intent?.resource);
  }

  /** A provider that fails keeps back its own requests only. */
  async #provides(request: StoredRequest, zone: Zone): Promise<boolean> {
    try {
      return await this.#credentials.provides(request, zone);
    } catch (error) {
      this.#context.logger.warn('a credential provider failed', { zone: zone.name, error: messageOf(error) });
      return false;
    }
  }
}
