import { afterEach, expect, it, vi } from 'vitest';
import { holdfastError } from '../../src/errors.ts';
import type { RedisBackendOptions } from '../../src/queue/backends/redis/RedisBackend.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { StoredRequest } from '../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../src/queue/types/request.ts';
import { systemClock } from '../../src/system/clock.ts';
import { describeRedis } from './support/describeRedis.ts';
import { enqueue, newRequest, openStore } from './support/openStore.ts';
import { RedisServer } from './support/RedisServer.ts';
import { SwallowingProxy } from './support/SwallowingProxy.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function serverWith(...given: Parameters<typeof RedisServer.start>): Promise<RedisServer> {
  const server = await RedisServer.start(...given);
  open.push(() => server.dispose());
  return server;
}

async function storeOn(options: RedisBackendOptions): Promise<Backend> {
  const backend = await openStore(options);
  open.push(() => backend.close());
  return backend;
}

async function proxyOf(server: RedisServer): Promise<SwallowingProxy> {
  const proxy = await SwallowingProxy.start(server.port);
  open.push(() => proxy.dispose());
  return proxy;
}

async function count(backend: Backend): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { state, count: n } of await backend.requests.count({})) sums[state] = (sums[state] ?? 0) + n;
  return sums;
}

async function claim(backend: Backend, calls: number): Promise<readonly StoredRequest[]> {
  const channels = [{ channel: 'api', senders: [''], calls, perCall: 1 }];
  const { claimed } = await backend.requests.claim({ worker: 'w', now: Date.now(), leaseUntil: 0, channels });
  return claimed;
}

async function settle(backend: Backend, claimed: readonly StoredRequest[]): Promise<void> {
  const settlements = claimed.map(({ id, lease }) => ({
    id,
    token: lease?.token ?? 0,
    next: { state: 'succeeded', reason: 'applied' } as const,
    progress: NO_PROGRESS,
  }));
  const results = await backend.requests.settle({ now: Date.now(), settlements });
  expect(results.map(({ status }) => status)).toEqual(claimed.map(() => 'settled'));
}

const since = (from: number): number => systemClock.monotonicNow() - from;

