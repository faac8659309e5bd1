import type { MovedRequest } from '../../types/moved.ts';
import type { EndedRequest } from '../../types/request.ts';
import { canMove, isTerminal } from '../../types/states.ts';
import { reasonCode, reasonOf, stateOf } from '../codec.ts';
import { cascades, victimsOf } from './cascade.ts';
import { FIRST_LEASE, HALT, HAS_PREDECESSORS, HAS_RESULT, HAS_WAITERS, ON_FAILURE } from './flags.ts';
import type { Others, PackedResult } from './protocol.ts';
import { readTurn } from './protocol.ts';
import type { Row, Rows } from './Rows.ts';
import { BLOCKED, DEAD, HELD, READY, ROW, SCHEDULED, SUCCEEDED, UNKNOWN } from './Rows.ts';

const LANE = reasonCode('lane');
const DEPENDENCY = reasonCode('dependency');
export const ACCEPTED = reasonCode('accepted');
const NOT_BEFORE = reasonCode('notBefore');
const ABANDONED = reasonCode('abandoned');
/** What is superseded for these reasons lives on in another store, and what waits for it with it. */
const ELSEWHERE: ReadonlySet<number> = new Set([reasonCode('moved'), reasonCode('spilled')]);

/** Collects what a step did to requests other than the one it names. Most steps touch nobody: then it stays empty. */
export class Report {
  readonly ended: EndedRequest[] = [];
  readonly moved: MovedRequest[] = [];

  get others(): Others | null {
    return this.ended.length === 0 && this.moved.length === 0 ? null : { ended: this.ended, moved: this.moved };
  }

  noteEnd(row: Row, endedSeq: number): void {
    const state = stateOf(row.state);
    if (!isTerminal(state)) throw new Error(`${row.id} did not end`);
    this.ended.push({ id: row.id, zone: row.place.zone, state, reason: reasonOf(row.reason), endedSeq });
  }

  noteMove(row: Row): void {
    this.moved.push({
      id: row.id,
      zone: row.place.zone,
      channel: row.place.channel,
      state: stateOf(row.state),
      reason: reasonOf(row.reason),
      dueAt: row.due,
    });
  }
}

export function mayMove(from: number, to: number): boolean {
  return canMove(stateOf(from), stateOf(to));
}

/** The live request at the head of a lane: the one accepted first. */
export function headOf(rows: Rows, line: number): Row | undefined {
  const found = rows
    .sql(`SELECT ${ROW} FROM request WHERE line = ? AND line IS NOT NULL ORDER BY line, seq LIMIT 1`)
    .get(line);
  return found === undefined ? undefined : rows.row(found);
}

/** Its lane's head takes a rank if that is better than its own. */
export function raiseHead(rows: Rows, head: Row, { rank, turn }: Pick<Row, 'rank' | 'turn'>): void {
  if (rank >= head.rank) return;
  head.rank = rank;
  head.turn = turn;
  rows.sql('UPDATE request SET rank = ?, turn = ? WHERE seq = ?').run(rank, turn, head.seq);
}

/**
 * Moves a live request as far towards `ready` as it can get: blocked behind its lane or a predecessor, scheduled until
 * `floor` (the time the move asks for) and its own time have come, else ready. Gives up its lease. `keepsTurn`: others may have gone
 * past its turn.
 */
export function advance(
  rows: Rows,
  row: Row,
  reason: number,
  floor: number | null,
  now: number,
  keepsTurn = false,
): void {
  const head = row.line === null ? undefined : headOf(rows, row.line);
  const isBehind = head !== undefined && head.seq !== row.seq;
  if (isBehind || row.waits > 0) {
    row.due = floor;
    if (!keepsTurn) takeTurnAgain(rows, row, now);
    store(rows, row, BLOCKED, isBehind ? LANE : DEPENDENCY);
    if (isBehind) raiseHead(rows, head, row);
    return;
  }
  const { notBefore } = row;
  const isFloor = floor !== null && (notBefore === null || floor >= notBefore);
  const due = isFloor ? floor : notBefore;
  if (due !== null && due > now) {
    row.due = due;
    store(rows, row, SCHEDULED, isFloor ? reason : NOT_BEFORE);
    return;
  }
  row.due = null;
  if (!keepsTurn) takeTurnAgain(rows, row, now);
  store(rows, row, READY, reason);
}

/** Where others have gone past its turn meanwhile, what comes back gets another one. The caller writes it. True where it did. */
export function takeTurnAgain({ ledger: { flows } }: Rows, row: Pick<Row, 'rank' | 'turn'>, now: number): boolean {
  if (row.turn === null) return false;
  const before = row.rank;
  row.rank = flows.again(readTurn(row.turn), before, now);
  return row.rank !== before;
}

/** Sets a live state as it is and gives up the lease. */
export function store(rows: Rows, row: Row, state: number, reason: number): void {
  rows.ledger.remove(row.place, row.state, row.bytes);
  row.state = state;
  row.reason = reason;
  row.worker = null;
  rows.ledger.add(row.place, state, row.bytes);
  rows
    .sql(
      'UPDATE request SET state = ?, reason = ?, flags = ?, rank = ?, turn = ?, due = ?, worker = NULL, lease_until = NULL, first_sent = ? WHERE seq = ?',
    )
    .run(state, reason, row.flags, row.rank, row.turn, row.due, row.firstSent, row.seq);
}

/** Ends a live request and tells `report` what followed for others. Returns its place in the order of ending. */
export function end(rows: Rows, row: Row, state: number, reason: number, now: number, report: Report): number {
  if (cascades(row)) abandon(rows, row, state, reason, now, report);
  return endAlone(rows, row, state, reason, now, report);
}

