/** What a statement takes and gives. */
export type SqlValue = null | number | string | Uint8Array;

/** A compiled statement; rows are arrays of columns. */
export interface Statement {
  run(...values: SqlValue[]): number;
  get(...values: SqlValue[]): SqlValue[] | undefined;
  all(...values: SqlValue[]): SqlValue[][];
}

/** What this backend uses of a SQLite library, so that another one can serve. */
export interface Database {
  /** Compiles, once per text: texts come from code, never from input, so there are few. */
  prepare(sql: string): Statement;
  exec(sql: string): void;
  isInTransaction(): boolean;
  close(): void;
}

export interface Driver {
  /** Opens or creates. Never waits for locks: a locked database throws at once. */
  open(path: string): Database;
}
