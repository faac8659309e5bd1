import type { Connectivity } from '../strategies/connectivity.ts';
import type { ClaimPart } from '../types/claimTerms.ts';
import type { StoredRequest } from '../types/request.ts';
import type { ClaimQuery, ClaimResult } from '../types/store.ts';
import type { Attempts } from './attempts.ts';
import type { BackendHealth } from './backendHealth.ts';
import { claimedGroups } from './batching/claimedGroups.ts';
import type { Context } from './context.ts';
import { leaseUntil } from './context.ts';
import type { FetchCallers } from './fetchCallers.ts';
import type { Channel } from './gates/Channel.ts';
import type { Failover } from './gates/Failover.ts';
import type { ProbeLeases } from './gates/ProbeLeases.ts';
import { isKeptBack, partsOfClaim } from './gates/parts.ts';
import { probeTerms } from './gates/probeTerms.ts';
import type { Teller } from './tell.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** How long after a failed claim the next is tried. */
const RETRY_MS = 250;

/** Claims under way at once: permits freed while one is being answered go into the commit that stores what freed them. */
const MAX_CLAIMS = 2;

/** What a probe is given. */
const ONE = Object.freeze({ calls: 1, perCall: 1 });

/** What one claim asked for a channel. */
interface Asked {
  readonly channel: Channel;
  /** Whose permits these are: the channel's own, or that of a zone that stands in for its. */
  readonly via: Channel;
  readonly permits: number;
  /** Requests asked for with each permit. */
  readonly perCall: number;
  /** Monotonic ms. */
  readonly takenAt: number;
  readonly isProbe: boolean;
  /** How many in a row failed before it. */
  readonly failedProbes: number;
  /** What each tier of it may have of the permits; undefined where it has but one. */
  readonly parts: readonly ClaimPart[] | undefined;
  /** The channel's hints when it was asked. */
  readonly hints: number;
  /** The connectivity of the zone it goes to before and since this claim counted as a try. */
  readonly untried: Connectivity;
  readonly tried: Connectivity;
}

/** What claims go by beside the gates. */
export interface DispatcherParts {
  readonly attempts: Attempts;
  readonly teller: Teller;
  readonly health: BackendHealth;
  readonly failover: Failover;
  readonly probeLeases: ProbeLeases;
  readonly fetchCallers: FetchCallers;
  /** Requests below this priority are not sent at present. */
  minPriority(): number;
  /** A channel that may have work was found closed, which time will end. */
  closed(): void;
  /** The zone takes nothing but a try, and nothing that waits could do it. */
  untried(zone: Zone): void;
}

/**
 * Gates and claims: takes permits of open channels that may have work, leases that many of their best requests, and starts
 * them. Closed channels are not asked for.
 */
export class Dispatcher {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #parts: DispatcherParts;
  readonly #wake: () => void;
  readonly #claiming = new Set<Promise<void>>();
  #isStopped = false;

  constructor(context: Context, zones: Zones, parts: DispatcherParts, wake: () => void) {
    this.#context = context;
    this.#zones = zones;
    this.#parts = parts;
    this.#wake = wake;
  }

