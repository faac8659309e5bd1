import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { RedisBackendOptions } from '../../../src/queue/backends/redis/RedisBackend.ts';
import { RedisBackend } from '../../../src/queue/backends/redis/RedisBackend.ts';
import { SpillingBackend } from '../../../src/queue/backends/spill/SpillingBackend.ts';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { Child } from '../../processes/support/child.ts';
import { startChild } from '../../processes/support/child.ts';
import { describeRedis } from '../../redis/support/describeRedis.ts';
import { RedisServer } from '../../redis/support/RedisServer.ts';
import { SwallowingProxy } from '../../redis/support/SwallowingProxy.ts';
import { opening } from '../sqlite/support.ts';
import { accept, all, CLOCK, claimAll, emptied, enqueue, idsIn, recordOf, request } from './support.ts';

const SPILLER = new URL('./spiller.mjs', import.meta.url);
const endings: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-spill-'));
  endings.push(async () => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function startServer(options: Parameters<typeof RedisServer.start>[0] = {}): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  endings.push(() => server.dispose());
  return server;
}

async function opened<B extends Backend>(backend: B, worker: string): Promise<B> {
  endings.push(() => backend.close());
  await backend.open(opening(worker, { now: CLOCK.now(), leaseNow: CLOCK.monotonicNow() }));
  return backend;
}

function store(options: RedisBackendOptions, worker = 'other'): Promise<RedisBackend> {
  return opened(new RedisBackend(options, { clock: CLOCK }), worker);
}

function file(path: string): Promise<SQLiteBackend> {
  return opened(new SQLiteBackend({ path: join(path, 'spill.db') }), 'other');
}

function spilling(options: RedisBackendOptions, path: string, worker = 'me'): Promise<SpillingBackend> {
  const primary = new RedisBackend({ commandTimeoutMs: 1_000, ...options }, { clock: CLOCK });
  const spill = new SQLiteBackend({ path: join(path, 'spill.db') });
  return opened(new SpillingBackend({ primary, spill, of: 'store', clock: CLOCK, retryMs: 50 }), worker);
}

async function expectOrdered(backend: Backend): Promise<void> {
  const byLane = new Map<string | null, string[]>();
  for (const { id, lane } of await all(backend)) byLane.set(lane, [...(byLane.get(lane) ?? []), id]);
  for (const ids of byLane.values()) expect(ids).toEqual([...ids].sort());
}

