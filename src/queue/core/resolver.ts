import { HoldfastError } from '../../errors.ts';
import type { Timer } from '../../system/clock.ts';
import type { ConnectivityEvidence } from '../strategies/connectivity.ts';
import { isClosed } from '../strategies/connectivity.ts';
import { resolved } from '../strategies/progress.ts';
import { mayResend } from '../strategies/resend.ts';
import { statusVerdict } from '../strategies/statusTable.ts';
import { evidenceOf } from '../strategies/transportErrors.ts';
import type { HttpResponse, Progress, StoredRequest } from '../types/request.ts';
import type { Move } from '../types/store.ts';
import type { TransportFailure, TransportResult } from '../types/transport.ts';
import type { ProbeContext, ProbeFunction, ProbeVerdict } from './config/options.ts';
import type { Context } from './context.ts';
import type { Credentials } from './credentials.ts';
import { probeFor } from './probes.ts';
import { resendRules } from './resendRules.ts';
import type { Settler } from './settler.ts';
import { messageOf } from './tell.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** Unknown requests looked at together. */
const BATCH = 16;
/** A request parked in a proxy can land after a probe said "not there": how long at least to wait before asking. */
const LEAST_SETTLE_MS = 30_000;
/** Waits after probes that showed nothing; then a person decides. */
const PROBE_DELAYS_MS = [30_000, 120_000, 600_000] as const;
/** How long a look that asks nobody may take: what a process was looking at that died is looked at again by then. */
const LOOK_MS = 5_000;
/** Spare time on top of a probe's own, after which another process may look. */
const SLACK_MS = 30_000;

/** What the reads of one probe met: a zone that serves nobody shows nothing of the request. */
interface Sight {
  fault: 'none' | 'notSent' | 'zone';
}

/** Told what a read of a probe showed of its zone. */
type Observed = (zone: Zone, evidence: ConnectivityEvidence, error: TransportFailure['error'] | null) => void;

/**
 * Finds out what became of requests whose outcome is unknown (replay.md R8): resend where that is harmless or the server
 * knows the key, else probe, else hold for a person.
 */
export class Resolver {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #credentials: Credentials;
  readonly #settler: Settler;
  readonly #observed: Observed;
  #running: Promise<void> | undefined;
  /** Asked to look since the look under way began. */
  #again = false;
  #isStopped = false;

  constructor(context: Context, zones: Zones, credentials: Credentials, settler: Settler, observed: Observed) {
    this.#context = context;
    this.#zones = zones;
    this.#credentials = credentials;
    this.#settler = settler;
    this.#observed = observed;
  }

