import type { FlowRank } from '../../types/flowRank.ts';
import type { Reason, RequestState, TerminalState } from '../../types/states.ts';
import type { Move } from '../../types/store.ts';
import type { Effects } from './Effects.ts';
import type { Entry, EntryLane, Ties } from './Entry.ts';
import { ExpiryNode } from './Entry.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { victimsOf } from './victims.ts';

/** Takes a live request out of the index of its state; it is put into another one, or dropped, next. */
export function leave(storage: MemoryStorage, entry: Entry): void {
  if (entry.heap !== null) {
    entry.heap.remove(entry);
    entry.heap = null;
  }
  if (entry.state === 'sending') {
    storage.sending.delete(entry);
    storage.traffic.add(entry.input.zone, entry.input.channel, -1);
  }
  entry.tally.add(entry.state, -1, -entry.input.bytes);
}

/** Puts a live request, new or taken out by {@link leave}, into the indexes of `state`. */
export function enter(storage: MemoryStorage, entry: Entry, state: RequestState): void {
  const { partition } = entry;
  entry.state = state;
  storage.revision += 1;
  entry.tally.add(state, 1, entry.input.bytes);
  switch (state) {
    case 'ready':
      entry.heap = partition.ready;
      partition.ready.push(entry, entry.rank, entry.seq);
      break;
    case 'scheduled':
      entry.heap = partition.scheduled;
      partition.scheduled.push(entry, entry.dueAt ?? 0, entry.seq);
      break;
    case 'unknown':
      entry.heap = partition.unknown;
      partition.unknown.push(entry, entry.dueAt ?? 0, entry.seq);
      break;
    case 'blocked':
      if (entry.lane !== null && entry.lane.head !== entry) entry.lane.wait(entry);
      break;
    case 'sending':
      storage.sending.add(entry);
      storage.traffic.add(entry.input.zone, entry.input.channel, 1);
      break;
    default:
      break;
  }
  indexExpiry(entry);
}

/** What its deadline can end: what nobody sends and whose outcome is not in doubt. */
function canExpire(entry: Entry): boolean {
  return entry.state !== 'sending' && entry.state !== 'unknown' && !entry.progress.unresolved;
}

/** Keeps the expiry index true to deadline, state and progress. */
export function indexExpiry(entry: Entry): void {
  const node = entry.expiry;
  const { expiresAt } = entry.input;
  if (expiresAt === null || !canExpire(entry)) {
    if (node !== null && node.heapIndex >= 0) entry.partition.expiry.remove(node);
    return;
  }
  if (node === null) {
    entry.expiry = new ExpiryNode(entry);
    entry.partition.expiry.push(entry.expiry, expiresAt, entry.seq);
  } else if (node.heapIndex < 0) {
    entry.partition.expiry.push(node, expiresAt, entry.seq);
  } else if (node.heapKey !== expiresAt) {
    entry.partition.expiry.rekey(node, expiresAt);
  }
}

/** Gives a request another rank; a blocked one lends it to the head of its lane. */
export function setRank(entry: Entry, rank: number, turn: FlowRank | null): void {
  restoreRank(entry, rank, turn);
  if (entry.state === 'blocked') lendRank(entry);
}

/** Gives a request another rank and tells nobody. */
export function restoreRank(entry: Entry, rank: number, turn: FlowRank | null): void {
  entry.rank = rank;
  entry.turn = turn;
  if (entry.state === 'ready' || entry.state === 'blocked') entry.heap?.rekey(entry, rank);
}

/** A lane's head takes the best rank waiting behind it, and keeps it. */
function lendRank(entry: Entry): void {
  const head = entry.lane?.head ?? null;
  if (head !== null && head !== entry && entry.rank < head.rank) setRank(head, entry.rank, entry.turn);
}

/** Moves a live request to where it belongs when it should go on: blocked, scheduled or ready. */
export function place(
  storage: MemoryStorage,
  entry: Entry,
  now: number,
  reason: Reason,
  floor: number | null,
): RequestState {
  leave(storage, entry);
  if (destination(entry, now, floor) !== 'scheduled') takeTurnAgain(storage, entry, now);
  return settleIn(storage, entry, now, reason, floor);
}

/** Gives up the lease of a request that nobody tried: it keeps its turn. */
export function putBack(storage: MemoryStorage, entry: Entry, now: number): void {
  entry.leaseWorker = null;
  leave(storage, entry);
  settleIn(storage, entry, now, 'accepted', null);
}

/** Of a request that is in no index: where others have gone past its turn meanwhile, it gets another one. */
export function takeTurnAgain({ flows }: MemoryStorage, entry: Entry, now: number): void {
  if (entry.turn !== null) entry.rank = flows.again(entry.turn, entry.rank, now);
}