  /** Claims no more; resolves when a claim under way has come back. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { batching } of this.#zones.allChannels) batching?.stop();
    await Promise.all(this.#claiming);
  }

  pump(): void {
    if (this.#isStopped || this.#claiming.size >= MAX_CLAIMS || !this.#context.config.dispatch) return;
    const { awake, turns } = this.#zones;
    if (awake.size === 0) return turns.rest();
    const now = this.#context.clock.monotonicNow();
    turns.begin(
      awake,
      (channel) => (mayDetour(channel.zone) ? Number.POSITIVE_INFINITY : channel.openFor(now)),
      ({ zone }) => (mayDetour(zone) ? this.#context.config.maxConcurrency : zone.gates.available(now)),
    );
    let asked = this.#askAll(now);
    turns.end();
    // What was granted could not be used: whoever else can may have it.
    if (asked.length === 0 && awake.size > 0) asked = this.#askAll(now);
    if (asked.length === 0) return;
    // Those that got permits are asked last the next time.
    for (const { channel } of asked) {
      awake.delete(channel);
      awake.add(channel);
    }
    const claim = this.#claim(asked).then((wasAnswered) => {
      this.#claiming.delete(claim);
      if (wasAnswered) this.#wake();
      else this.#context.clock.schedule(RETRY_MS, this.#wake);
    });
    this.#claiming.add(claim);
  }

  #askAll(now: number): Asked[] {
    const { awake, turns } = this.#zones;
    const asked: Asked[] = [];
    for (const channel of awake) {
      const most = turns.leftFor(channel.zone);
      const one = most > 0 ? this.#ask(channel, most, now) : undefined;
      if (one === undefined) continue;
      turns.took(channel.zone, one.permits);
      asked.push(one);
    }
    return asked;
  }

  #ask(channel: Channel, most: number, now: number): Asked | undefined {
    const { zone } = channel;
    if (zone.senders.size === 0 || !this.#isDue(channel, now)) return undefined;
    const { failover } = this.#parts;
    const standIn = failover.viaOf(zone, now);
    const isDetour = standIn !== zone;
    const isCanary = isDetour && failover.isCanaryDue(zone, now);
    // Its own zone is still asked where it may be tried, as nothing else would find it back.
    const isOwn = !isDetour || ((isCanary || zone.isAway(now)) && channel.openFor(now) > 0);
    const other = isOwn ? failover.toBeTried(zone, channel, now) : standIn;
    const via = other === undefined ? channel : this.#zones.channel(other, channel.parts);
    const isProbe = (isOwn && isCanary) || via.isProbing(now);
    const { calls, perCall } = isProbe ? ONE : this.#shareOf(via, most, now);
    const permits = via.take(calls, now);
    if (permits === 0) {
      channel.sleep(now, via);
      if (channel.sleepsUntil > now) this.#parts.closed();
      return undefined;
    }
    channel.batching?.asked(channel.hints);
    if (isOwn && isCanary) failover.canarySent(zone, now);
    const { failedProbes } = via;
    const untried = via.zone.connectivity;
    via.zone.trying(now, this.#context.random.number);
    const least = Math.max(this.#parts.minPriority(), via.minPriority(now));
    const hasShares = this.#context.ranking.strategy.priorityStrategy === 'priority';
    const parts = partsOfClaim(channel, via, permits, { minPriority: isProbe ? 1 : least, hasShares }, now);
    return {
      channel,
      via,
      permits,
      perCall,
      takenAt: now,
      isProbe,
      failedProbes,
      parts,
      hints: channel.hints,
      untried,
      tried: via.zone.connectivity,
    };
  }

  /** Whether it is time to ask for it: where requests share calls, the first waits a little for others. */
  #isDue({ batching, hints }: Channel, now: number): boolean {
    if (batching === undefined || batching.isDue(hints, now)) return true;
    batching.wakeWhenDue(now, this.#wake);
    return false;
  }

