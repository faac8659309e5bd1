import { headerValue } from '../strategies/headerValue.ts';
import { jsonOf } from '../strategies/json.ts';
import { valueAt } from '../strategies/jsonPointer.ts';
import { laneKey } from '../strategies/lane.ts';
import { parseLocalId } from '../strategies/localId.ts';
import { percentDecoded } from '../strategies/percentDecoded.ts';
import type { Binding } from '../types/binding.ts';
import type { HttpResponse } from '../types/request.ts';
import type { SentRequest } from './sentRequest.ts';

const DEFAULT_YIELDS = '/id';

/** Binds the local id of a request, if it has one, to what the server gave. Undefined where either is missing. */
export function bindingOf(
  request: SentRequest,
  serverId: string | number | undefined,
  now: number,
): Binding | undefined {
  const localId = request.intent?.localId;
  const parts = parseLocalId(localId);
  if (localId === undefined || parts === undefined || serverId === undefined) return undefined;
  const { id: requestId, zone, principal, lane } = request;
  const isOwnLane = lane !== null && lane === laneKey({ principal, zone, lane: localId });
  const server = laneKey({ principal, zone, lane: entityPath(request.content.path, serverId) });
  return {
    localId,
    serverId,
    type: parts.type,
    zone,
    requestId,
    boundAt: now,
    ...(isOwnLane && { alias: { local: lane, server } }),
  };
}

/** What was made stands below where it was made, as nearly everywhere: `/tickets` and 7 make `/tickets/7`. */
export function entityPath(path: string, serverId: string | number): string {
  const query = path.indexOf('?');
  const collection = (query === -1 ? path : path.slice(0, query)).replace(/\/$/, '');
  return `${collection}/${encodeURIComponent(String(serverId))}`;
}

/** The id that an answer gives to what it made: at the pointer that was declared, else the last segment of `Location`. */
export function serverIdIn(
  { intent }: Pick<SentRequest, 'intent'>,
  response: Pick<HttpResponse, 'headers' | 'body'>,
): string | number | undefined {
  const value = jsonOf(response.body);
  const id = value === undefined ? undefined : valueAt(value, intent?.yields ?? DEFAULT_YIELDS);
  if (typeof id === 'string' && id !== '') return id;
  // A larger number was rounded when it was read: it is no id.
  if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  return lastSegment(headerValue(response.headers, 'location'));
}

function lastSegment(location: string | undefined): string | undefined {
  const segment = location
    ?.replace(/[?#].*$/s, '')
    .replace(/\/$/, '')
    .split('/')
    .at(-1);
  if (segment === undefined || segment === '') return undefined;
  return percentDecoded(segment) ?? segment;
}
