import { afterAll, beforeAll, describe, it } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { SpillingBackend } from '../../src/queue/backends/spill/SpillingBackend.ts';
import { SQLiteBackend } from '../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import { systemClock } from '../../src/system/clock.ts';
import { describeBackend } from '../../src/testing/conformance/index.ts';
import type { PlainRedis } from '../redis/support/describeRedis.ts';
import { describePlainRedis, plainRedis } from '../redis/support/describeRedis.ts';
import { redisStore } from './support/redisStore.ts';

function withSpill(primary: Backend): SpillingBackend {
  const spill = new SQLiteBackend({ path: ':memory:' });
  return new SpillingBackend({ primary, spill, of: 'conformance', clock: systemClock });
}

describeBackend({
  name: 'memory with a spill',
  runner: { describe, it },
  create: () => {
    const store = new MemoryStorage();
    const handles: Backend[] = [];
    return {
      handle() {
        const handle = withSpill(new MemoryBackend({ store }));
        handles.push(handle);
        return handle;
      },
      async dispose() {
        await Promise.all(handles.map((handle) => handle.close()));
      },
    };
  },
});

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
