import { keyHeaders, keysMethod } from '../strategies/dialects.ts';
import { joinQuery } from '../strategies/headers.ts';
import type { HeaderList, Progress, StoredRequest } from '../types/request.ts';
import type { TransportCall } from '../types/transport.ts';
import { headerOf } from './headerList.ts';
import type { LiveSecret } from './liveCredentials.ts';
import type { SentRequest } from './sentRequest.ts';
import type { ZonePolicy } from './zonePolicy.ts';

export const USER_AGENT = 'holdfast';
const NONE: HeaderList = Object.freeze([]);
const AGENT: HeaderList = Object.freeze([Object.freeze(['user-agent', USER_AGENT] as const)]);

/** A stored request as it goes on the wire: with its key where the zone knows keys, and with credentials. */
export function callOf(
  request: SentRequest,
  zone: ZonePolicy,
  secret: LiveSecret,
  volatile: HeaderList,
  timeoutMs: number,
): TransportCall {
  const { method, path, body, fetch } = request.content;
  const { headers, keys } = ownHeaders(request, zone);
  const given = headers.concat(volatile, secret.headers, keys);
  // What goes through fetch says who it is by itself.
  const all = fetch !== undefined || headerOf(given, 'user-agent') !== null ? given : given.concat(AGENT);
  const call = { origin: zone.origin, method, path: joinQuery(path, secret.query), headers: all, body, timeoutMs };
  if (fetch === undefined) return call;
  const attached = request.auth === 'zone' ? secret.headers.map(([name]) => name.toLowerCase()) : [];
  for (const [name] of keys) attached.push(name);
  return { ...call, fetch, attached };
}

/** What is said in the name of one request: its stored headers, and its key where the zone knows keys. */
export function ownHeaders(
  request: SentRequest,
  { idempotency }: ZonePolicy,
): { readonly headers: HeaderList; readonly keys: HeaderList } {
  const headers = withKeyOfGeneration(request, idempotency?.header ?? 'idempotency-key');
  const isKeyed =
    idempotency !== undefined && request.effect !== 'read' && keysMethod(idempotency, request.content.method);
  if (!isKeyed) return { headers, keys: NONE };
  const isOwn = headerOf(headers, idempotency.header) !== null;
  const firstSentAt = request.progress.keyedAt ?? request.firstSentAt ?? request.acceptedAt;
  const keys = keyHeaders(idempotency, keyOf(request), firstSentAt);
  return { headers, keys: isOwn ? keys.filter(([name]) => name !== idempotency.header) : keys };
}

/**
 * The key by which a server can know the request again: the caller's, else the one minted at acceptance. Other content after a conflict has another
 * key, which follows from the first, and so has what is sent again though the server would only repeat what it said.
 */
export function keyOf(request: Pick<StoredRequest, 'id' | 'idempotencyKey' | 'progress'>): string {
  return keyOfGeneration(request.idempotencyKey ?? request.id, request.progress);
}

function keyOfGeneration(key: string, { generation = 1 }: Progress): string {
  return generation === 1 ? key : `${key}-${generation}`;
}

/** A key header that the caller gave belongs to what the caller sent: `k` becomes `k-2`, `"k"` becomes `"k-2"`. */
function withKeyOfGeneration({ content, progress }: SentRequest, keyHeader: string): HeaderList {
  if ((progress.generation ?? 1) === 1) return content.headers;
  return content.headers.map(([name, value]) => {
    if (name !== keyHeader) return [name, value];
    const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
    if (!isQuoted) return [name, keyOfGeneration(value, progress)];
    return [name, `"${keyOfGeneration(value.slice(1, -1), progress)}"`];
  });
}
