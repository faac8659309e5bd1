import { afterAll, beforeAll, describe, it } from 'vitest';
import type { RedisOptions } from '../../../src/queue/types/redis.ts';
import { describeBackend } from '../../../src/testing/conformance/index.ts';
import { plainRedis } from '../../redis/support/describeRedis.ts';
import { redisStore } from './redisStore.ts';

interface Running {
  readonly connection: RedisOptions;
  dispose(): Promise<void>;
}

/** The whole suite on a server that is started for it. */
export function redisSuite(name: string, start: () => Promise<Running>, wrap?: Parameters<typeof redisStore>[1]): void {
  let server: Running;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.dispose());
  describeBackend({ name, runner: { describe, it }, create: async () => redisStore(server.connection, wrap) });
}

export async function plain(): Promise<Running> {
  const server = await plainRedis();
  const { url, keyPrefix } = server;
  return { connection: { url, keyPrefix }, dispose: () => server.dispose() };
}
