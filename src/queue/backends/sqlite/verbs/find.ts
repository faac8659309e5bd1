import type { RequestFilter } from '../../../types/request.ts';
import type { RequestState } from '../../../types/states.ts';
import { REQUEST_STATES } from '../../../types/states.ts';
import type { CountRow } from '../../../types/store.ts';
import { reasonCode, stateCode, stateOf, TAGS_PATH } from '../../codec.ts';
import type { SqlValue } from '../driver.ts';
import type { Place } from '../Ledger.ts';
import type { PackedFind, Verbs } from '../protocol.ts';
import type { Rows } from '../Rows.ts';
import { BLOCKED, HELD, SUCCEEDED } from '../Rows.ts';
import { recordBySeq } from '../records.ts';

interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

const TERMINAL = [6, 7, 8, 9] as const;
/** States whose index has nothing but the place: it gives the requests of one place in the order of acceptance. */
const IN_ORDER: ReadonlySet<number> = new Set([BLOCKED, HELD]);

const HAS_ALL_TAGS = `NOT EXISTS (
  SELECT 1 FROM json_each(?) AS wanted WHERE wanted.value NOT IN (
    SELECT own.value FROM content, json_each(content.head, '${TAGS_PATH}') AS own WHERE content.seq = request.seq))`;

type Cursor = readonly [seq: number, place: number];

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

/**
 * By the indexes of the wanted states, or by a walk through the table: whichever reads less for all pages together. The walk reads
 * the table once, in any number of pages; the indexes are read by every page, and there are about `n / wanted` of them.
 */
function acceptedCursors(rows: Rows, query: PackedFind, wanted: number): Cursor[] {
  const { ledger } = rows;
  const parts = partsOf(rows, query.filter);
  if (parts !== undefined) {
    const n = sum(parts, (part) => part.n);
    const perPage = sum(parts, (part) => (part.isInOrder ? Math.min(part.n, wanted) : part.n));
    if (perPage * n <= wanted * (ledger.liveCount + ledger.endedCount)) {
      return cursorsByState(rows, query, wanted, parts);
    }
  }
  const { sql, values } = conditions(rows, query.filter);
  return rows.database
    .prepare(`SELECT seq, seq FROM request WHERE seq > ? AND ${sql} ORDER BY seq LIMIT ?`)
    .all(query.after ?? 0, ...values, wanted) as unknown as Cursor[]; // both columns are integers
}

/** What stands in one state, as its index finds it. */
interface Part extends Condition {
  readonly n: number;
  /** Whether the index gives it in the order of acceptance. */
  readonly isInOrder: boolean;
}

/** By the counters. Undefined where no state is asked for, or something that leads to few requests anyway. */
function partsOf(rows: Rows, { state, zone, ids, key, bundle }: RequestFilter): Part[] | undefined {
  if (state === undefined || ids !== undefined || key !== undefined || bundle !== undefined) return undefined;
  const all = [...rows.ledger.places()];
  const inZone = all.filter((place) => zone === undefined || place.zone === zone);
  return [...new Set(listOf(state).map(stateCode))].flatMap((code): Part[] => {
    const isLive = code < SUCCEEDED;
    const places = (isLive ? inZone : all).filter(({ n }) => n[code] !== 0);
    if (places.length === 0) return [];
    // What ended is in one index for all places.
    const where = isLive ? within(places) : { sql: 'ended_seq IS NOT NULL', values: [] };
    return [
      {
        sql: `state = ${code} AND ${where.sql}`,
        values: where.values,
        n: sum(places, ({ n }) => n[code] as number), // one slot per state
        isInOrder: IN_ORDER.has(code) && places.length === 1,
      },
    ];
  });
}

/** The first of each part, merged. The `+` keeps SQLite from walking the table for the sake of its order. */
function cursorsByState(rows: Rows, query: PackedFind, wanted: number, parts: readonly Part[]): Cursor[] {
  const { sql, values } = conditions(rows, { ...query.filter, state: undefined });
  const found = parts.flatMap((part) => {
    const seq = part.isInOrder ? 'seq' : '+seq';
    return rows.database
      .prepare(`SELECT seq, seq FROM request WHERE ${part.sql} AND ${seq} > ? AND ${sql} ORDER BY ${seq} LIMIT ?`)
      .all(...part.values, query.after ?? 0, ...values, wanted) as unknown as Cursor[]; // both columns are integers
  });
  return found.sort((a, b) => a[0] - b[0]).slice(0, wanted);
}