/** The second half of {@link place}: for a request that is in no index yet. `floor` is the time a move asked for. */
export function settleIn(
  storage: MemoryStorage,
  entry: Entry,
  now: number,
  reason: Reason,
  floor: number | null,
): RequestState {
  const state = destination(entry, now, floor);
  const { notBefore } = entry.input;
  if (state === 'blocked') {
    entry.reason = entry.lane !== null && entry.lane.head !== entry ? 'lane' : 'dependency';
    entry.dueAt = floor;
  } else if (state === 'scheduled') {
    const isFloor = floor !== null && (notBefore === null || floor >= notBefore);
    entry.reason = isFloor ? reason : 'notBefore';
    entry.dueAt = isFloor ? floor : notBefore;
  } else {
    entry.reason = reason;
    entry.dueAt = null;
  }
  enter(storage, entry, state);
  if (state === 'blocked') lendRank(entry);
  return state;
}

function destination(entry: Entry, now: number, floor: number | null): 'blocked' | 'scheduled' | 'ready' {
  if ((entry.ties !== null && entry.ties.open > 0) || (entry.lane !== null && entry.lane.head !== entry))
    return 'blocked';
  const { notBefore } = entry.input;
  if ((floor !== null && floor > now) || (notBefore !== null && notBefore > now)) return 'scheduled';
  return 'ready';
}

/** Applies a legal move of any kind to a live request. */
export function move(storage: MemoryStorage, entry: Entry, next: Move, now: number, effects: Effects): void {
  entry.leaseWorker = null;
  switch (next.state) {
    case 'ready':
    case 'blocked':
      place(storage, entry, now, next.reason, null);
      return;
    case 'scheduled':
      place(storage, entry, now, next.reason, next.dueAt ?? null);
      return;
    case 'held':
    case 'unknown':
      leave(storage, entry);
      entry.reason = next.reason;
      entry.dueAt = next.state === 'unknown' ? (next.dueAt ?? now) : null;
      enter(storage, entry, next.state);
      return;
    case 'succeeded':
    case 'dead':
    case 'cancelled':
    case 'superseded':
      end(storage, entry, next.state, next.reason, now, effects);
      return;
    case 'sending':
      throw new Error('Only a claim moves a request to sending.');
    default:
      next.state satisfies never;
  }
}

/** Ends a live request and lists it. */
export function endAndList(
  storage: MemoryStorage,
  entry: Entry,
  state: TerminalState,
  reason: Reason,
  now: number,
  effects: Effects,
): void {
  end(storage, entry, state, reason, now, effects);
  effects.addEnded(entry);
}

/**
 * Ends a live request and, with it, those that its failure takes along; frees its lane and unblocks or holds its dependants.
 * Does not list itself.
 */
export function end(
  storage: MemoryStorage,
  entry: Entry,
  state: TerminalState,
  reason: Reason,
  now: number,
  effects: Effects,
): void {
  if (entry.input.onFailure === 'cascade' && state !== 'succeeded') {
    if (state === 'dead') endVictims(storage, entry, true, now, effects);
    else if (reason !== 'moved' && reason !== 'spilled') endVictims(storage, entry, false, now, effects);
  }
  endAlone(storage, entry, state, reason, now, effects);
}

function endVictims(storage: MemoryStorage, root: Entry, takesLane: boolean, now: number, effects: Effects): void {
  for (const victim of victimsOf(root, takesLane)) {
    victim.bundle = root.input.id;
    endAlone(storage, victim, 'dead', 'abandoned', now, effects);
    effects.addEnded(victim);
  }
}

function endAlone(
  storage: MemoryStorage,
  entry: Entry,
  state: TerminalState,
  reason: Reason,
  now: number,
  effects: Effects,
): void {
  leave(storage, entry);
  finish(storage, entry, state, reason, now);
  if (entry.lane !== null) freeLane(storage, entry, state === 'dead' && entry.input.onFailure === 'halt', now, effects);
  const { ties } = entry;
  if (ties === null) return;
  for (const predecessor of ties.predecessors) untie(predecessor, entry);
  ties.predecessors = [];
  const dependants = [...ties.dependants];
  ties.dependants.clear();
  for (const dependant of dependants) resolve(storage, dependant, state === 'succeeded', now, effects);
}

/** A request no longer waits for, nor names, its predecessor. */
export function untie(predecessor: Entry, entry: Entry): void {
  const ties = predecessor.ties as Ties; // made when they were tied
  ties.awaitedBy -= 1;
  ties.dependants.delete(entry);
}

/** Takes a request that {@link leave} took out into the records of what has ended. */
export function finish(storage: MemoryStorage, entry: Entry, state: TerminalState, reason: Reason, now: number): void {
  const { expiry, partition, tally } = entry;
  if (expiry !== null && expiry.heapIndex >= 0) partition.expiry.remove(expiry);
  partition.live -= 1;
  partition.members?.delete(entry);
  entry.state = state;
  entry.reason = reason;
  entry.dueAt = null;
  entry.leaseWorker = null;
  entry.endedAt = now;
  if (now < storage.lastEndedAt) storage.hasSteppedBack = true;
  storage.lastEndedAt = now;
  entry.endedSeq = ++storage.lastEndedSeq;
  entry.tally = tally.ended;
  entry.tally.add(state, 1, 0);
  (state === 'dead' ? storage.endedDead : storage.endedWell).append(entry);
  storage.ended.append(entry);
  storage.endedBytes += endedBytes(entry);
  storage.live -= 1;
  storage.liveBytes -= entry.input.bytes;
  storage.revision += 1;
}

