import { afterEach, expect, it, vi } from 'vitest';
import { holdfastError } from '../../src/errors.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { RedisOptions } from '../../src/queue/types/redis.ts';
import { systemClock } from '../../src/system/clock.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { describeRedis } from './support/describeRedis.ts';
import { RedisCluster } from './support/RedisCluster.ts';
import { RedisServer } from './support/RedisServer.ts';
import { Sentinel } from './support/Sentinel.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function owned<T extends { dispose(): Promise<void> }>(part: T): T {
  open.push(() => part.dispose());
  return part;
}

async function api(): Promise<ScriptedServer> {
  const server = await ScriptedServer.start();
  open.push(() => server.close());
  return server;
}

async function queueOn(redis: RedisOptions, origin: string, dispatch = true): Promise<QueueManager> {
  const queue = new QueueManager({
    config: {
      backend: { kind: 'redis', commandTimeoutMs: 2_000, ...redis },
      zones: { api: { origins: [origin], idempotency: 'ietf' } },
      retry: { baseDelayMs: 20, maxDelayMs: 200 },
      dispatch,
    },
  });
  await queue.start();
  open.push(() => queue.close({ deadlineMs: 1_000 }));
  return queue;
}

const applied = (server: ScriptedServer): number =>
  server.ledger.entries.filter(({ outcome }) => outcome === 'applied').length;

const post = (queue: QueueManager, origin: string, n: number) =>
  queue.enqueue({ method: 'POST', url: `${origin}/notes`, body: { n } }, { lane: `lane-${n % 3}` });

describeRedis('a queue on a Redis that goes away', () => {
  it('goes on within 2 s of its return, however long it was away', async () => {
    const redis = owned(await RedisServer.start({ appendonly: 'always' }));
    const server = await api();
    const producer = await queueOn({ port: redis.port }, server.origin, false);
    const worker = await queueOn({ port: redis.port }, server.origin);
    const failed = vi.fn();
    const recovered = vi.fn();
    worker.on('backend:failed', failed);
    worker.on('backend:recovered', recovered);
    for (let n = 0; n < 20; n += 1) await post(producer, server.origin, n);
    await vi.waitFor(() => expect(applied(server)).toBe(20), { timeout: 30_000 });

    // Accepted, and on the disk, but nobody has sent it when the server goes.
    const closed = await queueOn({ port: redis.port }, server.origin, false);
    await worker.pause();
    for (let n = 20; n < 30; n += 1) await post(closed, server.origin, n);
    await redis.kill();
    await worker.resume();
    await vi.waitFor(() => expect(failed).toHaveBeenCalled(), { timeout: 30_000 });
    const refused = await post(producer, server.origin, 99).catch((error: unknown) => error);
    expect(holdfastError(refused)?.code).toBe('BACKEND_UNAVAILABLE');
    // Longer than a command, a connection and a reconnection may take.
    await new Promise((resolve) => systemClock.schedule(6_000, () => resolve(undefined), { keepAlive: true }));
    expect(applied(server)).toBe(20);

    await redis.restart();
    const from = systemClock.monotonicNow();
    await vi.waitFor(() => expect(applied(server)).toBeGreaterThan(20), { timeout: 30_000, interval: 10 });
    expect(systemClock.monotonicNow() - from).toBeLessThan(2_000);
    await vi.waitFor(() => expect(applied(server)).toBe(30), { timeout: 30_000 });
    await vi.waitFor(() => expect(recovered).toHaveBeenCalled(), { timeout: 30_000 });
  });

  it('follows the master that sentinels name', async () => {
    const sentinel = owned(await Sentinel.start());
    const { host, port } = sentinel;
    const server = await api();
    const redis = { sentinels: [{ host, port }], sentinelName: sentinel.name, waitReplicas: 1, waitTimeoutMs: 1_000 };
    const queue = await queueOn(redis, server.origin);
    for (let n = 0; n < 10; n += 1) await post(queue, server.origin, n);
    await vi.waitFor(() => expect(applied(server)).toBe(10), { timeout: 30_000 });
    await queue.close(); // it would go on claiming, and giving back what no replica confirms
    const former = await sentinel.master();
    await former.kill();
    await sentinel.waitForFailover(former);
    // The new master has no replica, so nothing counts as replicated any more; what was accepted is there.
    const later = await queueOn({ ...redis, waitReplicas: 0 }, server.origin);
    for (let n = 10; n < 20; n += 1) await post(later, server.origin, n);
    await vi.waitFor(() => expect(applied(server)).toBe(20), { timeout: 30_000 });
    expect(await later.counts()).toMatchObject({ succeeded: 20 });
  });

  it('goes on when the replica of a killed node of the cluster has taken over', async () => {
    const cluster = owned(await RedisCluster.start({ replicas: 1, appendonly: 'always' }));
    const server = await api();
    const queue = await queueOn({ cluster: cluster.nodes, waitReplicas: 1, commandTimeoutMs: 20_000 }, server.origin);
    for (let n = 0; n < 10; n += 1) await post(queue, server.origin, n);
    await vi.waitFor(() => expect(applied(server)).toBe(10), { timeout: 30_000 });
    await queue.close(); // it would go on claiming, and giving back what no replica confirms
    const other = await queueOn({ cluster: cluster.nodes, commandTimeoutMs: 20_000 }, server.origin);
    const owner = await cluster.ownerOf('holdfast:{queue}:totals');
    await owner.kill();
    for (let n = 10; n < 20; n += 1) await post(other, server.origin, n);
    await vi.waitFor(() => expect(applied(server)).toBe(20), { timeout: 30_000 });
    expect(await other.counts()).toMatchObject({ succeeded: 20 });
  }, 90_000);
});
