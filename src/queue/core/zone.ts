import type { Connectivity } from '../strategies/connectivity.ts';
import { isClosed, isProbeDue, nextProbeAt, probeStarted, UNKNOWN_CONNECTIVITY } from '../strategies/connectivity.ts';
import type { AttemptTimeouts } from '../strategies/limits/AttemptTimeouts.ts';
import type { RetryBudget } from '../strategies/limits/RetryBudget.ts';
import type { Sender } from '../types/request.ts';
import type { ChannelSenders } from '../types/store.ts';
import type { Batching } from './batching/Batching.ts';
import type { OperationClass } from './config/types.ts';
import type { Tier } from './gates/channelName.ts';
import { tierOf } from './gates/channelName.ts';
import type { Gates } from './gates/Gates.ts';
import type { ZonePolicy } from './zonePolicy.ts';

/** A channel, as its zone knows it. */
export interface ZoneChannel {
  readonly name: string;
  readonly scopes: readonly Gates[];
  readonly timeouts: ReadonlyMap<OperationClass, AttemptTimeouts>;
  readonly doubtSenders: readonly ChannelSenders[];
  readonly batching: Batching | undefined;
  readonly mayHaveWork: boolean;
  /** Monotonic ms of its last use. */
  readonly usedAt: number;
  readonly sleepsUntil: number;
  readonly keptBackUntil: number;
  hint(): void;
  wake(): void;
  openFor(now: number): number;
}

/**
 * One zone as this process sees it: what closes all of it (pause, connectivity, pace), and its channels, whose gates begin with
 * those of the zone. All gates are computed from time when asked; none is driven by a timer.
 */
export class Zone {
  readonly name: string;
  readonly policy: ZonePolicy;
  /** Breaker, bulkhead and rate of the zone as a whole. */
  readonly gates: Gates;
  readonly budget: RetryBudget | null;
  /** By name; that of the zone itself is always there. */
  readonly channels = new Map<string, ZoneChannel>();
  /** Those that have work and were found closed. */
  readonly sleepers = new Set<ZoneChannel>();
  /** Those of which what is left waits for a call to end, to leave room for others. */
  readonly keptBack = new Set<ZoneChannel>();
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
  /** Monotonic ms of the latest attempt; -Infinity before the first. */
  triedAt = Number.NEGATIVE_INFINITY;
  everAnswered = false;
  /** Its latest attempt got an answer of it, or showed nothing. */
  answered = true;
  /** Monotonic ms since when it takes no calls; null while it does. */
  awaySince: number | null = null;
  /** Another zone takes its calls. */
  isDetoured = false;
  /** An answer said that it does not act on the keys it is sent: they prove nothing. */
  ignoresKeys = false;
  /** Its place in the turns of zones. */
  turn = 0;
  round = 0;
  want = 0;
  grant = 0;
  /** Calls under way, by tier of priority. */
  readonly inUseByTier: Record<Tier, number> = { critical: 0, main: 0, low: 0, bulk: 0 };
  /** What its last failure was. */
  failedWith: Error | undefined;
  /** Epoch ms at which it was found reachable again after an outage, or null. */
  onlineAt: number | null = null;

  constructor(policy: ZonePolicy, gates: Gates, budget: RetryBudget | null) {
    this.name = policy.name;
    this.policy = policy;
    this.gates = gates;
    this.budget = budget;
  }

  /** Something of this zone may be ready. */
  hint(): void {
    for (const channel of this.channels.values()) channel.hint();
  }

  /** Something of it may be ready, as far as was not found out otherwise, and no gate keeps that from going. */
  mayHaveWorkToSend(monotonicNow: number): boolean {
    for (const channel of this.channels.values()) {
      if (channel.mayHaveWork && channel.openFor(monotonicNow) > 0) return true;
    }
    return false;
  }

  /** A gate may have opened. */
  wake(): void {
    if (this.sleepers.size === 0) return;
    for (const channel of this.sleepers) channel.wake();
    this.sleepers.clear();
  }

  /**
   * Calls that may start now as far as pause, pace and connectivity go. A closed connectivity gate lets a single call pass when a
   * probe is due and the zone has no health check of its own.
   */
  openFor(monotonicNow: number): number {
    if (!this.mayTry(monotonicNow)) return 0;
    if (!isClosed(this.connectivity)) return Number.POSITIVE_INFINITY;
    return this.gates.bulkhead.inUse === 0 ? 1 : 0;
  }

  /** Whether a call that starts now finds out if it can be reached. */
  get isProbing(): boolean {
    return isClosed(this.connectivity);
  }

  /** A call ended, or less has to leave room. */
  letGo(): void {
    if (this.keptBack.size === 0) return;
    for (const channel of this.keptBack) channel.wake();
    this.keptBack.clear();
  }

  /** Calls of that priority start (1) or end (-1). */
  counted(priority: number, calls: number): void {
    this.inUseByTier[tierOf(priority)] += calls;
  }

  /** Whether its gates are open, or about to be tried, however many permits are in use. */
  mayTry(monotonicNow: number): boolean {
    if (this.paused || monotonicNow < this.notBefore) return false;
    if (!isClosed(this.connectivity)) return true;
    return this.policy.healthCheck === undefined && isProbeDue(this.connectivity, monotonicNow);
  }

  /** Whether it takes no calls but probes, for a reason that another zone may not have. */
  isAway(monotonicNow: number): boolean {
    if (isClosed(this.connectivity)) return true;
    const status = this.gates.breaker?.status(monotonicNow);
    return status === 'open' || status === 'halfOpen' || status === 'isolated';
  }

  /** A call is let through: through a closed gate, it is the probe. */
  trying(monotonicNow: number, random: () => number): void {
    if (isClosed(this.connectivity)) this.connectivity = probeStarted(this.connectivity, monotonicNow, random);
  }

  /** Monotonic ms at which what closes all of it may open by itself, also when that is past; Infinity while paused, null while nothing is closed. */
  reopensAt(monotonicNow: number): number | null {
    if (this.paused) return Number.POSITIVE_INFINITY;
    if (monotonicNow < this.notBefore) return this.notBefore;
    return isClosed(this.connectivity) ? nextProbeAt(this.connectivity) : null;
  }
}
