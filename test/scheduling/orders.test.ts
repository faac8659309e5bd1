import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import type { RequestOptions } from '../../src/queue/types/calls.ts';
import type { PriorityStrategy } from '../../src/queue/types/scheduling.ts';
import { acceptAll, describeBackends, sentTo, worldOn } from './support/queues.ts';

const STRATEGIES: readonly PriorityStrategy[] = ['fifo', 'lifo', 'priority', 'weighted', 'deadline', 'adaptive'];
const FAR = 4_000_000_000_000;
const range = (count: number) => Array.from({ length: count }, (_, n) => n);
/** Requests drawn anew for each store and strategy: the laws hold whichever they are. */
const drawn = (seed: number) =>
  fc.sample(
    fc.record({
      priority: fc.integer({ min: 1, max: 10 }),
      deadline: fc.integer({ min: FAR, max: FAR + 1_000 }),
      lane: fc.constantFrom('a', 'b', 'c'),
      tag: fc.constantFrom('x', 'y'),
    }),
    { numRuns: 40, seed },
  );

describeBackends('the order of requests', (makeStore) => {
  /** Where the requests were sent in the end, all of them having waited. */
  async function order(config: Omit<QueueOptions, 'backend'>, options: readonly RequestOptions[]): Promise<number[]> {
    const world = await worldOn(await makeStore());
    const queue = await world.start({ maxConcurrency: 1, ...config });
    queue.pause();
    await acceptAll(queue, options);
    queue.resume();
    await queue.idle();
    await queue.close();
    return sentTo(world.server);
  }

  const by = (...keys: readonly (readonly number[])[]): number[] =>
    range(keys[0]?.length ?? 0).sort((a, b) => {
      for (const key of keys) if (key[a] !== key[b]) return (key[a] as number) - (key[b] as number);
      return a - b;
    });

  it('is that of acceptance under fifo, whatever their priorities', async () => {
    const options = drawn(1).map(({ priority }) => ({ priority }));
    expect(await order({ priorityStrategy: 'fifo' }, options)).toEqual(range(40));
  });

  it('is the reverse of acceptance under lifo', async () => {
    const options = drawn(2).map(({ priority }) => ({ priority }));
    expect(await order({ priorityStrategy: 'lifo' }, options)).toEqual(range(40).reverse());
  });

  it('is by priority, and by acceptance within one, under priority', async () => {
    const options = drawn(3).map(({ priority }) => ({ priority }));
    // Shares of low and bulk keep nobody back where there is nobody else.
    const zones = { api: { origins: ['https://api.test'], priorityShares: { low: 1, bulk: 1 } } };
    expect(await order({ priorityStrategy: 'priority', zones }, options)).toEqual(
      by(options.map(({ priority }) => -priority)),
    );
  });

  it('is by deadline, the earliest first, and without one as if it were an hour away, under deadline', async () => {
    const soon = Date.now() + 1_800_000;
    const late = Date.now() + 7_200_000;
    const ends = drawn(4).map(({ deadline, tag }) => ({ deadline: (tag === 'x' ? soon : late) + (deadline - FAR) }));
    const sent = await order({ priorityStrategy: 'deadline' }, [...ends, {}]);
    const keys = [...ends.map(({ deadline }) => deadline), Date.now() + 3_600_000];
    expect(sent).toEqual(by(keys));
  });

  it('is in turns of flows by their weights under weighted', async () => {
    const options = drawn(5).map((_, n) => ({ tags: n < 20 ? ['x'] : ['y'] }));
    const sent = await order({ priorityStrategy: 'weighted', flows: { by: 'tag', weights: { x: 3 } } }, options);
    for (let picks = 4; picks <= 24; picks += 4) {
      expect(sent.slice(0, picks).filter((n) => n < 20)).toHaveLength((picks * 3) / 4);
    }
    expect(sent.filter((n) => n < 20)).toEqual(range(20));
  });

  it('is in turns of priorities under weighted without a word of configuration', async () => {
    const options = range(40).map((n) => ({ priority: n < 20 ? ('bulk' as const) : 3 }));
    const sent = await order({ priorityStrategy: 'weighted' }, options);
    expect(sent.slice(0, 20).filter((n) => n < 20)).toHaveLength(5);
  });

  it('is in turns of kinds, known or not, under adaptive', async () => {
    const sent = await order(
      { priorityStrategy: 'adaptive' },
      range(10).map(() => ({})),
    );
    expect(sent).toEqual(range(10));
  });

  it.each(STRATEGIES)('within a lane is that of acceptance under %s', async (priorityStrategy) => {
    const requests = drawn(6 + STRATEGIES.indexOf(priorityStrategy));
    const options = requests.map(({ priority, deadline, lane, tag }) => ({ priority, deadline, lane, tags: [tag] }));
    const sent = await order({ priorityStrategy, maxConcurrency: 3 }, options);
    expect(sent).toHaveLength(40);
    for (const lane of ['a', 'b', 'c']) {
      const ofLane = sent.filter((n) => requests[n]?.lane === lane);
      expect(ofLane).toEqual(ofLane.toSorted((a, b) => a - b));
    }
  });
});
