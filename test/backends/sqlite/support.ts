import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import type { SQLiteBackendOptions } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { OpenOptions } from '../../../src/queue/types/backend.ts';
import { NOW } from '../newRequest.ts';

export { NOW, newRequest } from '../newRequest.ts';
export const LIMITS = { maxSize: 1_000_000, maxBytes: 1_000_000_000 };

export function opening(worker: string, other: Partial<OpenOptions> = {}): OpenOptions {
  const identity = { worker, bootId: 'boot', pidNamespace: 'ns', pid: 1, processStart: '1' };
  return { identity, now: NOW, leaseNow: 1000, leaseMs: 30_000, isGone: () => false, ...other };
}

/** A folder that is removed, and backends that are closed, after each test. */
export function useStore(): {
  path: (name?: string) => string;
  handle: (options?: Partial<SQLiteBackendOptions>) => SQLiteBackend;
} {
  let folder: string | undefined;
  let handles: SQLiteBackend[] = [];
  const path = (name = 'queue.db'): string => {
    folder ??= mkdtempSync(join(tmpdir(), 'holdfast-sqlite-'));
    return join(folder, name);
  };
  afterEach(async () => {
    for (const handle of handles) await handle.close();
    handles = [];
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    folder = undefined;
  });
  return {
    path,
    handle: (options = {}) => {
      const made = new SQLiteBackend({ path: path(), ...options });
      handles.push(made);
      return made;
    },
  };
}
