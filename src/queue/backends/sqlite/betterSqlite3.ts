import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';
import { HoldfastError } from '../../../errors.ts';
import type { Database, Driver, SqlValue, Statement } from './driver.ts';

/**
 * The driver over better-sqlite3, loaded when asked for.
 *
 * @throws `DEPENDENCY_MISSING` when the package is not installed or its native part does not load.
 */
export function loadBetterSqlite3(): Driver {
  let Library: typeof BetterSqlite3;
  try {
    Library = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3;
    new Library(':memory:').close(); // the native part is loaded by the first database only
  } catch (cause) {
    throw new HoldfastError(
      'DEPENDENCY_MISSING',
      'The SQLite backend needs the package better-sqlite3: npm install better-sqlite3',
      { package: 'better-sqlite3' },
      { cause },
    );
  }
  return { open: (path) => adapt(new Library(path, { timeout: 0 })) };
}

function adapt(database: BetterSqlite3.Database): Database {
  return {
    prepare(sql: string): Statement {
      const statement = database.prepare<SqlValue[], SqlValue[]>(sql);
      if (!statement.reader) {
        return {
          run: (...values) => statement.run(...values).changes,
          get: () => undefined,
          all: () => [],
        };
      }
      statement.raw(true);
      return {
        run: (...values) => statement.all(...values).length,
        get: (...values) => statement.get(...values),
        all: (...values) => statement.all(...values),
      };
    },
    exec: (sql) => {
      database.exec(sql);
    },
    isInTransaction: () => database.inTransaction,
    close: () => {
      database.close();
    },
  };
}
