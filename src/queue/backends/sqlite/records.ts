import type { PackedRecord } from './protocol.ts';
import type { Rows } from './Rows.ts';

/** Columns of a whole record; `unpack.ts` reads them by position, with zone, channel and sender after the last. */
export const RECORD = `r.seq, r.id, r.place, r.state, r.reason, r.flags, r.rank, r.due, r.expires, r.token, r.worker,
  r.lease_until, r.first_sent, r.callers, r.priority, r.accepted, r.ended, r.ended_seq, r.bytes, r.not_before, r.lane, r.principal,
  r.key, r.digest, r.replayed_as, r.progress, c.head, c.body, s.status, s.headers, s.body`;

const FROM = 'FROM request r JOIN content c ON c.seq = r.seq LEFT JOIN result s ON s.seq = r.seq';

export function recordBySeq(rows: Rows, seq: number): PackedRecord {
  const found = rows.sql(`SELECT ${RECORD} ${FROM} WHERE r.seq = ?`).get(seq);
  if (found === undefined) throw new Error(`request ${seq} is missing`);
  return withPlace(rows, found);
}

export function recordById(rows: Rows, id: string): PackedRecord | undefined {
  const found = rows.sql(`SELECT ${RECORD} ${FROM} WHERE r.id = ?`).get(id);
  return found === undefined ? undefined : withPlace(rows, found);
}

function withPlace(rows: Rows, found: PackedRecord): PackedRecord {
  const place = rows.ledger.place(found[2] as number);
  return [...found, place.zone, place.channel, place.sender];
}
