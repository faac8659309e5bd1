import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { enqueueOf, openHere, successOf } from './inProcess.ts';
import { newRequest, useStore } from './support.ts';

const store = useStore();
const CHILD = fileURLToPath(new URL('./fullDisk.mjs', import.meta.url));
/** A disk of its own for a child, where the system lets an ordinary user have one. */
const canMount = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

describe('a full disk', () => {
  it('fails what does not fit and keeps the rest of its group and of the store', () => {
    const { group, database, run } = openHere(store.path());
    const small = newRequest();
    run('enqueue', enqueueOf([small], 1));
    const pages = Number(database.prepare('PRAGMA page_count').get()?.[0]);
    database.exec(`PRAGMA max_page_count = ${pages + 10}`);
    const large = newRequest({ content: { method: 'POST', path: '/', headers: [], body: 'x'.repeat(200_000) } });
    const other = newRequest();
    const { answers, errors } = group.run(
      [
        ['enqueue', enqueueOf([other])],
        ['enqueue', enqueueOf([large])],
        ['settle', successOf(small.id)],
      ],
      () => undefined,
    );
    expect(errors.map(([index, error]) => [index, (error as { code: string }).code])).toEqual([[1, 'SQLITE_FULL']]);
    expect(answers[0]).toEqual([[0, 2, 0, null, null]]);
    expect(answers[2]).toEqual([[0, 6, 1, null]]);
    database.exec('PRAGMA max_page_count = 1073741823');
    expect(run('enqueue', enqueueOf([large]))).toEqual([[0, 3, 0, null, null]]);
    expect(run('count', null).map(({ state, count }) => [state, count])).toEqual([
      ['ready', 2],
      ['succeeded', 1],
    ]);
    expect(database.prepare('PRAGMA integrity_check').get()).toEqual(['ok']);
    database.close();
  });

  it.skipIf(!canMount)('accepts no more, settles what is under way, and goes on once there is room', () => {
    const shell = `mount -t tmpfs -o size=16m tmpfs /mnt && exec "${process.execPath}" "${CHILD}" /mnt`;
    const { stdout, stderr } = spawnSync('unshare', ['-rm', 'sh', '-c', shell], { encoding: 'utf8', timeout: 15_000 });
    expect(stderr).toBe('');
    const told = JSON.parse(stdout) as { readonly kept: number };
    expect(told.kept).toBeGreaterThanOrEqual(20);
    expect(told).toMatchObject({
      refused: 'STORAGE_FULL',
      refusedAgain: 'STORAGE_FULL',
      settled: told.kept,
      acceptedLater: true,
    });
  });
});
