import { describe, expect, it } from 'vitest';
import { loadBetterSqlite3 } from '../../../src/queue/backends/sqlite/betterSqlite3.ts';
import { connect } from '../../../src/queue/backends/sqlite/connection.ts';
import { MIGRATIONS } from '../../../src/queue/backends/sqlite/migrations/migrations.ts';
import { Patience } from '../../../src/queue/backends/sqlite/waiting.ts';
import { enqueueOf, openHere } from './inProcess.ts';
import { LIMITS, NOW, newRequest, opening, useStore } from './support.ts';

const store = useStore();

const fires = { name: 's', version: 1, dueAt: NOW + 1, data: null };

/** A store of so many schedules, the n-th due at n, and what its statements are and how many rows they give. */
function counting(stored: number) {
  const { database } = openHere(store.path());
  database.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${stored})
    INSERT INTO schedule(name, version, due, data) SELECT 's' || i, 1, i, '{}' FROM n`);
  const ran: string[] = [];
  const { run } = openHere(store.path(), undefined, (sql) => ran.push(sql));
  run('scheduleNext', null); // what the first transaction does once is none of it
  return {
    run,
    plans(verb: () => unknown): string[] {
      ran.length = 0;
      verb();
      const asked = ran.filter((sql) => /^\s*(SELECT|UPDATE|DELETE|INSERT)/.test(sql));
      return asked.map((sql) => {
        const values = sql
          .split('?')
          .slice(1)
          .map(() => 1);
        const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
        return steps.map((step) => String(step[3])).join('; ');
      });
    },
  };
}

describe('schedules in SQLite', () => {
  it('are asked for the next due time by one entry of an index that covers it, of 100,000', () => {
    const { run, plans } = counting(100_000);
    expect(run('scheduleNext', null)).toBe(1);
    expect(plans(() => run('scheduleNext', null))).toEqual([
      'SEARCH schedule USING COVERING INDEX schedule_due (due>?)',
    ]);
  });

  it('are read in the order of their index, without any others', () => {
    const { run, plans } = counting(100_000);
    expect(run('scheduleDue', [1e9, 3, null, '']).map(([name]) => name)).toEqual(['s1', 's2', 's3']);
    expect(plans(() => run('scheduleDue', [1e9, 3, null, '']))).toEqual([
      'SEARCH schedule USING INDEX schedule_due (due>? AND due<?)',
    ]);
    expect(run('scheduleDue', [1e9, 2, 2, 's2']).map(([name]) => name)).toEqual(['s3', 's4']);
    expect(plans(() => run('scheduleDue', [1e9, 3, 2, 's2']))).toEqual([
      'SEARCH schedule USING INDEX schedule_due ((due,name)>(?,?) AND due<?)',
    ]);
    expect(plans(() => run('scheduleList', ['s5', 3]))).toEqual(['SEARCH schedule USING INDEX schedule_name (name>?)']);
    expect(plans(() => run('scheduleGet', ['s5']))).toEqual(['SEARCH schedule USING INDEX schedule_name (name=?)']);
  });

  it('cost a request that fires none no statement', () => {
    const ran: string[] = [];
    const { run } = openHere(store.path(), undefined, (sql) => ran.push(sql));
    run('scheduleSet', ['s', NOW, 'null', null]);
    const count = (request: ReturnType<typeof newRequest>) => {
      ran.length = 0;
      run('enqueue', enqueueOf([request]));
      return ran.length;
    };
    count(newRequest());
    const plain = count(newRequest());
    expect(ran.filter((sql) => sql.includes('schedule'))).toEqual([]);
    // Is it there, its schedule's version, and what that is then.
    expect(count(newRequest({ fires }))).toBe(plain + 3);
  });
});

describe('a file of an earlier version', () => {
  it.each(MIGRATIONS.slice(0, -1).map((_, n) => n + 1))('keeps schedules from now on (version %i)', async (version) => {
    const patience = new Patience(100, 1);
    const migrations = MIGRATIONS.slice(0, version);
    connect(loadBetterSqlite3(), { path: store.path(), durability: 'full', patience, migrations }).close();
    const handle = store.handle();
    await handle.open(opening('w'));
    expect(await handle.schedules.nextDueAt()).toBe(null);
    expect(await handle.schedules.set({ name: 's', dueAt: NOW, data: null })).toBe(1);
    const batch = { requests: [newRequest({ fires })], atomic: false, now: NOW, limits: LIMITS, claim: null };
    expect(await handle.requests.enqueue(batch)).toMatchObject([{ status: 'accepted' }]);
    expect(await handle.schedules.get({ names: ['s'] })).toMatchObject([{ version: 2, dueAt: NOW + 1 }]);
  });
});
