import { decide } from '../strategies/decide.ts';
import type { Decision, RetryPolicy } from '../strategies/decision.ts';
import { ignoresKeys } from '../strategies/dialects.ts';
import { mayResend } from '../strategies/resend.ts';
import type { TransportResult } from '../types/transport.ts';
import type { Callers } from './callers.ts';
import type { Context } from './context.ts';
import type { Attachment } from './credentials.ts';
import { probeFor } from './probes.ts';
import { resendRules } from './resendRules.ts';
import type { Resources } from './resources.ts';
import { handlesConflicts } from './resources.ts';
import { retryPolicy } from './retryPolicy.ts';
import type { SentRequest } from './sentRequest.ts';
import type { Zone } from './zone.ts';
import type { Zones } from './zones.ts';

/** An attempt to judge. */
export interface Judged {
  readonly request: SentRequest;
  readonly token: number;
  readonly zone: Zone;
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
    const { request, token, zone, freshUntil } = attempt;
    const { clock, config, random } = this.#context;
    const { policy } = zone;
    const dialect = policy.idempotency;
    if (dialect !== undefined && result.phase === 'answered' && ignoresKeys(dialect, result.response.headers)) {
      zone.ignoresKeys = true;
    }
    const rules = this.#resources.of(request);
    const hasProbe = probeFor(request, policy, rules) !== undefined;
    const { keyed, keyTtlMs } = resendRules(request, zone, config, hasProbe);
    return decide({
      request,
      token,
      origin: policy.origin,
      result,
      now: clock.now(),
      random: random.number,
      hasCaller: this.#callers.has(request.id),
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
    });
  }
}