/** Takes back the last {@link finish}, but for what it wrote over in the request: it is live again, in no index. */
export function retract(storage: MemoryStorage, entry: Entry): void {
  const { zone, channel, sender, bytes } = entry.input;
  storage.ended.retract();
  (entry.state === 'dead' ? storage.endedDead : storage.endedWell).retract();
  storage.endedBytes -= endedBytes(entry);
  storage.lastEndedSeq -= 1;
  entry.tally.add(entry.state, -1, 0);
  // both may have been swept away while they were empty
  entry.tally = storage.tallyFor(zone, channel, sender);
  entry.partition = storage.partitionFor(channel, sender);
  entry.partition.live += 1;
  entry.partition.members?.add(entry);
  storage.live += 1;
  storage.liveBytes += bytes;
}

/** What an ended record is accounted with under the retention's `maxBytes`. */
export function endedBytes(entry: Entry): number {
  return entry.input.bytes + (entry.result?.body?.byteLength ?? 0);
}

/** Takes an ended request out of its lane. The next one goes on, or is held where the lane `halts`. */
function freeLane(storage: MemoryStorage, entry: Entry, halts: boolean, now: number, effects: Effects): void {
  const lane = entry.lane as NonNullable<Entry['lane']>; // asked by the caller
  const wasHead = lane.head === entry;
  lane.remove(entry);
  const next = lane.head;
  if (next === null) dropLane(storage, lane);
  if (!wasHead || next === null) return;
  const best = lane.waiting?.top();
  if (best !== undefined && best.rank < next.rank) setRank(next, best.rank, best.turn);
  if (next.state !== 'blocked') return;
  if (halts && (next.ties === null || next.ties.open === 0)) hold(storage, next, effects);
  else unblock(storage, next, now, effects);
}

/** Forgets a lane that has no members, and what stood for it. */
export function dropLane(storage: MemoryStorage, lane: EntryLane): void {
  storage.lanes.delete(lane.name);
  for (const alias of lane.aliases ?? []) storage.aliases.delete(alias);
}

/** A predecessor of a request ended. */
function resolve(storage: MemoryStorage, entry: Entry, succeeded: boolean, now: number, effects: Effects): void {
  const ties = entry.ties as Ties; // it has a predecessor
  ties.open -= 1;
  if (succeeded) {
    if (entry.state === 'blocked' && ties.open === 0) unblock(storage, entry, now, effects);
  } else if (entry.state === 'blocked') {
    hold(storage, entry, effects);
  } else if (entry.state === 'held') {
    entry.reason = 'dependency';
    storage.revision += 1;
  }
}

/** Sets a blocked request aside for what failed before it. */
function hold(storage: MemoryStorage, entry: Entry, effects: Effects): void {
  leave(storage, entry);
  entry.reason = 'dependency';
  entry.dueAt = null;
  enter(storage, entry, 'held');
  effects.addMoved(entry);
}

/** Places a blocked request for which something was resolved. */
function unblock(storage: MemoryStorage, entry: Entry, now: number, effects: Effects): void {
  const floor = entry.dueAt;
  const reason = floor !== null && floor > now ? 'notBefore' : 'accepted';
  if (place(storage, entry, now, reason, floor) !== 'blocked') effects.addMoved(entry);
}

/** Leases a ready request: durably `sending` before the first byte. */
export function lease(storage: MemoryStorage, entry: Entry, worker: string, until: number, now: number): void {
  leave(storage, entry);
  begin(storage, entry, worker, until, now);
  enter(storage, entry, 'sending');
}

/** Marks a request that is in no index as leased and, from now on, sent. */
export function begin(storage: MemoryStorage, entry: Entry, worker: string, until: number, now: number): void {
  grant(entry, worker, until);
  if (entry.turn !== null) storage.flows.advance(entry.turn.group, entry.rank, now);
  entry.dueAt = null;
  if (entry.firstSentAt === null) {
    entry.firstSentAt = now;
    entry.firstSentToken = entry.token;
  }
}

/** Gives a request a new token and a holder. */
export function grant(entry: Entry, worker: string, until: number): void {
  entry.token += 1;
  entry.leaseWorker = worker;
  entry.leaseUntil = until;
}

/** Hands a live request to another sender. */
export function setSender(storage: MemoryStorage, entry: Entry, sender: string): void {
  const { state, partition, input, expiry } = entry;
  if (sender === input.sender) return;
  leave(storage, entry);
  if (expiry !== null && expiry.heapIndex >= 0) partition.expiry.remove(expiry);
  partition.live -= 1;
  partition.members?.delete(entry);
  entry.input = { ...input, sender };
  entry.partition = storage.partitionFor(input.channel, sender);
  entry.tally = storage.tallyFor(input.zone, input.channel, sender);
  entry.partition.live += 1;
  entry.partition.members?.add(entry);
  enter(storage, entry, state);
}
