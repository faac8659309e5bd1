import type { ResendInput } from '../strategies/resend.ts';
import type { StoredRequest } from '../types/request.ts';
import type { ResolvedConfiguration } from './config/types.ts';
import { headerOf } from './headerList.ts';
import type { ZonePolicy } from './zonePolicy.ts';

type Sent = Pick<StoredRequest, 'effect' | 'content'>;

/** Whether the server can know the request again. */
export function isKeyed(request: Sent, zone: ZonePolicy): boolean {
  if (request.effect === 'read') return false;
  return zone.idempotency !== undefined || headerOf(request.content.headers, 'idempotency-key') !== null;
}

/** What says, beside the request itself, whether it may be sent again: read from the zone and the configuration, here only. */
export function resendRules(
  request: Sent,
  zone: ZonePolicy,
  config: Pick<ResolvedConfiguration, 'resendWindowMs'>,
): Omit<ResendInput, 'request'> {
  return {
    keyed: isKeyed(request, zone),
    keyTtlMs: zone.idempotency?.ttlMs ?? null,
    resendWindowMs: config.resendWindowMs,
    retryAnswered5xx: zone.retryAnswered5xx,
  };
}
