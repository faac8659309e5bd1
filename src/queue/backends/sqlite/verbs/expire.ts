import type { ExpireResult } from '../../../types/housekeeping.ts';
import type { NextDueQuery } from '../../../types/store.ts';
import { reasonCode } from '../../codec.ts';
import type { Place } from '../Ledger.ts';
import { end, Report } from '../moves.ts';
import type { Verbs } from '../protocol.ts';
import type { Rows } from '../Rows.ts';
import { BLOCKED, DEAD, HELD, READY, SCHEDULED, SUCCEEDED, UNKNOWN } from '../Rows.ts';
import { placesOf } from './claim.ts';

const EXPIRED = reasonCode('expired');

export function expire(rows: Rows, { now, limit }: Verbs['expire']['takes']): ExpireResult {
  const due: [number, number][] = [];
  for (const place of rows.ledger.places()) {
    if (!mayExpire(place)) continue;
    const found = rows
      .sql(
        'SELECT seq, expires FROM request WHERE place = ? AND expires IS NOT NULL AND state IN (0, 1, 2, 5) AND flags & 256 = 0 AND expires <= ? ORDER BY expires, seq LIMIT ?',
      )
      .all(place.id, now, limit);
    due.push(...(found as [number, number][])); // both columns are numbers by their type
  }
  due.sort((a, b) => a[1] - b[1] || a[0] - b[0]);
  const report = new Report();
  for (const [seq] of due.slice(0, limit)) {
    const row = rows.bySeq(seq); // read one by one: an end may move the next, or end it
    if (row.state < SUCCEEDED) report.noteEnd(row, end(rows, row, DEAD, EXPIRED, now, report));
  }
  return { ended: report.ended, moved: report.moved };
}

function mayExpire({ n }: Place): boolean {
  return n[READY] !== 0 || n[SCHEDULED] !== 0 || n[BLOCKED] !== 0 || n[HELD] !== 0;
}

export function nextDueAt(rows: Rows, { channels, after }: NextDueQuery): number | null {
  const bound = after ?? Number.NEGATIVE_INFINITY; // one text for both questions, so one prepared statement
  let next: number | null = null;
  const consider = (text: string, place: Place): void => {
    const at = rows.sql(text).get(place.id, bound)?.[0];
    if (typeof at === 'number' && (next === null || at < next)) next = at;
  };
  for (const place of placesOf(rows, channels)) {
    if (place.n[SCHEDULED] !== 0) {
      consider('SELECT min(due) FROM request WHERE state = 1 AND place = ? AND due > ?', place);
    }
    if (place.n[UNKNOWN] !== 0) {
      consider('SELECT min(due) FROM request WHERE state = 4 AND place = ? AND due > ?', place);
    }
    if (mayExpire(place)) {
      consider(
        'SELECT min(expires) FROM request WHERE place = ? AND expires IS NOT NULL AND state IN (0, 1, 2, 5) AND flags & 256 = 0 AND expires > ?',
        place,
      );
    }
  }
  return next;
}
