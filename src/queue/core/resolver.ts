import type { Timer } from '../../system/clock.ts';
import { resolved, sentAfresh } from '../strategies/progress.ts';
import { mayResend } from '../strategies/resend.ts';
import type { Binding } from '../types/binding.ts';
import type { Progress, StoredRequest } from '../types/request.ts';
import type { Move } from '../types/store.ts';
import { bindingOf } from './bindings.ts';
import type { ProbeFunction, ProbeVerdict } from './config/options.ts';
import type { Consequences } from './consequences.ts';
import type { Context } from './context.ts';
import { forgetEvidence, lateEvidence } from './evidence.ts';
import { probeFor } from './probes.ts';
import type { Reader, Sight } from './reader.ts';
import { withServerIds } from './references.ts';
import { resendRules } from './resendRules.ts';
import type { Resources } from './resources.ts';
import type { Seals } from './seals.ts';
import type { SettleJob, Settler } from './settler.ts';
import { SettleWait } from './settleWait.ts';
import { messageOf } from './tell.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** Unknown requests looked at together. */
const BATCH = 16;
/** A request parked in a proxy can land after a probe said "not there": how long at least to wait before asking. */
const LEAST_SETTLE_MS = 30_000;
/** Waits after probes that showed nothing; then a person decides. */
const PROBE_DELAYS_MS = [30_000, 120_000, 600_000] as const;
/** How soon a look that the rate of its zone did not allow is tried again at the earliest. */
const PACE_MS = 500;
/** How long a look that asks nobody may take: what a process was looking at that died is looked at again by then. */
const LOOK_MS = 5_000;
/** Spare time on top of a probe's own, after which another process may look. */
const SLACK_MS = 30_000;

/**
 * Finds out what became of requests whose outcome is unknown: resend where that is harmless or the server
 * knows the key, else probe, else hold for a person.
 */
export class Resolver {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #resources: Resources;
  readonly #consequences: Consequences;
  readonly #reader: Reader;
  readonly #settler: Settler;
  readonly #settleWait: SettleWait;
  readonly #seals: Seals;
  readonly #wake: () => void;
  #running: Promise<void> | undefined;
  /** Asked to look since the look under way began. */
  #again = false;
  #isStopped = false;
  /** When zones that are down were tried last, by a look at what is in doubt. */
  readonly #lookedAt = new WeakMap<Zone, number>();
  /** Zones that are down and were left to what waits for them. */
  readonly #passedOver = new WeakSet<Zone>();

