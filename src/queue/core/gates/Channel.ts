import { failedProbes, isClosed } from '../../strategies/connectivity.ts';
import type { AttemptTimeouts } from '../../strategies/limits/AttemptTimeouts.ts';
import type { SendingLimit } from '../../types/claimTerms.ts';
import type { Sender } from '../../types/request.ts';
import type { PriorityStrategy } from '../../types/scheduling.ts';
import type { ChannelSenders } from '../../types/store.ts';
import type { Batching } from '../batching/Batching.ts';
import type { OperationClass } from '../config/types.ts';
import type { Zone } from '../zone.ts';
import type { ChannelParts, Tier } from './channelName.ts';
import { TIERS, tierName, tierOf } from './channelName.ts';
import type { Gates } from './Gates.ts';

/** What a call that is under way gives back when it ends: what each scope's breaker wants to know, in the order of `scopes`. */
export type Tickets = readonly number[];

/**
 * What ready requests of a zone are indexed by, and the gates before them: those of the zone, of the endpoint and of the class of
 * operations, which are taken together or not at all. Whether there may be work is known by hints.
 */
export class Channel {
  readonly name: string;
  readonly zone: Zone;
  readonly parts: ChannelParts;
  /** The zone's first. */
  readonly scopes: readonly Gates[];
  /** By class of operation; made when first needed. */
  readonly timeouts = new Map<OperationClass, AttemptTimeouts>();
  /** Monotonic ms of its last use. */
  usedAt = 0;
  /** While it sleeps: the monotonic ms at which time alone may open what was closed then; -Infinity where only a call that ends does. */
  sleepsUntil = Number.NEGATIVE_INFINITY;
  /** While it is kept back: the monotonic ms at which the server's quota keeps nothing back any more; not in the future where it is not that. */
  keptBackUntil = Number.NEGATIVE_INFINITY;
  /** Raised with every hint that something may be ready; compared so that a hint during a claim is not lost. */
  #hints = 0;
  #seen = 0;
  #within: readonly SendingLimit[] | undefined;
  readonly #tiers = new Set<Tier>(['main']);
  readonly #awake: Set<Channel>;

  readonly #isShared: boolean;
  /** How its requests share calls; undefined where they go singly. */
  readonly batching: Batching | undefined;

  /** `awake`: where it stands while it may have work that could go. `isShared`: other processes may send from the same store. */
  constructor(
    of: {
      readonly name: string;
      readonly zone: Zone;
      readonly parts: ChannelParts;
      readonly batching: Batching | undefined;
    },
    scopes: readonly Gates[],
    awake: Set<Channel>,
    isShared: boolean,
  ) {
    this.name = of.name;
    this.zone = of.zone;
    this.parts = of.parts;
    this.batching = of.batching;
    this.scopes = scopes;
    this.#awake = awake;
    this.#isShared = isShared;
  }

  /** Whose limits an answer speaks of: those of the endpoint, where it has its own, else those of the zone. */
  get spokenOf(): Gates {
    const own = this.parts.endpoint === null || this.zone.policy.endpoint === undefined ? undefined : this.scopes[1];
    return own ?? this.zone.gates;
  }

