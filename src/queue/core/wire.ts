import { keyHeaders, keysMethod } from '../strategies/dialects.ts';
import { joinQuery } from '../strategies/headers.ts';
import type { HeaderList, Progress, StoredRequest } from '../types/request.ts';
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
  const { method, path, body, fetch } = request.content;
  const headers = withKeyOfGeneration(request, zone.idempotency?.header ?? 'idempotency-key');
  const all: (readonly [string, string])[] = [...headers, ...volatile, ...secret.headers];
  const attached = request.auth === 'zone' ? secret.headers.map(([name]) => name.toLowerCase()) : [];
  const { idempotency } = zone;
  if (idempotency !== undefined && request.effect !== 'read' && keysMethod(idempotency, method)) {
    const isOwn = headerOf(headers, idempotency.header) !== null;
    const firstSentAt = request.progress.keyedAt ?? request.firstSentAt ?? request.acceptedAt;
    for (const header of keyHeaders(idempotency, keyOf(request), firstSentAt)) {
      if (isOwn && header[0] === idempotency.header) continue;
      all.push(header);
      attached.push(header[0]);
    }
  }
  const call = { origin: zone.origin, method, path: joinQuery(path, secret.query), headers: all, body, timeoutMs };
  if (fetch !== undefined) return { ...call, fetch, attached }; // which says who it is by itself
  if (headerOf(all, 'user-agent') === null) all.push(['user-agent', USER_AGENT]);
  return call;
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
