import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import { describeBackend } from '../../../src/testing/conformance/index.ts';

/** A store on a file of its own; abandoned handles keep their thread and their connection, as a stalled process would. */
function onFile() {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-conformance-'));
  const handles: SQLiteBackend[] = [];
  return {
    handle(): SQLiteBackend {
      const handle = new SQLiteBackend({ path: join(folder, 'queue.db') });
      handles.push(handle);
      return handle;
    },
    async dispose(): Promise<void> {
      for (const handle of handles) await handle.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function inMemory() {
  const handles: SQLiteBackend[] = [];
  return {
    handle(): SQLiteBackend {
      const handle = new SQLiteBackend({ path: ':memory:' });
      handles.push(handle);
      return handle;
    },
    async dispose(): Promise<void> {
      for (const handle of handles) await handle.close();
    },
  };
}

describeBackend({ name: 'SQLite on a file', create: onFile, runner: { describe, it } });
describeBackend({ name: 'SQLite in memory', create: inMemory, severalHandles: false, runner: { describe, it } });
