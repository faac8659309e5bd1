import type { NewRequest } from '../../types/request.ts';
import type { Reason, RequestState } from '../../types/states.ts';
import { isTerminal } from '../../types/states.ts';
import type { EnqueueResult } from '../../types/store.ts';
import type { Entry, EntryLane, Ties } from './Entry.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { enter, finish, leave, retract, untie } from './movement.ts';

type Refusal = Extract<EnqueueResult, { status: 'refused' }>;

/** What a request was that ended while its batch was accepted, to be put back when the batch is refused. */
export interface Retired {
  readonly retired: Entry;
  readonly state: RequestState;
  readonly reason: Reason;
  readonly dueAt: number | null;
  readonly replayedAs: string | null;
  readonly lane: EntryLane | null;
  readonly predecessors: Entry[];
  readonly lastEndedAt: number;
  readonly hasSteppedBack: boolean;
}

/** The request whose place a newcomer asks for, if it may have it. */
export function findReplaced(storage: MemoryStorage, request: NewRequest, id: string): Entry | Refusal {
  const entry = storage.entries.get(id);
  const refusal = (detail: string): Refusal => ({ status: 'refused', why: 'replaced', detail });
  if (entry === undefined) return refusal(`request ${id} is not known`);
  const { state, lane, ties, input } = entry;
  if (state !== 'ready' && state !== 'scheduled' && state !== 'blocked') return refusal(`request ${id} is ${state}`);
  if (entry.firstSentAt !== null) return refusal(`request ${id} was sent`);
  if (lane === null || lane.name !== request.lane || lane.tail !== entry) {
    return refusal(`request ${id} is not the last of the lane`);
  }
  if (input.principal !== request.principal) return refusal(`request ${id} is of another principal`);
  if ((ties !== null && ties.awaitedBy > 0) || request.after.includes(id))
    return refusal(`request ${id} is waited for`);
  return entry;
}

/**
 * Ends a request for which nobody waits and behind which nobody stands. Its lane is kept even if nothing is left in it: what
 * takes its place comes next.
 */
export function retire(
  storage: MemoryStorage,
  entry: Entry,
  state: 'succeeded' | 'superseded',
  reason: Reason,
  now: number,
): Retired {
  const { lane, ties, dueAt, replayedAs } = entry;
  const { lastEndedAt, hasSteppedBack } = storage;
  const predecessors = ties?.predecessors ?? [];
  const before = { retired: entry, state: entry.state, reason: entry.reason, dueAt, replayedAs, lane, predecessors };
  leave(storage, entry);
  finish(storage, entry, state, reason, now);
  lane?.remove(entry);
  for (const predecessor of predecessors) untie(predecessor, entry);
  if (ties !== null) ties.predecessors = [];
  return { ...before, lastEndedAt, hasSteppedBack };
}

/** Takes back the last {@link retire}: nothing but what was undone since has happened to the store. */
export function revive(storage: MemoryStorage, before: Retired): void {
  const { retired: entry, lane, predecessors } = before;
  retract(storage, entry);
  storage.lastEndedAt = before.lastEndedAt;
  storage.hasSteppedBack = before.hasSteppedBack;
  if (lane !== null) {
    lane.append(entry);
    storage.lanes.set(lane.name, lane);
    for (const alias of lane.aliases ?? []) storage.aliases.set(alias, lane.name);
  }
  if (entry.ties !== null) entry.ties.predecessors = predecessors;
  for (const predecessor of predecessors) {
    const ties = predecessor.ties as Ties; // made when they were tied
    ties.awaitedBy += 1;
    if (!isTerminal(predecessor.state)) ties.dependants.add(entry);
  }
  entry.reason = before.reason;
  entry.dueAt = before.dueAt;
  entry.replayedAs = before.replayedAs;
  enter(storage, entry, before.state);
}
