import { describePlainRedis, describeRedis } from '../redis/support/describeRedis.ts';
import { RedisCluster } from '../redis/support/RedisCluster.ts';
import { plain, redisSuite } from './support/redisSuite.ts';

describePlainRedis('plain', () => redisSuite('Redis', plain));

describeRedis('cluster', () =>
  redisSuite('Redis cluster', async () => {
    const cluster = await RedisCluster.start();
    return { connection: { cluster: cluster.nodes }, dispose: () => cluster.dispose() };
  }),
);
