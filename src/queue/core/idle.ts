import type { RequestFilter, StoredRequest } from '../types/request.ts';
import type { RequestStore } from '../types/store.ts';
import { isEmptyFilter } from './filter.ts';

/** States in which a request moves by itself. */
const MOVING = ['ready', 'sending', 'unknown'] as const;
const PAGE = 200;

/**
 * Whether nothing that matches can move by itself: all of it ended, is held, is not due because its caller asked, or stands
 * behind such a request.
 */
export async function isIdle(store: RequestStore, filter: RequestFilter): Promise<boolean> {
  if (await hasAny(store, { ...filter, state: MOVING })) return false;
  if (await hasAny(store, { ...filter, state: 'scheduled', reason: ['retry', 'released', 'accepted'] })) return false;
  return !(await anyBlockedMoves(store, filter));
}

async function hasAny(store: RequestStore, filter: RequestFilter): Promise<boolean> {
  const page = await store.find({ filter, order: 'accepted', after: null, limit: 1 });
  return page.requests.length > 0;
}

/** Blocked requests move when what they wait for does. Without a filter that was looked at already. */
async function anyBlockedMoves(store: RequestStore, filter: RequestFilter): Promise<boolean> {
  if (isEmptyFilter(filter)) return false;
  const seen = new Map<string, boolean>();
  for (let after: number | null = null; ; ) {
    const page = await store.find({ filter: { ...filter, state: 'blocked' }, order: 'accepted', after, limit: PAGE });
    for (const request of page.requests) if (await causeMoves(store, request, seen)) return true;
    if (page.next === null) return false;
    after = page.next;
  }
}

/** Walks from a blocked request to what it waits for, until something moves or nothing is left. */
async function causeMoves(store: RequestStore, request: StoredRequest, seen: Map<string, boolean>): Promise<boolean> {
  const known = seen.get(request.id);
  if (known !== undefined) return known;
  seen.set(request.id, false);
  const head = await headOfLane(store, request);
  const causes = [head, ...(await store.get({ ids: request.after }))];
  for (const cause of causes) {
    if (cause === undefined || cause.id === request.id) continue;
    const moves =
      (MOVING as readonly string[]).includes(cause.state) ||
      (cause.state === 'scheduled' && cause.reason !== 'notBefore') ||
      (cause.state === 'blocked' && (await causeMoves(store, cause, seen)));
    if (!moves) continue;
    seen.set(request.id, true);
    return true;
  }
  return false;
}

/** The live request of the same lane that was accepted first. */
export async function headOfLane(store: RequestStore, request: StoredRequest): Promise<StoredRequest | undefined> {
  if (request.lane === null) return undefined;
  const filter = { lane: request.lane, state: [...MOVING, 'scheduled', 'blocked', 'held'] as const };
  const page = await store.find({ filter, order: 'accepted', after: null, limit: 1 });
  return page.requests[0];
}
