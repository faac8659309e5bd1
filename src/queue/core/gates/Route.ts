import type { Context } from '../context.ts';
import type { SentRequest } from '../sentRequest.ts';
import type { Zones } from '../zones.ts';
import type { Channel } from './Channel.ts';
import { pinOf } from './pins.ts';

/** A request that has to wait for its zone is looked at again after so long at the latest. */
const LONGEST_WAIT_MS = 30_000;
const LEAST_WAIT_MS = 1_000;

/** Where one request may be sent while its zone fails over to others. */
export class Route {
  readonly #context: Context;
  readonly #zones: Zones;

  constructor(context: Context, zones: Zones) {
    this.#context = context;
    this.#zones = zones;
  }

  /** Its zone never sends elsewhere: nothing has to be asked. */
  isFree(request: SentRequest): boolean {
    const home = this.#zones.named(request.zone);
    return home === undefined || home.policy.failover.length === 0;
  }

  /** The channel it goes by: `via`, or another one of which a permit was taken; else how many ms it has to wait for that one. */
  async of(request: SentRequest, via: Channel): Promise<Channel | number> {
    const origin = await pinOf(request, this.#context.backend.requests);
    const pinned = origin === undefined ? undefined : this.#zones.knownOrigin(origin);
    if (pinned === undefined || pinned === via.zone) return via;
    const channel = this.#zones.channel(pinned, via.parts);
    const now = this.#context.clock.monotonicNow();
    if (!pinned.isAway(now) && channel.take(1, now) === 1) return channel;
    return Math.min(LONGEST_WAIT_MS, Math.max(LEAST_WAIT_MS, channel.reopensAt(now) - now));
  }

  /** Whose credentials its own zone would attach: those of the zone it is sent to, where that has any. */
  credentialZone(request: SentRequest, via: Channel) {
    if (via.zone.policy.auth !== undefined) return via.zone;
    return this.#zones.named(request.zone) ?? via.zone;
  }
}
