import { PROBE_CANDIDATES } from '../../../types/claimTerms.ts';
import type { Effect } from '../../../types/request.ts';
import type { ChannelSenders, ClaimQuery, UnknownQuery } from '../../../types/store.ts';
import { PROMOTIONS_PER_CLAIM } from '../../../types/store.ts';
import type { OpenPart } from '../../claimLimits.ts';
import { candidatesOf, HARMLESS_EFFECTS, mostWithin, openParts, roomWithin } from '../../claimLimits.ts';
import { EFFECT_PATH, reasonCode } from '../../codec.ts';
import type { SqlValue } from '../driver.ts';
import { FIRST_LEASE, UNRESOLVED } from '../flags.ts';
import type { Place } from '../Ledger.ts';
import { end, Report, takeTurnAgain } from '../moves.ts';
import type { PackedRecord, Verbs } from '../protocol.ts';
import type { Row, Rows } from '../Rows.ts';
import { DEAD, READY, ROW, SCHEDULED, UNKNOWN } from '../Rows.ts';
import type { Ready, ReadyRecord } from '../records.ts';
import { columnsBySeq, FROM, leaseRecord, RECORD, ready, recordBySeq } from '../records.ts';

const EXPIRED = reasonCode('expired');

type Channel = ClaimQuery['channels'][number];

/** One claim under way. */
interface Step {
  readonly rows: Rows;
  readonly query: ClaimQuery;
  readonly claimed: PackedRecord[];
  readonly report: Report;
}

export function claim(rows: Rows, query: ClaimQuery): Verbs['claim']['gives'] {
  const report = new Report();
  const asked = query.channels.map((channel) => ({ channel, parts: placesOfParts(rows, channel) }));
  let promotions = PROMOTIONS_PER_CLAIM;
  for (const part of asked.flatMap(({ parts }) => parts)) {
    let left = Math.max(promotions, part.left);
    promotions -= left;
    for (const place of part.places) if (left > 0) left -= promote(rows, place, query.now, left);
    promotions += left;
  }
  const step: Step = { rows, query, claimed: [], report };
  for (const { channel, parts } of asked) {
    if (channel.probe !== undefined) probe(step, channel, parts);
    else take(step, channel, parts);
  }
  return { claimed: step.claimed, ended: report.ended, moved: report.moved };
}

interface Part extends OpenPart {
  readonly places: readonly Place[];
  /** How many of those that were read of it are to be looked at yet, and whether there may be more behind them. */
  unmet: number;
  mayHaveMore: boolean;
}

function placesOfParts(rows: Rows, channel: Channel): Part[] {
  return openParts(channel).map((part) => ({
    ...part,
    places: placesOf(rows, [part.names]),
    unmet: 0,
    mayHaveMore: false,
  }));
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
    .sql(
      'SELECT seq, bytes, rank, turn FROM request WHERE state = 1 AND place = ? AND due <= ? ORDER BY due, seq LIMIT ?',
    )
    .all(place.id, now, limit) as [number, number, number, string | null][];
  for (const [seq, bytes, rank, turn] of due) {
    const coming = { rank, turn };
    if (takeTurnAgain(rows, coming, now)) {
      rows.sql('UPDATE request SET state = 0, due = NULL, rank = ? WHERE seq = ?').run(coming.rank, seq);
    } else rows.sql('UPDATE request SET state = 0, due = NULL WHERE seq = ?').run(seq);
    rows.ledger.remove(place, SCHEDULED, bytes);
    rows.ledger.add(place, READY, bytes);
  }
  return due.length;
}

function take(step: Step, channel: Channel, parts: readonly Part[]): void {
  const { rows, query } = step;
  let wanted = channel.calls * channel.perCall;
  for (let isDone = false; !isDone; ) {
    const open = parts.filter(({ left }) => left > 0);
    const most = Math.min(wanted, roomFor(rows, channel, open));
    if (most < 1) return;
    isDone = true;
    for (const one of bestOfParts(rows, open, most)) {
      const { part } = one;
      if (!hasRoom(rows, channel, one)) return;
      if (isOver(one, query.now)) {
        isDone = !expire(step, one);
      } else {
        step.claimed.push(leaseRecord(rows, one.record, query));
        part.left -= 1;
        wanted -= 1;
        if (wanted < 1) return;
      }
      part.unmet -= 1;
      // What was not read of this part may go before what was read of others.
      if (part.unmet === 0 && part.mayHaveMore && part.left > 0) isDone = false;
      if (!isDone) break;
    }
  }
}

/** Where a ready request stands. */
type Placed = Pick<Ready, 'seq' | 'place' | 'rank'>;

interface Candidate extends Ready {
  readonly effect: Effect;
  readonly firstSent: number | null;
}

/** Without its body: of so many only one is wanted. */
const CANDIDATE = `r.seq, r.place, r.rank, r.flags, r.expires, json_extract(c.head, '${EFFECT_PATH}'), r.first_sent
  FROM request r JOIN content c ON c.seq = r.seq`;

