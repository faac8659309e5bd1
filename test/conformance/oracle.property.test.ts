import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import type { ConformanceStore } from '../../src/testing/conformance/index.ts';
import { describePlainRedis, plainRedis } from '../redis/support/describeRedis.ts';
import { command } from './support/commands.ts';
import { env } from './support/env.ts';
import { Player } from './support/Player.ts';
import { redisStore } from './support/redisStore.ts';
import { sqliteStore } from './support/sqliteStore.ts';

/** More by `npm run test:deep`. A failure prints its seed and path; ORACLE_SEED repeats it. */
const numRuns = Number(env('ORACLE_RUNS') ?? 30);
/** A change is judged by the same sequences each time; at a desk they are new ones. */
const seed = env('ORACLE_SEED') ?? (env('CI') === undefined ? undefined : '20261122');
/** Shrinking plays a thousand sequences more: it is cut short, so that a difference is told before the test's own time is up. */
const stopAfterMs = 60_000 + numRuns * 2000;

/** Plays random sequences on a fresh store each and in memory, and compares every answer. */
async function compare(makeStore: () => Promise<ConformanceStore>): Promise<void> {
  const sequences = fc.array(command, { minLength: 30, maxLength: 60, size: 'max' });
  await fc.assert(
    fc.asyncProperty(sequences, async (commands) => {
      const store = await makeStore();
      const memory = new MemoryBackend();
      try {
        const oracle = new Player(memory);
        const player = new Player(store.handle());
        await Promise.all([oracle.open(), player.open()]);
        for (const [index, step] of commands.entries()) {
          const expected = await oracle.play(step);
          expect(await player.play(step), `answer ${index} (${step.verb})`).toBe(expected);
          if (index % 5 === 4)
            expect(await player.look(), `stored after ${index} (${step.verb})`).toBe(await oracle.look());
        }
        expect(await player.look(), 'stored in the end').toBe(await oracle.look());
      } finally {
        await memory.close();
        await store.dispose();
      }
    }),
    {
      numRuns,
      interruptAfterTimeLimit: stopAfterMs,
      markInterruptAsFailure: true,
      ...(seed !== undefined && { seed: Number(seed) }),
    },
  );
}

const timeout = 2 * stopAfterMs;

it('random sequences of verbs have equal answers on SQLite and in memory', { timeout }, () =>
  compare(() => sqliteStore()),
);

describePlainRedis('with a Redis server', () => {
  it('random sequences of verbs have equal answers on Redis and in memory', { timeout }, async () => {
    const server = await plainRedis();
    try {
      const { url, keyPrefix } = server;
      await compare(async () => redisStore({ url, keyPrefix }));
    } finally {
      await server.dispose();
    }
  });
});