/** One walk of the index per terminal state, merged. */
function endedCursors(rows: Rows, query: PackedFind, wanted: number): Cursor[] {
  const { sql, values } = conditions(rows, { ...query.filter, state: undefined });
  const states = TERMINAL.filter((state) => wants(query.filter, stateOf(state)));
  // A bundle is small and has an index: the `+` keeps SQLite from walking all that ended instead.
  const column = query.filter.bundle === undefined ? 'state' : '+state';
  const found = states.flatMap(
    (state) =>
      rows.database
        .prepare(
          `SELECT seq, ended_seq FROM request WHERE ${column} = ${state} AND ended_seq IS NOT NULL AND ended_seq > ? AND ${sql} ORDER BY ended_seq LIMIT ?`,
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
    const { sql, values } = conditions(rows, filter);
    for (const part of partsOf(rows, filter) ?? [{ sql: 'TRUE', values: [] }]) {
      const groups = rows.database
        .prepare(
          `SELECT place, state, count(*), sum(bytes) FROM request WHERE ${part.sql} AND ${sql} GROUP BY place, state`,
        )
        .all(...part.values, ...values) as [number, number, number, number][]; // all columns are integers
      for (const [place, state, n, bytes] of groups) add(rows.ledger.place(place), state, n, bytes);
    }
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

function wants(filter: RequestFilter, state: RequestState): boolean {
  return filter.state === undefined || listOf(filter.state).includes(state);
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

function within(places: readonly Place[]): Condition {
  return oneOf(
    'place',
    places.map(({ id }) => id),
  );
}

/** Of one text for any number of values, since every text is compiled once and kept; and one for a single value, which takes less. */
function oneOf(column: string, values: readonly SqlValue[]): Condition {
  if (values.length === 1) return { sql: `${column} = ?`, values };
  return { sql: `${column} IN (SELECT value FROM json_each(?))`, values: [JSON.stringify(values)] };
}

function conditions(rows: Rows, filter: RequestFilter): Condition {
  const parts = ['TRUE'];
  const values: SqlValue[] = [];
  const add = (sql: string, ...given: SqlValue[]): void => {
    parts.push(sql);
    values.push(...given);
  };
  const addOneOf = (column: string, given: readonly SqlValue[]): void => {
    const { sql, values } = oneOf(column, given);
    add(sql, ...values);
  };
  if (filter.ids !== undefined) addOneOf('id', filter.ids);
  if (filter.key !== undefined) add('key = ? AND key IS NOT NULL', filter.key);
  const states = REQUEST_STATES.filter((state) => wants(filter, state));
  // As text, since indexes are of one state; in one order.
  if (states.length < REQUEST_STATES.length) add(`state IN (${states.map(stateCode).join(', ')})`);
  if (filter.reason !== undefined) addOneOf('reason', listOf(filter.reason).map(reasonCode));
  if (filter.zone !== undefined) {
    const places = [...rows.ledger.places()].filter(({ zone }) => zone === filter.zone);
    const { sql, values: ids } = within(places);
    add(sql, ...ids);
  }
  if (filter.lane !== undefined) add('lane = ?', filter.lane);
  if (filter.principal !== undefined) add('principal = ?', filter.principal);
  if (filter.bundle !== undefined) add('bundle = ? AND bundle IS NOT NULL', filter.bundle);
  if (filter.acceptedBefore !== undefined) add('accepted < ?', filter.acceptedBefore);
  if (filter.acceptedAfter !== undefined) add('accepted >= ?', filter.acceptedAfter);
  if (filter.tags !== undefined && filter.tags.length > 0) add(HAS_ALL_TAGS, JSON.stringify(filter.tags));
  return { sql: parts.join(' AND '), values };
}
