import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { afterEach, expect, it, vi } from 'vitest';
import { holdfastError } from '../../src/errors.ts';
import type { RedisBackendOptions } from '../../src/queue/backends/redis/RedisBackend.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import { NO_PROGRESS } from '../../src/queue/types/request.ts';
import { describeRedis } from './support/describeRedis.ts';
import { enqueue, newRequest, openStore } from './support/openStore.ts';
import type { RedisServerOptions } from './support/RedisServer.ts';
import { RedisServer } from './support/RedisServer.ts';

const open: { close(): Promise<void> }[] = [];
const servers: RedisServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((backend) => backend.close()));
  await Promise.all(servers.splice(0).map((server) => server.dispose()));
});

async function serverWith(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start(options);
  servers.push(server);
  return server;
}

async function storeOn(server: RedisServer, options: RedisBackendOptions = {}): Promise<Backend> {
  const backend = await openStore({ port: server.port, commandTimeoutMs: 3_000, ...options });
  open.push(backend);
  return backend;
}

async function codeOf(action: Promise<unknown>): Promise<string | undefined> {
  return action.then(
    () => 'none',
    (error: unknown) => holdfastError(error)?.code,
  );
}

describeRedis('a server that refuses', () => {
  it('a wrong password is told at once, by a code that says waiting will not help', async () => {
    const server = await serverWith({ password: 'right' });
    expect(await codeOf(storeOn(server, { password: 'wrong' }))).toBe('BACKEND_REFUSED');
    expect(await codeOf(storeOn(server))).toBe('BACKEND_REFUSED');
    await storeOn(server, { password: 'right' });
  });

  it('a user with the permissions that the documentation names is enough', async () => {
    const server = await serverWith();
    const page = readFileSync(new URL('../../docs/redis.md', import.meta.url), 'utf8');
    const named = [...page.matchAll(/`([+~&][^`]*)`/g)].flatMap(([, words = '']) => words.split(' '));
    expect(named.length).toBeGreaterThan(5);
    await server.ask('ACL', 'SETUSER', 'app', 'on', '>secret', ...named);
    const backend = await storeOn(server, { username: 'app', password: 'secret' });
    const told = vi.fn();
    backend.requests.watch(told);
    const other = await storeOn(server);
    await vi.waitFor(
      async () => {
        await enqueue(other, newRequest());
        expect(told).toHaveBeenCalled();
      },
      { timeout: 30_000 },
    );
    expect((await enqueue(backend, newRequest()))[0]).toMatchObject({ status: 'accepted' });
    expect(await codeOf(storeOn(server, { username: 'app', password: 'secret', keyPrefix: 'other' }))).toBe(
      'BACKEND_REFUSED',
    );
  });

  it('no message has the password', async () => {
    const server = await serverWith({ password: 'right' });
    const error = await storeOn(server, { username: 'app', password: 's3cret-wrong' }).catch(
      (reason: unknown) => reason,
    );
    expect(inspect(error, { depth: 9 })).not.toContain('s3cret');
    expect(JSON.stringify(holdfastError(error)?.toJSON())).not.toContain('s3cret');
    const down = await openStore({ url: 'redis://:s3cret@127.0.0.1:1', commandTimeoutMs: 300 }).catch(
      (e: unknown) => e,
    );
    expect(holdfastError(down)?.code).toBe('BACKEND_UNAVAILABLE');
    expect(String(down) + JSON.stringify(holdfastError(down)?.toJSON())).not.toContain('s3cret');
  });

  it('a server that may evict keys is refused, unless it is allowed', async () => {
    const server = await serverWith({ maxmemory: '100mb', args: ['--maxmemory-policy', 'allkeys-lru'] });
    expect(await codeOf(storeOn(server))).toBe('BACKEND_REFUSED');
    await storeOn(server, { allowEviction: true });
  });

  it('waitAof needs a server that has it', async () => {
    const server = await serverWith();
    const version = /redis_version:(\d+)\.(\d+)/.exec(String(await server.ask('INFO', 'server')));
    const hasIt = Number(version?.[1]) > 7 || (Number(version?.[1]) === 7 && Number(version?.[2]) >= 2);
    expect(await codeOf(storeOn(server, { waitAof: 0 }))).toBe(hasIt ? 'none' : 'BACKEND_REFUSED');
  });

  it('the durability is what the settings give', async () => {
    const durability = async (options: RedisServerOptions) =>
      (await storeOn(await serverWith(options))).capabilities.durability;
    expect(await durability({ appendonly: 'no' })).toBe('none');
    expect(await durability({ appendonly: 'everysec' })).toBe('process');
    expect(await durability({ appendonly: 'always' })).toBe('disk');
  });

  it('a replica takes no writes', async () => {
    const master = await serverWith();
    const replica = await RedisServer.replicaOf(master);
    servers.push(replica);
    const error = await storeOn(replica, { commandTimeoutMs: 1_000 }).catch((reason: unknown) => reason);
    expect(holdfastError(error, 'BACKEND_UNAVAILABLE')?.details).toMatchObject({
      reason: expect.stringContaining('READONLY'),
    });
  });

  it('writes wait for replicas where that is asked for', async () => {
    const master = await serverWith();
    const alone = await storeOn(master, { name: 'alone', waitReplicas: 1, waitTimeoutMs: 200 }).catch(
      (e: unknown) => e,
    );
    expect(holdfastError(alone, 'BACKEND_UNAVAILABLE')?.details).toMatchObject({ mayBeDone: true });
    servers.push(await RedisServer.replicaOf(master));
    const backend = await storeOn(master, { waitReplicas: 1 });
    expect(backend.capabilities.durability).toBe('replicated');
    expect((await enqueue(backend, newRequest()))[0]).toMatchObject({ status: 'accepted' });
  });

  it('out of memory nothing new is accepted, and what is under way is finished', async () => {
    const server = await serverWith({ maxmemory: '100mb', args: ['--maxmemory-policy', 'noeviction'] });
    const backend = await storeOn(server);
    await enqueue(backend, ...Array.from({ length: 20 }, () => newRequest({ lane: 'one' })), newRequest());
    const claim = async () => {
      const channels = [{ channel: 'api', senders: [''], calls: 5, perCall: 1 }];
      return (await backend.requests.claim({ worker: 'w', now: Date.now(), leaseUntil: 0, channels })).claimed;
    };
    const [first] = await claim();
    await server.ask('CONFIG', 'SET', 'maxmemory', '1mb');

    expect(await codeOf(enqueue(backend, newRequest()))).toBe('STORAGE_FULL');
    expect(await codeOf(backend.keepAlive({ worker: 'nobody', leaseNow: 0 }))).toBe('none');
    const held = { id: first?.id ?? '', token: first?.lease?.token ?? 0 };
    expect(await backend.requests.renew({ worker: 'w', leases: [held], leaseUntil: 0 })).toEqual([true]);
    const result = { status: 200, headers: [], body: new Uint8Array(100) };
    const next = { state: 'succeeded', reason: 'applied' } as const;
    const settlements = [{ ...held, next, progress: NO_PROGRESS, result }];
    expect(await backend.requests.settle({ now: Date.now(), settlements })).toMatchObject([{ status: 'settled' }]);
    expect((await claim()).length).toBeGreaterThan(0);
    await storeOn(server); // a worker that starts now can work off what waits

    await server.ask('CONFIG', 'SET', 'maxmemory', '100mb');
    expect((await enqueue(backend, newRequest()))[0]).toMatchObject({ status: 'accepted' });
  });
});
