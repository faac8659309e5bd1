import type { Clock } from '../../system/clock.ts';
import { Counters } from '../monitoring/Counters.ts';
import type { Backend } from '../types/backend.ts';
import type { EventSource } from '../types/events.ts';
import type { FetchFront, FetchQueue } from '../types/fetch.ts';
import type { Transport } from '../types/transport.ts';
import type { ResolvedConfiguration } from './config/types.ts';

/**
 * The composition root: the one place that names concrete parts, each loaded when it is first wanted, so that nobody pays for a
 * backend they do not use.
 */
export async function createBackend(config: ResolvedConfiguration, clock: Clock): Promise<Backend> {
  switch (config.backend.kind) {
    case 'memory': {
      const { MemoryBackend } = await import('../backends/memory/MemoryBackend.ts');
      return new MemoryBackend();
    }
    case 'sqlite': {
      const { SQLiteBackend } = await import('../backends/sqlite/SQLiteBackend.ts');
      return new SQLiteBackend({ path: config.backend.path, durability: config.durability });
    }
    case 'redis': {
      const { options, spill } = config.backend;
      const { RedisBackend } = await import('../backends/redis/RedisBackend.ts');
      const redis = new RedisBackend({ name: config.name, ...options }, { clock });
      if (spill === undefined) return redis;
      const { SQLiteBackend } = await import('../backends/sqlite/SQLiteBackend.ts');
      const { SpillingBackend } = await import('../backends/spill/SpillingBackend.ts');
      const of = `redis ${options.keyPrefix ?? ''} ${config.name}`;
      return new SpillingBackend({ primary: redis, spill: new SQLiteBackend({ path: spill.path }), of, clock });
    }
    case 'custom':
      return config.backend.backend;
  }
}

export async function createTransport(clock: Clock): Promise<Transport> {
  const { createUndiciTransport } = await import('../../client/transport/UndiciTransport.ts');
  return createUndiciTransport({ clock });
}

export async function createFetch(queue: FetchQueue): Promise<FetchFront> {
  const { createFetchFront } = await import('../../client/fetch/queuedFetch.ts');
  return createFetchFront(queue);
}

/** Counts what happened, for `stats()`. */
export interface QueueCounters extends Pick<Counters, 'read' | 'stop'> {}

export function createCounters(events: EventSource): QueueCounters {
  return new Counters(events);
}
