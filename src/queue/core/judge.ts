import { decide } from '../strategies/decide.ts';
import type { Decision, RetryPolicy } from '../strategies/decision.ts';
import { ignoresKeys } from '../strategies/dialects.ts';
import { gateOutcome, retryKind } from '../strategies/limits/outcomeClass.ts';
import { mayResend } from '../strategies/resend.ts';
import type { Progress } from '../types/request.ts';
import type { TransportResult } from '../types/transport.ts';
import type { Callers } from './callers.ts';
import type { Context } from './context.ts';
import type { Attachment } from './credentials.ts';
import { NO_CREDENTIAL } from './credentials.ts';
import { probeFor } from './probes.ts';
import { resendRules } from './resendRules.ts';
import type { Resources } from './resources.ts';
import { handlesConflicts } from './resources.ts';
import { retryPolicy } from './retryPolicy.ts';
import type { SentRequest } from './sentRequest.ts';
import { messageOf } from './tell.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** An attempt to judge. */
export interface Judged {
  readonly request: SentRequest;
  readonly token: number;
  readonly zone: Zone;
  /** It was sent while its zone, or an endpoint, was left alone. */
  readonly isProbe?: boolean | undefined;
  /** Epoch ms until which what it is about may not be seen everywhere. */
  readonly freshUntil?: number | undefined;
}

/** Gathers what is known of an attempt, its request and its zone, and asks the one decision of it. */
export class Judge {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #callers: Callers;
  readonly #resources: Resources;
  readonly #policy: RetryPolicy;

  constructor(
    context: Context,
    parts: { readonly zones: Zones; readonly callers: Callers; readonly resources: Resources },
  ) {
    this.#context = context;
    this.#zones = parts.zones;
    this.#callers = parts.callers;
    this.#resources = parts.resources;
    this.#policy = retryPolicy(context.config);
  }

  /** Whether a request that may have been applied can be sent again now: a closed gate may have kept it past the time in which that is harmless. */
  mayResend(request: SentRequest, zone: Zone): boolean {
    const { clock, config } = this.#context;
    const hasProbe = probeFor(request, zone.policy, this.#resources.of(request)) !== undefined;
    return mayResend({ request, ...resendRules(request, zone, config, hasProbe) }, clock.now());
  }

  decide(attempt: Judged, result: TransportResult, attachment: Attachment, refreshed: boolean): Decision {
    const { request, token, zone, isProbe, freshUntil } = attempt;
    const { clock, config, random } = this.#context;
    const { policy } = zone;
    const dialect = policy.idempotency;
    if (dialect !== undefined && result.phase === 'answered' && ignoresKeys(dialect, result.response.headers)) {
      zone.ignoresKeys = true;
    }
    const rules = this.#resources.of(request);
    const hasProbe = probeFor(request, policy, rules) !== undefined;
    const { keyed, keyTtlMs } = resendRules(request, zone, config, hasProbe);
    const decision = decide({
      request,
      token,
      origin: policy.origin,
      result,
      now: clock.now(),
      random: random.number,
      hasCaller: this.#callers.has(request.id),
      isProbe,
      keyed,
      keyTtlMs,
      dialect,
      refreshed,
      zone: {
        origins: policy.origins,
        expect: policy.expect,
        retryAnswered5xx: policy.retryAnswered5xx,
        canRefresh: attachment.provider?.refresh !== undefined,
        declaredAuth: attachment.provider !== undefined,
        hasProbe,
        handlesConflict: handlesConflicts(rules),
        freshUntil,
        served: zone.servedAt,
        everAnswered: zone.everAnswered,
        othersAnswer: this.#zones.anyOtherAnswered(zone),
        onlineAt: zone.onlineAt,
      },
      policy: this.#policy,
      classify: policy.classify,
      classifyError: policy.classifyError,
      profile: policy.profile,
    });
    return this.#withinBudget(decision, attempt, result);
  }

  /** Of an attempt that broke off by a bug, or a transport that rejected: as of one that was sent and not answered. */
  ofBroken(attempt: Judged, cause: unknown, isAborted: boolean): Pick<Decision, 'move' | 'progress' | 'final'> {
    const { request } = attempt;
    // A transport may reject for the signal it was given; any other code of its own would be read as a transport's report.
    const code = isAborted ? 'CALL_ABORTED' : 'ATTEMPT_BROKEN';
    const error = Object.assign(new Error(messageOf(cause), { cause }), { code });
    try {
      const decision = this.decide(attempt, { phase: 'sent', error }, NO_CREDENTIAL, true);
      const { move } = decision;
      if (move.state !== 'unknown') return decision;
      const { clock, config } = this.#context;
      return { ...decision, move: { ...move, dueAt: clock.now() + config.retry.baseDelayMs } };
    } catch {
      // What broke is the decision itself, as the log says: a person must look.
      const progress: Progress = { ...request.progress, unresolved: true };
      return { move: { state: 'held', reason: 'operator' }, progress, final: true };
    }
  }

  /** A zone that fails is spared retries beyond its budget: they are put off, never refused. */
  #withinBudget(decision: Decision, { request, zone }: Judged, result: TransportResult): Decision {
    const { budget } = zone;
    if (budget === null) return decision;
    const { move } = decision;
    const outcome = gateOutcome(result, decision);
    if (outcome === 'success') budget.succeeded(request.progress.attempts.length > 0);
    if (move.state !== 'scheduled' || move.reason !== 'retry' || move.dueAt === undefined) return decision;
    const kind = retryKind(result, outcome, decision.pauseZoneUntil !== null);
    if (kind === undefined) return decision;
    const { clock, config } = this.#context;
    const deferMs = budget.spend(kind, clock.monotonicNow());
    if (deferMs === 0) return decision;
    const { callerMaxDelayMs, maxDelayMs } = config.retry;
    // Somebody's patience is part of the cost.
    const share = this.#callers.has(request.id) ? callerMaxDelayMs / maxDelayMs : 1;
    return { ...decision, move: { ...move, dueAt: Math.max(move.dueAt, clock.now() + Math.ceil(deferMs * share)) } };
  }
}
