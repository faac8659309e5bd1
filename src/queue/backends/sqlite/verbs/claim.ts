import type { ChannelSenders, ClaimQuery, UnknownQuery } from '../../../types/store.ts';
import { PROMOTIONS_PER_CLAIM } from '../../../types/store.ts';
import { reasonCode } from '../../codec.ts';
import { FIRST_LEASE, UNRESOLVED } from '../flags.ts';
import type { Place } from '../Ledger.ts';
import { end, Report } from '../moves.ts';
import type { PackedRecord, Verbs } from '../protocol.ts';
import type { Row, Rows } from '../Rows.ts';
import { DEAD, READY, ROW, SCHEDULED, UNKNOWN } from '../Rows.ts';
import { FROM, leaseRecord, RECORD, ready, recordBySeq } from '../records.ts';

const EXPIRED = reasonCode('expired');

export function claim(rows: Rows, query: ClaimQuery): Verbs['claim']['gives'] {
  const report = new Report();
  let promotions = PROMOTIONS_PER_CLAIM;
  for (const channel of query.channels) {
    let left = Math.max(promotions, channel.calls * channel.perCall);
    promotions -= left;
    for (const place of placesOf(rows, [channel])) if (left > 0) left -= promote(rows, place, query.now, left);
    promotions += left;
  }
  const claimed: PackedRecord[] = [];
  for (const channel of query.channels) {
    take(rows, query, placesOf(rows, [channel]), channel.calls * channel.perCall, claimed, report);
  }
  return { claimed, ended: report.ended, moved: report.moved };
}

/** The places of channels and senders, each once. */
export function placesOf(rows: Rows, channels: readonly ChannelSenders[]): Place[] {
  const found: Place[] = [];
  for (const { channel, senders } of channels) {
    for (const sender of senders) {
      for (const place of rows.ledger.at(channel, sender)) if (!found.includes(place)) found.push(place);
    }
  }
  return found;
}

/** Moves due scheduled requests of a place to `ready`, the longest due first. Returns how many. */
function promote(rows: Rows, place: Place, now: number, limit: number): number {
  if (place.n[SCHEDULED] === 0) return 0;
  const due = rows
    .sql('SELECT seq, bytes FROM request WHERE state = 1 AND place = ? AND due <= ? ORDER BY due, seq LIMIT ?')
    .all(place.id, now, limit) as [number, number][];
  for (const [seq, bytes] of due) {
    rows.sql('UPDATE request SET state = 0, due = NULL WHERE seq = ?').run(seq);
    rows.ledger.remove(place, SCHEDULED, bytes);
    rows.ledger.add(place, READY, bytes);
  }
  return due.length;
}

function take(
  rows: Rows,
  query: ClaimQuery,
  places: readonly Place[],
  limit: number,
  into: PackedRecord[],
  report: Report,
): void {
  let wanted = limit;
  while (wanted > 0) {
    const best = bestReady(rows, places, wanted);
    if (best.length === 0) return;
    let ended = 0;
    for (const record of best) {
      const { expires, flags, seq } = ready(record);
      if (expires !== null && expires <= query.now && (flags & UNRESOLVED) === 0) {
        const moved = report.moved.length;
        const row = rows.bySeq(seq);
        report.noteEnd(row, end(rows, row, DEAD, EXPIRED, query.now, report));
        ended += 1;
        // What comes forward behind it may go before the others that were looked up.
        if (report.moved.length > moved) break;
        continue;
      }
      into.push(leaseRecord(rows, record, query));
      wanted -= 1;
    }
    // Only the end of an expired one makes room for more than the first look found.
    if (ended === 0) return;
  }
}

/** The best of several places together, each already in order. */
function bestReady(rows: Rows, places: readonly Place[], limit: number): PackedRecord[] {
  const statement = rows.sql(
    `SELECT ${RECORD} ${FROM} WHERE r.state = 0 AND r.place = ? ORDER BY r.rank, r.seq LIMIT ?`,
  );
  const found: PackedRecord[] = [];
  let sources = 0;
  for (const place of places) {
    if (place.n[READY] === 0) continue;
    sources += 1;
    for (const record of statement.all(place.id, limit)) found.push(record);
  }
  if (sources > 1) found.sort((a, b) => ready(a).rank - ready(b).rank || ready(a).seq - ready(b).seq);
  return found.length > limit ? found.slice(0, limit) : found;
}

export function claimUnknown(rows: Rows, query: UnknownQuery): PackedRecord[] {
  const found: Row[] = [];
  for (const place of placesOf(rows, query.channels)) {
    if (place.n[UNKNOWN] === 0) continue;
    const due = rows
      .sql(`SELECT ${ROW} FROM request WHERE state = 4 AND place = ? AND due <= ? ORDER BY due, seq LIMIT ?`)
      .all(place.id, query.now, query.limit);
    for (const columns of due) found.push(rows.row(columns));
  }
  found.sort((a, b) => (a.due ?? 0) - (b.due ?? 0) || a.seq - b.seq);
  return found.slice(0, query.limit).map((row) => {
    const flags = row.flags & ~FIRST_LEASE; // a look is not a send
    rows
      .sql('UPDATE request SET token = token + 1, worker = ?, lease_until = ?, due = ?, flags = ? WHERE seq = ?')
      .run(query.worker, query.until, query.until, flags, row.seq);
    return recordBySeq(rows, row.seq);
  });
}

export function renew(rows: Rows, query: Verbs['renew']['takes']): boolean[] {
  const results: boolean[] = [];
  // Packed as id, token, id, token, …
  for (let at = 0; at < query.leases.length; at += 2) {
    const changes = rows
      .sql('UPDATE request SET lease_until = ? WHERE id = ? AND state = 3 AND token = ?')
      .run(query.leaseUntil, query.leases[at] as string, query.leases[at + 1] as number);
    results.push(changes === 1);
  }
  return results;
}
