import type { FlowRank } from '../../types/flowRank.ts';
import type { NewRequest, StoredResult } from '../../types/request.ts';
import { isTerminal } from '../../types/states.ts';
import type { EnqueueBatch, EnqueueResult } from '../../types/store.ts';
import { roomWithin } from '../claimLimits.ts';
import { bring, isFree, withoutPast } from './carry.ts';
import type { EntryLane } from './Entry.ts';
import { Entry, Ties } from './Entry.ts';
import { Lane } from './Lane.ts';
import type { ScheduleRow } from './MemorySchedules.ts';
import type { MemoryStorage } from './MemoryStorage.ts';
import { begin, dropLane, enter, indexExpiry, restoreRank, settleIn } from './movement.ts';
import { raise, takeRank } from './ranks.ts';
import type { Retired } from './replace.ts';
import { findReplaced, retire, revive } from './replace.ts';
import { unstore } from './unstore.ts';

type Refusal = Extract<EnqueueResult, { status: 'refused' }>;

/** What a join changed, to be put back when its batch is refused. */
interface Joined {
  readonly entry: Entry;
  readonly input: NewRequest;
  readonly rank: number;
  readonly turn: FlowRank | null;
  readonly callers: number;
}

interface Stored {
  readonly stored: Entry;
  readonly head: Entry | null;
  readonly headRank: number;
  readonly headTurn: FlowRank | null;
}

type Undo = Stored | Joined | Retired | { readonly flows: () => void } | { readonly fired: ScheduleRow };

/** {@link RequestStore.enqueue} in one synchronous step. */
export function enqueue(storage: MemoryStorage, batch: EnqueueBatch): EnqueueResult[] {
  const { requests } = batch;
  const results: EnqueueResult[] = new Array(requests.length);
  const journal: Undo[] | null = batch.atomic && requests.length > 1 ? [] : null;
  const leased = batch.claim === null ? null : new Map<string, number>();
  for (let index = 0; index < requests.length; index += 1) {
    const result = accept(storage, requests[index] as NewRequest, batch, leased, journal);
    results[index] = result;
    if (journal === null || result.status !== 'refused') continue;
    undo(storage, journal);
    return requests.map((_, other) => (other === index ? result : neighbour(result)));
  }
  return results;
}

function accept(
  storage: MemoryStorage,
  given: NewRequest,
  batch: EnqueueBatch,
  leased: Map<string, number> | null,
  journal: Undo[] | null,
): EnqueueResult {
  const same = storage.entries.get(given.id);
  if (same !== undefined) return accepted(same, null);
  const { fires } = given;
  if (fires === undefined) return admit(storage, given, batch, leased, journal);
  const { schedules } = storage;
  const lost = schedules.refusal(fires);
  if (lost !== undefined) return lost;
  const result = admit(storage, given, batch, leased, journal);
  if (result.status === 'refused') return result;
  const before = schedules.fire(fires);
  journal?.push({ fired: before });
  return result;
}

function admit(
  storage: MemoryStorage,
  given: NewRequest,
  batch: EnqueueBatch,
  leased: Map<string, number> | null,
  journal: Undo[] | null,
): EnqueueResult {
  const request = storage.aliases.size === 0 ? given : inItsLane(storage, given);

  const joinable = findJoinable(storage, request);
  if (joinable !== undefined) {
    if ('status' in joinable) return joinable;
    journal?.push(remember(joinable));
    const head = joinable.lane?.head ?? null;
    if (head !== null && head !== joinable) journal?.push(remember(head));
    join(storage, joinable, request);
    return { status: 'joined', id: joinable.input.id, seq: joinable.seq, state: joinable.state };
  }

  const { replaces } = request;
  const replaced = replaces === undefined ? null : findReplaced(storage, request, replaces.id);
  if (replaced !== null && 'status' in replaced) return replaced;
  const refusal = (replaced === null ? findLimit(storage, request, batch) : undefined) ?? findRefusal(storage, request);
  if (refusal !== undefined) return refusal;
  return store(storage, request, replaced, batch, leased, journal);
}

/** The lane of an entity that is known by two names is the one in which its requests wait. */
function inItsLane({ aliases }: MemoryStorage, request: NewRequest): NewRequest {
  const lane = request.lane === null ? undefined : aliases.get(request.lane);
  return lane === undefined ? request : { ...request, lane };
}

function findJoinable(storage: MemoryStorage, request: NewRequest): Entry | Refusal | undefined {
  const { key, join: rule, lane, digest, fingerprint, carried } = request;
  if (key !== null) {
    const found = storage.keys.get(key);
    if (found !== undefined) {
      if (found.input.digest === digest && carried === undefined) return found;
      return { status: 'refused', why: 'keyConflict', detail: `the key belongs to request ${found.input.id}` };
    }
  }
  if (carried !== undefined) return undefined;
  if (rule.rule === 'tail' && lane !== null && digest !== null) {
    const tail = storage.lanes.get(lane)?.tail;
    if (tail && tail.firstSentAt === null && tail.input.digest === digest && tail.input.principal === request.principal)
      return tail;
  } else if (rule.rule === 'window' && fingerprint !== null && digest !== null) {
    const candidates = storage.fingerprints.get(fingerprint);
    return candidates?.findLast(({ input }) => input.digest === digest && input.acceptedAt >= rule.since);
  }
  return undefined;
}

