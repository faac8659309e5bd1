import { isAnyOf, matchesFilter } from '../../types/matchesFilter.ts';
import type { RequestFilter, StoredRequest } from '../../types/request.ts';
import type { Reason, RequestState } from '../../types/states.ts';
import { isTerminal } from '../../types/states.ts';
import type { CountRow, FindQuery, FindResult } from '../../types/store.ts';
import { reasonCode, stateCode } from '../codec.ts';
import { idBytes } from './hex.ts';
import type { Packable, Unpacker } from './msgpack.ts';
import { laneBytes } from './pack.ts';
import type { RedisLink } from './RedisLink.ts';
import { addCount, countRows, readPlace, readRecord } from './unpack.ts';

const READ = { writes: false } as const;
/** Requests that one run of the script looks at: a search among many takes several, and others get their turn between them. */
const LOOKED_AT = 1_024;
/** Records that one answer has at most. */
const PAGE = 256;

type Order = FindQuery['order'];

/** {@link RequestStore.find}: narrowed down by the script, decided here. */
export async function find(link: RedisLink, { filter, order, after, limit }: FindQuery): Promise<FindResult> {
  const place = ({ seq, endedSeq }: StoredRequest): number => (order === 'accepted' ? seq : (endedSeq ?? 0));
  const found: StoredRequest[] = [];
  for await (const request of candidates(link, filter, order, after ?? 0, limit + 1)) {
    if (!matchesFilter(request, filter)) continue;
    if (found.length === limit) {
      const last = found.at(-1);
      return { requests: found, next: last === undefined ? after : place(last) };
    }
    found.push(request);
  }
  return { requests: found, next: null };
}

/** {@link RequestStore.count}: from the counters where they can tell. */
export async function count(link: RedisLink, filter: RequestFilter | undefined): Promise<CountRow[]> {
  const { zone, state, ...others } = filter ?? {};
  const isTold = Object.values(others).every((value) => value === undefined);
  if (isTold) {
    const answer = await link.call('count', false, READ);
    return countRows(answer.list(readPlace)).filter(
      (row) => (zone === undefined || row.zone === zone) && isAnyOf(row.state, state),
    );
  }
  const rows: Parameters<typeof addCount>[0] = new Map();
  for await (const request of candidates(link, filter ?? {}, 'accepted', 0, PAGE)) {
    if (!matchesFilter(request, filter ?? {})) continue;
    const { channel, sender, bytes } = request;
    addCount(rows, { zone: request.zone, channel, sender, state: request.state, count: 1, bytes });
  }
  return [...rows.values()];
}

/** Requests after a position that the filter may mean, in order. `wanted`: how many the caller will probably take. */
async function* candidates(
  link: RedisLink,
  filter: RequestFilter,
  order: Order,
  after: number,
  wanted: number,
): AsyncGenerator<StoredRequest> {
  const named = await lookUp(link, filter);
  if (named !== undefined) {
    yield* inOrder(named, order, after);
    return;
  }
  let position: number | null = after;
  while (position !== null) {
    const payload: Packable = [order, position, Math.min(wanted, PAGE), narrowed(filter), LOOKED_AT];
    const answer: Unpacker = await link.call('find', payload, READ);
    answer.array();
    const records: StoredRequest[] = answer.list(readRecord);
    position = answer.numberOrNull();
    yield* records;
  }
}

/** The few requests that filters by id or key can mean. */
async function lookUp(link: RedisLink, { ids, key }: RequestFilter): Promise<StoredRequest[] | undefined> {
  if (ids !== undefined) {
    const answer = await link.call('get', [...new Set(ids)].map(idBytes), READ);
    return answer.list((one) => (one.isNothing() ? [] : [readRecord(one)])).flat();
  }
  if (key === undefined) return undefined;
  const answer = await link.call('byKey', [key], READ);
  return answer.list(readRecord);
}

function inOrder(requests: readonly StoredRequest[], order: Order, after: number): StoredRequest[] {
  if (order === 'accepted') return requests.filter(({ seq }) => seq > after).sort((a, b) => a.seq - b.seq);
  return requests
    .filter(({ state, endedSeq }) => isTerminal(state) && (endedSeq ?? 0) > after)
    .sort((a, b) => (a.endedSeq ?? 0) - (b.endedSeq ?? 0));
}

/** What of a filter the script can judge by rows alone. */
function narrowed({ state, reason, zone, lane, acceptedBefore, acceptedAfter, bundle }: RequestFilter): Packable {
  return [
    state === undefined ? false : listOf<RequestState>(state).reduce((bits, one) => bits | (1 << stateCode(one)), 0),
    reason === undefined
      ? false
      : Object.fromEntries(listOf<Reason>(reason).map((one) => [String(reasonCode(one)), true])),
    zone ?? false,
    lane === undefined ? false : laneBytes(lane),
    acceptedBefore ?? false,
    acceptedAfter ?? false,
    bundle === undefined ? false : idBytes(bundle),
  ];
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]; // narrowed by the line's own test
}
