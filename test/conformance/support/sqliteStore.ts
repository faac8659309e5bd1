import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { ConformanceStore } from '../../../src/testing/conformance/index.ts';

/** A store in a file of its own; `wrap` may put something round its handles. */
export async function sqliteStore(wrap?: (open: () => Backend) => Backend): Promise<ConformanceStore> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
  const handles: Backend[] = [];
  const open = (): Backend => {
    const handle = new SQLiteBackend({ path: join(folder, 'queue.db') });
    handles.push(handle);
    return handle;
  };
  return {
    handle: () => (wrap === undefined ? open() : wrap(open)),
    async dispose() {
      await Promise.all(handles.map((handle) => handle.close()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A store that lives and dies with its one handle. */
export function sqliteInMemory(): ConformanceStore {
  const handle = new SQLiteBackend({ path: ':memory:' });
  return { handle: () => handle, dispose: () => handle.close() };
}