describeRedis('a spill before Redis', () => {
  it('takes in what is accepted while the server is down, and gives it back in order', async () => {
    const server = await startServer({ appendonly: 'always' });
    const path = folder();
    const backend = await spilling({ url: server.url }, path);
    const before = await accept(backend, { lane: 'a' });
    await server.stop();
    const calls = Array.from({ length: 300 }, (_, n) => request({ lane: `lane${n % 5}` }));
    const results = await Promise.all(calls.map((one) => enqueue(backend, [one])));
    expect(results.flat().every(({ status }) => status === 'accepted')).toBe(true);
    const [first = request()] = calls;
    expect(await recordOf(backend, first.id)).toMatchObject({ id: first.id, state: 'scheduled' });
    await expect(claimAll(backend)).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    await server.restart();
    const after = request({ lane: 'lane0' });
    await enqueue(backend, [after]);
    await emptied(await file(path));
    expect(await idsIn(backend)).toEqual([before, ...calls.map(({ id }) => id), after.id]);
    expect((await recordOf(backend, first.id)).state).toBe('ready');
  });

  it('keeps the order of a lane when the server is back before all calls have failed', async () => {
    const server = await startServer({ appendonly: 'always' });
    const path = folder();
    const backend = await spilling({ url: server.url }, path);
    const accepted: string[] = [];
    const calls: Promise<void>[] = [];
    let isOver = false;
    const produce = async (): Promise<void> => {
      while (!isOver) {
        const one = request({ lane: 'a' });
        calls.push(
          enqueue(backend, [one]).then(([result]) => {
            if (result?.status === 'accepted') accepted.push(one.id);
          }),
        );
        await new Promise<void>((resolve) => CLOCK.schedule(5, resolve, { keepAlive: true }));
      }
    };
    const producing = produce();
    const spill = await file(path);
    for (let outage = 0; outage < 3; outage += 1) {
      const before = calls.length;
      await expect.poll(() => calls.length - before).toBeGreaterThan(20);
      await server.stop();
      // As soon as the first calls have failed; those made since are still with the store.
      await expect.poll(async () => (await idsIn(spill)).length, { timeout: 30_000, interval: 5 }).toBeGreaterThan(0);
      await server.restart();
      await emptied(spill);
    }
    const before = calls.length;
    await expect.poll(() => calls.length - before).toBeGreaterThan(50);
    isOver = true;
    await producing;
    await Promise.all(calls);
    await emptied(spill);
    const stored = await idsIn(backend);
    expect(stored).toEqual([...stored].sort());
    expect(stored).toEqual([...accepted].sort());
    expect(accepted.length).toBe(calls.length);
  });

  it('is emptied although calls keep coming as fast as they are answered', { timeout: 90_000 }, async () => {
    const server = await startServer();
    const path = folder();
    const backend = await spilling({ url: server.url }, path);
    const spill = await file(path);
    await server.stop();
    let isOver = false;
    let accepted = 0;
    const call = async (): Promise<void> => {
      while (!isOver) {
        const [result] = await enqueue(backend, [request()]);
        if (result?.status === 'accepted') accepted += 1;
      }
    };
    const callers = Array.from({ length: 100 }, call);
    const spilled = async (): Promise<number> => {
      return (await spill.requests.count({})).reduce((sum, { count }) => sum + count, 0);
    };
    await expect.poll(spilled, { timeout: 30_000 }).toBeGreaterThan(3_000);
    await server.restart();
    await expect.poll(spilled, { timeout: 60_000, interval: 20 }).toBe(0);
    const before = accepted;
    await expect.poll(() => accepted - before, { timeout: 30_000 }).toBeGreaterThan(500);
    expect(await spilled()).toBe(0);
    isOver = true;
    await Promise.all(callers);
  });

  it('opens without the server', async () => {
    const server = await startServer();
    await server.stop();
    const path = folder();
    const backend = await spilling({ url: server.url }, path);
    expect(backend.capabilities).toMatchObject({ kind: 'redis', durability: 'none' });
    const id = await accept(backend);
    expect((await recordOf(backend, id)).state).toBe('scheduled');
    await server.restart();
    await emptied(await file(path));
    expect((await claimAll(backend)).map((record) => record.id)).toEqual([id]);
  });

  it('does not stand in for a password', async () => {
    const server = await startServer({ password: 'right' });
    const { host, port } = server;
    await expect(spilling({ host, port, password: 'wrong' }, folder())).rejects.toMatchObject({
      code: 'BACKEND_REFUSED',
    });
  });

  it('takes in what a full server refuses', async () => {
    const server = await startServer();
    const path = folder();
    const backend = await spilling({ url: server.url }, path);
    await server.ask('CONFIG', 'SET', 'maxmemory', '1mb');
    const calls = Array.from({ length: 20 }, () => request());
    for (const one of calls) expect((await enqueue(backend, [one]))[0]).toMatchObject({ status: 'accepted' });
    const spill = await file(path);
    expect(await idsIn(spill)).toEqual(calls.map(({ id }) => id));
    expect(await idsIn(backend)).toEqual(calls.map(({ id }) => id));
    await server.ask('CONFIG', 'SET', 'maxmemory', '0');
    await emptied(spill);
    expect(await idsIn(backend)).toEqual(calls.map(({ id }) => id));
  });

  it('takes in what a silent connection swallows', async () => {
    const server = await startServer();
    const proxy = await SwallowingProxy.start(server.port);
    endings.push(() => proxy.dispose());
    const path = folder();
    const backend = await spilling({ url: proxy.url }, path);
    const calls = [request({ lane: 'a' })];
    await enqueue(backend, calls);
    await proxy.swallow();
    const more = Array.from({ length: 50 }, () => request({ lane: 'a' }));
    await Promise.all(more.map((one) => enqueue(backend, [one])));
    proxy.cut();
    await proxy.pass();
    await emptied(await file(path));
    expect(await idsIn(backend)).toEqual([...calls, ...more].map(({ id }) => id));
  });

  it('loses and doubles nothing when processes are killed in the move', { timeout: 90_000 }, async () => {
    const server = await startServer({ appendonly: 'always' });
    const { host, port } = server;
    const path = folder();
    const watcher = await store({ host, port });
    const accepted: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const worker = `w${round}`;
      const args = JSON.stringify({ worker, redis: { host, port }, spill: join(path, 'spill.db') });
      const child: Child = startChild(SPILLER, [args]);
      endings.push(() => child.kill());
      await child.line('open');
      const before = (await idsIn(watcher)).length;
      await server.stop();
      child.tell({ from: 0, count: 600 });
      await child.line('done 0');
      await server.restart();
      const grown = async (): Promise<number> => (await idsIn(watcher)).length - before;
      await expect.poll(grown, { interval: 1, timeout: 30_000 }).toBeGreaterThan(round * 100);
      await child.kill();
      accepted.push(
        ...child.lines.filter((line) => line.startsWith('accepted')).map((line) => line.split(' ')[1] ?? ''),
      );
    }
    await spilling({ host, port }, path, 'heir');
    await emptied(await file(path));
    const stored = await idsIn(watcher);
    expect(new Set(stored).size).toBe(stored.length);
    expect(accepted.filter((id) => !stored.includes(id))).toEqual([]);
    expect(accepted).toHaveLength(2400);
    await expectOrdered(watcher);
  });
});