function join(storage: MemoryStorage, entry: Entry, request: NewRequest): void {
  entry.callers += 1;
  storage.revision += 1;
  if (isTerminal(entry.state)) return;
  if (request.rank.form !== 'negatedSeq') raise(storage, entry, request.rank);
  const { priority, expiresAt } = entry.input;
  const later = expiresAt !== null && (request.expiresAt === null || request.expiresAt > expiresAt);
  if (!later && request.priority <= priority) return;
  entry.input = {
    ...entry.input,
    priority: Math.max(priority, request.priority),
    expiresAt: later ? request.expiresAt : expiresAt,
  };
  indexExpiry(entry);
}

function findLimit(storage: MemoryStorage, request: NewRequest, batch: EnqueueBatch): Refusal | undefined {
  const { maxSize, maxBytes } = batch.limits;
  if (storage.live >= maxSize) {
    return { status: 'refused', why: 'full', detail: `${storage.live} requests of at most ${maxSize}` };
  }
  if (storage.liveBytes + request.bytes > maxBytes) {
    const detail = `${storage.liveBytes} + ${request.bytes} bytes of at most ${maxBytes}`;
    return { status: 'refused', why: 'full', detail };
  }
  return undefined;
}

function findRefusal(storage: MemoryStorage, request: NewRequest): Refusal | undefined {
  for (const id of request.after) {
    const predecessor = storage.entries.get(id);
    if (predecessor === undefined) {
      return { status: 'refused', why: 'dependency', detail: `request ${id} is not known` };
    }
    if (isTerminal(predecessor.state) && predecessor.state !== 'succeeded') {
      return { status: 'refused', why: 'dependency', detail: `request ${id} ended ${predecessor.state}` };
    }
  }
  return undefined;
}

function store(
  storage: MemoryStorage,
  request: NewRequest,
  replaced: Entry | null,
  batch: EnqueueBatch,
  leased: Map<string, number> | null,
  journal: Undo[] | null,
): EnqueueResult {
  const { channel, carried, lane, after } = request;
  if (replaced !== null) {
    const before = retire(storage, replaced, 'superseded', 'squashed', batch.now);
    replaced.replayedAs = request.id;
    journal?.push(before);
  }
  const entry = add(storage, request);
  const result = request.replaces?.result;
  if (journal !== null) rememberFlows(storage, request, replaced, journal);
  takeRank(storage, entry, request.rank, replaced, batch.now, result === undefined);
  if (replaced !== null) takeOver(entry, replaced);
  if (result !== undefined) return endAtOnce(storage, entry, result, batch.now, journal);

  if (after.length > 0) awaitPredecessors(storage, entry);
  if (lane !== null) laneFor(storage, lane).append(entry);
  const head = entry.lane?.head ?? null;
  journal?.push({ stored: entry, head, headRank: head?.rank ?? 0, headTurn: head?.turn ?? null });

  if (
    leased !== null &&
    batch.claim !== null &&
    isFree(carried, batch.now) &&
    isClaimable(storage, entry, batch, leased)
  ) {
    leased.set(channel, (leased.get(channel) ?? 0) + 1);
    begin(storage, entry, batch.claim.worker, batch.claim.leaseUntil, batch.now);
    enter(storage, entry, 'sending');
    return accepted(entry, entry.token);
  }
  if (carried === undefined) settleIn(storage, entry, batch.now, 'accepted', null);
  else if (carried.isHeld) enter(storage, entry, 'held');
  else settleIn(storage, entry, batch.now, carried.reason, carried.dueAt);
  return accepted(entry, null);
}

/** Makes a request known; it is in no lane and no index yet. */
function add(storage: MemoryStorage, request: NewRequest): Entry {
  const { id, zone, channel, sender, key, fingerprint, bytes, carried, replaces, fires } = request;
  const partition = storage.partitionFor(channel, sender);
  const isBare = (carried ?? replaces ?? fires) === undefined;
  const input = isBare ? request : withoutPast(request);
  const entry = new Entry(input, ++storage.lastSeq, partition, storage.tallyFor(zone, channel, sender));
  if (carried !== undefined) bring(entry, carried);
  storage.entries.set(id, entry);
  storage.accepted.append(entry);
  storage.live += 1;
  storage.liveBytes += bytes;
  partition.live += 1;
  partition.members?.add(entry);
  if (key !== null) storage.keys.set(key, entry);
  if (fingerprint !== null) indexFingerprint(storage, fingerprint, entry);
  return entry;
}

