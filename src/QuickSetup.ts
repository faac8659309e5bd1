import type { QueueOptions, RedisBackendOptions } from './queue/core/config/options.ts';
import { QueueManager } from './queue/core/QueueManager.ts';

/** Options of a queue whose backend is chosen by the function that makes it. */
export type QuickOptions = Omit<QueueOptions, 'backend'>;

async function started(config: QueueOptions): Promise<QueueManager> {
  const queue = new QueueManager({ config });
  await queue.start();
  return queue;
}

/** A started queue in one call. */
export const QuickSetup = Object.freeze({
  /** Keeps requests in memory: for tests, and where nothing must outlive the process. */
  memory(options: QuickOptions = {}): Promise<QueueManager> {
    return started({ ...options, backend: { kind: 'memory' } });
  },

  /**
   * Keeps requests in a SQLite file; missing folders are created.
   *
   * @param path default `./data/<name>.db`
   * @throws CONFIG_INVALID, DEPENDENCY_MISSING (better-sqlite3), BACKEND_UNAVAILABLE, BACKEND_CORRUPT, BACKEND_NEWER
   */
  sqlite(path?: string, options: QuickOptions = {}): Promise<QueueManager> {
    return started({ ...options, backend: { kind: 'sqlite', path } });
  },

  /**
   * Keeps requests on a Redis or Valkey server, alone, with replicas or as a cluster, where processes on many machines share them.
   *
   * @param connection default `127.0.0.1:6379`
   * @throws CONFIG_INVALID, DEPENDENCY_MISSING (ioredis), BACKEND_UNAVAILABLE, BACKEND_REFUSED (a wrong password, settings that
   *   would lose requests)
   */
  redis(connection: RedisBackendOptions = {}, options: QuickOptions = {}): Promise<QueueManager> {
    return started({ ...options, backend: { ...connection, kind: 'redis' } });
  },
});
