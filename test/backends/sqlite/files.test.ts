import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { loadBetterSqlite3 } from '../../../src/queue/backends/sqlite/betterSqlite3.ts';
import { APPLICATION_ID, connect } from '../../../src/queue/backends/sqlite/connection.ts';
import { MIGRATIONS } from '../../../src/queue/backends/sqlite/migrations/migrations.ts';
import { Patience } from '../../../src/queue/backends/sqlite/waiting.ts';
import { LIMITS, NOW, newRequest, opening, useStore } from './support.ts';

const store = useStore();

describe('opening a SQLite file', () => {
  it('makes missing folders', async () => {
    const path = store.path('a/b/c/queue.db');
    await store.handle({ path }).open(opening('w'));
    expect(existsSync(path)).toBe(true);
  });

  it('sets what must hold on every connection, also on reopening', () => {
    for (const durability of ['full', 'normal'] as const) {
      for (let times = 0; times < 2; times += 1) {
        const database = connection(store.path(`${durability}.db`), MIGRATIONS, durability);
        const pragma = (name: string) => database.prepare(`PRAGMA ${name}`).get()?.[0];
        expect(pragma('journal_mode')).toBe('wal');
        expect(pragma('synchronous')).toBe(durability === 'full' ? 2 : 1);
        expect(pragma('wal_autocheckpoint')).toBe(4000);
        expect(pragma('cache_size')).toBe(-16384);
        expect(pragma('application_id')).toBe(APPLICATION_ID);
        expect(pragma('user_version')).toBe(MIGRATIONS.length);
        database.close();
      }
    }
  });

  it('refuses a file that is not a database and leaves it alone', async () => {
    const path = store.path('notes.txt');
    writeFileSync(path, 'not a database, but long enough to have a header of some kind'.repeat(40));
    const before = readFileSync(path);
    await expect(store.handle({ path }).open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_CORRUPT' });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('refuses a database of something else and leaves it alone', async () => {
    const path = store.path('other.db');
    const other = new BetterSqlite3(path);
    other.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)');
    other.close();
    const before = readFileSync(path);
    await expect(store.handle({ path }).open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_CORRUPT' });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('refuses a file whose pages are damaged', async () => {
    const path = store.path();
    const first = store.handle();
    await first.open(opening('w'));
    await first.close();
    const bytes = readFileSync(path);
    bytes.fill(0x5a, 4096, bytes.length);
    writeFileSync(path, bytes);
    await expect(store.handle().open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_CORRUPT' });
  });

  it('refuses a database of a newer version and leaves it alone', async () => {
    const path = store.path();
    connection(path, [...MIGRATIONS, 'CREATE TABLE later(a)']).close();
    const before = readFileSync(path);
    await expect(store.handle().open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_NEWER' });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it('brings an older database up to date and keeps what it holds', async () => {
    const path = store.path();
    const old = store.handle();
    await old.open(opening('w'));
    const request = newRequest();
    await old.requests.enqueue({ requests: [request], atomic: false, now: NOW, limits: LIMITS, claim: null });
    await old.close();
    const database = connection(path, [...MIGRATIONS, 'CREATE TABLE later(a)', 'INSERT INTO later VALUES (7)']);
    expect(database.prepare('SELECT a FROM later').get()).toEqual([7]);
    expect(database.prepare('PRAGMA user_version').get()).toEqual([MIGRATIONS.length + 2]);
    expect(database.prepare('SELECT id FROM request').get()).toEqual([request.id]);
    database.close();
  });

  it('leaves an older database as it was when an upgrade fails', () => {
    const path = store.path();
    connection(path, MIGRATIONS).close();
    expect(() => connection(path, [...MIGRATIONS, 'CREATE TABLE later(a); SELECT broken FROM nowhere'])).toThrow();
    const database = connection(path, MIGRATIONS);
    expect(database.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'later'").get()).toEqual([0]);
    database.close();
  });

  it('tells a folder and a path below a file from a database', async () => {
    mkdirSync(store.path('folder'));
    writeFileSync(store.path('file'), '');
    for (const name of ['folder', 'file/queue.db']) {
      const handle = store.handle({ path: store.path(name) });
      await expect(handle.open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    }
  });

  it.runIf(process.platform === 'linux')('tells a folder in which nobody can write', async () => {
    const handle = store.handle({ path: '/sys/holdfast/queue.db' });
    await expect(handle.open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  });

  // The superuser may write anywhere, so permissions show nothing then; the test above does.
  it.skipIf(process.getuid?.() === 0)('tells a read-only folder and a read-only file', async () => {
    const path = store.path('locked/queue.db');
    mkdirSync(store.path('locked'));
    chmodSync(store.path('locked'), 0o500);
    await expect(store.handle({ path }).open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    chmodSync(store.path('locked'), 0o700);
    const file = store.path();
    connection(file, MIGRATIONS).close();
    chmodSync(file, 0o400);
    await expect(store.handle().open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  });

  it('gives up on a database that another connection keeps locked, and can be opened later', async () => {
    const path = store.path();
    connection(path, MIGRATIONS).close();
    const other = new BetterSqlite3(path);
    other.exec('BEGIN EXCLUSIVE');
    const handle = store.handle({ busyTimeoutMs: 50 });
    await expect(handle.open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    other.exec('ROLLBACK');
    other.close();
    await handle.open(opening('w'));
    expect(await handle.requests.count({})).toEqual([]);
  });

  it('fails the verbs that find the database locked for too long, and serves the next ones', async () => {
    const handle = store.handle({ busyTimeoutMs: 50 });
    await handle.open(opening('w'));
    const other = new BetterSqlite3(store.path());
    other.exec('BEGIN IMMEDIATE');
    const batch = { requests: [newRequest()], atomic: false, now: NOW, limits: LIMITS, claim: null };
    await expect(handle.requests.enqueue(batch)).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(await handle.requests.count({})).toEqual([]);
    other.exec('ROLLBACK');
    other.close();
    expect(await handle.requests.enqueue(batch)).toMatchObject([{ status: 'accepted' }]);
  });

  it('rejects verbs before it is open and after it is closed', async () => {
    const handle = store.handle();
    await expect(handle.requests.count({})).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(() => handle.requests.watch(() => undefined)).toThrow();
    await handle.open(opening('w'));
    await Promise.all([handle.close(), handle.close()]);
    await expect(handle.requests.count({})).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    await expect(handle.open(opening('w'))).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  });
});

function connection(path: string, migrations: readonly string[], durability: 'full' | 'normal' = 'full') {
  return connect(loadBetterSqlite3(), { path, durability, patience: new Patience(100, 1), migrations });
}
