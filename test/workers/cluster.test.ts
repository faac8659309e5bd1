import { afterAll, beforeAll } from 'vitest';
import { describeRedis } from '../redis/support/describeRedis.ts';
import { RedisCluster } from '../redis/support/RedisCluster.ts';
import { describeManyProcesses } from './support/manyProcesses.ts';
import type { SharedBackend } from './support/order.ts';

describeRedis('on three masters', () => {
  let cluster: RedisCluster | undefined;

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });

  afterAll(() => cluster?.dispose());

  function backend(): SharedBackend {
    if (cluster === undefined) throw new Error('the cluster has not started');
    return { kind: 'redis', cluster: cluster.nodes };
  }

  describeManyProcesses('a Redis cluster', backend);
});
