import type { HeaderList, Json } from '../../../types/request.ts';
import { decodeHead, encodeHead } from '../../codec.ts';
import { HAS_RESULT, TOLD, UNRESOLVED } from '../flags.ts';
import { end, headOf, mayMove, move, putResult, Report, resultBytes } from '../moves.ts';
import type { PackedChange, PackedPatch, PackedSettleResult, Verbs } from '../protocol.ts';
import { DONE, NOT_FOUND, STALE } from '../protocol.ts';
import type { Row, Rows } from '../Rows.ts';
import { SENDING, SUCCEEDED, UNKNOWN } from '../Rows.ts';
import { lendRank, raise, rerank } from '../ranks.ts';
import { bind } from './bindings.ts';

export function amend(rows: Rows, [now, changes]: Verbs['amend']['takes']): PackedSettleResult[] {
  return changes.map((one) => {
    const report = new Report();
    const [kind, state] = change(rows, one, now, report);
    if (kind === NOT_FOUND) return [NOT_FOUND];
    return kind === STALE ? [STALE, state] : [DONE, state, null, report.others];
  });
}

/** Applies one change if the request is as the change wants it; tells what it is then. */
export function change(
  rows: Rows,
  one: PackedChange,
  now: number,
  report: Report,
): readonly [kind: number, state: number] {
  const row = rows.byId(one.id);
  if (row === undefined) return [NOT_FOUND, -1];
  const isRefused =
    row.state === SENDING ||
    (one.from & (1 << row.state)) === 0 ||
    (one.neverSent && row.firstSent !== null) ||
    (one.callers !== null && one.callers !== row.callers) ||
    (one.reason !== undefined && one.reason !== row.reason) ||
    (one.to !== null && !isAllowed(rows, row, one.to[0]));
  if (isRefused) return [STALE, row.state];
  if (one.patch !== null) patch(rows, row, one.patch, now);
  if (one.bind !== undefined) bind(rows, one.bind, row);
  if (one.to !== null) {
    const [state, reason, due] = one.to;
    if (state >= SUCCEEDED) report.noteEnd(row, end(rows, row, state, reason, now, report));
    else move(rows, row, state, reason, due, now);
  }
  return [DONE, row.state];
}

/** Behind the head of its lane a request waits or is set aside, nothing else. */
function isAllowed(rows: Rows, row: Row, to: number): boolean {
  if (to === SENDING || !mayMove(row.state, to)) return false;
  return to !== UNKNOWN || row.line === null || headOf(rows, row.line)?.seq === row.seq;
}

function patch(rows: Rows, row: Row, given: PackedPatch, now: number): void {
  if (given.sender !== undefined && given.sender !== row.place.sender) resettle(rows, row, given.sender);
  if (given.priority !== undefined) row.priority = given.priority;
  if (given.rank !== undefined) rerank(rows, row, given.rank, now);
  const isRaised = given.raise !== undefined && row.state < SUCCEEDED && raise(rows, row, given.raise);
  if (given.expires !== undefined) row.expires = given.expires;
  if (given.callers !== undefined) row.callers += given.callers;
  if (given.told !== undefined) row.flags = given.told ? row.flags | TOLD : row.flags & ~TOLD;
  if (given.result !== undefined) {
    const before = resultBytes(rows, row);
    row.flags |= HAS_RESULT;
    putResult(rows, row.seq, given.result);
    // Ended records are counted with their answer.
    if (row.state >= SUCCEEDED) rows.ledger.grow(row.place, row.state, resultBytes(rows, row) - before);
  }
  if (given.progress !== undefined) {
    const [text, unresolved] = given.progress;
    row.flags = unresolved ? row.flags | UNRESOLVED : row.flags & ~UNRESOLVED;
    rows.sql('UPDATE request SET progress = ? WHERE seq = ?').run(text, row.seq);
  }
  rows
    .sql(
      'UPDATE request SET place = ?, priority = ?, rank = ?, turn = ?, expires = ?, callers = ?, flags = ? WHERE seq = ?',
    )
    .run(row.place.id, row.priority, row.rank, row.turn, row.expires, row.callers, row.flags, row.seq);
  if (given.replayedAs !== undefined) {
    rows.sql('UPDATE request SET replayed_as = ? WHERE seq = ?').run(given.replayedAs, row.seq);
  }
  rewrite(rows, row.seq, given);
  if (given.rank !== undefined || isRaised) lendRank(rows, row);
}

/** Gives a request another sender; the caller writes the place. */
export function resettle(rows: Rows, row: Row, sender: string): void {
  const { zone, channel } = row.place;
  const bytes = row.bytes + (row.state < SUCCEEDED ? 0 : resultBytes(rows, row));
  rows.ledger.remove(row.place, row.state, bytes);
  row.place = rows.ledger.placeOf(zone, channel, sender);
  rows.ledger.add(row.place, row.state, bytes);
}

/** Gives a request other content, or another base. */
export function rewrite(rows: Rows, seq: number, given: PackedPatch): void {
  if (given.base !== undefined || given.content !== undefined) rewriteHead(rows, seq, given);
  if (given.body !== undefined) rows.sql('UPDATE content SET body = ? WHERE seq = ?').run(given.body, seq);
}

function rewriteHead(rows: Rows, seq: number, given: PackedPatch): void {
  const text = rows.sql('SELECT head FROM content WHERE seq = ?').get(seq)?.[0] as string; // every request has its content
  const head = decodeHead(text);
  const { method, path, headers, fetch } = given.content ?? head;
  const base = given.base === undefined ? head.base : (JSON.parse(given.base) as Json);
  const list = typeof headers === 'string' ? (JSON.parse(headers) as HeaderList) : headers;
  rows
    .sql('UPDATE content SET head = ? WHERE seq = ?')
    .run(encodeHead({ ...head, base }, { method, path, headers: list, fetch }), seq);
}
