import { HoldfastError } from '../../errors.ts';
import { suggestion } from '../../suggestion.ts';
import { RetryBudget } from '../strategies/limits/RetryBudget.ts';
import type { Sender } from '../types/request.ts';
import type { Batching } from './batching/Batching.ts';
import type { ProcessLimit } from './bulkhead.ts';
import type { ResolvedConfiguration, ResolvedLimits } from './config/types.ts';
import { Channel } from './gates/Channel.ts';
import type { ChannelParts } from './gates/channelName.ts';
import { channelName, readChannelName } from './gates/channelName.ts';
import type { GateParts } from './gates/Gates.ts';
import { Gates } from './gates/Gates.ts';
import { ZoneTurns } from './gates/ZoneTurns.ts';
import { ANYONE, clientSender, processSender, readSender } from './senders.ts';
import { Zone } from './zone.ts';
import type { ZonePolicy } from './zonePolicy.ts';
import { namedZonePolicy, originZonePolicy } from './zonePolicy.ts';

/** Channels told apart at a time, over all zones; what comes in beyond goes through its zone's own. */
const MAX_CHANNELS = 1_000;
/** A channel unused for so long is forgotten, unless it stands for something that fails. */
const IDLE_MS = 15 * 60_000;
const WHOLE: ChannelParts = Object.freeze({ endpoint: null, operation: null, adapter: null });

/** What zones are made with. */
export interface ZoneParts extends GateParts {
  /** Other processes may send from the same store. */
  readonly isShared: boolean;
  /** How requests of a channel share calls; undefined where they go singly. */
  batching(zone: Zone, parts: ChannelParts): Batching | undefined;
  made(gates: Gates): void;
  /** These scopes are gone, and channels with them: requests may be stored under their names all the same. */
  forgotten(scopes: readonly string[]): void;
  budgetSpent(zone: string): void;
}

/** All zones this process can send to: those of its configuration, and one per other origin, made when first met. */
export class Zones {
  /** Channels that may have work that could go, the longest not asked for first. */
  readonly awake = new Set<Channel>();
  /** Whose calls are next where the process may make no more. */
  readonly turns: ZoneTurns;
  readonly #parts: ZoneParts;
  /** Gates of endpoints and classes, by the name of their scope. */
  readonly #scopes = new Map<string, Gates>();
  readonly #channels = new Map<string, Channel>();
  readonly #maxDelayMs: number;
  readonly #process: ProcessLimit;
  readonly #byName = new Map<string, Zone>();
  readonly #byOrigin = new Map<string, Zone>();
  readonly #clients = new Set<string>();
  readonly #worker: string;
  #allPaused = false;

