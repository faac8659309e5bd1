import { createRequire } from 'node:module';
import type BetterSqlite3 from 'better-sqlite3';
import { HoldfastError } from '../../../errors.ts';
import type { Database, Driver, SqlValue, Statement } from './driver.ts';

/**
 * The driver over better-sqlite3, loaded when asked for. Whoever opens a database keeps the driver for as long as the thread lives.
 *
 * Nothing that the library made is let go before: as built for Node 24.19 and later, its versions up to 12 end the process when
 * the collector destroys a statement or a database while no JavaScript runs.
 *
 * @throws `DEPENDENCY_MISSING` when the package is not installed or its native part does not load.
 */
export function loadBetterSqlite3(): Driver {
  let Library: typeof BetterSqlite3;
  const kept: unknown[] = [];
  try {
    Library = createRequire(import.meta.url)('better-sqlite3') as typeof BetterSqlite3;
    const first = new Library(':memory:'); // the native part is loaded by the first database only
    kept.push(first);
    first.close();
  } catch (cause) {
    throw new HoldfastError(
      'DEPENDENCY_MISSING',
      'The SQLite backend needs the package better-sqlite3: npm install better-sqlite3',
      { package: 'better-sqlite3' },
      { cause },
    );
  }
  return {
    open: (path) => {
      const database = adapt(new Library(path, { timeout: 0 }));
      kept.push(database);
      return database;
    },
  };
}

function adapt(database: BetterSqlite3.Database): Database {
  const statements = new Map<string, Statement>();
  return {
    prepare(sql: string): Statement {
      const known = statements.get(sql);
      if (known !== undefined) return known;
      const statement = compile(database, sql);
      statements.set(sql, statement);
      return statement;
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

function compile(database: BetterSqlite3.Database, sql: string): Statement {
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
}
