import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { HoldfastError } from '../../../errors.ts';
import type { Database, Driver } from './driver.ts';
import { MIGRATIONS } from './migrations/migrations.ts';
import type { Patience } from './waiting.ts';

/** Marks files of this package in the header ("Hold"), so that any other database is left alone. */
export const APPLICATION_ID = 0x486f6c64;

export interface ConnectionOptions {
  readonly path: string;
  readonly durability: 'full' | 'normal';
  readonly patience: Patience;
  /** @default those of this version */
  readonly migrations?: readonly string[] | undefined;
}

/**
 * Opens or creates the database with everything that must hold on every connection, and brings its layout up to date.
 * A file that is not ours is refused before anything is written to it.
 *
 * @throws `BACKEND_CORRUPT`, `BACKEND_NEWER`; errors of SQLite and the file system as they are
 */
export function connect(driver: Driver, options: ConnectionOptions): Database {
  const { path, durability, patience } = options;
  const migrations = options.migrations ?? MIGRATIONS;
  if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
  const database = driver.open(path);
  try {
    patience.whileBusy(() => {
      check(database, path, migrations.length);
    });
    patience.whileBusy(() => {
      // 4,000 pages (16 MiB) of WAL, then it starts again: fewer checkpoints than at 1,000, each worth its cost; after a reader held it open for long, its file shrinks to 64 MiB.
      database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'};
        PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384;
        PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = OFF`);
    });
    patience.whileBusy(() => {
      migrate(database, path, migrations);
    });
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Refuses what is not ours, or is too new, by reading alone. Returns its version; 0 for an empty one. */
function check(database: Database, path: string, newest: number): number {
  if (database.isInTransaction()) return checkStill(database, path, newest);
  // Another process may just be making it: all of it is to be of one moment.
  database.exec('BEGIN');
  try {
    return checkStill(database, path, newest);
  } finally {
    rollback(database);
  }
}

function checkStill(database: Database, path: string, newest: number): number {
  const version = pragma(database, 'user_version');
  const isOurs = pragma(database, 'application_id') === APPLICATION_ID;
  const tables = database.prepare('SELECT count(*) FROM sqlite_master').get()?.[0];
  if (!isOurs && (version !== 0 || tables !== 0 || pragma(database, 'application_id') !== 0)) {
    throw new HoldfastError('BACKEND_CORRUPT', `${path} is a database of something else. It was left as it is.`, {
      path,
    });
  }
  if (version > newest) {
    const message = `${path} has layout ${version}; this version of the package knows up to ${newest}. Upgrade it.`;
    throw new HoldfastError('BACKEND_NEWER', message, { path, version });
  }
  return version;
}

function migrate(database: Database, path: string, migrations: readonly string[]): void {
  if (check(database, path, migrations.length) === migrations.length) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    // Another process may have been faster.
    const from = check(database, path, migrations.length);
    for (const migration of migrations.slice(from)) database.exec(migration);
    database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}`);
    database.exec('COMMIT');
  } catch (error) {
    rollback(database);
    throw error;
  }
}

/** Ends a transaction without effect; after some errors SQLite has done so by itself. */
export function rollback(database: Database): void {
  if (database.isInTransaction()) database.exec('ROLLBACK');
}

function pragma(database: Database, name: string): number {
  return database.prepare(`PRAGMA ${name}`).get()?.[0] as number; // these answer with one integer
}
