import type { Progress } from '../../../types/request.ts';
import { decodeProgress, encodeProgress, reasonCode } from '../../codec.ts';
import { EPHEMERAL, HARMLESS, UNRESOLVED } from '../flags.ts';
import type { Place } from '../Ledger.ts';
import { advance, end, Report, store } from '../moves.ts';
import type { PackedRecover, StoredWorker, Verbs } from '../protocol.ts';
import type { Row, Rows } from '../Rows.ts';
import { BLOCKED, DEAD, HELD, READY, SCHEDULED, SENDING, SUCCEEDED, UNKNOWN } from '../Rows.ts';
import { resettle } from './amend.ts';
import { leave, workers } from './workers.ts';

const LEASE_LOST = reasonCode('leaseLost');
const EXPIRED = reasonCode('expired');
const AUTH = reasonCode('auth');
const PROCESS_SENDER = 'process:';

/** What a place holds, by state; each text names its partial index. */
const LEFT_BEHIND = [
  [READY, 'SELECT seq FROM request WHERE state = 0 AND place = ? ORDER BY rank, seq LIMIT ?'],
  [SCHEDULED, 'SELECT seq FROM request WHERE state = 1 AND place = ? ORDER BY due, seq LIMIT ?'],
  [BLOCKED, 'SELECT seq FROM request WHERE state = 2 AND place = ? ORDER BY seq LIMIT ?'],
  [UNKNOWN, 'SELECT seq FROM request WHERE state = 4 AND place = ? ORDER BY due, seq LIMIT ?'],
  [HELD, 'SELECT seq FROM request WHERE state = 5 AND place = ? ORDER BY seq LIMIT ?'],
] as const;

export function recover(rows: Rows, query: PackedRecover): Verbs['recover']['gives'] {
  const judged = new Map(query.dead);
  const living = new Map<string, StoredWorker>();
  const dead: string[] = [];
  for (const worker of workers(rows)) {
    // A sign of life since the judgement overrules it.
    if (judged.get(worker.worker) === worker.aliveUntil) dead.push(worker.worker);
    else living.set(worker.worker, worker);
  }
  const isHomeless = (place: Place): boolean => {
    if (!place.sender.startsWith(PROCESS_SENDER)) return false;
    const worker = place.sender.slice(PROCESS_SENDER.length);
    return worker !== query.worker && !living.has(worker);
  };
  const broken = lapsed(rows, query, living);
  if (broken.length < query.limit) {
    const left: number[] = [];
    for (const place of rows.ledger.places()) if (isHomeless(place)) stranded(rows, place, query.limit, left);
    broken.push(...left.sort((a, b) => a - b));
  }
  const report = new Report();
  for (const seq of broken.slice(0, query.limit)) {
    const row = rows.bySeq(seq); // read one by one: repairing one may move the next
    if (row.state < SUCCEEDED) repair(rows, row, isHomeless(row.place), query.now, report);
  }
  const more = broken.length >= query.limit;
  if (!more) for (const worker of dead) leave(rows, worker);
  return { recovered: report.moved, ended: report.ended, more };
}

/** Leases whose worker is dead, and those a living one stopped renewing, judged on the clock of the boot they were written in. */
function lapsed(rows: Rows, query: PackedRecover, living: ReadonlyMap<string, StoredWorker>): number[] {
  const found: number[] = [];
  for (const [name] of rows.sql('SELECT DISTINCT worker FROM request WHERE state = 3').all()) {
    const worker = living.get(name as string);
    let until = Number.MAX_VALUE;
    if (worker !== undefined) until = nowOf(worker, query);
    else if (name === query.worker) until = query.leaseNow;
    const seqs = rows
      .sql('SELECT seq FROM request WHERE state = 3 AND worker = ? AND lease_until <= ? ORDER BY seq LIMIT ?')
      .all(name as string, until, query.limit);
    for (const [seq] of seqs) found.push(seq as number);
  }
  return found.sort((a, b) => a - b);
}

/** The monotonic time of a worker's boot: ours, or for another boot the time of its last sign of life. */
function nowOf(worker: StoredWorker, query: PackedRecover): number {
  return worker.bootId === query.bootId ? query.leaseNow : worker.aliveUntil - worker.leaseMs;
}

/** What only a dead process could have sent or looked at. */
function stranded(rows: Rows, place: Place, limit: number, into: number[]): void {
  for (const [state, text] of LEFT_BEHIND) {
    if (place.n[state] === 0) continue;
    for (const [seq] of rows.sql(text).all(place.id, limit)) into.push(seq as number);
  }
}

/**
 * What was leased may have been sent. What only a dead process could have sent is ended if nobody else can want it, else
 * held until its principal has a credential here; one that is unknown or held stays so, but within reach of others.
 */
function repair(rows: Rows, row: Row, isHomeless: boolean, now: number, report: Report): void {
  const wasLeased = row.state === SENDING;
  if (wasLeased) markUnresolved(rows, row);
  const goesUnknown = wasLeased && (row.flags & HARMLESS) === 0;
  if (isHomeless && (row.flags & EPHEMERAL) !== 0 && !goesUnknown && row.state !== UNKNOWN) {
    report.noteEnd(row, end(rows, row, DEAD, EXPIRED, now, report));
    return;
  }
  if (isHomeless) handOver(rows, row);
  if (goesUnknown) {
    row.due = now;
    store(rows, row, UNKNOWN, LEASE_LOST);
  } else if (isHomeless && row.state !== UNKNOWN && row.state !== HELD) {
    row.due = null;
    store(rows, row, HELD, AUTH);
  } else if (wasLeased) {
    advance(rows, row, LEASE_LOST, null, now);
  }
  report.noteMove(row);
}

function markUnresolved(rows: Rows, row: Row): void {
  const text = rows.sql('SELECT progress FROM request WHERE seq = ?').get(row.seq)?.[0] as string | null; // TEXT column
  const progress: Progress = { ...decodeProgress(text), unresolved: true };
  row.flags |= UNRESOLVED; // written with the move that follows
  rows.sql('UPDATE request SET progress = ? WHERE seq = ?').run(encodeProgress(progress), row.seq);
}

function handOver(rows: Rows, row: Row): void {
  const principal = rows.sql('SELECT principal FROM request WHERE seq = ?').get(row.seq)?.[0] as string; // NOT NULL
  resettle(rows, row, `principal:${principal}`);
  rows.sql('UPDATE request SET place = ? WHERE seq = ?').run(row.place.id, row.seq);
}
