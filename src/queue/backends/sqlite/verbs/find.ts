import type { RequestFilter } from '../../../types/request.ts';
import { REQUEST_STATES } from '../../../types/states.ts';
import type { CountRow } from '../../../types/store.ts';
import { reasonCode, stateCode, stateOf, TAGS_PATH } from '../../codec.ts';
import type { SqlValue } from '../driver.ts';
import type { Place } from '../Ledger.ts';
import type { PackedFind, Verbs } from '../protocol.ts';
import type { Rows } from '../Rows.ts';
import { SUCCEEDED } from '../Rows.ts';
import { recordBySeq } from '../records.ts';

interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

const TERMINAL = [6, 7, 8, 9] as const;

export function find(rows: Rows, query: PackedFind): Verbs['find']['gives'] {
  const wanted = query.limit + 1;
  const cursors = query.order === 'ended' ? endedCursors(rows, query, wanted) : acceptedCursors(rows, query, wanted);
  const page = cursors.slice(0, query.limit);
  const last = page.at(-1);
  return {
    records: page.map(([seq]) => recordBySeq(rows, seq)),
    next: cursors.length > query.limit ? (last?.[1] ?? query.after) : null,
  };
}

type Cursor = readonly [seq: number, place: number];

function acceptedCursors(rows: Rows, query: PackedFind, wanted: number): Cursor[] {
  const { sql, values } = conditions(rows, query.filter, true);
  return rows.database
    .prepare(`SELECT seq, seq FROM request WHERE seq > ? AND ${sql} ORDER BY seq LIMIT ?`)
    .all(query.after ?? 0, ...values, wanted) as unknown as Cursor[]; // both columns are integers
}

/** One walk of the index per terminal state, merged. */
function endedCursors(rows: Rows, query: PackedFind, wanted: number): Cursor[] {
  const { sql, values } = conditions(rows, query.filter, false);
  const states = TERMINAL.filter((state) => wants(query.filter, state));
  const found = states.flatMap(
    (state) =>
      rows.database
        .prepare(
          `SELECT seq, ended_seq FROM request WHERE state = ${state} AND ended_seq IS NOT NULL AND ended_seq > ? AND ${sql} ORDER BY ended_seq LIMIT ?`,
        )
        .all(query.after ?? 0, ...values, wanted) as unknown as Cursor[], // both columns are integers
  );
  return found.sort((a, b) => a[1] - b[1]).slice(0, wanted);
}

/** Without a filter from the counters alone. */
export function count(rows: Rows, filter: RequestFilter | null): CountRow[] {
  const sums = new Map<string, { -readonly [K in keyof CountRow]: CountRow[K] }>();
  const add = (place: Place, state: number, n: number, bytes: number): void => {
    if (n === 0) return;
    const sender = state < SUCCEEDED ? place.sender : '';
    const key = JSON.stringify([place.zone, place.channel, sender, state]);
    const sum = sums.get(key) ?? { ...labels(place, sender, state), count: 0, bytes: 0 };
    sum.count += n;
    if (state < SUCCEEDED) sum.bytes += bytes;
    sums.set(key, sum);
  };
  if (filter === null) {
    for (const place of rows.ledger.places()) {
      for (let state = 0; state < place.n.length; state += 1) {
        add(place, state, place.n[state] as number, place.bytes[state] as number); // one slot per state
      }
    }
  } else {
    const { sql, values } = conditions(rows, filter, true);
    const groups = rows.database
      .prepare(`SELECT place, state, count(*), sum(bytes) FROM request WHERE ${sql} GROUP BY place, state`)
      .all(...values) as [number, number, number, number][]; // all columns are integers
    for (const [place, state, n, bytes] of groups) add(rows.ledger.place(place), state, n, bytes);
  }
  return [...sums.values()];
}

function labels(
  { zone, channel }: Place,
  sender: string,
  state: number,
): Pick<CountRow, 'zone' | 'channel' | 'sender' | 'state'> {
  return { zone, channel, sender, state: stateOf(state) };
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]; // narrowed by the line's own test
}

function wants(filter: RequestFilter, state: number): boolean {
  return filter.state === undefined || listOf(filter.state).includes(stateOf(state));
}

/** `withState` false where the caller names the state itself. */
function conditions(rows: Rows, filter: RequestFilter, withState: boolean): Condition {
  const parts = ['TRUE'];
  const values: SqlValue[] = [];
  const add = (sql: string, ...given: SqlValue[]): void => {
    parts.push(sql);
    values.push(...given);
  };
  if (filter.ids !== undefined) add('id IN (SELECT value FROM json_each(?))', JSON.stringify(filter.ids));
  if (filter.key !== undefined) add('key = ? AND key IS NOT NULL', filter.key);
  if (withState && filter.state !== undefined && listOf(filter.state).length < REQUEST_STATES.length) {
    add(`state IN (${listOf(filter.state).map(stateCode).join(', ')})`);
  }
  if (filter.reason !== undefined) add(`reason IN (${listOf(filter.reason).map(reasonCode).join(', ')})`);
  if (filter.zone !== undefined) {
    const places = [...rows.ledger.places()].filter(({ zone }) => zone === filter.zone);
    add(`place IN (${places.map(({ id }) => id).join(', ')})`);
  }
  if (filter.lane !== undefined) add('lane = ?', filter.lane);
  if (filter.principal !== undefined) add('principal = ?', filter.principal);
  if (filter.acceptedBefore !== undefined) add('accepted < ?', filter.acceptedBefore);
  if (filter.acceptedAfter !== undefined) add('accepted >= ?', filter.acceptedAfter);
  for (const tag of filter.tags ?? []) {
    add(
      `EXISTS (SELECT 1 FROM content, json_each(content.head, '${TAGS_PATH}') WHERE content.seq = request.seq AND json_each.value = ?)`,
      tag,
    );
  }
  return { sql: parts.join(' AND '), values };
}
