import type { SqlValue } from '../driver.ts';
import { resultBytes } from '../moves.ts';
import type { Verbs } from '../protocol.ts';
import type { Row, Rows } from '../Rows.ts';
import { SUCCEEDED } from '../Rows.ts';
import { forgetBindings } from './bindings.ts';

type Purge = Verbs['purge']['takes'];

/** Ended well, then dead letters: the order in which records go. */
const WELL = [6, 8, 9] as const;
const DEAD = [7] as const;

/** One walk of one part of the index, without looking at the records themselves; their order is that of ending. */
function oldest(state: number): string {
  return `SELECT seq, ended_seq FROM request WHERE state = ${state} AND ended_seq IS NOT NULL AND ended_seq <= ? AND ended < ?
    AND NOT EXISTS (SELECT 1 FROM wait WHERE predecessor = request.seq) ORDER BY ended_seq LIMIT ?`;
}

export function purge(rows: Rows, query: Purge): Verbs['purge']['gives'] {
  if (query.ids !== null) return purgeIds(rows, query.ids, query);
  const { ledger } = rows;
  const ids: string[] = [];
  const sweep = (states: readonly number[], before: number, isWanted: () => boolean): void => {
    for (const seq of candidates(rows, states, before, query.keepAfter, query.limit - ids.length)) {
      if (!isWanted()) return;
      ids.push(remove(rows, rows.bySeq(seq)));
    }
  };
  const exceeds = (): boolean => ledger.endedCount > query.maxRecords || ledger.endedBytes > query.maxBytes;
  sweep(WELL, query.now - query.succeededMs, () => true);
  sweep(DEAD, query.now - query.deadMs, () => true);
  if (exceeds()) sweep(WELL, Number.MAX_VALUE, exceeds);
  if (exceeds()) sweep(DEAD, Number.MAX_VALUE, exceeds);
  forgetEmptyPlaces(rows);
  forgetLapsed(rows, query);
  const forgotten = forgetBindings(rows, query.now - 2 * query.deadMs, query.limit);
  const flows = ledger.flows.forget(ledger.liveCount, query.now - 2 * query.deadMs, query.limit);
  return { ids, more: ids.length >= query.limit || forgotten >= query.limit || flows >= query.limit };
}

/**
 * Clocks step back, so records do not lie in the order of their times: every entry of the index is looked at, which is
 * bounded by `maxRecords`.
 */
function candidates(rows: Rows, states: readonly number[], before: number, keepAfter: number, limit: number): number[] {
  if (limit <= 0) return [];
  const last = Math.min(keepAfter, Number.MAX_SAFE_INTEGER);
  return states
    .flatMap((state) => rows.sql(oldest(state)).all(last, before, limit) as [number, number][]) // integer columns
    .sort((a, b) => a[1] - b[1])
    .slice(0, limit)
    .map(([seq]) => seq);
}

function purgeIds(rows: Rows, wanted: readonly string[], { limit, keepAfter }: Purge): Verbs['purge']['gives'] {
  const ids: string[] = [];
  for (const id of wanted) {
    if (ids.length >= limit) break;
    const row = rows.byId(id);
    if (row === undefined || row.state < SUCCEEDED || isKept(rows, row, keepAfter)) continue;
    ids.push(remove(rows, row));
  }
  forgetEmptyPlaces(rows);
  return { ids, more: ids.length >= limit };
}

function isKept(rows: Rows, { seq }: Row, keepAfter: number): boolean {
  const endedSeq = rows.sql('SELECT ended_seq FROM request WHERE seq = ?').get(seq)?.[0] as number; // set: it ended
  return endedSeq > keepAfter || rows.sql('SELECT 1 FROM wait WHERE predecessor = ? LIMIT 1').get(seq) !== undefined;
}

function remove(rows: Rows, row: Row): string {
  rows.ledger.remove(row.place, row.state, row.bytes + resultBytes(rows, row));
  for (const table of ['request', 'content', 'result']) rows.sql(`DELETE FROM ${table} WHERE seq = ?`).run(row.seq);
  return row.id;
}

/** Senders come and go with processes; a place without any record left says nothing more. */
function forgetEmptyPlaces(rows: Rows): void {
  for (const place of [...rows.ledger.places()]) {
    if (place.n.every((n) => n === 0)) rows.ledger.drop(place);
  }
}

/** What lapsed of the shared state and was never asked for again, bounded like the rest. */
function forgetLapsed(rows: Rows, { now, limit }: Purge): void {
  const values: SqlValue[] = [now, limit];
  rows
    .sql('DELETE FROM shared WHERE key IN (SELECT key FROM shared WHERE expires IS NOT NULL AND expires <= ? LIMIT ?)')
    .run(...values);
  rows
    .sql('DELETE FROM semaphore WHERE (key, holder) IN (SELECT key, holder FROM semaphore WHERE expires <= ? LIMIT ?)')
    .run(...values);
  rows.sql('DELETE FROM bucket WHERE key IN (SELECT key FROM bucket WHERE full_at <= ? LIMIT ?)').run(...values);
}
