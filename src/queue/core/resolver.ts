import { HoldfastError } from '../../errors.ts';
import { resolved } from '../strategies/progress.ts';
import { mayResend } from '../strategies/resend.ts';
import type { HttpResponse, Progress, StoredRequest } from '../types/request.ts';
import type { Move } from '../types/store.ts';
import type { ProbeContext, ProbeFunction, ProbeVerdict } from './config/options.ts';
import type { Context } from './context.ts';
import type { Credentials } from './credentials.ts';
import { probeFor } from './probes.ts';
import type { Settler } from './settler.ts';
import { messageOf } from './tell.ts';
import { isKeyed } from './wire.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** Unknown requests looked at together. */
const BATCH = 16;
/** A request parked in a proxy can land after a probe said "not there": how long at least to wait before asking. */
const LEAST_SETTLE_MS = 30_000;
/** Waits after probes that showed nothing; then a person decides. */
const PROBE_DELAYS_MS = [30_000, 120_000, 600_000] as const;
/** Spare time on top of a probe's own, after which another process may look. */
const SLACK_MS = 30_000;

/**
 * Finds out what became of requests whose outcome is unknown (replay.md R8): resend where that is harmless or the server
 * knows the key, else probe, else hold for a person.
 */
export class Resolver {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #credentials: Credentials;
  readonly #settler: Settler;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(context: Context, zones: Zones, credentials: Credentials, settler: Settler) {
    this.#context = context;
    this.#zones = zones;
    this.#credentials = credentials;
    this.#settler = settler;
  }

  /** Looks at what is due, if that is not being done already. */
  run(): Promise<void> {
    if (this.#isStopped || !this.#context.config.dispatch) return Promise.resolve();
    this.#running ??= this.#lookAtDue().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #lookAtDue(): Promise<void> {
    const { backend, clock, config, worker } = this.#context;
    for (let found = BATCH; found === BATCH && !this.#isStopped; ) {
      const now = clock.monotonicNow();
      const channels = Array.from(this.#zones.all)
        .filter((zone) => zone.openFor(now) > 0)
        .map((zone) => zone.channel);
      if (channels.length === 0) return;
      const requests = await backend.requests.claimUnknown({
        worker,
        now: clock.now(),
        until: clock.now() + config.attemptTimeoutMs + SLACK_MS,
        limit: BATCH,
        channels,
      });
      await Promise.all(requests.map((request) => this.#resolve(request)));
      found = requests.length;
    }
  }

  async #resolve(request: StoredRequest): Promise<void> {
    const zone = this.#zones.named(request.zone);
    if (zone === undefined) return;
    const now = this.#context.clock.now();
    const { config } = this.#context;
    const keyed = isKeyed(request, zone.policy);
    const keyTtlMs = zone.policy.idempotency?.ttlMs ?? null;
    if (mayResend({ request, keyed, keyTtlMs, resendWindowMs: config.resendWindowMs }, now)) {
      return this.#settle(request, { state: 'ready', reason: 'retry' }, request.progress);
    }
    const probe = probeFor(request, zone.policy);
    if (probe === undefined) return this.#settle(request, { state: 'held', reason: 'unknown' }, request.progress);
    const settledAt = lastSentAt(request) + Math.max(2 * config.attemptTimeoutMs, LEAST_SETTLE_MS);
    if (now < settledAt) {
      const reason = request.reason === 'leaseLost' ? 'leaseLost' : 'unanswered';
      return this.#settle(request, { state: 'unknown', reason, dueAt: settledAt }, request.progress);
    }
    const verdict = await this.#probe(request, zone, probe);
    this.#conclude(request, verdict);
  }

  async #probe(request: StoredRequest, zone: Zone, probe: ProbeFunction): Promise<ProbeVerdict> {
    try {
      return await probe({ request, send: (read) => this.#read(request, zone, read) });
    } catch (error) {
      this.#context.logger.warn('a probe showed nothing', { id: request.id, zone: zone.name, error: messageOf(error) });
      return { outcome: 'inconclusive' };
    }
  }

  #conclude(request: StoredRequest, verdict: ProbeVerdict): void {
    const { progress } = request;
    switch (verdict.outcome) {
      case 'applied':
        return this.#settle(request, { state: 'succeeded', reason: 'appliedEarlier' }, resolved(progress), 'probe');
      case 'notApplied':
        return this.#settle(request, { state: 'ready', reason: 'released' }, resolved(progress), 'probe');
      case 'inconclusive': {
        const delayMs = PROBE_DELAYS_MS[progress.probes];
        const tried = { ...progress, probes: progress.probes + 1 };
        if (delayMs === undefined) return this.#settle(request, { state: 'held', reason: 'unknown' }, tried);
        const dueAt = this.#context.clock.now() + delayMs;
        return this.#settle(request, { state: 'unknown', reason: 'unanswered', dueAt }, tried);
      }
    }
  }

  #settle(request: StoredRequest, next: Move, progress: Progress, resolvedBy?: 'probe'): void {
    const token = request.lease?.token ?? 0;
    this.#settler.add({ request, resolvedBy, settlement: { id: request.id, token, next, progress } });
  }

  async #read(request: StoredRequest, zone: Zone, read: Parameters<ProbeContext['send']>[0]): Promise<HttpResponse> {
    const attachment = await this.#credentials.attach(request, zone);
    if (attachment === undefined) {
      throw new HoldfastError('AUTH_REQUIRED', 'no credential to probe with', { id: request.id, zone: zone.name });
    }
    const result = await this.#context.transport.send({
      origin: zone.policy.origin,
      method: read.method,
      path: read.path,
      headers: [['accept', 'application/json'], ...(read.headers ?? []), ...attachment.secret.headers],
      body: read.body ?? null,
      timeoutMs: this.#context.config.attemptTimeoutMs,
    });
    if (result.phase !== 'answered') throw result.error;
    if (result.bodyError !== undefined) throw result.bodyError;
    return result.response;
  }
}

function lastSentAt(request: StoredRequest): number {
  return request.progress.attempts.at(-1)?.at ?? request.firstSentAt ?? request.acceptedAt;
}
