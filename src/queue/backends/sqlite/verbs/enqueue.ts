import type { SendingLimit } from '../../../types/claimTerms.ts';
import { roomWithin } from '../../claimLimits.ts';
import { hash53, reasonCode, stateOf } from '../../codec.ts';
import { FIRST_LEASE, HAS_PREDECESSORS, HAS_WAITERS } from '../flags.ts';
import type { Place } from '../Ledger.ts';
import { headOf, raiseHead } from '../moves.ts';
import type { PackedEnqueue, PackedEnqueueResult, PackedRequest } from '../protocol.ts';
import { ACCEPTED, JOIN_NONE, REFUSED, readTurn } from '../protocol.ts';
import type { Row, Rows } from '../Rows.ts';
import { BLOCKED, HELD, READY, SCHEDULED, SENDING, SUCCEEDED } from '../Rows.ts';
import { newRank } from '../ranks.ts';
import { bring } from './carry.ts';
import { join } from './join.ts';
import { giveWay, replaceable, takeOver, withBetter } from './replace.ts';
import { advance, firingRefusal } from './schedules.ts';

const REASON_ACCEPTED = reasonCode('accepted');
const REASON_NOT_BEFORE = reasonCode('notBefore');
const REASON_LANE = reasonCode('lane');
const REASON_DEPENDENCY = reasonCode('dependency');

const INSERT = `INSERT INTO request(
  seq, id, place, state, reason, flags, rank, due, not_before, expires, token, worker, lease_until, first_sent, line, waits, callers,
  priority, accepted, bytes, lane, principal, key, fp, digest, turn
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(id) DO NOTHING`;

export function enqueue(rows: Rows, batch: PackedEnqueue): PackedEnqueueResult[] {
  const atomic = batch[1];
  const requests = batch[7];
  const allowance = batch[6] === null ? null : allowanceOf(batch[6], batch[8]);
  if (!atomic) return requests.map((request) => accept(rows, batch, request, allowance));

  rows.ledger.flush();
  rows.database.exec('SAVEPOINT all_or_nothing');
  const results: PackedEnqueueResult[] = [];
  for (const request of requests) {
    const result = accept(rows, batch, request, allowance);
    results.push(result);
    if (result[0] !== REFUSED) continue;
    rows.database.exec('ROLLBACK TO all_or_nothing; RELEASE all_or_nothing');
    rows.ledger.load();
    const neighbour = [REFUSED, 'neighbour', `${request[0]} was refused`] as const;
    return requests.map((_, index) => (index === results.length - 1 ? result : neighbour));
  }
  rows.database.exec('RELEASE all_or_nothing');
  return results;
}

/** What may be leased at once of a channel. */
interface Permits {
  left: number;
  within?: readonly SendingLimit[];
}

type Allowance = Map<string, Permits>;

function allowanceOf(list: readonly (string | number)[], within: PackedEnqueue[8]): Allowance {
  const allowance: Allowance = new Map();
  // Packed as channel, calls, channel, calls, …
  for (let at = 0; at < list.length; at += 2) allowance.set(list[at] as string, { left: list[at + 1] as number });
  for (const [channel, limits] of within ?? []) {
    const permits = allowance.get(channel);
    if (permits !== undefined) permits.within = limits;
  }
  return allowance;
}

function accept(
  rows: Rows,
  batch: PackedEnqueue,
  given: PackedRequest,
  allowance: Allowance | null,
): PackedEnqueueResult {
  const fires = given[24];
  if (fires === undefined) return admit(rows, batch, given, allowance);
  const known = present(rows, given[0]) ?? firingRefusal(rows, fires);
  if (known !== undefined) return known;
  const result = admit(rows, batch, given, allowance);
  if (result[0] !== REFUSED) advance(rows, fires);
  return result;
}

