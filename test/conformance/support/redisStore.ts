import { randomUUID } from 'node:crypto';
import { RedisBackend } from '../../../src/queue/backends/redis/RedisBackend.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { RedisOptions } from '../../../src/queue/types/redis.ts';
import { systemClock } from '../../../src/system/clock.ts';
import type { ConformanceStore } from '../../../src/testing/conformance/index.ts';

/** A store of a name of its own on a running server; `wrap` may put something round its handles. Leases go by the times given. */
export function redisStore(connection: RedisOptions, wrap?: (open: () => Backend) => Backend): ConformanceStore {
  const name = `conformance-${randomUUID()}`;
  const handles: Backend[] = [];
  const open = (): Backend => {
    const handle = new RedisBackend({ ...connection, name }, { clock: systemClock, time: 'given' });
    handles.push(handle);
    return handle;
  };
  return {
    handle() {
      if (wrap === undefined) return open();
      const wrapped = wrap(open);
      handles.push(wrapped); // it may hold more than the store's own handle
      return wrapped;
    },
    async dispose() {
      await Promise.all(handles.map((handle) => handle.close()));
    },
  };
}
