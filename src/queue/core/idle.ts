import type { RequestFilter, StoredRequest } from '../types/request.ts';
import type { Reason, RequestState } from '../types/states.ts';
import { REASONS } from '../types/states.ts';
import type { RequestStore } from '../types/store.ts';
import { isEmptyFilter } from './filter.ts';

/** States in which a request moves by itself. */
const MOVING = ['ready', 'sending', 'unknown'] as const;
const NOT_ASKED_FOR = REASONS.filter((reason) => reason !== 'notBefore');
const PAGE = 200;

/**
 * Whether nothing that matches can move by itself: all of it ended, is held, is not due because its caller asked, or stands
 * behind such a request.
 */
export async function isIdle(store: RequestStore, filter: RequestFilter): Promise<boolean> {
  if (await anyMoves(store, filter)) return false;
  if (isEmptyFilter(filter)) return true;
  // What was blocked at the first look may have gone on before the second.
  return !(await anyBlockedMoves(store, filter)) && !(await anyMoves(store, filter));
}

/** What is tried again goes back and forth between these states: it is looked for in all of them at once. */
async function anyMoves(store: RequestStore, filter: RequestFilter): Promise<boolean> {
  return (
    (await hasAny(store, filter, MOVING)) || (await hasAny(store, filter, [...MOVING, 'scheduled'], NOT_ASKED_FOR))
  );
}

/** Whether there is any that matches in one of these states and, where given, for one of these reasons. */
async function hasAny(
  store: RequestStore,
  filter: RequestFilter,
  states: readonly RequestState[],
  reasons?: readonly Reason[],
): Promise<boolean> {
  const state = common(filter.state, states);
  const reason = reasons === undefined ? filter.reason : common(filter.reason, reasons);
  if (state.length === 0 || reason?.length === 0) return false;
  const page = await store.find({ filter: { ...filter, state, reason }, order: 'accepted', after: null, limit: 1 });
  return page.requests.length > 0;
}

/** What a filter asks for, of what it may ask for; without a wish all of it. */
function common<T extends string>(asked: T | readonly T[] | undefined, of: readonly T[]): readonly T[] {
  if (asked === undefined) return of;
  return typeof asked === 'string' ? of.filter((one) => one === asked) : of.filter((one) => asked.includes(one));
}

/** Blocked requests move when what they wait for does. Without a filter that was looked at already. */
async function anyBlockedMoves(store: RequestStore, filter: RequestFilter): Promise<boolean> {
  if (common(filter.state, ['blocked']).length === 0) return false;
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
