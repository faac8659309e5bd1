import type { Database, SqlValue, Statement } from './driver.ts';
import type { Place } from './Ledger.ts';
import { Ledger } from './Ledger.ts';

export const READY = 0;
export const SCHEDULED = 1;
export const BLOCKED = 2;
export const SENDING = 3;
export const UNKNOWN = 4;
export const HELD = 5;
export const SUCCEEDED = 6;
export const DEAD = 7;
export const SUPERSEDED = 9;

/** What a move needs to know of a request. */
export interface Row {
  readonly seq: number;
  readonly id: string;
  place: Place;
  state: number;
  reason: number;
  flags: number;
  rank: number;
  /** Group of the flow rank it has. */
  turn: string | null;
  due: number | null;
  expires: number | null;
  token: number;
  worker: string | null;
  firstSent: number | null;
  readonly line: number | null;
  waits: number;
  callers: number;
  priority: number;
  readonly bytes: number;
  readonly notBefore: number | null;
}

export const ROW =
  'seq, id, place, state, reason, flags, rank, due, expires, token, worker, first_sent, line, waits, callers, priority, bytes, not_before, turn';

/** The open database as the verbs see it: its statements, the ledger, rows by id. */
export class Rows {
  readonly database: Database;
  readonly ledger: Ledger;
  readonly #byId: Statement;
  readonly #bySeq: Statement;

  constructor(database: Database) {
    this.database = database;
    this.ledger = new Ledger(database);
    this.#byId = database.prepare(`SELECT ${ROW} FROM request WHERE id = ?`);
    this.#bySeq = database.prepare(`SELECT ${ROW} FROM request WHERE seq = ?`);
  }

  sql(text: string): Statement {
    return this.database.prepare(text);
  }

  byId(id: string): Row | undefined {
    const found = this.#byId.get(id);
    return found === undefined ? undefined : this.row(found);
  }

  bySeq(seq: number): Row {
    const found = this.#bySeq.get(seq);
    if (found === undefined) throw new Error(`request ${seq} is missing`);
    return this.row(found);
  }

  /** From the columns of {@link ROW}. */
  row(columns: readonly SqlValue[]): Row {
    return {
      // Types are those of the columns in the STRICT table.
      seq: columns[0] as number,
      id: columns[1] as string,
      place: this.ledger.place(columns[2] as number),
      state: columns[3] as number,
      reason: columns[4] as number,
      flags: columns[5] as number,
      rank: columns[6] as number,
      due: columns[7] as number | null,
      expires: columns[8] as number | null,
      token: columns[9] as number,
      worker: columns[10] as string | null,
      firstSent: columns[11] as number | null,
      line: columns[12] as number | null,
      waits: columns[13] as number,
      callers: columns[14] as number,
      priority: columns[15] as number,
      bytes: columns[16] as number,
      notBefore: columns[17] as number | null,
      turn: columns[18] as string | null,
    };
  }
}
