import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { useStore } from './support.ts';

const store = useStore();
const CHILD = fileURLToPath(new URL('./killed.mjs', import.meta.url));

/** Runs a child on the file, kills it once it has told `lines` things, and gives all that it told. */
async function killAfter(lines: number, path: string, round: number): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, path, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const told: string[] = [];
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    told.push(line);
    if (told.length === lines) child.kill('SIGKILL');
  }
  expect(await exited).toEqual([null, 'SIGKILL']);
  return told;
}

describe('a killed process', () => {
  it('loses nothing it acknowledged and leaves a sound database', async () => {
    const path = store.path();
    const accepted = new Set<string>();
    const settled = new Set<string>();
    for (const [round, lines] of [50, 400, 900, 1700].entries()) {
      for (const line of await killAfter(lines, path, round)) {
        const [what, id] = line.split(' ') as [string, string];
        (what === 'accepted' ? accepted : settled).add(id);
      }
      const database = new BetterSqlite3(path);
      expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
      const states = new Map(database.prepare('SELECT id, state FROM request').raw().all() as [string, number][]);
      expect([...accepted].filter((id) => !states.has(id))).toEqual([]);
      expect([...settled].filter((id) => states.get(id) !== 6)).toEqual([]);
      const counted = 'SELECT place, state, count(*), sum(bytes) FROM request WHERE state < 6 GROUP BY place, state';
      const kept = 'SELECT place, state, n, bytes FROM counter WHERE state < 6 AND n <> 0 ORDER BY place, state';
      expect(database.prepare(kept).raw().all()).toEqual(
        database.prepare(`${counted} ORDER BY place, state`).raw().all(),
      );
      const ended = database.prepare('SELECT count(*) FROM request WHERE state >= 6').pluck().get();
      expect(database.prepare('SELECT sum(n) FROM counter WHERE state >= 6').pluck().get()).toBe(ended);
      const heads = `SELECT line, count(*) FROM request WHERE line IS NOT NULL AND state NOT IN (2, 5) GROUP BY line HAVING count(*) > 1`;
      expect(database.prepare(heads).all()).toEqual([]);
      database.close();
    }
    expect(settled.size).toBeGreaterThan(50);
  });
});
