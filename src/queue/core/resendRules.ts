import { keysMethod } from '../strategies/dialects.ts';
import type { ResendInput } from '../strategies/resend.ts';
import type { StoredRequest } from '../types/request.ts';
import type { ResolvedConfiguration } from './config/types.ts';
import { headerOf } from './headerList.ts';
import type { Zone } from './zone.ts';

type Sent = Pick<StoredRequest, 'effect' | 'content' | 'intent'>;

/** Whether the server can know the request again. */
export function isKeyed(request: Sent, zone: Zone): boolean {
  if (request.effect === 'read' || zone.ignoresKeys) return false;
  const { idempotency } = zone.policy;
  if (idempotency !== undefined && keysMethod(idempotency, request.content.method)) return true;
  return headerOf(request.content.headers, 'idempotency-key') !== null;
}

/** What says, beside the request itself, whether it may be sent again: read from the zone and the configuration, here only. */
export function resendRules(
  request: Sent,
  zone: Zone,
  config: Pick<ResolvedConfiguration, 'resendWindowMs'>,
  hasProbe: boolean,
): Omit<ResendInput, 'request'> {
  return {
    keyed: isKeyed(request, zone),
    keyTtlMs: zone.policy.idempotency?.ttlMs ?? null,
    resendWindowMs: config.resendWindowMs,
    retryAnswered5xx: zone.policy.retryAnswered5xx,
    isBlind: request.intent?.onUnknown === 'resend' && !hasProbe,
  };
}
