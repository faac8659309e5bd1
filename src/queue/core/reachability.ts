import { close, isClosed, isProbeDue, observe, PROBE_TIMEOUT_MS, probeStarted } from '../strategies/connectivity.ts';
import type { Decision } from '../strategies/decision.ts';
import type { Context } from './context.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** Zones that went away within so long of each other went away together. */
const TOGETHER_MS = 10_000;
/** A zone that was not tried for so long says nothing of the network. */
const RECENT_MS = 60_000;

/**
 * Feeds what attempts showed into the connectivity of their zone, and probes zones that are down and have a health check. The
 * others are tried by one request at a time, see `Zone.openFor`. Where all zones are gone at once it is our own network.
 */
export class Reachability {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #gateChanged: () => void;
  readonly #probing = new Map<Zone, Promise<void>>();

  constructor(context: Context, zones: Zones, gateChanged: () => void) {
    this.#context = context;
    this.#zones = zones;
    this.#gateChanged = gateChanged;
  }

  /** An attempt ended. */
  observed(
    zone: Zone,
    decision: Pick<Decision, 'connectivity' | 'served'>,
    error: (Error & { readonly code?: string | undefined }) | null,
  ): void {
    const { clock } = this.#context;
    zone.triedAt = clock.monotonicNow();
    if (decision.connectivity === 'reachable') zone.answered = true;
    else if (decision.connectivity !== 'neutral') zone.answered = false;
    if (decision.served) zone.servedAt = Math.max(zone.servedAt + 1, clock.now());
    this.#observe(zone, decision.connectivity, error);
  }

  /** The server asked for no calls of the zone until then (epoch ms). */
  pause(zone: Zone, until: number): void {
    const { clock, emitter } = this.#context;
    const notBefore = clock.monotonicNow() + until - clock.now();
    if (notBefore > zone.notBefore) {
      zone.notBefore = notBefore;
      emitter.emit('zone:limited', { zone: zone.name, channel: zone.name, until });
    }
    this.#gateChanged();
  }

  /** A breaker of the zone changed. */
  breakerChanged(zone: Zone): void {
    if (zone.isAway(this.#context.clock.monotonicNow())) this.#wentAway(zone);
    else zone.awaySince = null;
    zone.wake();
    this.#gateChanged();
  }

  /** Probes the zones that are due for it. */
  probe(zones: Iterable<Zone>): void {
    const now = this.#context.clock.monotonicNow();
    for (const zone of zones) {
      if (zone.policy.healthCheck === undefined || zone.paused || this.#probing.has(zone)) continue;
      if (!isProbeDue(zone.connectivity, now)) continue;
      zone.connectivity = probeStarted(zone.connectivity, now, this.#context.random.number);
      this.#probing.set(
        zone,
        this.#check(zone).finally(() => this.#probing.delete(zone)),
      );
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#probing.values());
  }

  async #check(zone: Zone): Promise<void> {
    const check = zone.policy.healthCheck;
    if (check === undefined) return;
    const result = await this.#context.transport.send({
      origin: zone.policy.origin,
      method: check.method,
      path: check.path,
      headers: [],
      body: null,
      timeoutMs: PROBE_TIMEOUT_MS,
    });
    if (result.phase !== 'answered') return;
    const isExpected = check.expectStatus === null || result.response.status === check.expectStatus;
    if (isExpected) this.#observe(zone, 'reachable', null);
  }

  #observe(
    zone: Zone,
    evidence: Decision['connectivity'],
    error: (Error & { readonly code?: string | undefined }) | null,
  ): void {
    if (error !== null) zone.failedWith = error;
    const { clock, emitter, random } = this.#context;
    const now = clock.monotonicNow();
    const before = zone.connectivity;
    const after = observe(before, evidence, now, random.number);
    if (evidence === 'reachable') zone.everAnswered = true;
    if (after === before) return;
    zone.connectivity = after;
    if (isClosed(after) && after.status !== before.status) {
      if (after.status === 'captive') emitter.emit('zone:captive', { zone: zone.name });
      else emitter.emit('zone:offline', { zone: zone.name, error: error?.code ?? error?.message ?? null });
      this.#wentAway(zone);
    } else if (isClosed(before) && !isClosed(after)) {
      zone.onlineAt = clock.now();
      zone.awaySince = null;
      zone.gates.reconnected(now);
      zone.hint();
      emitter.emit('zone:online', { zone: zone.name, offlineMs: now - (before.closedAt ?? 0) });
    }
    this.#gateChanged();
  }

  /**
   * With the last of all zones that were tried lately, it is not they that are gone but the network here: what their breakers
   * opened for is taken back, and each is tried as a zone that cannot be reached. One zone alone proves nothing.
   */
  #wentAway(zone: Zone): void {
    const { clock, emitter, random } = this.#context;
    const now = clock.monotonicNow();
    zone.awaySince ??= now;
    const recent = Array.from(this.#zones.all).filter(({ triedAt }) => now - triedAt <= RECENT_MS);
    if (recent.length < 2) return;
    for (const one of recent) {
      // One that answers, if only that it does not serve, can be reached.
      if (one.answered || !one.isAway(now)) return;
      if (one.awaySince === null || now - one.awaySince > TOGETHER_MS) return;
    }
    for (const one of recent) {
      one.gates.breaker?.freeze(now);
      if (isClosed(one.connectivity)) continue;
      one.connectivity = close(one.connectivity, 'down', now, random.number);
      emitter.emit('zone:offline', { zone: one.name, error: one.failedWith?.message ?? null });
    }
  }
}