  /** How many calls to take permits for, and how many requests to claim for each. */
  #shareOf(via: Channel, most: number, now: number): { readonly calls: number; readonly perCall: number } {
    const open = Math.min(most, via.openFor(now));
    const { batching } = via;
    if (batching === undefined || open === 0) return { calls: open, perCall: 1 };
    const { perCall, adapter } = batching;
    const tokens = adapter.isCountedEach ? via.tokens(now) : Number.POSITIVE_INFINITY;
    if (tokens >= open * perCall) return { calls: open, perCall };
    // Few full calls rather than many: the server counts what is in them.
    const calls = Math.min(open, Math.ceil(tokens / perCall));
    return { calls, perCall: Math.max(1, Math.floor(tokens / calls)) };
  }

  async #claim(asked: readonly Asked[]): Promise<boolean> {
    const { backend, clock, worker } = this.#context;
    const { health, probeLeases } = this.#parts;
    let wanted = asked;
    try {
      wanted = await probeLeases.granted(asked, (one) => this.#refused(one));
      if (wanted.length === 0) return true;
      const result = await backend.requests.claim({
        worker,
        now: clock.now(),
        leaseUntil: leaseUntil(this.#context),
        channels: wanted.map((one) => this.#queryOf(one)),
      });
      health.worked('claim');
      this.#start(wanted, result);
      return true;
    } catch (error) {
      health.failed(error, 'claim');
      for (const one of wanted) this.#cameToNothing(one);
      return false;
    }
  }

  #queryOf({ channel, via, permits, perCall, isProbe, failedProbes, parts }: Asked): ClaimQuery['channels'][number] {
    const base = {
      channel: channel.name,
      senders: channel.senders,
      calls: permits,
      perCall,
      ...(via === channel && { within: via.within }),
      ...(parts !== undefined && { parts }),
    };
    if (!isProbe) return base;
    const knowsKeys = channel.zone.policy.idempotency !== undefined;
    return { ...base, ...probeTerms(failedProbes, knowsKeys, this.#context.random.number) };
  }

  /** Another process finds out about it. */
  #refused(asked: Asked): void {
    const { channel, via, takenAt, untried, tried } = asked;
    this.#cameToNothing(asked);
    if (via.zone.connectivity === tried) via.zone.connectivity = untried;
    channel.sleep(takenAt, via);
    this.#parts.closed();
  }

  #cameToNothing(asked: Asked): void {
    asked.channel.batching?.askAgain();
    this.#giveBack(asked, asked.permits);
  }

  #giveBack({ channel, via, takenAt }: Asked, permits: number): void {
    this.#zones.turns.took(channel.zone, -permits);
    via.giveBack(permits, takenAt);
  }

  #start(asked: readonly Asked[], result: ClaimResult): void {
    const byChannel = new Map<string, StoredRequest[]>();
    for (const request of result.claimed) {
      const requests = byChannel.get(request.channel);
      if (requests === undefined) byChannel.set(request.channel, [request]);
      else requests.push(request);
    }
    const { teller } = this.#parts;
    const untriedZones = new Set<Zone>();
    for (const one of asked) {
      const { channel, via, permits, perCall, takenAt, parts, hints, untried, tried } = one;
      const names = parts ?? [{ channel: channel.name }];
      const requests = names.flatMap((part) => byChannel.get(part.channel) ?? []);
      const unused = permits - this.#send(one, requests);
      if (one.isProbe && requests.length === 0) untriedZones.add(via.zone);
      // Nothing was there to try the zone with: whoever comes next may.
      if (requests.length === 0 && via.zone.connectivity === tried) via.zone.connectivity = untried;
      const isFull = requests.length === permits * perCall;
      const isLeft = isFull || isKeptBack(requests, parts, perCall);
      if (isLeft) channel.batching?.askAgain();
      if (!isFull && isLeft) {
        channel.keepBack(via, takenAt);
        if (channel.keptBackUntil > takenAt) this.#parts.closed();
      } else if (!isFull) channel.drained(hints);
      if (unused > 0) this.#giveBack(one, unused);
    }
    teller.allEnded(result.ended);
    teller.moved(result.moved);
    const now = this.#context.clock.monotonicNow();
    for (const zone of untriedZones) if (!zone.mayHaveWorkToSend(now)) this.#parts.untried(zone);
  }

  /** Starts what was claimed, and says how many of the permits that takes. */
  #send({ channel, via, permits, isProbe }: Asked, requests: readonly StoredRequest[]): number {
    const { attempts, fetchCallers } = this.#parts;
    const { batching } = via;
    if (batching === undefined || requests.length < 2) {
      for (const request of requests) attempts.start(request, tokenOf(request), via);
      channel.batching?.claimed(requests.length, requests.length, 0);
      return requests.length;
    }
    const now = this.#context.clock.monotonicNow();
    const groups = claimedGroups(requests, batching, via.zone.policy, fetchCallers);
    const lacking = groups.length - permits;
    const more = lacking > 0 && !isProbe ? via.take(lacking, now) : 0;
    this.#zones.turns.took(channel.zone, more);
    const calls = permits + more;
    for (const [index, group] of groups.entries()) {
      const claimed = group.map((request) => ({ request, token: tokenOf(request) }));
      const [first] = group as [StoredRequest, ...StoredRequest[]]; // never empty
      if (index >= calls) for (const one of claimed) attempts.putBack(one);
      else if (group.length === 1) attempts.start(first, tokenOf(first), via);
      else attempts.startBatch(claimed, via, batching);
    }
    const left = groups.slice(calls).reduce((sum, group) => sum + group.length, 0);
    channel.batching?.claimed(requests.length, Math.min(calls, groups.length), left);
    return Math.min(permits, groups.length);
  }
}

function tokenOf({ lease }: StoredRequest): number {
  return lease?.token ?? 0;
}

/** Its calls may go to another zone: what its own gates say of it does not tell how many. */
function mayDetour(zone: Zone): boolean {
  return zone.isDetoured || zone.policy.failover.length > 0;
}