function rememberFlows({ flows }: MemoryStorage, { rank }: NewRequest, replaced: Entry | null, journal: Undo[]): void {
  if (rank.form === 'flow') journal.push({ flows: flows.memento(rank.group, rank.flow) });
  const lent = replaced?.turn?.group ?? null;
  if (lent !== null) journal.push({ flows: flows.memento(lent, null) });
}

/** Gives a newcomer what the one whose place it takes had of its own. */
function takeOver(entry: Entry, replaced: Entry): void {
  const { priority } = replaced.input;
  entry.callers += replaced.callers;
  if (priority > entry.input.priority) entry.input = { ...entry.input, priority };
}

/** Ends a newcomer for which nothing is left to do: it waits for nothing and was never in its lane. */
function endAtOnce(
  storage: MemoryStorage,
  entry: Entry,
  result: StoredResult,
  now: number,
  journal: Undo[] | null,
): EnqueueResult {
  const lane = entry.input.lane === null ? undefined : storage.lanes.get(entry.input.lane);
  if (lane !== undefined && lane.head === null) dropLane(storage, lane);
  entry.result = result;
  enter(storage, entry, 'ready');
  const before = retire(storage, entry, 'succeeded', 'noop', now);
  journal?.push({ stored: entry, head: null, headRank: 0, headTurn: null }, before);
  return accepted(entry, null);
}

function laneFor(storage: MemoryStorage, name: string): EntryLane {
  let lane = storage.lanes.get(name);
  if (lane === undefined) {
    lane = new Lane<Entry>(name);
    storage.lanes.set(name, lane);
  }
  return lane;
}

/** Nothing may overtake: it is leased only where a claim would have found nothing else of its (channel, sender). */
function isClaimable(
  storage: MemoryStorage,
  entry: Entry,
  batch: EnqueueBatch,
  leased: ReadonlyMap<string, number>,
): boolean {
  const { input, lane, partition } = entry;
  if (
    (entry.ties !== null && entry.ties.open > 0) ||
    (lane !== null && lane.head !== entry) ||
    partition.ready.size > 0
  )
    return false;
  if (input.notBefore !== null && input.notBefore > batch.now) return false;
  if (input.expiresAt !== null && input.expiresAt <= batch.now) return false;
  const scheduled = partition.scheduled.top();
  if (scheduled !== undefined && scheduled.heapKey <= batch.now) return false;
  const permits = batch.claim?.allowance.find(({ channel }) => channel === input.channel);
  if (permits === undefined || (leased.get(input.channel) ?? 0) >= permits.calls) return false;
  return roomWithin(permits.within, storage.traffic, input.zone, input.channel) >= 1;
}

function awaitPredecessors(storage: MemoryStorage, entry: Entry): void {
  const ties = new Ties();
  entry.ties = ties;
  for (const id of new Set(entry.input.after)) {
    const predecessor = storage.entries.get(id) as Entry; // checked by findRefusal
    predecessor.ties ??= new Ties();
    predecessor.ties.awaitedBy += 1;
    ties.predecessors.push(predecessor);
    if (isTerminal(predecessor.state)) continue;
    ties.open += 1;
    predecessor.ties.dependants.add(entry);
  }
}

function indexFingerprint(storage: MemoryStorage, fingerprint: string, entry: Entry): void {
  const found = storage.fingerprints.get(fingerprint);
  if (found === undefined) storage.fingerprints.set(fingerprint, [entry]);
  else found.push(entry);
}

function accepted(entry: Entry, token: number | null): EnqueueResult {
  return { status: 'accepted', id: entry.input.id, seq: entry.seq, state: entry.state, token, dueAt: entry.dueAt };
}

function neighbour(refusal: Refusal): Refusal {
  return { status: 'refused', why: 'neighbour', detail: `another request of the batch was refused (${refusal.why})` };
}

function remember(entry: Entry): Joined {
  const { input, rank, turn, callers } = entry;
  return { entry, input, rank, turn, callers };
}

/** Puts back, newest first, what the batch did so far. */
function undo(storage: MemoryStorage, journal: readonly Undo[]): void {
  for (const step of journal.toReversed()) {
    if ('stored' in step) {
      unstore(storage, step.stored);
      if (step.head !== null && step.head !== step.stored) restoreRank(step.head, step.headRank, step.headTurn);
      continue;
    }
    if ('flows' in step) {
      step.flows();
      continue;
    }
    if ('fired' in step) {
      storage.schedules.restore(step.fired);
      continue;
    }
    if ('retired' in step) {
      revive(storage, step);
      continue;
    }
    const { entry } = step;
    entry.input = step.input;
    entry.callers = step.callers;
    restoreRank(entry, step.rank, step.turn);
    if (!isTerminal(entry.state)) indexExpiry(entry);
  }
}
