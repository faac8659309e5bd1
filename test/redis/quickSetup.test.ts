import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { QuickSetup } from '../../src/QuickSetup.ts';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { RedisOptions } from '../../src/queue/types/redis.ts';
import { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import { DIST, describe as describeEnd, startChild } from '../processes/support/child.ts';
import { describeRedis } from './support/describeRedis.ts';
import { RedisCluster } from './support/RedisCluster.ts';
import { RedisServer } from './support/RedisServer.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function serverWith(...given: Parameters<typeof RedisServer.start>): Promise<RedisServer> {
  const server = await RedisServer.start(...given);
  open.push(() => server.dispose());
  return server;
}

async function clusterNodes(): Promise<RedisCluster['nodes']> {
  const cluster = await RedisCluster.start();
  open.push(() => cluster.dispose());
  return cluster.nodes;
}

async function queueOn(redis: RedisOptions, name = 'queue'): Promise<QueueManager> {
  const queue = await QuickSetup.redis(redis, { name });
  open.push(() => queue.close());
  return queue;
}

async function api(): Promise<ScriptedServer> {
  const server = await ScriptedServer.start();
  open.push(() => server.close());
  return server;
}

async function works(queue: QueueManager): Promise<void> {
  const server = await api();
  const request = await queue.enqueue({ method: 'POST', url: `${server.origin}/notes`, body: { text: 'hi' } });
  expect((await request.settled()).state).toBe('succeeded');
  expect(server.ledger.entries.map(({ request: { method, path } }) => `${method} ${path}`)).toEqual(['POST /notes']);
}

describeRedis('QuickSetup.redis', () => {
  it('takes host and port, and a password', async () => {
    const { host, port } = await serverWith({ password: 'secret' });
    await works(await queueOn({ host, port, password: 'secret' }));
  });

  it('takes a URL with a database', async () => {
    const server = await serverWith();
    await works(await queueOn({ url: `${server.url}/3` }));
    expect(String(await server.ask('INFO', 'keyspace'))).toContain('db3:');
  });

  it('takes the nodes of a cluster', async () => {
    await works(await queueOn({ cluster: (await clusterNodes()).slice(0, 1) }));
  });

  it('speaks TLS', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-tls-'));
    open.push(() => rmSync(folder, { recursive: true }));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const make = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', ...subject];
    execFileSync('openssl', [...make, '-keyout', key, '-out', cert], { stdio: 'ignore' });
    const plain = await serverWith();
    const port = plain.port + 10_000;
    await plain.ask(
      'CONFIG',
      'SET',
      'tls-cert-file',
      cert,
      'tls-key-file',
      key,
      'tls-ca-cert-file',
      cert,
      'tls-auth-clients',
      'no',
      'tls-port',
      `${port}`,
    );
    await works(await queueOn({ port, tls: { ca: readFileSync(cert, 'utf8') } }));
  });

  it('keeps queues of other names and prefixes apart', async () => {
    const { port } = await serverWith();
    const queues = [
      await queueOn({ port }),
      await queueOn({ port }, 'other'),
      await queueOn({ port, keyPrefix: 'app' }),
    ];
    const [first] = queues;
    await first?.enqueue({ method: 'POST', url: 'http://127.0.0.1:9/x' }, { notBefore: Date.now() + 60_000 });
    const waiting = await Promise.all(queues.map(async (queue) => (await queue.counts()).scheduled));
    expect(waiting).toEqual([1, 0, 0]);
  });

  it('says what its server makes durable', async () => {
    const { port } = await serverWith({ appendonly: 'always' });
    expect((await (await queueOn({ port })).health()).backend).toMatchObject({ kind: 'redis', durability: 'disk' });
  });

  it.each(['alone', 'cluster'])('%s lets the process end: after close, and when nothing is under way', async (kind) => {
    const connection = kind === 'alone' ? { port: (await serverWith()).port } : { cluster: await clusterNodes() };
    for (const end of ['close', 'idle']) {
      const child = startChild(new URL('./support/idleApp.mjs', import.meta.url), [
        DIST,
        JSON.stringify(connection),
        end,
      ]);
      open.push(() => child.kill());
      const ended = await child.ended;
      expect(ended, describeEnd(ended)).toMatchObject({ code: 0, lines: ['done'] });
    }
  });
});
