import type { Connectivity } from '../strategies/connectivity.ts';
import type { StoredRequest } from '../types/request.ts';
import type { ClaimResult } from '../types/store.ts';
import type { Attempts } from './attempts.ts';
import type { BackendHealth } from './backendHealth.ts';
import type { Context } from './context.ts';
import { leaseUntil } from './context.ts';
import type { Teller } from './tell.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** How long after a failed claim the next is tried. */
const RETRY_MS = 250;

/** Claims under way at once: permits freed while one is being answered go into the commit that stores what freed them. */
const MAX_CLAIMS = 2;

/** What one claim asked for a zone. */
interface Asked {
  readonly zone: Zone;
  readonly permits: number;
  /** The zone's hints when it was asked. */
  readonly hints: number;
  /** Its connectivity before and since this claim counted as a try. */
  readonly untried: Connectivity;
  readonly tried: Connectivity;
}

/**
 * Gates and claims: takes permits of open zones that may have work, leases that many of their best requests, and starts
 * them. Closed zones are not asked for.
 */
export class Dispatcher {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #attempts: Attempts;
  readonly #teller: Teller;
  readonly #health: BackendHealth;
  readonly #wake: () => void;
  readonly #claiming = new Set<Promise<void>>();
  #isStopped = false;

  constructor(
    context: Context,
    zones: Zones,
    parts: { readonly attempts: Attempts; readonly teller: Teller; readonly health: BackendHealth },
    wake: () => void,
  ) {
    this.#context = context;
    this.#zones = zones;
    this.#attempts = parts.attempts;
    this.#teller = parts.teller;
    this.#health = parts.health;
    this.#wake = wake;
  }

  /** Claims no more; resolves when a claim under way has come back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#claiming);
  }

  pump(): void {
    if (this.#isStopped || this.#claiming.size >= MAX_CLAIMS || !this.#context.config.dispatch) return;
    const now = this.#context.clock.monotonicNow();
    const asked: Asked[] = [];
    for (const zone of this.#zones.all) {
      if (!zone.mayHaveWork || zone.senders.size === 0) continue;
      const permits = zone.bulkhead.take(zone.openFor(now));
      if (permits === 0) continue;
      const untried = zone.connectivity;
      zone.trying(now, this.#context.random.number);
      asked.push({ zone, permits, hints: zone.hints, untried, tried: zone.connectivity });
    }
    if (asked.length === 0) return;
    const claim = this.#claim(asked).then((wasAnswered) => {
      this.#claiming.delete(claim);
      if (wasAnswered) this.#wake();
      else this.#context.clock.schedule(RETRY_MS, this.#wake);
    });
    this.#claiming.add(claim);
  }

  async #claim(asked: readonly Asked[]): Promise<boolean> {
    const { backend, clock, worker } = this.#context;
    try {
      const result = await backend.requests.claim({
        worker,
        now: clock.now(),
        leaseUntil: leaseUntil(this.#context),
        channels: asked.map(({ zone, permits }) => ({ ...zone.channel, calls: permits, perCall: 1 })),
      });
      this.#health.worked('claim');
      this.#start(asked, result);
      return true;
    } catch (error) {
      this.#health.failed(error, 'claim');
      for (const { zone, permits } of asked) zone.bulkhead.giveBack(permits);
      return false;
    }
  }

  #start(asked: readonly Asked[], result: ClaimResult): void {
    const byZone = new Map<string, StoredRequest[]>();
    for (const request of result.claimed) {
      const requests = byZone.get(request.zone);
      if (requests === undefined) byZone.set(request.zone, [request]);
      else requests.push(request);
    }
    for (const { zone, permits, hints, untried, tried } of asked) {
      const requests = byZone.get(zone.name) ?? [];
      for (const request of requests) this.#attempts.start(request, request.lease?.token ?? 0, zone);
      // Nothing was there to try the zone with: whoever comes next may.
      if (requests.length === 0 && zone.connectivity === tried) zone.connectivity = untried;
      if (requests.length === permits) continue;
      zone.bulkhead.giveBack(permits - requests.length);
      zone.drained(hints);
    }
    this.#teller.allEnded(result.ended);
    this.#teller.moved(result.moved);
  }
}