function admit(
  rows: Rows,
  batch: PackedEnqueue,
  given: PackedRequest,
  allowance: Allowance | null,
): PackedEnqueueResult {
  const [_now, , maxSize, maxBytes] = batch;
  const { ledger } = rows;
  const request = ledger.aliases.isEmpty ? given : inLane(rows, given);
  const [id, , , , , , line, after, , key, , , rule] = request;
  const bytes = request[19];
  const replaces = request[23];
  const isOver = ledger.liveCount >= maxSize || ledger.liveBytes + bytes > maxBytes;
  const isFull = isOver && replaces === undefined;

  // Most requests have nothing to look up: the insert itself finds out whether the id is there.
  if (isFull || key !== null || rule !== JOIN_NONE || after !== null || replaces !== undefined) {
    const same = present(rows, id);
    if (same !== undefined) return same;
    const joined = join(rows, request);
    if (joined !== undefined) return joined;
    if (isFull) return [REFUSED, 'full', fullDetail(rows, batch, bytes)];
  }
  const replaced = replaces === undefined ? undefined : replaceable(rows, request, replaces.id);
  if (replaced !== undefined && !('seq' in replaced)) return replaced;
  const predecessors: Row[] = [];
  if (after !== null) {
    const refusal = collect(rows, after, predecessors);
    if (refusal !== undefined) return refusal;
  }
  if (replaced !== undefined) return replace(rows, batch, request, replaced, predecessors, allowance);
  const head = line === null ? undefined : headOf(rows, line);
  const place = ledger.placeOf(request[1], request[2], request[3]);
  return (
    insert(rows, batch, request, place, head, predecessors, allowance, undefined) ??
    (present(rows, id) as PackedEnqueueResult)
  );
}

/** The newcomer in the lane that its own is an alias of, if it is one. */
function inLane(rows: Rows, request: PackedRequest): PackedRequest {
  const lane = request[5];
  const local = lane === null ? undefined : rows.ledger.aliases.localOf(lane);
  if (local === undefined) return request;
  const moved = [...request];
  moved[5] = local;
  moved[6] = hash53(local);
  return moved as unknown as PackedRequest; // the same with another lane
}

/** Stores what takes the place of another, with what it takes over from it. */
function replace(
  rows: Rows,
  batch: PackedEnqueue,
  request: PackedRequest,
  replaced: Row,
  predecessors: readonly Row[],
  allowance: Allowance | null,
): PackedEnqueueResult {
  giveWay(rows, replaced, request[0], batch[0]);
  const place = rows.ledger.placeOf(request[1], request[2], request[3]);
  const better = withBetter(request, replaced);
  // What ends at once waits for nothing and lends nothing.
  const isDone = request[23]?.result !== null;
  const head = isDone ? undefined : headOf(rows, replaced.line as number); // it was in a lane
  const accepted = insert(
    rows,
    batch,
    better,
    place,
    head,
    isDone ? [] : predecessors,
    isDone ? null : allowance,
    replaced,
  );
  return takeOver(rows, request, replaced, accepted as PackedEnqueueResult, batch[0]); // its id was not there
}

function present(rows: Rows, id: string): PackedEnqueueResult | undefined {
  const row = rows.byId(id);
  return row === undefined ? undefined : [ACCEPTED, row.seq, row.state, null, row.due];
}

function fullDetail(rows: Rows, batch: PackedEnqueue, bytes: number): string {
  const [, , maxSize, maxBytes] = batch;
  const { liveCount, liveBytes } = rows.ledger;
  if (liveCount >= maxSize) return `${liveCount} requests of at most ${maxSize} are waiting`;
  return `${liveBytes} bytes of at most ${maxBytes} are waiting, ${bytes} more do not fit`;
}

/** The predecessors, all known and none of them failed. */
function collect(rows: Rows, after: readonly string[], into: Row[]): PackedEnqueueResult | undefined {
  for (const id of new Set(after)) {
    const row = rows.byId(id);
    if (row === undefined) return [REFUSED, 'dependency', `${id} is not known`];
    if (row.state > SUCCEEDED) return [REFUSED, 'dependency', `${id} is ${stateOf(row.state)}`];
    into.push(row);
  }
  return undefined;
}

