import { takeToken } from './moves.ts';
import type { PackedRecord } from './protocol.ts';
import { readTurn } from './protocol.ts';
import type { Rows } from './Rows.ts';
import { READY, SENDING } from './Rows.ts';

/** Columns of a whole record; `unpack.ts` reads them by position, with zone, channel and sender after the last. */
export const RECORD = `r.seq, r.id, r.place, r.state, r.reason, r.flags, r.rank, r.due, r.expires, r.token, r.worker,
  r.lease_until, r.first_sent, r.callers, r.priority, r.accepted, r.ended, r.ended_seq, r.bytes, r.not_before, r.lane, r.principal,
  r.key, r.digest, r.replayed_as, r.progress, c.head, c.body, s.status, s.headers, s.body, r.bundle, r.turn`;

export const FROM = 'FROM request r JOIN content c ON c.seq = r.seq LEFT JOIN result s ON s.seq = r.seq';

export function recordBySeq(rows: Rows, seq: number): PackedRecord {
  return withPlace(rows, columnsBySeq(rows, seq));
}

/** The columns of {@link RECORD} alone. */
export function columnsBySeq(rows: Rows, seq: number): PackedRecord {
  const found = rows.sql(`SELECT ${RECORD} ${FROM} WHERE r.seq = ?`).get(seq);
  if (found === undefined) throw new Error(`request ${seq} is missing`);
  return found;
}

export function recordById(rows: Rows, id: string): PackedRecord | undefined {
  const found = rows.sql(`SELECT ${RECORD} ${FROM} WHERE r.id = ?`).get(id);
  return found === undefined ? undefined : withPlace(rows, found);
}

/** Where in {@link RECORD} stands what a claim looks at and changes. */
const AT = {
  seq: 0,
  place: 2,
  state: 3,
  flags: 5,
  rank: 6,
  due: 7,
  expires: 8,
  token: 9,
  worker: 10,
  until: 11,
  firstSent: 12,
  bytes: 18,
  turn: 32,
};

/** What a claim looks at of a ready request. */
export interface Ready {
  readonly seq: number;
  readonly place: number;
  readonly rank: number;
  readonly flags: number;
  readonly expires: number | null;
}

export interface ReadyRecord extends Ready {
  readonly record: PackedRecord;
}

/** From the columns of {@link RECORD}. */
export function ready(record: PackedRecord): ReadyRecord {
  return {
    seq: record[AT.seq] as number,
    place: record[AT.place] as number,
    rank: record[AT.rank] as number,
    flags: record[AT.flags] as number,
    expires: record[AT.expires] as number | null,
    record,
  };
}

/** Leases a ready request, and gives its record as it stands then. One read of the row serves both. */
export function leaseRecord(
  rows: Rows,
  found: PackedRecord,
  query: { readonly worker: string; readonly leaseUntil: number; readonly now: number },
): PackedRecord {
  const place = rows.ledger.place(found[AT.place] as number);
  const bytes = found[AT.bytes] as number;
  rows.ledger.remove(place, READY, bytes);
  rows.ledger.add(place, SENDING, bytes);
  const lease = {
    token: found[AT.token] as number,
    firstSent: found[AT.firstSent] as number | null,
    flags: found[AT.flags] as number,
  };
  takeToken(lease, query.now);
  rows
    .sql(
      'UPDATE request SET state = 3, token = ?, worker = ?, lease_until = ?, flags = ?, first_sent = ?, due = NULL WHERE seq = ?',
    )
    .run(lease.token, query.worker, query.leaseUntil, lease.flags, lease.firstSent, found[AT.seq] as number);
  const turn = found[AT.turn] as string | null;
  if (turn !== null) rows.ledger.flows.advance(readTurn(turn)[0], found[AT.rank] as number, query.now);
  const record = [...found, place.zone, place.channel, place.sender];
  record[AT.state] = SENDING;
  record[AT.token] = lease.token;
  record[AT.worker] = query.worker;
  record[AT.until] = query.leaseUntil;
  record[AT.flags] = lease.flags;
  record[AT.firstSent] = lease.firstSent;
  record[AT.due] = null;
  return record;
}

function withPlace(rows: Rows, found: PackedRecord): PackedRecord {
  const place = rows.ledger.place(found[2] as number);
  return [...found, place.zone, place.channel, place.sender];
}
