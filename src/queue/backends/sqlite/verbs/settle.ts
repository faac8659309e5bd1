import { cascades } from '../cascade.ts';
import { FIRST_LEASE, HAS_RESULT, TOLD, UNRESOLVED } from '../flags.ts';
import { ACCEPTED, abandon, advance, end, ended, mayMove, move, putResult, Report } from '../moves.ts';
import type { PackedEffects, PackedSettlement, PackedSettleResult, Verbs } from '../protocol.ts';
import { DONE, NOT_FOUND, STALE } from '../protocol.ts';
import type { Row, Rows } from '../Rows.ts';
import { READY, SENDING, SUCCEEDED, UNKNOWN } from '../Rows.ts';
import { change, rewrite } from './amend.ts';
import { bind } from './bindings.ts';

export function settle(rows: Rows, [now, settlements]: Verbs['settle']['takes']): PackedSettleResult[] {
  return settlements.map((settlement) => settleOne(rows, settlement, now));
}

function settleOne(rows: Rows, settlement: PackedSettlement, now: number): PackedSettleResult {
  const [id, token, state, reason, due, progress, unresolved, notSent, told, result, effects] = settlement;
  let row = rows.byId(id);
  if (row === undefined) return [NOT_FOUND];
  const isCurrent = row.token === token && (row.state === SENDING || row.state === UNKNOWN);
  if (!isCurrent || !mayMove(row.state, state)) return [STALE, row.state];
  const report = new Report();
  if (effects !== null) {
    apply(rows, effects, row, now, report);
    row = rows.bySeq(row.seq); // what happened to others may have changed its rank
  }
  if (notSent && (row.flags & FIRST_LEASE) !== 0) row.firstSent = null;
  row.flags = unresolved ? row.flags | UNRESOLVED : row.flags & ~UNRESOLVED;
  if (told !== null) row.flags = told ? row.flags | TOLD : row.flags & ~TOLD;
  if (result !== null) {
    row.flags |= HAS_RESULT;
    putResult(rows, row.seq, result);
  }
  let endedSeq: number | null = null;
  if (state >= SUCCEEDED) {
    if (cascades(row)) abandon(rows, row, state, reason, now, report);
    endedSeq = rows.ledger.nextEndedSeq();
    rows
      .sql(
        'UPDATE request SET state = ?, reason = ?, flags = ?, due = NULL, worker = NULL, lease_until = NULL, first_sent = ?, line = NULL, ended = ?, ended_seq = ?, progress = ? WHERE seq = ?',
      )
      .run(state, reason, row.flags, row.firstSent, now, endedSeq, progress, row.seq);
    ended(rows, row, state, reason, now, report);
  } else {
    rows.sql('UPDATE request SET progress = ? WHERE seq = ?').run(progress, row.seq);
    if (notSent && state === READY && reason === ACCEPTED) advance(rows, row, reason, null, now, true);
    else move(rows, row, state, reason, due, now);
  }
  return [DONE, row.state, endedSeq, report.others];
}

/** What a settlement does besides; what it says of its own request among others is not heard. */
function apply(rows: Rows, effects: PackedEffects, own: Row, now: number, report: Report): void {
  if (effects.patch !== null) rewrite(rows, own.seq, effects.patch);
  bind(rows, effects.bind, own);
  for (const [id, state, reason] of effects.end) {
    const other = id === own.id ? undefined : rows.byId(id);
    if (other === undefined || other.state === SENDING || !mayMove(other.state, state)) continue;
    report.noteEnd(other, end(rows, other, state, reason, now, report));
  }
  for (const other of effects.amend) {
    if (other.id === own.id) continue;
    const before = rows.byId(other.id)?.state;
    change(rows, other, now, report);
    const after = rows.byId(other.id);
    if (after !== undefined && after.state !== before && after.state < SUCCEEDED) report.noteMove(after);
  }
}
