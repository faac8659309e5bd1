import type { SqlValue } from '../driver.ts';
import { resultBytes } from '../moves.ts';
import type { Verbs } from '../protocol.ts';
import type { Rows } from '../Rows.ts';

type Purge = Verbs['purge']['takes'];

/** Ended well, then dead letters: the order in which records go. Each text walks one part of the index. */
const WELL = [6, 8, 9].map(oldest);
const DEAD = [7].map(oldest);

function oldest(state: number): string {
  return `SELECT seq, ended_seq, ended FROM request WHERE state = ${state} AND ended_seq IS NOT NULL AND ended_seq <= ?
    AND NOT EXISTS (SELECT 1 FROM wait WHERE predecessor = request.seq) ORDER BY ended_seq LIMIT ?`;
}

export function purge(rows: Rows, query: Purge): Verbs['purge']['gives'] {
  const { ledger } = rows;
  const ids: string[] = [];
  const exceeds = (): boolean => ledger.endedCount > query.maxRecords || ledger.endedBytes > query.maxBytes;
  const sweep = (texts: readonly string[], isDue: (endedAt: number) => boolean): void => {
    const wanted = query.limit - ids.length;
    if (wanted <= 0) return;
    for (const [seq, , endedAt] of candidates(rows, texts, query.keepAfter, wanted)) {
      if (!isDue(endedAt)) return;
      ids.push(remove(rows, seq));
    }
  };
  sweep(WELL, (endedAt) => endedAt < query.now - query.succeededMs);
  sweep(DEAD, (endedAt) => endedAt < query.now - query.deadMs);
  if (exceeds()) {
    sweep(WELL, exceeds);
    sweep(DEAD, exceeds);
  }
  if (ids.length > 0) forgetEmptyPlaces(rows);
  forgetLapsed(rows, query);
  return { ids, more: ids.length >= query.limit };
}

type Candidate = readonly [seq: number, endedSeq: number, endedAt: number];

function candidates(rows: Rows, texts: readonly string[], keepAfter: number, limit: number): Candidate[] {
  const cap = Math.min(keepAfter, Number.MAX_SAFE_INTEGER);
  const found = texts.flatMap((text) => rows.sql(text).all(cap, limit) as unknown as Candidate[]); // numbers by their type
  return texts.length === 1 ? found : found.sort((a, b) => a[1] - b[1]).slice(0, limit);
}

function remove(rows: Rows, seq: number): string {
  const row = rows.bySeq(seq);
  rows.ledger.remove(row.place, row.state, row.bytes + resultBytes(rows, row));
  for (const table of ['request', 'content', 'result']) rows.sql(`DELETE FROM ${table} WHERE seq = ?`).run(seq);
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
