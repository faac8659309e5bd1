import { describe, it } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { SpillingBackend } from '../../src/queue/backends/spill/SpillingBackend.ts';
import { SQLiteBackend } from '../../src/queue/backends/sqlite/SQLiteBackend.ts';
import { systemClock } from '../../src/system/clock.ts';
import { describeBackend } from '../../src/testing/conformance/index.ts';
import { sqliteStore } from './support/sqliteStore.ts';

const clock = systemClock;

describeBackend({
  name: 'memory with a spill',
  runner: { describe, it },
  create: () => {
    const store = new MemoryStorage();
    const handles: SpillingBackend[] = [];
    return {
      handle() {
        const spill = new SQLiteBackend({ path: ':memory:' });
        const handle = new SpillingBackend({ primary: new MemoryBackend({ store }), spill, of: 'memory', clock });
        handles.push(handle);
        return handle;
      },
      async dispose() {
        await Promise.all(handles.map((handle) => handle.close()));
      },
    };
  },
});

describeBackend({
  name: 'SQLite on a file with a spill in a file',
  runner: { describe, it },
  create: async () => {
    const spills = await sqliteStore();
    const store = await sqliteStore((open) => {
      return new SpillingBackend({ primary: open(), spill: spills.handle(), of: 'sqlite', clock });
    });
    return {
      handle: store.handle,
      async dispose() {
        await store.dispose();
        await spills.dispose();
      },
    };
  },
});
