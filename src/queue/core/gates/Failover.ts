import type { Context } from '../context.ts';
import type { Zone } from '../zone.ts';
import type { Channel } from './Channel.ts';

/** Healthy for so long before its calls come back to it: which also keeps it from being switched to and fro. */
const FAILBACK_MS = 5 * 60_000;
/** While it is watched whether a zone stays healthy, one call in so long goes to it. */
const CANARY_MS = 30_000;

interface Detour {
  readonly via: Zone;
  /** Since when its own zone has been healthy; null while it is not. */
  healthySince: number | null;
  canaryAt: number;
}

/**
 * Where the calls of a zone with `failover` go: to itself, or, while it takes none, to the first of its others that does. Asked at
 * every claim and computed from time. What may go elsewhere is each request's own affair, see `pins.ts`.
 */
export class Failover {
  readonly #context: Context;
  readonly #named: (name: string) => Zone | undefined;
  readonly #detours = new Map<Zone, Detour>();

  constructor(context: Context, named: (name: string) => Zone | undefined) {
    this.#context = context;
    this.#named = named;
  }

  /** The zone that takes the calls of `home` at present. */
  viaOf(home: Zone, now: number): Zone {
    if (home.policy.failover.length === 0) return home;
    const detour = this.#detours.get(home);
    if (home.isAway(now) || home.paused) return this.#elsewhere(home, detour, now);
    if (detour === undefined) return home;
    detour.healthySince ??= now;
    const isDue = now - detour.healthySince >= FAILBACK_MS;
    if (!isDue && !detour.via.isAway(now)) return detour.via;
    this.#end(home);
    home.gates.reconnected(now);
    this.#context.emitter.emit('zone:failedBack', { zone: home.name, from: detour.via.name });
    return home;
  }

  /**
   * While nobody takes the calls of `home`, and it may not be tried itself: one of its others that may, as that may have no calls of its own
   * that would find it back.
   */
  toBeTried(home: Zone, channel: Channel, now: number): Zone | undefined {
    if (home.policy.failover.length === 0 || home.paused || !home.isAway(now) || channel.openFor(now) > 0)
      return undefined;
    for (const name of home.policy.failover) {
      const zone = this.#named(name);
      if (zone?.isAway(now) === true && zone.openFor(now) > 0 && zone.gates.available(now) > 0) return zone;
    }
    return undefined;
  }

  /** As {@link viaOf}, without deciding anything. */
  peek(home: Zone, now: number): Zone {
    const via = this.#detours.get(home)?.via ?? home;
    return via === home || via.isAway(now) ? home : via;
  }

  /** Whether a call is to go to `home` itself while others take its calls, to see how it is. */
  isCanaryDue(home: Zone, now: number): boolean {
    const detour = this.#detours.get(home);
    return detour !== undefined && detour.healthySince !== null && now >= detour.canaryAt;
  }

  canarySent(home: Zone, now: number): void {
    const detour = this.#detours.get(home);
    if (detour !== undefined) detour.canaryAt = now + CANARY_MS;
  }

  #elsewhere(home: Zone, detour: Detour | undefined, now: number): Zone {
    // One that is only paused is not to be gone around: whoever paused it meant its calls.
    if (home.paused) return home;
    if (detour !== undefined) {
      detour.healthySince = null;
      if (!detour.via.isAway(now)) return detour.via;
    }
    const via = this.#firstHealthy(home, now);
    if (via === undefined) {
      // Nobody takes them: they wait at home.
      this.#end(home);
      return home;
    }
    this.#detours.set(home, { via, healthySince: null, canaryAt: now + CANARY_MS });
    home.isDetoured = true;
    this.#context.emitter.emit('zone:failedOver', { zone: home.name, to: via.name });
    return via;
  }

  #end(home: Zone): void {
    this.#detours.delete(home);
    home.isDetoured = false;
  }

  #firstHealthy(home: Zone, now: number): Zone | undefined {
    for (const name of home.policy.failover) {
      const zone = this.#named(name);
      if (zone !== undefined && !zone.isAway(now) && zone.mayTry(now)) return zone;
    }
    return undefined;
  }
}