/** Undefined when the id is there already. */
function insert(
  rows: Rows,
  batch: PackedEnqueue,
  request: PackedRequest,
  place: Place,
  head: Row | undefined,
  predecessors: readonly Row[],
  allowance: Allowance | null,
  replaced: Row | undefined,
): PackedEnqueueResult | undefined {
  const { ledger } = rows;
  const now = batch[0];
  const notBefore = request[16];
  const carried = request[22];
  const floor = carried === undefined ? null : carried.due;
  const rank = newRank(rows, request[15], replaced);
  let flags = carried === undefined ? request[4] : request[4] | carried.flags;
  let token = carried === undefined ? 0 : carried.token;
  let firstSent = carried === undefined ? null : carried.firstSent;
  const waits = predecessors.filter(({ state }) => state < SUCCEEDED).length;
  let state = READY;
  let reason = carried === undefined ? REASON_ACCEPTED : carried.reason;
  let due: number | null = null;
  if (carried?.isHeld === true) {
    state = HELD;
  } else if (head !== undefined || waits > 0) {
    state = BLOCKED;
    reason = head === undefined ? REASON_DEPENDENCY : REASON_LANE;
    due = floor;
  } else {
    const isFloor = floor !== null && (notBefore === null || floor >= notBefore);
    const at = isFloor ? floor : notBefore;
    if (at !== null && at > now) {
      state = SCHEDULED;
      if (!isFloor) reason = REASON_NOT_BEFORE;
      due = at;
    } else if (allowance !== null && mayClaim(rows, request, allowance, now)) {
      state = SENDING;
      token += 1;
      if (firstSent === null) {
        firstSent = now;
        flags |= FIRST_LEASE;
      }
    }
  }
  const isLeased = state === SENDING;
  if (predecessors.length > 0) flags |= HAS_PREDECESSORS;
  const seq = rows.ledger.comingSeq;
  const stored = rows
    .sql(INSERT)
    .run(
      seq,
      request[0],
      place.id,
      state,
      reason,
      flags,
      rank.value,
      due,
      notBefore,
      request[17],
      token,
      isLeased ? batch[4] : null,
      isLeased ? batch[5] : null,
      firstSent,
      request[6],
      waits,
      request[14],
      request[18],
      request[19],
      request[5],
      request[8],
      request[9],
      request[10],
      request[11],
      rank.turn,
    );
  if (stored === 0) return undefined;
  rows.sql('INSERT INTO content(seq, head, body) VALUES (?, ?, ?)').run(seq, request[20], request[21]);
  rows.ledger.nextSeq();
  rows.ledger.add(place, state, request[19]);
  const permits = isLeased ? allowance?.get(request[2]) : undefined;
  if (permits !== undefined) permits.left -= 1;
  // What ends at once has no turn to pay for.
  if (rank.flow !== null && (request[23]?.result ?? null) === null) ledger.flows.charge(rank.flow, rank.value, now);
  if (isLeased && rank.turn !== null) ledger.flows.advance(readTurn(rank.turn)[0], rank.value, now);
  if (head !== undefined && state === BLOCKED) raiseHead(rows, head, { rank: rank.value, turn: rank.turn });
  for (const predecessor of predecessors) {
    rows.sql('INSERT INTO wait(predecessor, waiter) VALUES (?, ?)').run(predecessor.seq, seq);
    if ((predecessor.flags & HAS_WAITERS) === 0) {
      rows.sql('UPDATE request SET flags = ? WHERE seq = ?').run(predecessor.flags | HAS_WAITERS, predecessor.seq);
    }
  }
  if (carried !== undefined) bring(rows, seq, carried);
  return [ACCEPTED, seq, state, isLeased ? token : null, due];
}

/** Nothing of its channel and sender is ready or due before it, the caller has room for it, and so have its zone and channel. */
function mayClaim(rows: Rows, request: PackedRequest, allowance: Allowance, now: number): boolean {
  const permits = allowance.get(request[2]);
  if (permits === undefined || permits.left <= 0) return false;
  if (roomWithin(permits.within, rows.ledger.traffic, request[1], request[2]) < 1) return false;
  const expires = request[17];
  if (expires !== null && expires <= now) return false;
  for (const place of rows.ledger.at(request[2], request[3])) {
    if (place.n[READY] !== 0) return false;
    if (place.n[SCHEDULED] === 0) continue;
    const due = rows.sql('SELECT min(due) FROM request WHERE state = 1 AND place = ?').get(place.id)?.[0];
    if (typeof due === 'number' && due <= now) return false;
  }
  return true;
}