  /** Looks at what is due; once more where that is being done already. */
  run(): Promise<void> {
    if (this.#isStopped || !this.#context.config.dispatch) return Promise.resolve();
    this.#again = true;
    this.#running ??= this.#lookWhileAsked();
    return this.#running;
  }

  async #lookWhileAsked(): Promise<void> {
    try {
      while (this.#again && !this.#isStopped) {
        this.#again = false;
        await this.#lookAtDue();
      }
    } finally {
      this.#running = undefined;
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #lookAtDue(): Promise<void> {
    const now = this.#context.clock.monotonicNow();
    // Whether permits are free does not matter: most are resolved by going back to the queue, which needs none.
    const open = Array.from(this.#zones.all).filter((zone) => zone.mayTry(now));
    const up = open.filter((zone) => !isClosed(zone.connectivity));
    for (let found = BATCH; found === BATCH && up.length > 0 && !this.#isStopped; ) found = await this.#look(up, BATCH);
    // One at a time tries a zone that is down, as everywhere.
    for (const zone of open) {
      if (!isClosed(zone.connectivity) || this.#isStopped) continue;
      await this.#look([zone], 1);
    }
  }

  /** Looks at up to `limit` requests of these zones and says how many there were. */
  async #look(zones: readonly Zone[], limit: number): Promise<number> {
    const { backend, clock, config, random, worker } = this.#context;
    const requests = await backend.requests.claimUnknown({
      worker,
      now: clock.now(),
      until: clock.now() + Math.min(config.leaseMs, LOOK_MS),
      limit,
      channels: zones.map((zone) => zone.doubtChannel),
    });
    if (requests.length > 0) for (const zone of zones) zone.trying(clock.monotonicNow(), random.number);
    await Promise.all(requests.map((request) => this.#resolve(request)));
    return requests.length;
  }

  async #resolve(taken: StoredRequest): Promise<void> {
    const zone = this.#zones.named(taken.zone);
    if (zone === undefined) return;
    const request = taken.reason === 'leaseLost' ? withoutSendTime(taken) : taken;
    if (request.auth === 'live' && !zone.senders.has(request.sender)) {
      return this.#settle(request, { state: 'held', reason: 'auth' }, request.progress);
    }
    const now = this.#context.clock.now();
    const { config } = this.#context;
    if (mayResend({ request, ...resendRules(request, zone.policy, config) }, now)) {
      return this.#settle(request, { state: 'ready', reason: 'retry' }, request.progress);
    }
    const probe = probeFor(request, zone.policy);
    if (probe === undefined) return this.#settle(request, { state: 'held', reason: 'unknown' }, request.progress);
    const settledAt = lastSentAt(request, now) + Math.max(2 * config.attemptTimeoutMs, LEAST_SETTLE_MS);
    if (now < settledAt) {
      return this.#settle(request, { state: 'unknown', reason: 'unanswered', dueAt: settledAt }, request.progress);
    }
    if (!(await this.#mayProbe(request))) return;
    const sight: Sight = { fault: 'none' };
    const verdict = await this.#probe(request, zone, probe, sight);
    if (verdict.outcome === 'inconclusive' && !this.#counts(request, zone, sight)) return this.#askAgain(request, zone);
    this.#conclude(request, verdict);
  }

  /** A probe may take longer than a look: nobody else is to look meanwhile. False where somebody does already. */
  async #mayProbe({ id, lease, reason, progress }: StoredRequest): Promise<boolean> {
    const { backend, clock, config } = this.#context;
    const next = { state: 'unknown', reason, dueAt: clock.now() + config.attemptTimeoutMs + SLACK_MS } as const;
    const settlements = [{ id, token: lease?.token ?? 0, next, progress }];
    const [result] = await backend.requests.settle({ now: clock.now(), settlements });
    return result?.status === 'settled';
  }

  /** As with attempts: what a zone does to everybody spends nothing of the request. */
  #counts({ progress }: StoredRequest, zone: Zone, { fault }: Sight): boolean {
    if (fault === 'none') return true;
    return fault === 'zone' && progress.servedBefore !== null && zone.servedAt > progress.servedBefore;
  }

  #askAgain(request: StoredRequest, zone: Zone): void {
    const dueAt = this.#context.clock.now() + PROBE_DELAYS_MS[0];
    const progress = { ...request.progress, servedBefore: Math.max(zone.servedAt, request.progress.servedBefore ?? 0) };
    this.#settle(request, { state: 'unknown', reason: 'unanswered', dueAt }, progress);
  }

  async #probe(request: StoredRequest, zone: Zone, probe: ProbeFunction, sight: Sight): Promise<ProbeVerdict> {
    const { clock, config } = this.#context;
    let timer: Timer | undefined;
    // Before another process may look; an application's probe may never end.
    const tooLong = new Promise<ProbeVerdict>((resolve) => {
      timer = clock.schedule(config.attemptTimeoutMs + SLACK_MS / 2, () => resolve({ outcome: 'inconclusive' }));
    });
    try {
      return await Promise.race([probe({ request, send: (read) => this.#read(request, zone, read, sight) }), tooLong]);
    } catch (error) {
      this.#context.logger.warn('a probe showed nothing', { id: request.id, zone: zone.name, error: messageOf(error) });
      return { outcome: 'inconclusive' };
    } finally {
      timer?.cancel();
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

  async #read(
    request: StoredRequest,
    zone: Zone,
    read: Parameters<ProbeContext['send']>[0],
    sight: Sight,
  ): Promise<HttpResponse> {
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
    const fault = faultOf(result);
    if (fault !== 'none') sight.fault = fault;
    if (result.phase !== 'answered') {
      this.#observed(zone, evidenceOf(result), result.error);
      throw result.error;
    }
    if (fault === 'none') this.#observed(zone, 'reachable', null);
    if (result.bodyError !== undefined) throw result.bodyError;
    return result.response;
  }
}

/** What the read says of its zone; a read that was sent and not answered is the zone's fault too. */
function faultOf(result: TransportResult): Sight['fault'] {
  if (result.phase === 'notSent') return 'notSent';
  if (result.phase === 'sent') return 'zone';
  const { fault } = statusVerdict(result.response.status, { method: 'GET', effect: 'read' }, false);
  return fault === 'zone' ? 'zone' : 'none';
}

/** The attempt that lost its lease left no trace of when it was sent, and of whether it was answered. */
function withoutSendTime(request: StoredRequest): StoredRequest {
  const { unresolvedSince: _, ...progress } = request.progress;
  return { ...request, progress };
}

/** When it can have been sent last, at the latest. */
function lastSentAt({ reason, progress, firstSentAt }: StoredRequest, now: number): number {
  const recordedAt = progress.attempts.at(-1)?.at;
  const isFirst = recordedAt === undefined || (firstSentAt !== null && firstSentAt > recordedAt);
  if (isFirst) return firstSentAt ?? now;
  return reason === 'leaseLost' ? now : recordedAt;
}
