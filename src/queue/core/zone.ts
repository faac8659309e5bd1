import type { Connectivity } from '../strategies/connectivity.ts';
import { isClosed, isProbeDue, nextProbeAt, probeStarted, UNKNOWN_CONNECTIVITY } from '../strategies/connectivity.ts';
import type { Sender } from '../types/request.ts';
import type { ChannelSenders } from '../types/store.ts';
import type { ProcessLimit } from './bulkhead.ts';
import { Bulkhead } from './bulkhead.ts';
import type { ZonePolicy } from './zonePolicy.ts';

/**
 * One zone as this process sees it: its gates (pause, connectivity, pace, bulkhead) and whether there may be work.
 * All gates are computed from time when asked; none is driven by a timer.
 */
export class Zone {
  readonly name: string;
  readonly policy: ZonePolicy;
  readonly bulkhead: Bulkhead;
  /** Whose ready requests this process may send. */
  readonly senders = new Set<Sender>();
  /** Of principals whose credential may be missing: what is in doubt is looked at all the same. */
  readonly doubtSenders = new Set<Sender>();
  connectivity: Connectivity = UNKNOWN_CONNECTIVITY;
  paused = false;
  /** Monotonic ms before which the server asked for no calls. */
  notBefore = 0;
  /** Epoch ms of the latest request it served; 0 before the first. */
  servedAt = 0;
  everAnswered = false;
  /** An answer said that it does not act on the keys it is sent: they prove nothing. */
  ignoresKeys = false;
  /** What its last failure was. */
  failedWith: Error | undefined;
  /** Epoch ms at which it was found reachable again after an outage, or null. */
  onlineAt: number | null = null;
  /** Raised with every hint that something may be ready; compared so that a hint during a claim is not lost. */
  #hints = 0;
  #seen = 0;

  constructor(policy: ZonePolicy, process: ProcessLimit) {
    this.name = policy.name;
    this.policy = policy;
    this.bulkhead = new Bulkhead(policy.maxConcurrency, process);
  }

  get channel(): ChannelSenders {
    return { channel: this.name, senders: [...this.senders] };
  }

  /** As {@link channel}, with all that this process may look at though it cannot send it. */
  get doubtChannel(): ChannelSenders {
    return { channel: this.name, senders: [...new Set([...this.senders, ...this.doubtSenders])] };
  }

  get mayHaveWork(): boolean {
    return this.#hints !== this.#seen;
  }

  /** Something of this zone may be ready. */
  hint(): void {
    this.#hints += 1;
  }

  get hints(): number {
    return this.#hints;
  }

  /** A claim made when `hints` was so high found no more than it took. */
  drained(hints: number): void {
    this.#seen = hints;
  }

  /**
   * Calls that may start now; 0 while a gate is closed. A closed connectivity gate lets a single call pass when a probe is
   * due and the zone has no health check of its own.
   */
  openFor(monotonicNow: number): number {
    if (!this.mayTry(monotonicNow)) return 0;
    const available = this.bulkhead.available;
    if (!isClosed(this.connectivity)) return available;
    return this.bulkhead.inUse === 0 ? Math.min(1, available) : 0;
  }

  /** Whether its gates are open, or about to be tried, however many permits are in use. */
  mayTry(monotonicNow: number): boolean {
    if (this.paused || monotonicNow < this.notBefore) return false;
    if (!isClosed(this.connectivity)) return true;
    return this.policy.healthCheck === undefined && isProbeDue(this.connectivity, monotonicNow);
  }

  /** A call is let through: through a closed gate, it is the probe. */
  trying(monotonicNow: number, random: () => number): void {
    if (isClosed(this.connectivity)) this.connectivity = probeStarted(this.connectivity, monotonicNow, random);
  }

  /** Monotonic ms at which a closed gate may open by itself, or null. */
  reopensAt(monotonicNow: number): number | null {
    if (this.paused) return null;
    if (monotonicNow < this.notBefore) return this.notBefore;
    return nextProbeAt(this.connectivity);
  }
}

/** Permits for requests that come in, one zone each, where nothing else may wait for them: how many of each zone were had. */
export function takePermits(zones: readonly Zone[], monotonicNow: number): Map<Zone, number> {
  const wanted = new Map<Zone, number>();
  for (const zone of zones) if (!zone.mayHaveWork) wanted.set(zone, (wanted.get(zone) ?? 0) + 1);
  for (const [zone, calls] of wanted) {
    const taken = zone.bulkhead.take(Math.min(calls, zone.openFor(monotonicNow)));
    if (taken === 0) wanted.delete(zone);
    else wanted.set(zone, taken);
  }
  return wanted;
}