  constructor(
    context: Context,
    zones: Zones,
    parts: {
      readonly resources: Resources;
      readonly consequences: Consequences;
      readonly reader: Reader;
      readonly settler: Settler;
      readonly seals: Seals;
    },
    wake: () => void,
  ) {
    this.#wake = wake;
    this.#context = context;
    this.#zones = zones;
    this.#resources = parts.resources;
    this.#consequences = parts.consequences;
    this.#reader = parts.reader;
    this.#settler = parts.settler;
    this.#settleWait = new SettleWait(context.clock);
    this.#seals = parts.seals;
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
    const up = open.filter((zone) => !zone.isAway(now));
    for (let found = BATCH; found === BATCH && up.length > 0 && !this.#isStopped; ) found = await this.#look(up, BATCH);
    // One at a time tries a zone that is down, or finds out whether it works again, as everywhere.
    for (const zone of open) if (zone.isAway(now) && !this.#isStopped) await this.#tryWith(zone);
  }

  /** Whether it may yet be tried with what is in doubt, where nothing that waits does it. */
  hasPassedOver(zone: Zone): boolean {
    return this.#passedOver.has(zone);
  }

  /** In turns with what waits, so that neither keeps the other from ever being tried. */
  async #tryWith(zone: Zone): Promise<void> {
    const now = this.#context.clock.monotonicNow();
    const whole = this.#zones.channelNamed(zone, zone.name);
    const hadTurn = this.#lookedAt.get(zone) === zone.triedAt;
    if ((hadTurn && zone.mayHaveWorkToSend(now)) || whole.take(1, now) === 0) {
      this.#passedOver.add(zone);
      return;
    }
    this.#passedOver.delete(zone);
    try {
      if ((await this.#look([zone], 1)) > 0) this.#lookedAt.set(zone, zone.triedAt);
    } finally {
      whole.giveBack(1, now);
      // What waits was kept from trying the zone meanwhile.
      this.#wake();
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
      channels: zones.flatMap(({ channels }) => [...channels.values()].flatMap(({ doubtSenders }) => doubtSenders)),
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
    if (taken.reason === 'leaseLost' && (await this.#heardLate(request, zone))) return;
    // Nobody asks with the credentials of one who left.
    if (await this.#seals.keeps(request.principal)) {
      return this.#settle(request, { state: 'held', reason: 'principal' }, request.progress);
    }
    const now = this.#context.clock.now();
    const { config } = this.#context;
    const probe = probeFor(request, zone.policy, this.#resources.of(request));
    const rules = resendRules(request, zone, config, probe !== undefined);
    // Where an answer put it in doubt (a 412 to what was sent again, a redirect), another send meets the same one.
    if (request.reason !== 'serverError' && mayResend({ request, ...rules }, now)) {
      return this.#settle(request, { state: 'ready', reason: 'retry' }, request.progress);
    }
    if (probe === undefined) return this.#undecided(request, request.progress);
    const waitMs = Math.max(2 * config.attemptTimeoutMs, LEAST_SETTLE_MS);
    const leftMs = this.#settleWait.left(request, lastSentAt(request, now) + waitMs);
    if (leftMs > 0) return this.#lookLater(request, now + leftMs, request.progress);
    if (!(await this.#mayProbe(request))) return;
    // One that finds out about its zone holds a permit.
    const sight: Sight = { fault: 'none', canWait: !zone.isAway(this.#context.clock.monotonicNow()) };
    const sent = await withServerIds(this.#context.backend.requests, request);
    const verdict = await this.#probe(sent, zone, probe, sight);
    if (verdict.outcome === 'inconclusive' && sight.fault === 'paced') return this.#whenInPace(request, zone);
    if (verdict.outcome === 'inconclusive' && !this.#counts(request, zone, sight)) return this.#askAgain(request, zone);
    if (verdict.outcome === 'applied') await this.#consequences.found(sent);
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
    const progress = { ...request.progress, servedBefore: Math.max(zone.servedAt, request.progress.servedBefore ?? 0) };
    this.#lookLater(request, this.#context.clock.now() + PROBE_DELAYS_MS[0], progress);
  }

  /** Soon, as what was fetched of a shared rate is not kept for long. */
  #whenInPace(request: StoredRequest, zone: Zone): void {
    const { clock } = this.#context;
    const now = clock.monotonicNow();
    const waitMs = Math.max(PACE_MS, zone.gates.nextAt(now) - now);
    this.#lookLater(request, clock.now() + Math.ceil(waitMs), request.progress);
  }

  /** What the doubt came of is kept; a lost lease was looked into by now. */
  #lookLater(request: StoredRequest, dueAt: number, progress: Progress): void {
    const reason = request.reason === 'serverError' ? 'serverError' : 'unanswered';
    this.#settle(request, { state: 'unknown', reason, dueAt }, progress);
  }

  async #probe(request: StoredRequest, zone: Zone, probe: ProbeFunction, sight: Sight): Promise<ProbeVerdict> {
    const { clock, config } = this.#context;
    let timer: Timer | undefined;
    // Before another process may look; an application's probe may never end.
    const tooLong = new Promise<ProbeVerdict>((resolve) => {
      timer = clock.schedule(config.attemptTimeoutMs + SLACK_MS / 2, () => resolve({ outcome: 'inconclusive' }));
    });
    try {
      const send = (read: Parameters<Reader['read']>[2]) => this.#reader.read(request, zone, read, sight);
      return await Promise.race([probe({ request, send }), tooLong]);
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
      case 'applied': {
        const bind = bindingOf(request, verdict.serverId, this.#context.clock.now());
        const next = { state: 'succeeded', reason: 'appliedEarlier' } as const;
        return this.#settle(request, next, resolved(progress), 'probe', bind && [bind]);
      }
      case 'notApplied':
        return this.#settle(request, { state: 'ready', reason: 'released' }, this.#afresh(request, progress), 'probe');
      case 'inconclusive': {
        const delayMs = PROBE_DELAYS_MS[progress.probes];
        const tried = { ...progress, probes: progress.probes + 1 };
        if (delayMs === undefined) return this.#undecided(request, tried);
        return this.#lookLater(request, this.#context.clock.now() + delayMs, tried);
      }
    }
  }

  /** Nobody can find out: decided as its author said. */
  #undecided(request: StoredRequest, progress: Progress): void {
    switch (request.intent?.onUnknown) {
      case 'drop':
        return this.#settle(request, { state: 'dead', reason: 'dropped' }, progress);
      case 'resend':
        return this.#settle(request, { state: 'ready', reason: 'retry' }, this.#afresh(request, progress));
      default:
        return this.#settle(request, { state: 'held', reason: 'unknown' }, progress);
    }
  }

  #afresh({ zone }: StoredRequest, progress: Progress): Progress {
    return sentAfresh(resolved(progress), this.#context.clock.now(), this.#zones.named(zone)?.policy.idempotency);
  }

  /** A worker that had lost its lease reported too late to decide anything; what it saw is heard now. */
  async #heardLate(request: StoredRequest, zone: Zone): Promise<boolean> {
    const evidence = await lateEvidence(this.#context.backend.history, request);
    if (evidence === undefined) return false;
    const { serverId } = evidence;
    const bind = bindingOf(request, serverId ?? undefined, this.#context.clock.now());
    const progress = { ...resolved(request.progress), attempts: [...request.progress.attempts, evidence.attempt] };
    this.#settle(request, { state: 'succeeded', reason: 'appliedEarlier' }, progress, 'lateAnswer', bind && [bind]);
    zone.hint();
    await forgetEvidence(this.#context.backend.history, request.id);
    return true;
  }

  #settle(
    request: StoredRequest,
    next: Move,
    progress: Progress,
    resolvedBy?: SettleJob['resolvedBy'],
    bind?: readonly Binding[],
  ): void {
    const token = request.lease?.token ?? 0;
    this.#settler.add({ request, resolvedBy, settlement: { id: request.id, token, next, progress, bind } });
  }
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
