import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import { RedisBackend } from '../../../../src/queue/backends/redis/RedisBackend.ts';
import { SQLiteBackend } from '../../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { Backend } from '../../../../src/queue/types/backend.ts';
import { systemClock } from '../../../../src/system/clock.ts';
import { describeRedis } from '../../../redis/support/describeRedis.ts';
import { RedisServer } from '../../../redis/support/RedisServer.ts';

/** Where a store is, as any process can be told: also the `backend` of a queue's configuration. */
export type StoreAt =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'redis'; readonly port: number; readonly keyPrefix: string };

/** A kind of store that is there for real. */
export interface FaultStore {
  readonly kind: 'SQLite' | 'Redis';
  /** A new, empty store, gone after the test. */
  make(): Promise<StoreAt>;
}

/**
 * The same tests on SQLite and on a Redis server that is started for them. A machine without Redis leaves those out; with
 * `CI` set, `test/globalSetup.ts` fails the run there.
 */
export function describeStores(name: string, define: (store: FaultStore) => void): void {
  describe(`${name} on SQLite`, () => define({ kind: 'SQLite', make: sqliteFile }));
  describeRedis(`${name} on Redis`, () => {
    let server: RedisServer | undefined;
    beforeAll(async () => {
      server = await RedisServer.start();
    });
    afterAll(() => server?.dispose());
    define({
      kind: 'Redis',
      make: async () => ({ kind: 'redis', port: server?.port ?? 0, keyPrefix: `faults-${randomUUID()}` }),
    });
  });
}

async function sqliteFile(): Promise<StoreAt> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-faults-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return { kind: 'sqlite', path: join(folder, 'queue.db') };
}

/** A handle on it, as a queue of this process would have. Redis times leases and answers by itself, whatever clock the queue has. */
export function backendAt(at: StoreAt): Backend {
  if (at.kind === 'sqlite') return new SQLiteBackend({ path: at.path });
  return new RedisBackend({ port: at.port, keyPrefix: at.keyPrefix }, { clock: systemClock });
}
