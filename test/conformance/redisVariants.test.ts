import { describePlainRedis, describeRedis } from '../redis/support/describeRedis.ts';
import { RedisServer } from '../redis/support/RedisServer.ts';
import { alternate } from './support/alternate.ts';
import { plain, redisSuite } from './support/redisSuite.ts';

describePlainRedis('two handles', () =>
  redisSuite('Redis with two handles', plain, (open) => alternate(open(), open())),
);

describeRedis('append-only', () =>
  redisSuite('Redis that syncs always', async () => {
    const server = await RedisServer.start({ appendonly: 'always' });
    return { connection: { port: server.port }, dispose: () => server.dispose() };
  }),
);
