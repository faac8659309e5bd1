import fc from 'fast-check';
import { it } from 'vitest';
import { MemoryBackend } from '../../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../../src/queue/backends/memory/MemoryStorage.ts';
import { command } from '../../conformance/support/commands.ts';
import { env } from '../../conformance/support/env.ts';
import { Player } from '../../conformance/support/Player.ts';
import { assertConsistent } from './assertConsistent.ts';

const numRuns = Number(env('MEMORY_RUNS') ?? 150);

it('every index of the memory store stays true to its requests', { timeout: 60_000 + numRuns * 200 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 60, size: 'max' }), async (commands) => {
      const store = new MemoryStorage();
      const backend = new MemoryBackend({ store });
      const player = new Player(backend);
      await player.open();
      for (const step of commands) {
        await player.play(step);
        assertConsistent(store, step.verb);
      }
      await backend.close();
    }),
    { numRuns },
  );
});
