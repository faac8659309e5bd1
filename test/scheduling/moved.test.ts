import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import type { BackendOption, QueueOptions } from '../../src/queue/core/config/options.ts';
import { migrateQueue } from '../../src/queue/core/migration/migrateQueue.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { folder } from '../core/harness.ts';
import { acceptAll } from './support/queues.ts';

/** A store that outlives its handles. */
type Place = () => BackendOption;

const places = {
  memory: async (): Promise<Place> => {
    const store = new MemoryStorage();
    return () => new MemoryBackend({ store });
  },
  sqlite: async (): Promise<Place> => {
    const path = join(await folder(), 'queue.db');
    return () => ({ kind: 'sqlite', path });
  },
};

async function started(backend: BackendOption, config: Omit<QueueOptions, 'backend'>) {
  const queue = new QueueManager({ config: { ...config, backend } });
  onTestFinished(() => queue.close());
  const isRanked = new Promise<unknown>((resolve) => queue.on('queue:reranked', resolve));
  await queue.start();
  return { queue, isRanked };
}

/** Of what is not due for long. */
async function filled(place: Place, config: Omit<QueueOptions, 'backend'>, count: number): Promise<void> {
  const { queue } = await started(place(), config);
  const priorities = Array.from({ length: count }, (_, n) => ({
    priority: 1 + (n % 10),
    tags: [`t${n % 3}`],
    notBefore: Date.now() + 1e9,
  }));
  await acceptAll(queue, priorities);
  await queue.close();
}

/** Moves, and says what the destination has once its ranks are those of its strategy. */
async function moved(
  kind: keyof typeof places,
  from: Omit<QueueOptions, 'backend'>,
  to: Omit<QueueOptions, 'backend'>,
) {
  const [source, destination] = [await places[kind](), await places[kind]()];
  await filled(source, from, 30);
  await filled(destination, to, 10);
  const ends = [source(), destination()] as const;
  expect((await migrateQueue(...ends)).moved).toBe(30);
  const { queue, isRanked } = await started(destination(), to);
  await isRanked;
  return (await queue.find({}, { limit: 100 })).requests;
}

describe.each(['memory', 'sqlite'] as const)('what was moved to another store (%s)', (kind) => {
  it('with ranks of flows is ordered by the priorities of that', async () => {
    const found = await moved(kind, { priorityStrategy: 'weighted' }, {});
    expect(found).toHaveLength(40);
    for (const { rank, acceptedAt, priority } of found) expect(rank).toBe(acceptedAt - priority * 60_000);
  });

  it('with ranks of priorities takes turns with the flows of that, which keep theirs', async () => {
    const weighted = { priorityStrategy: 'weighted', flows: { by: 'tag' } } as const;
    const found = await moved(kind, {}, weighted);
    expect(new Set(found.map(({ rankGroup }) => rankGroup)).size).toBe(1);
    const ranks = (part: typeof found) => part.map(({ rank }) => rank);
    expect(ranks(found.slice(0, 10))).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3, 4]);
    expect(Math.max(...ranks(found))).toBe(14);
  });
});

it('what was moved to a store that a queue works on is given its rank by that within seconds', async () => {
  const [source, destination] = [await places.sqlite(), await places.sqlite()];
  await filled(source, { priorityStrategy: 'weighted' }, 30);
  const { queue, isRanked } = await started(destination(), {});
  expect((await migrateQueue(source(), destination())).moved).toBe(30);
  await isRanked;
  const { requests } = await queue.find({});
  expect(requests.map(({ rank }) => rank)).toEqual(
    requests.map(({ acceptedAt, priority }) => acceptedAt - priority * 60_000),
  );
});