function candidate([seq, place, rank, flags, expires, effect, firstSent]: readonly SqlValue[]): Candidate {
  return { seq, place, rank, flags, expires, effect, firstSent } as Candidate; // in the order of the columns
}

const ORDER = 'r.seq, r.place, r.rank FROM request r';

function ordered([seq, place, rank]: readonly SqlValue[]): Placed {
  return { seq, place, rank } as Placed; // in the order of the columns
}

/** Leases one request to try a channel with, if there is one. */
function probe(step: Step, channel: Channel, parts: readonly Part[]): void {
  const { rows, query, claimed } = step;
  if (channel.calls * channel.perCall < 1) return;
  let chosen: Candidate | 'again' | undefined;
  do chosen = choose(step, channel, parts);
  while (chosen === 'again');
  if (chosen !== undefined) claimed.push(leaseRecord(rows, columnsBySeq(rows, chosen.seq), query));
}

function candidates(rows: Rows, parts: readonly Part[], past: number): Candidate[] {
  const places = parts.flatMap((part) => part.places);
  if (past === 0) return bestReady(rows, places, PROBE_CANDIDATES, CANDIDATE, candidate);
  // Of those that are passed over nothing but their order is read.
  const first = bestReady(rows, places, past + PROBE_CANDIDATES, ORDER, ordered);
  const seqs = candidatesOf(first, past).map(({ seq }) => seq);
  const found = rows
    .sql(`SELECT ${CANDIDATE} WHERE r.seq IN (SELECT value FROM json_each(?))`)
    .all(JSON.stringify(seqs));
  return found.map(candidate).sort((a, b) => seqs.indexOf(a.seq) - seqs.indexOf(b.seq));
}

/** `again`: it ended some, so that there is more to look at. */
function choose(step: Step, channel: Channel, parts: readonly Part[]): Candidate | 'again' | undefined {
  const { rows, query } = step;
  if (roomFor(rows, channel, parts) < 1) return undefined;
  const { past = 0 } = channel;
  let [best, harmless]: (Candidate | undefined)[] = [];
  let hasEnded = false;
  for (const one of candidates(rows, parts, past)) {
    if (!hasRoom(rows, channel, one)) break;
    if (isOver(one, query.now)) {
      hasEnded = true;
      if (expire(step, one) || past > 0) break;
    } else if (channel.probe === 'fresh' ? one.firstSent === null : HARMLESS_EFFECTS.has(one.effect)) {
      return one;
    } else {
      if (HARMLESS_EFFECTS.has(one.effect)) harmless ??= one;
      best ??= one;
    }
  }
  return hasEnded ? 'again' : (harmless ?? best);
}

function isOver({ expires, flags }: Ready, now: number): boolean {
  return expires !== null && expires <= now && (flags & UNRESOLVED) === 0;
}

/** Ends a request past its deadline. True where others came forward: they may go before those that were looked up. */
function expire({ rows, query, report }: Step, { seq }: Ready): boolean {
  const moved = report.moved.length;
  const row = rows.bySeq(seq);
  report.noteEnd(row, end(rows, row, DEAD, EXPIRED, query.now, report));
  return report.moved.length > moved;
}

function hasRoom(rows: Rows, { within }: Channel, { place }: Ready): boolean {
  if (within === undefined) return true;
  const { zone, channel } = rows.ledger.place(place);
  return roomWithin(within, rows.ledger.traffic, zone, channel) >= 1;
}

function roomFor(rows: Rows, { within }: Channel, parts: readonly Part[]): number {
  if (within === undefined) return Number.POSITIVE_INFINITY;
  const places = parts.flatMap((part) => part.places);
  return mostWithin(within, rows.ledger.traffic, places);
}

interface ReadyOfPart extends ReadyRecord {
  readonly part: Part;
}

/** The best of several parts together, of each no more than may be leased of it. */
function bestOfParts(rows: Rows, parts: readonly Part[], limit: number): ReadyOfPart[] {
  const found = parts.flatMap((part) => {
    const most = Math.min(limit, part.left);
    const ofPart = bestReady(rows, part.places, most, `${RECORD} ${FROM}`, (columns) => ({ ...ready(columns), part }));
    part.unmet = ofPart.length;
    part.mayHaveMore = ofPart.length === most;
    return ofPart;
  });
  return parts.length > 1 ? found.sort(inOrder) : found;
}

/** The best of several places together, each already in order. */
function bestReady<T extends Placed>(
  rows: Rows,
  places: readonly Place[],
  limit: number,
  what: string,
  read: (columns: readonly SqlValue[]) => T,
): T[] {
  const statement = rows.sql(`SELECT ${what} WHERE r.state = 0 AND r.place = ? ORDER BY r.rank, r.seq LIMIT ?`);
  const found: T[] = [];
  let sources = 0;
  for (const place of places) {
    if (place.n[READY] === 0) continue;
    sources += 1;
    for (const columns of statement.all(place.id, limit)) found.push(read(columns));
  }
  if (sources > 1) found.sort(inOrder);
  return found.length > limit ? found.slice(0, limit) : found;
}

function inOrder(a: Placed, b: Placed): number {
  return a.rank - b.rank || a.seq - b.seq;
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
