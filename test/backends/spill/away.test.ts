import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { RedisBackend } from '../../../src/queue/backends/redis/RedisBackend.ts';
import { SpillingBackend } from '../../../src/queue/backends/spill/SpillingBackend.ts';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import { describeRedis } from '../../redis/support/describeRedis.ts';
import { RedisServer } from '../../redis/support/RedisServer.ts';
import { SwallowingProxy } from '../../redis/support/SwallowingProxy.ts';
import { CLOCK } from './support.ts';

const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function world(): Promise<{
  readonly folder: string;
  readonly redis: RedisServer;
  readonly api: ScriptedServer;
}> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-spill-'));
  endings.push(async () => rmSync(folder, { recursive: true, force: true }));
  const redis = await RedisServer.start({ appendonly: 'always' });
  endings.push(() => redis.dispose());
  const api = await ScriptedServer.start();
  endings.push(() => api.close());
  return { folder, redis, api };
}

async function start(url: string, path: string): Promise<QueueManager> {
  const primary = new RedisBackend({ url, commandTimeoutMs: 1_000 }, { clock: CLOCK });
  const spill = new SQLiteBackend({ path });
  const backend = new SpillingBackend({ primary, spill, of: 'store', clock: CLOCK, retryMs: 50 });
  const queue = new QueueManager({ config: { leaseMs: 3_000 }, backend });
  endings.push(() => queue.close({ deadlineMs: 1_000 }));
  await queue.start();
  return queue;
}

describeRedis('a queue with a spill', () => {
  it('starts while its Redis is away, takes calls and goes on by itself', async () => {
    const { folder, redis, api } = await world();
    const path = join(folder, 'spill.db');
    const first = await start(redis.url, path);
    await redis.stop();
    const left = await first.enqueue({ method: 'PUT', url: `${api.origin}/notes/1`, body: 'left' });
    await first.close();
    const queue = await start(redis.url, path);
    expect((await queue.get(left.id))?.state).toBe('scheduled');
    const answer = queue.fetch(`${api.origin}/notes/1`, { method: 'PUT', body: 'right' });
    const headers = { authorization: 'Bearer opaque' };
    const signed = queue.fetch(`${api.origin}/notes/2`, { method: 'PUT', body: 'x', headers });
    await redis.restart();
    expect([(await answer).status, (await signed).status]).toEqual([200, 200]);
    await queue.idle();
    const one = api.ledger.entries.filter(({ resource }) => resource === '/notes/1');
    expect(one.map(({ request }) => String(request.body))).toEqual(['left', 'right']);
  });

  it('gives who used a key twice the one answer there is', async () => {
    const { folder, redis, api } = await world();
    const proxy = await SwallowingProxy.start(redis.port);
    endings.push(() => proxy.dispose());
    const apart = await start(proxy.url, join(folder, 'apart.db'));
    const other = await start(redis.url, join(folder, 'other.db'));
    await proxy.refuse();
    const call = { method: 'POST', body: 'x', queue: { key: 'order-7' } };
    const first = apart.fetch(`${api.origin}/orders`, call);
    await apart.enqueue({ method: 'POST', url: `${api.origin}/more`, body: 'x' });
    const answer = await other.fetch(`${api.origin}/orders`, call);
    await proxy.pass();
    const same = await first;
    expect([same.status, await same.text()]).toEqual([answer.status, await answer.text()]);
    await apart.idle();
    expect(api.ledger.applied('/orders')).toBe(1);
  });
});