/** Before a request with `cascade` ends: the end of those it takes with it. */
export function abandon(rows: Rows, row: Row, state: number, reason: number, now: number, report: Report): void {
  if (state === SUCCEEDED || (state !== DEAD && ELSEWHERE.has(reason))) return;
  // All are known before the first ends; ended from the last to the first, none of them moves another of them.
  for (const victim of victimsOf(rows, row, state === DEAD)) {
    report.noteEnd(victim, endAlone(rows, victim, DEAD, ABANDONED, now, report));
    rows.sql('UPDATE request SET bundle = ? WHERE seq = ?').run(row.id, victim.seq);
  }
}

function endAlone(rows: Rows, row: Row, state: number, reason: number, now: number, report: Report): number {
  const endedSeq = rows.ledger.nextEndedSeq();
  rows
    .sql(
      'UPDATE request SET state = ?, reason = ?, flags = ?, due = NULL, worker = NULL, lease_until = NULL, first_sent = ?, line = NULL, ended = ?, ended_seq = ? WHERE seq = ?',
    )
    .run(state, reason, row.flags, row.firstSent, now, endedSeq, row.seq);
  ended(rows, row, state, reason, now, report);
  return endedSeq;
}

/** What follows from an end whose row is already written. The record counts with its result from now on. */
export function ended(rows: Rows, row: Row, state: number, reason: number, now: number, report: Report): void {
  rows.ledger.remove(row.place, row.state, row.bytes);
  row.state = state;
  row.reason = reason;
  row.due = null;
  rows.ledger.add(row.place, state, row.bytes + resultBytes(rows, row));
  if ((row.flags & HAS_PREDECESSORS) !== 0) rows.sql('DELETE FROM wait WHERE waiter = ?').run(row.seq);
  if (row.line !== null) freeLane(rows, row, now, report);
  if ((row.flags & HAS_WAITERS) !== 0) tellWaiters(rows, row, state === SUCCEEDED, now, report);
}

/** Bytes of the stored answer's body. */
export function resultBytes(rows: Rows, row: Row): number {
  if ((row.flags & HAS_RESULT) === 0) return 0;
  return (
    (rows.sql('SELECT length(body) FROM result WHERE seq = ?').get(row.seq)?.[0] as number | null | undefined) ?? 0
  );
}

/** The next of the lane takes the best rank waiting in it and goes on if it can. */
function freeLane(rows: Rows, before: Row, now: number, report: Report): void {
  const line = before.line as number; // asked by the caller
  const head = headOf(rows, line);
  if (head === undefined) rows.ledger.aliases.drop(line);
  if (head === undefined || head.seq < before.seq) return;
  const best = rows
    .sql('SELECT rank, turn FROM request WHERE line = ? AND line IS NOT NULL AND state = 2 ORDER BY rank, seq LIMIT 1')
    .get(line) as [number, string | null] | undefined; // the types of the columns
  if (best !== undefined) raiseHead(rows, head, { rank: best[0], turn: best[1] });
  if (head.state !== BLOCKED) return;
  const isHalted = before.state === DEAD && (before.flags & ON_FAILURE) === HALT;
  // One that waits for something else besides would not go on now.
  if (isHalted && head.waits === 0) hold(rows, head, report);
  else unblock(rows, head, now, report);
}

/** Sets aside what was blocked: something before it failed. */
function hold(rows: Rows, row: Row, report: Report): void {
  row.due = null;
  store(rows, row, HELD, DEPENDENCY);
  report.noteMove(row);
}

/** A blocked request that one thing fewer stands before. */
function unblock(rows: Rows, row: Row, now: number, report: Report): void {
  const isLater = row.due !== null && row.due > now;
  advance(rows, row, isLater ? NOT_BEFORE : ACCEPTED, row.due, now);
  if (row.state !== BLOCKED) report.noteMove(row);
}

function tellWaiters(rows: Rows, predecessor: Row, succeeded: boolean, now: number, report: Report): void {
  const waiters = rows.sql('SELECT waiter FROM wait WHERE predecessor = ? ORDER BY waiter').all(predecessor.seq);
  for (const [seq] of waiters) {
    const waiter = rows.bySeq(seq as number); // read one by one: moving one may change the rank of the next
    waiter.waits -= 1;
    rows.sql('UPDATE request SET waits = ? WHERE seq = ?').run(waiter.waits, waiter.seq);
    if (succeeded) {
      if (waiter.state === BLOCKED && waiter.waits === 0) unblock(rows, waiter, now, report);
    } else if (waiter.state === BLOCKED) {
      hold(rows, waiter, report);
    } else if (waiter.state === HELD) {
      store(rows, waiter, HELD, DEPENDENCY);
    }
  }
}

/** The next token of a row, and whether its holder is the first who may send. The caller writes both. */
export function takeToken(row: Pick<Row, 'token' | 'firstSent' | 'flags'>, now: number): void {
  row.token += 1;
  if (row.firstSent === null) {
    row.firstSent = now;
    row.flags |= FIRST_LEASE;
  } else {
    row.flags &= ~FIRST_LEASE;
  }
}

/** A move to a state that is not terminal. `ready` and `scheduled` mean "as far as it can get". */
export function move(rows: Rows, row: Row, state: number, reason: number, due: number | null, now: number): void {
  if (state === UNKNOWN) {
    row.due = due ?? now;
    store(rows, row, UNKNOWN, reason);
  } else if (state === HELD) {
    row.due = null;
    store(rows, row, HELD, reason);
  } else {
    advance(rows, row, reason, state === SCHEDULED ? due : null, now);
  }
}

export function putResult(rows: Rows, seq: number, [status, headers, body]: PackedResult): void {
  rows
    .sql('INSERT OR REPLACE INTO result(seq, status, headers, body) VALUES (?, ?, ?, ?)')
    .run(seq, status, headers, body);
}
