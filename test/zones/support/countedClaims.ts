import { loadBetterSqlite3 } from '../../../src/queue/backends/sqlite/betterSqlite3.ts';
import { connect } from '../../../src/queue/backends/sqlite/connection.ts';
import type { Database } from '../../../src/queue/backends/sqlite/driver.ts';
import { Group } from '../../../src/queue/backends/sqlite/Group.ts';
import { Reserve } from '../../../src/queue/backends/sqlite/Reserve.ts';
import { Patience } from '../../../src/queue/backends/sqlite/waiting.ts';
import type { ClaimQuery } from '../../../src/queue/types/store.ts';

/** What a claim did in the database. */
export interface ClaimCount {
  /** The transaction's own included. */
  readonly statements: number;
  /** That came out of them. */
  readonly rows: number;
  readonly claimed: number;
}

/** Makes a claim on the file of a queue that is closed, in this thread, and counts. */
export function countedClaim(path: string, query: ClaimQuery): ClaimCount {
  const driver = loadBetterSqlite3();
  let [statements, rows] = [0, 0];
  const open = (file: string): Database => {
    const database = driver.open(file);
    return {
      ...database,
      prepare: (sql) => {
        const statement = database.prepare(sql);
        return {
          run: (...values) => {
            statements += 1;
            return statement.run(...values);
          },
          get: (...values) => {
            statements += 1;
            const row = statement.get(...values);
            rows += row === undefined ? 0 : 1;
            return row;
          },
          all: (...values) => {
            statements += 1;
            const found = statement.all(...values);
            rows += found.length;
            return found;
          },
        };
      },
    };
  };
  const patience = new Patience(100, 1);
  const database = connect({ open }, { path, durability: 'full', patience });
  const group = new Group(database, patience, new Reserve(path));
  const claim = (given: ClaimQuery): number => {
    const { answers, errors } = group.run([['claim', given]], () => undefined);
    if (errors[0] !== undefined) throw errors[0][1];
    return (answers[0] as { readonly claimed: readonly unknown[] }).claimed.length; // what the verb gives
  };
  try {
    claim({ ...query, channels: [] }); // what the first transaction does once is none of it
    [statements, rows] = [0, 0];
    const claimed = claim(query);
    return { statements, rows, claimed };
  } finally {
    database.close();
  }
}
