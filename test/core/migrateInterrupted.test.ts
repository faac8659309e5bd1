import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { SQLiteBackend } from '../../src/queue/backends/sqlite/SQLiteBackend.ts';
import { abandonMigration } from '../../src/queue/core/migration/abandonMigration.ts';
import { migrateQueue } from '../../src/queue/core/migration/migrateQueue.ts';
import { ids, Trial } from '../../src/testing/conformance/Trial.ts';
import { startChild } from '../processes/support/child.ts';
import { dieAndGoOn, dieAt, expectDoneOnce, fill, tick, work } from './support/dying.ts';
import { allOf, pairs, recordsOf } from './support/migration.ts';

const pair = pairs();

describe('a move that dies before any of its verbs', () => {
  it('is made good by the next one, while both stores are worked on', async () => {
    for (let n = 1; await dieAndGoOn(await pair(), n); n += 1);
  });

  it('twice is made good by the third', async () => {
    for (let n = 2, died = true; died; n += 5) {
      for (let m = 1, again = true; again; m += 4) {
        const stores = await pair();
        const { from, to, clock } = stores;
        const all = await fill(stores);
        died = await dieAt(stores, n);
        tick(stores);
        const done: string[] = [];
        await work(to, done);
        again = await dieAt(stores, m);
        tick(stores);
        await work(to, done);
        await migrateQueue(from.backend, to.backend, { clock });
        tick(stores);
        await work(from, done);
        await work(to, done);
        expectDoneOnce(
          done.filter((id) => all.includes(id)),
          all,
          `died at ${n} and ${m}`,
        );
      }
    }
  });

  it('leaves what waits as it was if it is abandoned in time', async () => {
    let abandoned = 0;
    for (let n = 1, died = true; died; n += 1) {
      const stores = await pair();
      const { from, to, clock } = stores;
      const all = await fill(stores);
      const before = await recordsOf(from, all);
      const records = async (t: Trial) => ids((await allOf(t)).filter(({ state }) => state !== 'superseded'));
      died = await dieAt(stores, n);
      tick(stores);
      const call = abandonMigration(from.backend, to.backend, { clock });
      const refusal = await call.then(
        () => undefined,
        (error: { code: string }) => error.code,
      );
      if (refusal === undefined && (await from.counts()).superseded === undefined) {
        abandoned += 1;
        expect(await recordsOf(from, all), `at ${n}`).toEqual(before);
        expect(await records(to)).toEqual([to.id(400)]);
      } else if (refusal !== undefined) {
        expect(refusal).toBe('BULK_REFUSED');
      }
      const { moved } = await migrateQueue(from.backend, to.backend, { clock });
      expect((await records(to)).length - 1).toBe(10);
      expect(moved).toBeLessThanOrEqual(10);
    }
    expect(abandoned).toBeGreaterThan(10);
  });
});

describe('an interrupted move', () => {
  it('goes on to where it went, and nowhere else', async () => {
    const [one, other] = [await pair(), await pair()];
    await fill(one);
    await dieAt(one, 25);
    tick(one);
    const { clock, from, to } = one;
    const elsewhere = migrateQueue(from.backend, other.to.backend, { clock });
    await expect(elsewhere).rejects.toMatchObject({ code: 'BULK_REFUSED' });
    await expect(abandonMigration(from.backend, other.to.backend, { clock })).rejects.toThrow('another store');
    expect((await migrateQueue(from.backend, to.backend, { clock })).moved).toBe(10);
  });

  it('that was abandoned with its store can go elsewhere, and later to that store after all', async () => {
    const [one, other] = [await pair(), await pair()];
    const all = await fill(one);
    await dieAt(one, 25);
    tick(one);
    const { clock, from, to } = one;
    expect((await abandonMigration(from.backend, null, { clock })).givenBack).toBe(12);
    expect((await migrateQueue(from.backend, to.backend, { clock })).moved).toBe(10);
    expect((await migrateQueue(to.backend, other.to.backend, { clock })).moved).toBe(11);
    const done: string[] = [];
    tick(other);
    await work(other.to, done);
    await work(from, done);
    expectDoneOnce(
      done.filter((id) => all.includes(id)),
      all,
      'in the end',
    );
  });

  it('keeps others away only while it gives signs of life', async () => {
    const { from, to, clock } = await pair();
    for (let n = 0; n < 9; n += 1) await from.accept();
    const calls: Promise<unknown>[] = [];
    const first = migrateQueue(from.backend, to.backend, {
      clock,
      limit: 1,
      onProgress: ({ phase, requests }) => {
        if (phase === 'handOver' && requests > 7) return; // it may have ended before the other call looks
        from.now += 20_000; // each step is slow: together they take longer than a lease
        calls.push(
          migrateQueue(from.backend, to.backend, { clock }).then(
            () => 'moved',
            (error) => error.code,
          ),
        );
      },
    });
    expect((await first).moved).toBe(9);
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['BULK_REFUSED']));
  });

  it('of nothing needs no abandoning', async () => {
    const { from, to, clock } = await pair();
    expect(await abandonMigration(from.backend, to.backend, { clock })).toEqual({ givenBack: 0 });
  });
});

