import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { RedisBackend } from '../../../src/queue/backends/redis/RedisBackend.ts';
import { SpillingBackend } from '../../../src/queue/backends/spill/SpillingBackend.ts';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { QueueOptions } from '../../../src/queue/core/config/options.ts';
import { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import { describeRedis } from '../../redis/support/describeRedis.ts';
import { RedisServer } from '../../redis/support/RedisServer.ts';
import { CLOCK } from './support.ts';

const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function startAll(config: QueueOptions = {}): Promise<{
  readonly redis: RedisServer;
  readonly api: ScriptedServer;
  readonly queue: QueueManager;
}> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-spill-'));
  endings.push(async () => rmSync(folder, { recursive: true, force: true }));
  const redis = await RedisServer.start({ appendonly: 'always' });
  endings.push(() => redis.dispose());
  const api = await ScriptedServer.start();
  endings.push(() => api.close());
  const primary = new RedisBackend({ url: redis.url, commandTimeoutMs: 1_000 }, { clock: CLOCK });
  const spill = new SQLiteBackend({ path: join(folder, 'spill.db') });
  const backend = new SpillingBackend({ primary, spill, of: 'store', clock: CLOCK, retryMs: 50 });
  const queue = new QueueManager({ config: { ...config, leaseMs: 3_000 }, backend });
  endings.push(() => queue.close({ deadlineMs: 1_000 }));
  await queue.start();
  return { redis, api, queue };
}

describeRedis('a queue whose Redis is away', () => {
  it('takes calls, and answers them when it is back: each sent once and in order', async () => {
    const { redis, api, queue } = await startAll();
    await queue.fetch(`${api.origin}/notes/0`, { method: 'PUT', body: 'first' });
    await redis.stop();
    const calls = Array.from({ length: 30 }, (_, n) =>
      queue.fetch(`${api.origin}/notes/${n % 3}`, { method: 'PUT', body: `text ${n}` }),
    );
    const posted = await queue.enqueue({ method: 'POST', url: `${api.origin}/events`, body: 'hello' });
    expect(posted.deduplicated).toBe(false);
    expect(await queue.get(posted.id)).toMatchObject({ id: posted.id, state: 'scheduled' });
    expect(await queue.explain(posted.id)).toMatchObject({ id: posted.id, state: 'scheduled', attempts: [] });
    expect(api.ledger.applied()).toBe(1);
    await redis.restart();
    const answers = await Promise.all(calls);
    expect(answers.map(({ ok }) => ok)).toEqual(calls.map(() => true));
    await posted.result({ timeoutMs: 10_000 });
    expect(api.ledger.applied()).toBe(32);
    for (let lane = 0; lane < 3; lane += 1) {
      const bodies = api.ledger.entries
        .filter(({ resource }) => resource === `/notes/${lane}`)
        .map(({ request }) => String(request.body));
      const numbers = bodies.filter((body) => body !== 'first').map((body) => Number(body.split(' ')[1]));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
      expect(numbers).toHaveLength(10);
    }
    await queue.idle();
  });

  it('does not send what its caller called off meanwhile', async () => {
    const { redis, api, queue } = await startAll();
    await redis.stop();
    const first = queue.fetch(`${api.origin}/kept`, { method: 'POST', body: 'x' });
    const controller = new AbortController();
    await queue.enqueue({ method: 'POST', url: `${api.origin}/also`, body: 'x' });
    const off = queue.fetch(`${api.origin}/off`, { method: 'POST', body: 'x', signal: controller.signal });
    const settled = off.catch((error: unknown) => error);
    const listed = async (): Promise<number> => {
      const { requests } = await queue.find({ ids: [] });
      return requests.length;
    };
    await expect.poll(listed).toBe(0);
    controller.abort();
    expect(await settled).toMatchObject({ name: 'AbortError' });
    await redis.restart();
    expect((await first).status).toBe(201);
    await queue.idle();
    expect(api.ledger.entries.map(({ resource }) => resource).sort()).toEqual(['/also', '/kept']);
  });

  it('tells a read that its time is over', async () => {
    const { redis, api, queue } = await startAll({ readTtlMs: 2_500 });
    await redis.stop();
    const one = queue.fetch(`${api.origin}/warm`).catch((error: unknown) => error);
    await queue.enqueue({ method: 'POST', url: `${api.origin}/notes`, body: 'x' });
    const two = queue.fetch(`${api.origin}/cold`).catch((error: unknown) => error);
    expect(String(await two)).toContain('TypeError');
    await redis.restart();
    await one;
    await queue.idle();
    expect(api.ledger.entries.map(({ resource }) => resource)).not.toContain('/cold');
  });
});
