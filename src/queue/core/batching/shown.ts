import { decide } from '../../strategies/decide.ts';
import type { Decision } from '../../strategies/decision.ts';
import { NO_PROGRESS } from '../../types/request.ts';
import type { TransportCall, TransportResult } from '../../types/transport.ts';
import type { Context } from '../context.ts';
import { retryPolicy } from '../retryPolicy.ts';
import type { Zone } from '../zone.ts';

/** What the gates and the reachability of a zone are told of a call. */
export type Shown = Pick<Decision, 'scope' | 'connectivity' | 'pauseZoneUntil' | 'served'>;

/**
 * What a call shows of its zone that stands for several requests, or for one of them. Only of one alone (`isAlone`) the zone's own rules
 * can say what the answer means.
 */
export function shownBy(
  { clock, config, random }: Context,
  { policy, servedAt, everAnswered }: Zone,
  { method, path, headers, body, fetch }: TransportCall,
  result: TransportResult,
  isAlone: boolean,
): Shown {
  const now = clock.now();
  const { classify, classifyError, profile } = policy;
  return decide({
    request: {
      content: { method, path, headers, body, ...(fetch !== undefined && { fetch }) },
      effect: 'read',
      progress: NO_PROGRESS,
      firstSentAt: now,
      expiresAt: null,
      durable: false,
      intent: undefined,
    },
    token: 0,
    origin: policy.origin,
    result,
    now,
    random: random.number,
    hasCaller: false,
    keyed: false,
    keyTtlMs: null,
    refreshed: true,
    zone: {
      origins: policy.origins,
      expect: policy.expect,
      retryAnswered5xx: false,
      canRefresh: false,
      declaredAuth: true,
      hasProbe: false,
      served: servedAt,
      everAnswered,
      othersAnswer: false,
    },
    policy: { ...retryPolicy(config), delay: undefined },
    ...(isAlone && { classify, classifyError, profile }),
  });
}