describe('a process that is killed while it moves', () => {
  let folder: string | undefined;
  let open: SQLiteBackend | undefined;
  afterEach(async () => {
    await open?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true });
    folder = undefined;
  });
  const CHILD = new URL('./support/migrateChild.mjs', import.meta.url);

  const trialOn = async (path: string): Promise<Trial> => {
    const handle = new SQLiteBackend({ path });
    open = handle;
    return Trial.start({ handle: () => handle, dispose: async () => undefined });
  };
  const closed = async <T>(path: string, look: (t: Trial) => Promise<T>): Promise<T> => {
    const t = await trialOn(path);
    const result = await look(t);
    await t.backend.close();
    return result;
  };
  const ready = (t: Trial) => t.claim(99).then(ids);

  it.each([
    [9, 'before'],
    [12, 'during'],
    [16, 'before'],
    [21, 'during'],
    [26, 'before'],
    [30, 'during'],
    [33, 'before'],
    [36, 'during'],
    [38, 'before'],
    [41, 'during'],
  ])('at verb %i, %s it, loses and doubles nothing', async (verb, when) => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-moved-'));
    const [from, to] = [join(folder, 'from.db'), join(folder, 'to.db')];
    const all = await closed(from, async (t) => {
      const requests = Array.from({ length: 10 }, (_, n) => t.request({ lane: n % 2 === 0 ? `l${n % 4}` : null }));
      await t.enqueue(requests);
      return ids(requests);
    });
    const child = startChild(CHILD, [from, to, String(verb), when]);
    const end = await child.ended;
    expect(end.signal, end.stderr + end.lines.join()).toBe('SIGKILL');
    for (const path of [from, to]) {
      const database = new BetterSqlite3(path);
      expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
      database.close();
    }
    const result = await migrateQueue({ kind: 'sqlite', path: from }, { kind: 'sqlite', path: to });
    expect(result.refusedCount).toBe(0);
    expect(await closed(from, (t) => t.counts())).toEqual({ superseded: 10 });
    expect(await closed(to, (t) => t.counts())).toEqual({ ready: 7, blocked: 3 });
    expect(await closed(to, (t) => allOf(t).then(ids))).toEqual(all);
    expect(await closed(from, ready)).toEqual([]);
  });

  it('comes to its end if nobody kills it', async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-moved-'));
    const [from, to] = [join(folder, 'from.db'), join(folder, 'to.db')];
    await closed(from, async (t) => {
      for (let n = 0; n < 10; n += 1) await t.accept({ lane: n % 2 === 0 ? `l${n % 4}` : null });
    });
    const end = await startChild(CHILD, [from, to, '0', 'before']).ended;
    const [, verbs, moved] = end.lines[0]?.split(' ') ?? [];
    expect(moved).toBe('10');
    expect(Number(verbs)).toBeGreaterThan(41);
  });
});
