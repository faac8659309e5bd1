import { isClosed, isProbeDue, observe, PROBE_TIMEOUT_MS, probeStarted } from '../strategies/connectivity.ts';
import type { Decision } from '../strategies/decision.ts';
import type { Context } from './context.ts';
import type { Zone } from './zone.ts';

/**
 * Feeds what attempts showed into the gates of their zone, and probes zones that are down and have a health check. The
 * others are tried by one request at a time, see `Zone.openFor`.
 */
export class Reachability {
  readonly #context: Context;
  readonly #gateChanged: () => void;
  readonly #probing = new Map<Zone, Promise<void>>();

  constructor(context: Context, gateChanged: () => void) {
    this.#context = context;
    this.#gateChanged = gateChanged;
  }

  /** An attempt ended. */
  observed(
    zone: Zone,
    decision: Pick<Decision, 'connectivity' | 'served' | 'pauseZoneUntil'>,
    error: (Error & { readonly code?: string | undefined }) | null,
  ): void {
    const { clock } = this.#context;
    if (decision.served) zone.servedAt = Math.max(zone.servedAt + 1, clock.now());
    if (decision.pauseZoneUntil !== null) {
      const waitMs = decision.pauseZoneUntil - clock.now();
      const notBefore = clock.monotonicNow() + waitMs;
      if (notBefore > zone.notBefore) {
        zone.notBefore = notBefore;
        this.#context.emitter.emit('zone:limited', { zone: zone.name, until: decision.pauseZoneUntil });
      }
      this.#gateChanged();
    }
    this.#observe(zone, decision.connectivity, error);
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
    const before = zone.connectivity;
    const after = observe(before, evidence, clock.monotonicNow(), random.number);
    if (evidence === 'reachable') zone.everAnswered = true;
    if (after === before) return;
    zone.connectivity = after;
    if (isClosed(after) && after.status !== before.status) {
      if (after.status === 'captive') emitter.emit('zone:captive', { zone: zone.name });
      else emitter.emit('zone:offline', { zone: zone.name, error: error?.code ?? error?.message ?? null });
    } else if (isClosed(before) && !isClosed(after)) {
      zone.onlineAt = clock.now();
      zone.hint();
      emitter.emit('zone:online', { zone: zone.name, offlineMs: clock.monotonicNow() - (before.closedAt ?? 0) });
    }
    this.#gateChanged();
  }
}
