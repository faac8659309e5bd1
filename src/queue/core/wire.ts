import { joinQuery } from '../strategies/headers.ts';
import type { HeaderList, StoredRequest } from '../types/request.ts';
import type { TransportCall } from '../types/transport.ts';
import { headerOf } from './headerList.ts';
import type { LiveSecret } from './liveCredentials.ts';
import type { SentRequest } from './sentRequest.ts';
import type { ZonePolicy } from './zonePolicy.ts';

const USER_AGENT = 'holdfast';

/** A stored request as it goes on the wire: with its key where the zone knows keys, and with credentials. */
export function callOf(
  request: SentRequest,
  zone: ZonePolicy,
  secret: LiveSecret,
  volatile: HeaderList,
  timeoutMs: number,
): TransportCall {
  const { method, path, headers, body, fetch } = request.content;
  const all: (readonly [string, string])[] = [...headers, ...volatile, ...secret.headers];
  const attached = request.auth === 'zone' ? secret.headers.map(([name]) => name.toLowerCase()) : [];
  const { idempotency } = zone;
  if (idempotency !== undefined && request.effect !== 'read' && headerOf(headers, idempotency.header) === null) {
    all.push([idempotency.header, quoted(keyOf(request), idempotency.quoting)]);
    attached.push(idempotency.header);
  }
  const call = { origin: zone.origin, method, path: joinQuery(path, secret.query), headers: all, body, timeoutMs };
  if (fetch !== undefined) return { ...call, fetch, attached }; // which says who it is by itself
  if (headerOf(all, 'user-agent') === null) all.push(['user-agent', USER_AGENT]);
  return call;
}

/** The key by which a server can know the request again: the caller's, else the one minted at acceptance. */
export function keyOf(request: Pick<StoredRequest, 'id' | 'idempotencyKey'>): string {
  return request.idempotencyKey ?? request.id;
}

/** A key as RFC 8941 string item, or bare as most vendors want it. */
function quoted(key: string, quoting: 'bare' | 'string'): string {
  return quoting === 'bare' ? key : `"${key.replace(/[\\"]/g, '\\$&')}"`;
}
