import { describe, it } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { describeBackend } from '../../src/testing/conformance/index.ts';

describeBackend({
  name: 'memory',
  runner: { describe, it },
  create: () => {
    const store = new MemoryStorage();
    return { handle: () => new MemoryBackend({ store }), dispose: async () => undefined };
  },
});