  constructor(config: ResolvedConfiguration, worker: string, parts: ZoneParts) {
    this.#parts = parts;
    this.#worker = worker;
    this.#maxDelayMs = config.retry.maxDelayMs;
    this.#process = { max: config.maxConcurrency, inUse: 0, sleepers: new Set() };
    this.turns = new ZoneTurns(this.#process);
    for (const name of Object.keys(config.zones)) {
      const zone = this.#add(namedZonePolicy(config, name));
      for (const origin of zone.policy.origins) this.#byOrigin.set(origin, zone);
    }
  }

  get all(): IterableIterator<Zone> {
    return this.#byName.values();
  }

  /** The zone of an origin that was met before, written as a URL parser writes it. */
  knownOrigin(origin: string): Zone | undefined {
    return this.#byOrigin.get(origin);
  }

  /** The zone that serves this origin; made if there is none yet. */
  ofOrigin(origin: string): Zone {
    const known = this.#byOrigin.get(origin);
    if (known !== undefined) return known;
    const zone = this.#add(originZonePolicy(origin));
    this.#byOrigin.set(origin, zone);
    return zone;
  }

  /** The zone a stored request names: undefined when only another process can send it. */
  named(name: string): Zone | undefined {
    return this.#byName.get(name) ?? (isOrigin(name) ? this.ofOrigin(name) : undefined);
  }

  /** As {@link named}, for callers who must name one that exists. */
  mustBeNamed(name: string): Zone {
    const zone = this.named(name);
    if (zone !== undefined) return zone;
    const known = [...this.#byName.keys()];
    const expected = known.length === 0 ? 'the origin of an API, as none is configured' : suggestion(name, known);
    throw new HoldfastError('REQUEST_INVALID', `there is no zone "${name}": expected ${expected}`, {
      problems: [{ path: 'zone', expected, got: name }],
    });
  }

  /** Whether any other zone answers at present. */
  anyOtherAnswered(zone: Zone): boolean {
    for (const other of this.all) if (other !== zone && other.connectivity.status === 'up') return true;
    return false;
  }

  addClient(name: string): void {
    this.#clients.add(name);
  }

  removeClient(name: string): void {
    this.#clients.delete(name);
    for (const zone of this.all) zone.senders.delete(clientSender(name));
  }

  hasClient(name: string): boolean {
    return this.#clients.has(name);
  }

  /** Whether this process may send what waits for that sender. */
  canSend(sender: Sender, knowsPrincipal: (principal: string) => boolean): boolean {
    const kind = readSender(sender);
    switch (kind.kind) {
      case 'anyone':
        return true;
      case 'client':
        return this.#clients.has(kind.name);
      case 'process':
        return kind.worker === this.#worker;
      case 'principal':
        return knowsPrincipal(kind.principal);
    }
  }

  pause(name: string | undefined): void {
    if (name === undefined) this.#allPaused = true;
    for (const zone of this.#picked(name)) zone.paused = true;
  }

  resume(name: string | undefined): void {
    if (name === undefined) this.#allPaused = false;
    for (const zone of this.#picked(name)) {
      zone.paused = false;
      // Who names it knows better than what the server asked for.
      if (name !== undefined) {
        zone.notBefore = 0;
        zone.gates.breaker?.unhinted(this.#parts.now());
        for (const { scopes } of zone.channels.values()) for (const { throttle } of scopes) throttle.released();
      }
      zone.wake();
      zone.hint();
    }
  }

  #picked(name: string | undefined): Iterable<Zone> {
    return name === undefined ? this.all : [this.mustBeNamed(name)];
  }

  /** The channel of these parts of a zone: made when first met, that of the zone itself where there are too many. */
  channel(zone: Zone, parts: ChannelParts): Channel {
    const name = channelName(zone.name, parts);
    const known = this.#channels.get(name);
    if (known !== undefined) return known;
    if (this.#channels.size >= MAX_CHANNELS) this.#forgetIdle();
    const whole = this.#channels.get(zone.name);
    if (whole !== undefined && this.#channels.size >= MAX_CHANNELS) return whole;
    return this.#make(name, zone, parts);
  }

  #make(name: string, zone: Zone, parts: ChannelParts): Channel {
    const scopes = [zone.gates, ...this.#scopesOf(zone, parts)];
    const batching = this.#parts.batching(zone, parts);
    const channel = new Channel({ name, zone, parts, batching }, scopes, this.awake, this.#parts.isShared);
    channel.usedAt = this.#parts.now();
    zone.channels.set(name, channel);
    this.#channels.set(name, channel);
    return channel;
  }

  /** The channel that requests of that name go through, which a process may have stored that has other settings. */
  channelNamed(zone: Zone, name: string): Channel {
    const whole = this.#channels.get(name);
    if (whole !== undefined) return whole;
    const { tier, ...parts } = readChannelName(zone.name, name);
    const own = channelName(zone.name, parts);
    // Also beyond what is told apart: nothing else would ask for it.
    const channel = this.#channels.get(own) ?? this.#make(own, zone, parts);
    channel.met(tier);
    return channel;
  }

  get channelCount(): number {
    return this.#channels.size;
  }

  get allChannels(): IterableIterator<Channel> {
    return this.#channels.values();
  }

  /** Monotonic ms at which gates that keep work back may open by themselves; -Infinity where it is not known when. */
  *reopenings(now: number): Generator<number> {
    for (const zone of this.all) {
      const at = zone.reopensAt(now);
      if (at !== null) yield at;
      if (zone.keptBack.size > 0) yield Number.NEGATIVE_INFINITY;
      for (const channel of zone.keptBack) if (channel.keptBackUntil > now) yield channel.keptBackUntil;
      for (const channel of zone.sleepers) {
        // As it was when it fell asleep: by now it may be open, and nobody have looked since.
        if (channel.mayHaveWork) yield channel.sleepsUntil;
      }
    }
  }

  /** Gates of that scope may have opened. */
  wakeScope(scope: string): void {
    const zone = this.#byName.get(scope) ?? this.#byName.get(this.#scopes.get(scope)?.zone ?? '');
    zone?.wake();
  }

  /** The gates of a scope that is no zone, where they were made. */
  scope(name: string): Gates | undefined {
    return this.#scopes.get(name);
  }

  #scopesOf(zone: Zone, { endpoint, operation }: ChannelParts): Gates[] {
    const { endpoint: endpoints, classes } = zone.policy;
    const found: Gates[] = [];
    if (endpoint !== null && endpoints !== undefined) {
      const own = Object.hasOwn(endpoints.byName, endpoint) ? endpoints.byName[endpoint] : undefined;
      const limits = own ?? endpoints.limits;
      const adaptive = zone.policy.adaptiveConcurrency;
      found.push(
        this.#gates(zone, channelName(zone.name, { endpoint, operation: null, adapter: null }), limits, adaptive),
      );
    }
    const ofClass = operation === null ? undefined : classes?.[operation];
    if (ofClass !== undefined) {
      const limits = { maxConcurrency: ofClass, rateLimit: null, breaker: null };
      found.push(
        this.#gates(zone, channelName(zone.name, { endpoint: null, operation, adapter: null }), limits, false),
      );
    }
    return found;
  }

  #gates(zone: Zone, scope: string, limits: ResolvedLimits, adaptive: boolean): Gates {
    const known = this.#scopes.get(scope);
    if (known !== undefined) return known;
    const gates = new Gates({ scope, zone: zone.name }, limits, { adaptive, process: null }, this.#parts);
    this.#scopes.set(scope, gates);
    this.#parts.made(gates);
    return gates;
  }

  /** Never what is closed, or has work: it would be open again, or not be asked for. */
  #forgetIdle(): void {
    const now = this.#parts.now();
    const { size } = this.#channels;
    const unused: string[] = [];
    for (const zone of this.all) {
      for (const channel of zone.channels.values()) {
        if (channel.name === zone.name || channel.mayHaveWork || now - channel.usedAt < IDLE_MS) continue;
        const own = channel.scopes.slice(1);
        if (!own.every((gates) => gates.isAtRest(now))) continue;
        zone.channels.delete(channel.name);
        this.#channels.delete(channel.name);
        for (const { scope } of own) if (!this.#isUsed(zone, scope)) unused.push(scope);
      }
    }
    for (const scope of unused) this.#scopes.delete(scope);
    if (this.#channels.size < size) this.#parts.forgotten(unused);
  }

  #isUsed(zone: Zone, scope: string): boolean {
    for (const { scopes } of zone.channels.values()) if (scopes.some((one) => one.scope === scope)) return true;
    return false;
  }

  #add(policy: ZonePolicy): Zone {
    const { name, adaptiveConcurrency: adaptive } = policy;
    const gates = new Gates({ scope: name, zone: name }, policy, { adaptive, process: this.#process }, this.#parts);
    const { retryBudget } = policy;
    const exhausted = (): void => this.#parts.budgetSpent(name);
    const maxDeferMs = this.#maxDelayMs;
    const budget = retryBudget === null ? null : new RetryBudget({ ...retryBudget, maxDeferMs, exhausted });
    const zone = new Zone(policy, gates, budget);
    this.channel(zone, WHOLE);
    zone.paused = this.#allPaused;
    zone.senders.add(ANYONE).add(processSender(this.#worker));
    this.#byName.set(zone.name, zone);
    this.#parts.made(gates);
    return zone;
  }
}

function isOrigin(name: string): boolean {
  return /^https?:\/\/[^/?#]+$/.test(name);
}
