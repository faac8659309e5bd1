import { existsSync } from 'node:fs';
import { Redis } from 'ioredis';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { describePlainRedis, describeRedis, plainRedis } from './support/describeRedis.ts';
import { findRedis, missingRedis } from './support/findRedis.ts';
import { RedisCluster } from './support/RedisCluster.ts';
import type { RedisServerOptions } from './support/RedisServer.ts';
import { RedisServer } from './support/RedisServer.ts';
import { Sentinel } from './support/Sentinel.ts';
import { SwallowingProxy } from './support/SwallowingProxy.ts';

/** Disposed of when the test ends. */
function own<T extends { dispose(): Promise<void> }>(thing: T): T {
  onTestFinished(() => thing.dispose());
  return thing;
}

async function server(options?: RedisServerOptions): Promise<RedisServer> {
  return own(await RedisServer.start(options));
}

/** A client that gives up on a command after 300 ms, and on a connection at once. */
function client(url: string): Redis {
  const redis = new Redis(url, { commandTimeout: 300, maxRetriesPerRequest: 0, retryStrategy: () => null });
  redis.on('error', () => undefined);
  onTestFinished(() => redis.disconnect());
  return redis;
}

describeRedis('a Redis server of the tests', () => {
  it('comes back with what it wrote before it was killed', async () => {
    const redis = await server({ appendonly: 'always', password: 'secret' });
    await redis.ask('SET', 'a', '1');
    await redis.kill();
    expect(redis.isRunning).toBe(false);
    await redis.restart();
    expect(await redis.ask('GET', 'a')).toBe('1');
  });

  it('keeps nothing without an append-only file', async () => {
    const redis = await server();
    await redis.ask('SET', 'a', '1');
    await redis.restart();
    expect(await redis.ask('GET', 'a')).toBeNull();
  });

  it('takes its settings from the options', async () => {
    const redis = await server({ maxmemory: '32mb', args: ['--maxmemory-policy', 'allkeys-lru'] });
    expect(await redis.ask('CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', `${32 * 1024 * 1024}`]);
    expect(await redis.ask('CONFIG', 'GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'allkeys-lru']);
  });

  it('does not answer while it is paused, and ends also then', async () => {
    const redis = await server();
    const connected = client(redis.url);
    await connected.set('a', '1');
    redis.pause();
    await expect(connected.get('a')).rejects.toThrow('timed out');
    redis.resume();
    expect(await connected.get('a')).toBe('1');
    redis.pause();
    await redis.stop();
    expect(redis.isRunning).toBe(false);
  });

  it('leaves no process and no folder', async () => {
    const redis = await server();
    const pid = redis.pid as number;
    await redis.dispose();
    await redis.dispose();
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    expect(existsSync(redis.folder)).toBe(false);
  });

  it('says why it did not start', async () => {
    await expect(RedisServer.start({ args: ['--no-such-setting', '1'] })).rejects.toThrow('no-such-setting');
  });

  it('does not take another server on its port for itself', async () => {
    const { port } = await server();
    await expect(RedisServer.start({ port })).rejects.toThrow('Address already in use');
  });

  it('has replicas that follow it and refuse writes', async () => {
    const master = await server({ password: 'secret' });
    await master.ask('SET', 'a', '1');
    const replica = own(await RedisServer.replicaOf(master));
    expect(await replica.ask('GET', 'a')).toBe('1');
    await expect(replica.ask('SET', 'a', '2')).rejects.toThrow('READONLY');
  });
});

describeRedis('a cluster of the tests', () => {
  it('spreads keys over three masters', async () => {
    const cluster = own(await RedisCluster.start());
    const owners = await Promise.all(['{a}', '{b}', '{c}'].map((key) => cluster.ownerOf(key)));
    expect(new Set(owners).size).toBe(3);
    expect(await owners[0]?.ask('SET', '{a}', '1')).toBe('OK');
    await expect(owners[1]?.ask('SET', '{a}', '1')).rejects.toThrow('MOVED');
  });

  it('promotes a replica when a master is killed', async () => {
    const cluster = own(await RedisCluster.start({ replicas: 1 }));
    const former = await cluster.ownerOf('a');
    await former.ask('SET', 'a', '1');
    await former.ask('WAIT', '1', '1000');
    await former.kill();
    const owner = await vi.waitFor(
      async () => {
        const now = await cluster.ownerOf('a');
        expect(now).not.toBe(former);
        return now;
      },
      { timeout: 30_000, interval: 50 },
    );
    await cluster.waitUntilWhole();
    expect(cluster.replicas).toContain(owner);
    expect(await owner.ask('GET', 'a')).toBe('1');
  });
});

describeRedis('a sentinel of the tests', () => {
  it('makes the replica the master when the master is killed', async () => {
    const sentinel = own(await Sentinel.start({ password: 'secret' }));
    const former = await sentinel.master();
    await former.kill();
    const master = await sentinel.waitForFailover(former);
    expect(sentinel.servers.indexOf(master)).toBe(1);
    expect(await master.ask('SET', 'a', '1')).toBe('OK');
  });
});

describeRedis('a proxy of the tests', () => {
  async function proxied(): Promise<{ proxy: SwallowingProxy; redis: RedisServer }> {
    const redis = await server();
    return { proxy: own(await SwallowingProxy.start(redis.port)), redis };
  }

  it('passes bytes in both directions', async () => {
    const { proxy } = await proxied();
    const connected = client(proxy.url);
    const large = 'x'.repeat(5_000_000);
    await connected.set('a', large);
    expect(await connected.get('a')).toBe(large);
    connected.disconnect();
    await vi.waitFor(() => expect(proxy.connections).toBe(0), { timeout: 30_000 });
  });

  it('swallows what it is given, and the end of the server, on connections that stay open', async () => {
    const { proxy, redis } = await proxied();
    const connected = client(proxy.url);
    const closed = vi.fn();
    connected.on('close', closed);
    await connected.set('a', '1');
    await proxy.swallow();
    await expect(connected.set('a', '2')).rejects.toThrow('timed out');
    expect(await redis.ask('GET', 'a')).toBe('1');
    await redis.stop();
    await redis.restart();
    await proxy.pass();
    await expect(connected.get('a')).rejects.toThrow('timed out');
    expect(closed).not.toHaveBeenCalled();
    expect(await client(proxy.url).get('a')).toBeNull();
  });

  it('accepts connections while it swallows and lets nobody answer them', async () => {
    const { proxy } = await proxied();
    await proxy.swallow();
    const late = client(proxy.url);
    await new Promise((resolve) => late.once('connect', resolve));
    await expect(late.get('a')).rejects.toThrow('timed out');
  });

  it('cuts connections and takes new ones', async () => {
    const { proxy } = await proxied();
    const connected = client(proxy.url);
    await connected.get('a');
    const closed = new Promise((resolve) => connected.once('close', resolve));
    proxy.cut();
    await closed;
    expect(await client(proxy.url).get('a')).toBeNull();
  });

  it('refuses until it passes again, on the same port', async () => {
    const { proxy } = await proxied();
    await proxy.refuse();
    const refused = await new Promise<Error>((resolve) => client(proxy.url).once('error', resolve));
    expect(refused.message).toContain('ECONNREFUSED');
    await proxy.pass();
    expect(await client(proxy.url).get('a')).toBeNull();
  });
});

describePlainRedis('a plain Redis of the tests', () => {
  it('answers', async () => {
    const { url } = own(await plainRedis());
    expect(await client(url).ping()).toBe('PONG');
  });
});

describe('what is said of a missing Redis', () => {
  it.each([
    ['nothing where there is a server to start', { binary: '/usr/bin/redis-server', url: undefined }, undefined],
    ['that nothing is run without any', { binary: undefined, url: undefined }, 'ARE NOT RUN'],
    ['what is run with REDIS_URL alone', { binary: undefined, url: 'redis://127.0.0.1' }, 'ONLY THOSE THAT CAN DO'],
  ])('is %s', (_, found, expected) => {
    const missing = missingRedis(found);
    if (expected === undefined) expect(missing).toBeUndefined();
    else expect(missing).toContain(expected);
  });

  it('comes from the PATH and REDIS_URL', () => {
    expect(findRedis({ PATH: '/nowhere', REDIS_URL: '' })).toEqual({ binary: undefined, url: undefined });
    expect(findRedis({ REDIS_URL: 'redis://host' })).toEqual({ binary: undefined, url: 'redis://host' });
  });
});
