import { HoldfastError } from '../../errors.ts';
import type { Sender } from '../types/request.ts';
import type { ProcessLimit } from './bulkhead.ts';
import type { ResolvedConfiguration } from './config/types.ts';
import { ANYONE, clientSender, processSender, readSender } from './senders.ts';
import { Zone } from './zone.ts';
import { namedZonePolicy, originZonePolicy } from './zonePolicy.ts';

/** All zones this process can send to: those of its configuration, and one per other origin, made when first met. */
export class Zones {
  readonly #process: ProcessLimit;
  readonly #byName = new Map<string, Zone>();
  readonly #byOrigin = new Map<string, Zone>();
  readonly #clients = new Set<string>();
  readonly #worker: string;
  #allPaused = false;

  constructor(config: ResolvedConfiguration, worker: string) {
    this.#worker = worker;
    this.#process = { max: config.maxConcurrency, inUse: 0 };
    for (const name of Object.keys(config.zones)) {
      const zone = this.#add(new Zone(namedZonePolicy(config, name), this.#process));
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
    const zone = this.#add(new Zone(originZonePolicy(origin), this.#process));
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
    throw new HoldfastError('REQUEST_INVALID', `no zone "${name}" is configured`, {
      problems: [{ path: 'zone', expected: `one of ${[...this.#byName.keys()].join(', ') || 'none'}`, got: name }],
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
      if (name !== undefined) zone.notBefore = 0;
      zone.hint();
    }
  }

  #picked(name: string | undefined): Iterable<Zone> {
    return name === undefined ? this.all : [this.mustBeNamed(name)];
  }

  #add(zone: Zone): Zone {
    zone.paused = this.#allPaused;
    zone.senders.add(ANYONE).add(processSender(this.#worker));
    this.#byName.set(zone.name, zone);
    return zone;
  }
}

function isOrigin(name: string): boolean {
  return /^https?:\/\/[^/?#]+$/.test(name);
}
