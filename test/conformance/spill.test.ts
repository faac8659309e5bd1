import { describe, it } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import { describeBackend } from '../../src/testing/conformance/index.ts';
import { withSpill } from './support/withSpill.ts';

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