  /** What other processes may have stored of it beside its own name. */
  get #tierNames(): readonly string[] {
    return TIERS.map((tier) => tierName(this.name, tier)).filter((name) => name !== this.name);
  }

  /** For claims: how many may be under way over all processes; undefined where the store is nobody else's. */
  get within(): readonly SendingLimit[] | undefined {
    if (!this.#isShared) return undefined;
    const { scopes, zone } = this;
    if (zone.policy.batch.length > 0) return this.#withinBatched();
    const isSo = this.#within?.every(({ sending }, index) => sending === scopes[index]?.limits.maxConcurrency);
    if (isSo !== true) {
      this.#within = scopes.map(({ limits: { maxConcurrency: sending } }, index) =>
        index === 0
          ? { zone: zone.name, sending }
          : { zone: zone.name, channel: this.name, with: this.#tierNames, sending },
      );
    }
    return this.#within;
  }

  /**
   * The store counts requests, not calls: members of batches would use up the limit of their zone for all that goes singly. So where a
   * zone batches, each name that requests are stored under has the limit for itself, times what a call may hold.
   */
  #withinBatched(): readonly SendingLimit[] {
    const calls = Math.min(...this.scopes.map(({ limits }) => limits.maxConcurrency));
    const sending = calls * (this.batching?.most ?? 1);
    const isSo = this.#within?.length === this.#tiers.size && this.#within[0]?.sending === sending;
    if (isSo && this.#within !== undefined) return this.#within;
    this.#within = Array.from(this.#tiers, (tier) => {
      return { zone: this.zone.name, channel: tierName(this.name, tier), sending };
    });
    return this.#within;
  }

  /** The name a request is stored under: by the order that priorities make, what is less important leaves room for others. */
  nameFor(priority: number, strategy: PriorityStrategy): string {
    const tier = strategy === 'priority' ? tierOf(priority) : 'main';
    if (tier === 'main') return this.name;
    this.met(tier);
    return tierName(this.name, tier);
  }

  /** A request of that tier was met. */
  met(tier: Tier): void {
    this.#tiers.add(tier);
  }

  /** Tiers of which a request was met, the whole of it first. */
  get tiers(): ReadonlySet<Tier> {
    return this.#tiers;
  }

  get senders(): readonly Sender[] {
    return [...this.zone.senders];
  }

  /** With all that this process may look at though it cannot send it. */
  get doubtSenders(): readonly ChannelSenders[] {
    const senders = [...new Set([...this.zone.senders, ...this.zone.doubtSenders])];
    return Array.from(this.#tiers, (tier) => ({ channel: tierName(this.name, tier), senders }));
  }

  get mayHaveWork(): boolean {
    return this.#hints !== this.#seen;
  }

  /** Something of it may be ready. */
  hint(): void {
    this.#hints += 1;
    this.#awake.add(this);
  }

  get hints(): number {
    return this.#hints;
  }

  /** A claim made when `hints` was so high found no more than it took. */
  drained(hints: number): void {
    this.#seen = hints;
    if (!this.mayHaveWork) this.#awake.delete(this);
  }

  /** Its gates, or those of `via` that stands in for it, are closed: it is not asked for until something wakes it. */
  sleep(now: number, via: Channel = this): void {
    this.sleepsUntil = firstAfter(now, this.reopensAt(now), via.reopensAt(now));
    this.#awake.delete(this);
    this.zone.sleepers.add(this);
    via.zone.sleepers.add(this);
    via.zone.gates.bulkhead.awaitProcess(this);
  }

  /**
   * What is left of it has to leave room for others: it is asked for when a call of the zone ends, or the quota of the server is a new one, not when permits
   * are found free.
   */
  keepBack(via: Channel, now: number): void {
    this.keptBackUntil = via.#allFrom(now);
    this.#awake.delete(this);
    this.zone.keptBack.add(this);
    via.zone.keptBack.add(this);
  }

  /** A gate may have opened. */
  wake(): void {
    if (this.mayHaveWork) this.#awake.add(this);
  }

  /** Calls that may start now; 0 while a gate is closed. */
  openFor(now: number): number {
    let calls = this.zone.openFor(now);
    for (let index = 0; calls > 0 && index < this.scopes.length; index += 1) {
      calls = Math.min(calls, (this.scopes[index] as Gates).available(now)); // index < length
    }
    return calls;
  }

  /** Calls that may start now without being a probe: those that were just accepted are not chosen for that. */
  openForNewcomers(now: number): number {
    for (const gates of this.scopes) if (gates.isProbing(now)) return 0;
    return this.openFor(now);
  }

  /** Whether nothing of it is to be sent, not even with a permit that was taken before. */
  isShut(now: number): boolean {
    if (this.zone.paused || now < this.zone.notBefore) return true;
    for (const { breaker } of this.scopes) {
      const status = breaker?.status(now);
      if (status === 'open' || status === 'isolated') return true;
    }
    return false;
  }

  /** Whether a call that starts now finds out if a gate may open. */
  isProbing(now: number): boolean {
    if (this.zone.isProbing) return true;
    for (const gates of this.scopes) if (gates.isProbing(now)) return true;
    return false;
  }

  /** How often in a row it was found out that this does not work yet. */
  get failedProbes(): number {
    let most = isClosed(this.zone.connectivity) ? failedProbes(this.zone.connectivity) : 0;
    for (const { breaker } of this.scopes) most = Math.max(most, (breaker?.tries ?? 0) - 1);
    return most;
  }

  /** What a call that starts now finds out about: its zone, or an endpoint of that. */
  probed(now: number): Gates {
    const probed = this.zone.isProbing ? undefined : this.scopes.find((gates) => gates.isProbing(now));
    return probed ?? this.zone.gates;
  }

  /** Requests below this priority are not sent at present: the server's quota is nearly used up. */
  minPriority(now: number): number {
    let least = 1;
    for (const { throttle } of this.scopes) least = Math.max(least, throttle.minPriority(now));
    return least;
  }

  /** When what is sent may be of any priority again, as far as the server's quota goes; `now` if already. */
  #allFrom(now: number): number {
    let at = now;
    for (const { throttle } of this.scopes) at = Math.max(at, throttle.allFrom(now));
    return at;
  }

  /** Takes up to `wanted` permits of all gates and says how many it got. */
  take(wanted: number, now: number): number {
    const taken = Math.min(wanted, this.openFor(now));
    if (taken <= 0) return 0;
    for (const gates of this.scopes) gates.take(taken, now);
    this.usedAt = now;
    return taken;
  }

  /** Gives back permits of which no call has started. */
  giveBack(permits: number, takenAt: number): void {
    if (permits === 0) return;
    for (const gates of this.scopes) gates.giveBack(permits, takenAt);
    this.zone.wake();
  }

  /** A call that holds a permit starts. */
  started(now: number): Tickets {
    // For each ordinary call: without a function made for it.
    const tickets: number[] = [];
    for (const gates of this.scopes) tickets.push(gates.started(now));
    return tickets;
  }

  /** A call that is under way is made once more, or counts as so many more. */
  repeated(now: number, calls = 1): void {
    for (const gates of this.scopes) gates.repeated(now, calls);
  }

  /** Another call begins under a permit that one was made with. */
  began(now: number): Tickets {
    return this.scopes.map((gates) => gates.began(now));
  }

  /** Calls that the rates allow at present. */
  tokens(now: number): number {
    return Math.min(...this.scopes.map((gates) => gates.tokens(now)));
  }

  /** The wire of a call is free again. */
  finished(): void {
    for (const gates of this.scopes) gates.finished();
    this.zone.wake();
    this.zone.letGo();
  }

  /** Runs a call that holds a permit, in the narrowest of its bulkheads. */
  run(call: () => Promise<void>): Promise<void> {
    return (this.scopes.at(-1) as Gates).bulkhead.run(call); // the zone's is always there
  }

  /** Monotonic ms at which a closed gate may open by itself; Infinity where none leads there, `now` where none is closed by time. */
  reopensAt(now: number): number {
    let at = this.zone.reopensAt(now) ?? now;
    for (const gates of this.scopes) at = Math.max(at, gates.nextAt(now));
    return at;
  }
}

/** The earlier one of those that are not past. */
function firstAfter(now: number, one: number, other: number): number {
  if (one <= now || other <= now) return Math.max(one, other) > now ? Math.max(one, other) : Number.NEGATIVE_INFINITY;
  return Math.min(one, other);
}
