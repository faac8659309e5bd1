import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QuickSetup } from '../../src/QuickSetup.ts';
import { migrateQueue } from '../../src/queue/core/migration/migrateQueue.ts';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { slow } from '../../src/testing/serverSteps.ts';

let folder: string;
let server: ScriptedServer;
const queues: QueueManager[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-live-'));
  server = await ScriptedServer.start();
});

afterEach(async () => {
  await Promise.all(queues.splice(0).map((queue) => queue.close({ deadlineMs: 500 })));
  await server.close();
  rmSync(folder, { recursive: true });
});

const end = (name: string) => ({ kind: 'sqlite' as const, path: join(folder, name) });

async function open(name: string, options: Parameters<typeof QuickSetup.sqlite>[1] = {}): Promise<QueueManager> {
  const queue = await QuickSetup.sqlite(end(name).path, {
    zones: { api: { origins: [server.origin], maxConcurrency: 4 } },
    ...options,
  });
  queues.push(queue);
  return queue;
}

const post = (body: unknown) => ({ method: 'POST', url: `${server.origin}/notes`, body });

describe('a move between two queues that are at work', () => {
  it('leaves no request out, sends none twice, and keeps the order of lanes', async () => {
    server.script.always(() => slow(2));
    const [from, to] = [await open('a.db'), await open('b.db')];
    const lanes = 12;
    const total = 400;
    await from.enqueueMany(
      Array.from({ length: total }, (_, n) => ({
        request: post({ n }),
        options: { lane: n % 5 === 0 ? null : `l${n % lanes}` },
      })),
    );
    let moved = 0;
    let refused = 0;
    for (let left = total; left > 0; ) {
      const result = await migrateQueue(end('a.db'), end('b.db'), { limit: 20 });
      moved += result.moved;
      refused += result.refusedCount;
      const { ready, scheduled, blocked, sending } = await from.counts();
      left = ready + scheduled + blocked + sending;
    }
    expect(moved).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    await Promise.all([from.idle(), to.idle()]);
    const sent = server.ledger.entries.map(({ request }) => (JSON.parse(request.body) as { n: number }).n);
    expect([...sent].sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, n) => n));
    for (let lane = 0; lane < lanes; lane += 1) {
      const order = sent.filter((n) => n % lanes === lane && n % 5 !== 0);
      expect(order).toEqual([...order].sort((a, b) => a - b));
    }
    expect(await from.counts()).toMatchObject({ superseded: moved, succeeded: total - moved });
    expect(await to.counts()).toMatchObject({ succeeded: moved });
  });

  it('tells a caller that its request is not here any more, and whoever asks there what became of it', async () => {
    const [from, to] = [await open('a.db'), await open('b.db')];
    from.pause();
    const handle = from.call(post({ n: 1 }));
    const { id } = await handle.accepted();
    const [told, result] = await Promise.all([handle.settled(), migrateQueue(end('a.db'), end('b.db'))]);
    expect(result.moved).toBe(1);
    expect(told).toMatchObject({ state: 'superseded', reason: 'moved', error: { code: 'REQUEST_DISCARDED' } });
    expect((await to.handle(id).settled()).state).toBe('succeeded');
    expect(server.ledger.applied()).toBe(1);
  });

  it('takes along whose credential a request waits for: it is sent there once there is one', async () => {
    const headers = { authorization: 'Bearer opaque-of-ann' };
    const from = await open('a.db', { dispatch: false });
    const { id } = await from.enqueue({ ...post({ n: 1 }), headers });
    expect(await migrateQueue(end('a.db'), end('b.db'))).toMatchObject({ moved: 0, refused: [{ id, why: 'process' }] });
    await from.close();
    expect(await migrateQueue(end('a.db'), end('b.db'))).toMatchObject({ moved: 1, refusedCount: 0 });
    const to = await open('b.db');
    expect(await to.get(id)).toMatchObject({ state: 'held', reason: 'auth' });
    await to.call({ ...post({ n: 2 }), headers: { authorization: 'Bearer opaque-of-bob' } }).settled();
    expect((await to.get(id))?.state).toBe('held');
    await to.call({ ...post({ n: 3 }), headers }).settled();
    await server.ledger.until((ledger) => ledger.applied() === 3);
    await to.idle();
    const tokens = server.ledger.entries.map(({ request }) => {
      const token = request.headers.find(([name]) => name === 'authorization')?.[1];
      return `${request.body} ${token}`;
    });
    expect(tokens.sort()).toEqual([
      '{"n":1} Bearer opaque-of-ann',
      '{"n":2} Bearer opaque-of-bob',
      '{"n":3} Bearer opaque-of-ann',
    ]);
  });
});
