import { afterAll, beforeAll, describe, it } from 'vitest';
import { describeBackend } from '../../src/testing/conformance/index.ts';
import type { PlainRedis } from '../redis/support/describeRedis.ts';
import { describePlainRedis, plainRedis } from '../redis/support/describeRedis.ts';
import { redisStore } from './support/redisStore.ts';
import { withSpill } from './support/withSpill.ts';

describePlainRedis('Redis', () => {
  let redis: PlainRedis;

  beforeAll(async () => {
    redis = await plainRedis();
  });
  afterAll(() => redis?.dispose());

  describeBackend({
    name: 'Redis with a spill',
    runner: { describe, it },
    create: () => redisStore({ url: redis.url, keyPrefix: redis.keyPrefix }, (open) => withSpill(open())),
  });
});
