import { describe, expect, it } from 'vitest';
import type { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { park } from '../../src/testing/serverSteps.ts';
import { folder, onFile, realServer } from '../core/harness.ts';
import { DIST, startChild } from '../processes/support/child.ts';
import { BATCH_PATH, itemsOf, listProtocol } from './support/protocol.ts';
import { ZONE } from './support/world.ts';

const CHILD = new URL('./support/killedChild.mjs', import.meta.url);

async function until(condition: () => boolean, server: ScriptedServer): Promise<void> {
  while (!condition()) await fetch(`${server.origin}/tick`);
}

describe('a process killed with a batch on the wire', () => {
  it('leaves every member in doubt or sent again by its effect, none lost and none doubled', async () => {
    const applied = new Map<string, number>();
    const server = await realServer({
      respond: ({ path, body, method }) => {
        const items = path === BATCH_PATH ? itemsOf(body) : path === '/tick' ? [] : [{ id: '', method, path }];
        for (const item of items) {
          const what = `${item.method} ${item.path}`;
          applied.set(what, (applied.get(what) ?? 0) + 1);
        }
        return { status: 200, body: JSON.stringify(items.map(({ id }) => ({ id, status: 200 }))) };
      },
    });
    server.script.always(({ path }) => (path === BATCH_PATH && server.parked === 0 ? park : undefined));
    const database = `${await folder()}/queue.db`;
    const child = startChild(CHILD, [DIST, database, server.origin]);
    await until(() => server.parked > 0, server);
    child.process.kill('SIGKILL');
    const end = await child.ended;
    const ids = end.lines.filter((line) => line.startsWith('accepted')).map((line) => line.split(' ')[1] ?? '');
    expect(ids).toHaveLength(5);
    server.script.clear();
    const zones = { [ZONE]: { origins: [server.origin], batch: listProtocol() } };
    const queue = await onFile(database, { batchingEnabled: true, zones });
    await queue.idle();
    const records = await Promise.all(ids.map((id) => queue.get(id)));
    expect(records.map((record) => [record?.content.method, record?.state])).toEqual([
      ['POST', 'held'],
      ['PUT', 'succeeded'],
      ['POST', 'held'],
      ['PUT', 'succeeded'],
      ['POST', 'held'],
    ]);
    for (const [what, times] of applied) expect([what, times]).toEqual([what, what.startsWith('POST') ? 1 : 2]);
    expect(applied.size).toBe(5);
  });
});
