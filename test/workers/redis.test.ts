import { afterAll, beforeAll } from 'vitest';
import { describeRedis } from '../redis/support/describeRedis.ts';
import { RedisServer } from '../redis/support/RedisServer.ts';
import { describeManyProcesses, describeSkewedClocks } from './support/manyProcesses.ts';
import type { SharedBackend } from './support/order.ts';

describeRedis('on one server', () => {
  let server: RedisServer | undefined;

  beforeAll(async () => {
    server = await RedisServer.start();
  });

  afterAll(() => server?.dispose());

  function backend(): SharedBackend {
    if (server === undefined) throw new Error('the server has not started');
    return { kind: 'redis', host: server.host, port: server.port };
  }

  describeManyProcesses('Redis', backend);
  describeSkewedClocks('Redis', backend);
});