describeRedis('a server that fails', () => {
  it('forgets the script: calls under way are made again, in order', async () => {
    const server = await serverWith();
    const backend = await storeOn({ port: server.port });
    await enqueue(backend, newRequest());
    await server.ask('SCRIPT', 'FLUSH');
    const results = await Promise.all(Array.from({ length: 50 }, () => enqueue(backend, newRequest({ lane: 'l' }))));
    const seqs = results.map(([one]) => (one?.status === 'accepted' ? one.seq : 0));
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(await count(backend)).toEqual({ ready: 2, blocked: 49 });
  });

  it('is killed and comes back: what was asked meanwhile is answered, and took effect once', async () => {
    const server = await serverWith({ appendonly: 'always' });
    const backend = await storeOn({ port: server.port, commandTimeoutMs: 15_000 });
    const given = new Set<string>();
    const accepted = new Set<string>();
    const claimed: StoredRequest[] = [];
    let isOver = false;
    const producer = async (): Promise<void> => {
      while (!isOver) {
        const request = newRequest();
        given.add(request.id);
        const [result] = await enqueue(backend, request);
        if (result?.status === 'accepted') accepted.add(request.id);
      }
    };
    const worker = async (): Promise<void> => {
      while (!isOver) {
        const some = await claim(backend, 3);
        claimed.push(...some);
        if (some.length > 0) await settle(backend, some);
      }
    };
    const work = Promise.all([producer(), producer(), producer(), worker(), worker()]);
    for (let kill = 0; kill < 5; kill += 1) {
      const before = accepted.size;
      await vi.waitFor(() => expect(accepted.size).toBeGreaterThan(before + 50), { timeout: 30_000 });
      await server.kill();
      await server.restart();
    }
    isOver = true;
    await work;
    // Nothing is leased that nobody knows of, nothing was claimed twice, and nothing accepted is missing.
    expect(
      await claim(backend, 100_000).then((rest) =>
        settle(
          backend,
          rest.filter((one) => claimed.push(one) > 0),
        ),
      ),
    ).toBe(undefined);
    expect(await count(backend)).toEqual({ succeeded: accepted.size });
    expect(new Set(claimed.map(({ id }) => id)).size).toBe(claimed.length);
    expect(accepted).toEqual(given);
  });

  it('is away for longer than calls wait: they are refused in time, and later ones work without anybody mending it', async () => {
    const server = await serverWith({ appendonly: 'always' });
    const backend = await storeOn({ port: server.port, commandTimeoutMs: 1_000 });
    await enqueue(backend, newRequest());
    await server.kill();
    const from = systemClock.monotonicNow();
    const first = await enqueue(backend, newRequest()).catch((reason: unknown) => reason);
    expect(holdfastError(first)?.code).toBe('BACKEND_UNAVAILABLE');
    expect(since(from)).toBeLessThan(4_000);
    const second = await enqueue(backend, newRequest()).catch((reason: unknown) => reason);
    expect(holdfastError(second, 'BACKEND_UNAVAILABLE')?.details).toMatchObject({ mayBeDone: false });
    await server.restart();
    expect((await enqueue(backend, newRequest()))[0]).toMatchObject({ status: 'accepted' });
    expect(await count(backend)).toEqual({ ready: 2 });
  });

  it('answers nothing on a connection that looks alive: another one is made within 10 s', async () => {
    const server = await serverWith();
    const proxy = await proxyOf(server);
    const backend = await storeOn({ port: Number(new URL(proxy.url).port), commandTimeoutMs: 20_000 });
    await enqueue(backend, newRequest());
    await proxy.swallow();
    await proxy.pass(); // the old connection stays dead
    const from = systemClock.monotonicNow();
    expect((await enqueue(backend, newRequest()))[0]).toMatchObject({ status: 'accepted' });
    expect(since(from)).toBeLessThan(10_000);
    expect(await count(backend)).toEqual({ ready: 2 });
  });

  it('is behind a wire that swallows everything: calls are refused in time', async () => {
    const server = await serverWith();
    const proxy = await proxyOf(server);
    const backend = await storeOn({ port: Number(new URL(proxy.url).port) });
    await enqueue(backend, newRequest());
    await proxy.swallow();
    const from = systemClock.monotonicNow();
    const error = await enqueue(backend, newRequest()).catch((reason: unknown) => reason);
    expect(holdfastError(error)?.code).toBe('BACKEND_UNAVAILABLE');
    expect(holdfastError(error)?.details).toMatchObject({ mayBeDone: true });
    expect(since(from)).toBeLessThan(10_000);
    await proxy.pass();
    expect((await enqueue(backend, newRequest()))[0]).toMatchObject({ status: 'accepted' });
  });

  it('is frozen while it grants leases: those nobody heard of in time are given back unsent, and keep their turns', async () => {
    const server = await serverWith();
    const backend = await storeOn({ port: server.port, commandTimeoutMs: 1_000 });
    const rank = { form: 'flow', group: 'g', flow: 'f', weight: 1 } as const;
    await enqueue(backend, newRequest({ rank }), newRequest({ rank }));
    server.pause();
    const error = await claim(backend, 2).catch((reason: unknown) => reason);
    expect(holdfastError(error)?.code).toBe('BACKEND_UNAVAILABLE');
    server.resume();
    await vi.waitFor(async () => expect(await count(backend)).toEqual({ ready: 2 }), { timeout: 30_000 });
    const again = await claim(backend, 2);
    expect(again.map(({ firstSentAt, lease, rank }) => [firstSentAt !== null, lease?.token, rank])).toEqual([
      [true, 2, 1],
      [true, 2, 2],
    ]);
  });

  it('closes connections: a handle that only watches still hears of changes', async () => {
    const server = await serverWith();
    const proxy = await proxyOf(server);
    const watcher = await storeOn({ port: Number(new URL(proxy.url).port) });
    const other = await storeOn({ port: server.port });
    let told = 0;
    watcher.requests.watch(() => {
      told += 1;
    });
    proxy.cut();
    await vi.waitFor(
      async () => {
        await enqueue(other, newRequest());
        expect(told).toBeGreaterThan(0);
      },
      { timeout: 30_000, interval: 200 },
    );
  });

  it('loses its script and the connection while it is loaded: calls go on, and close ends', async () => {
    const server = await serverWith();
    const proxy = await proxyOf(server);
    const backend = await openStore({ port: Number(new URL(proxy.url).port), commandTimeoutMs: 15_000 });
    await enqueue(backend, newRequest());
    await proxy.swallow();
    await server.ask('SCRIPT', 'FLUSH');
    const asked = enqueue(backend, newRequest());
    proxy.cut();
    await proxy.pass();
    expect((await asked)[0]).toMatchObject({ status: 'accepted' });
    await backend.close();
  });

  it('is frozen when the store is closed: closing ends all the same', async () => {
    const server = await serverWith();
    const backend = await openStore({ port: server.port });
    await enqueue(backend, newRequest());
    server.pause();
    const from = systemClock.monotonicNow();
    await backend.close();
    expect(since(from)).toBeLessThan(6_000);
    server.resume();
  });

  it('was away for longer than a lease: who comes back first takes nobody for dead', async () => {
    const server = await serverWith({ appendonly: 'always' });
    const options = { port: server.port, commandTimeoutMs: 1_000 };
    const first = await openStore(options, { leaseMs: 1_500, worker: 'first' });
    open.push(() => first.close());
    const second = await openStore(options, { leaseMs: 1_500, worker: 'second' });
    open.push(() => second.close());
    await enqueue(second, newRequest({ sender: 'process:second', ephemeral: true, effect: 'read', harmless: true }));
    const from = systemClock.monotonicNow();
    await server.kill();
    await vi.waitFor(() => expect(since(from)).toBeGreaterThan(2_500), { timeout: 30_000 });
    await server.restart();
    const recover = { worker: 'first', now: Date.now(), leaseNow: 0, limit: 100 };
    const recovered = await vi.waitFor(() => first.requests.recover(recover), { timeout: 30_000, interval: 20 });
    expect(recovered).toEqual({ recovered: [], ended: [], more: false });
    await vi.waitFor(() => second.requests.count({}), { timeout: 30_000 });
    expect(await count(second)).toEqual({ ready: 1 });
  });

  it('passes on what somebody else published: it does no harm', async () => {
    const server = await serverWith();
    const backend = await storeOn({ port: server.port, name: 'news' });
    let told = 0;
    backend.requests.watch(() => {
      told += 1;
      throw new Error('a listener that throws');
    });
    await vi.waitFor(
      async () => {
        await server.ask('PUBLISH', 'holdfast:{news}:news', 'not ours');
        expect(told).toBeGreaterThan(0);
      },
      { timeout: 30_000 },
    );
    expect((await enqueue(backend, newRequest()))[0]).toMatchObject({ status: 'accepted' });
  });
});
