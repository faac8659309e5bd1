import { isAnyOf } from '../../types/matchesFilter.ts';
import type { RequestFilter } from '../../types/request.ts';
import type { RequestState } from '../../types/states.ts';
import { isTerminal, REQUEST_STATES } from '../../types/states.ts';
import type { CountRow, FindQuery, FindResult, NextDueQuery } from '../../types/store.ts';
import { partitionsOf } from './claim.ts';
import type { Entry } from './Entry.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { snapshot } from './snapshot.ts';

/** {@link RequestStore.find} in one synchronous step. */
export function find(storage: MemoryStorage, query: FindQuery): FindResult {
  const { filter, order, limit } = query;
  const place = order === 'accepted' ? (entry: Entry) => entry.seq : (entry: Entry) => entry.endedSeq;
  const found: Entry[] = [];
  for (const entry of candidates(storage, filter, order, query.after ?? 0)) {
    if (!matches(entry, filter)) continue;
    if (found.length >= limit) {
      const last = found.at(-1);
      return { requests: found.map(snapshot), next: last === undefined ? query.after : place(last) };
    }
    found.push(entry);
  }
  return { requests: found.map(snapshot), next: null };
}

function candidates(
  storage: MemoryStorage,
  filter: RequestFilter,
  order: FindQuery['order'],
  after: number,
): Iterable<Entry> {
  const named = lookUp(storage, filter);
  if (named === undefined) return (order === 'accepted' ? storage.accepted : storage.ended).since(after);
  return order === 'accepted'
    ? named.filter(({ seq }) => seq > after).sort((a, b) => a.seq - b.seq)
    : named
        .filter(({ state, endedSeq }) => isTerminal(state) && endedSeq > after)
        .sort((a, b) => a.endedSeq - b.endedSeq);
}

/** The few entries that filters by id or key can mean. */
function lookUp(storage: MemoryStorage, filter: RequestFilter): Entry[] | undefined {
  if (filter.ids !== undefined) {
    return [...new Set(filter.ids)].flatMap((id) => storage.entries.get(id) ?? []);
  }
  if (filter.key !== undefined) {
    const entry = storage.keys.get(filter.key);
    return entry === undefined ? [] : [entry];
  }
  return undefined;
}

function matches(entry: Entry, filter: RequestFilter): boolean {
  const { input } = entry;
  return (
    (filter.ids === undefined || filter.ids.includes(input.id)) &&
    (filter.key === undefined || filter.key === input.key) &&
    isAnyOf(entry.state, filter.state) &&
    isAnyOf(entry.reason, filter.reason) &&
    (filter.zone === undefined || filter.zone === input.zone) &&
    (filter.lane === undefined || filter.lane === input.lane) &&
    (filter.principal === undefined || filter.principal === input.principal) &&
    (filter.bundle === undefined || filter.bundle === entry.bundle) &&
    (filter.acceptedBefore === undefined || input.acceptedAt < filter.acceptedBefore) &&
    (filter.acceptedAfter === undefined || input.acceptedAt >= filter.acceptedAfter) &&
    (filter.tags ?? []).every((tag) => input.tags.includes(tag))
  );
}

/** {@link RequestStore.count} in one synchronous step. */
export function count(storage: MemoryStorage, filter: RequestFilter | undefined): CountRow[] {
  return filter === undefined ? fromTallies(storage) : byLooking(storage, filter);
}

function fromTallies(storage: MemoryStorage): CountRow[] {
  const rows: CountRow[] = [];
  for (const tally of storage.tallies()) {
    const { zone, channel, sender } = tally;
    for (const state of REQUEST_STATES) {
      const number = tally.count(state);
      if (number > 0) rows.push({ zone, channel, sender, state, count: number, bytes: tally.bytes(state) });
    }
  }
  return rows;
}

function byLooking(storage: MemoryStorage, filter: RequestFilter): CountRow[] {
  const rows = new Map<
    string,
    { zone: string; channel: string; sender: string; state: RequestState; count: number; bytes: number }
  >();
  for (const entry of candidates(storage, filter, 'accepted', 0)) {
    if (!matches(entry, filter)) continue;
    const { state, input } = entry;
    const ended = isTerminal(state);
    const sender = ended ? '' : input.sender;
    const name = JSON.stringify([input.zone, input.channel, sender, state]);
    let row = rows.get(name);
    if (row === undefined) {
      row = { zone: input.zone, channel: input.channel, sender, state, count: 0, bytes: 0 };
      rows.set(name, row);
    }
    row.count += 1;
    if (!ended) row.bytes += input.bytes;
  }
  return [...rows.values()];
}

/** {@link RequestStore.nextDueAt}: the tops of three heaps per channel and sender, or what lies below what is due by then. */
export function nextDueAt(storage: MemoryStorage, { channels, after }: NextDueQuery): number | null {
  const bound = after ?? Number.NEGATIVE_INFINITY;
  let next: number | null = null;
  for (const { scheduled, unknown, expiry } of partitionsOf(storage, channels)) {
    for (const at of [scheduled.keyAbove(bound), unknown.keyAbove(bound), expiry.keyAbove(bound)]) {
      if (at !== undefined && (next === null || at < next)) next = at;
    }
  }
  return next;
}
