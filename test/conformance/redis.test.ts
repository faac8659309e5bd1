import { afterAll, beforeAll, describe, it } from 'vitest';
import type { RedisOptions } from '../../src/queue/types/redis.ts';
import { describeBackend } from '../../src/testing/conformance/index.ts';
import { describePlainRedis, describeRedis, plainRedis } from '../redis/support/describeRedis.ts';
import { RedisCluster } from '../redis/support/RedisCluster.ts';
import { RedisServer } from '../redis/support/RedisServer.ts';
import { alternate } from './support/alternate.ts';
import { redisStore } from './support/redisStore.ts';

interface Running {
  readonly connection: RedisOptions;
  dispose(): Promise<void>;
}

/** The whole suite on a server that is started for it. */
function suite(name: string, start: () => Promise<Running>, wrap?: Parameters<typeof redisStore>[1]): void {
  let server: Running;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.dispose());
  describeBackend({ name, runner: { describe, it }, create: async () => redisStore(server.connection, wrap) });
}

async function plain(): Promise<Running> {
  const server = await plainRedis();
  const { url, keyPrefix } = server;
  return { connection: { url, keyPrefix }, dispose: () => server.dispose() };
}

describePlainRedis('plain', () => suite('Redis', plain));

describePlainRedis('two handles', () => suite('Redis with two handles', plain, (open) => alternate(open(), open())));

describeRedis('append-only', () =>
  suite('Redis that syncs always', async () => {
    const server = await RedisServer.start({ appendonly: 'always' });
    return { connection: { port: server.port }, dispose: () => server.dispose() };
  }),
);

describeRedis('cluster', () =>
  suite('Redis cluster', async () => {
    const cluster = await RedisCluster.start();
    return { connection: { cluster: cluster.nodes }, dispose: () => cluster.dispose() };
  }),
);
