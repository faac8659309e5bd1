import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import type { RequestOptions } from '../../src/queue/types/calls.ts';
import type { PriorityStrategy } from '../../src/queue/types/scheduling.ts';
import { park } from '../../src/testing/serverSteps.ts';
import { describeStores } from '../replay/faults/support/stores.ts';
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

  it('is not that of what is postponed: what is to go at once does not stand behind it in its flow', async () => {
    const postponed = range(30).map(() => ({ tags: ['x'], notBefore: Date.now() + 1e9 }));
    const options = [...postponed, ...range(20).map((n) => ({ tags: [n < 10 ? 'x' : 'y'] }))];
    const sent = await order({ priorityStrategy: 'weighted', flows: { by: 'tag' } }, options);
    expect(sent).toHaveLength(20);
    expect(sent.slice(0, 10).filter((n) => n < 40)).toHaveLength(5);
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

describeStores('a queue that starts on what another strategy stored', (store) => {
  it.each([
    ['fifo', (sent: readonly number[]) => sent],
    ['lifo', (sent: readonly number[]) => sent.toReversed()],
  ] as const)(
    'finds what priorities keep apart, and sends it in the order of %s',
    async (priorityStrategy, upright) => {
      const world = await worldOn(await store.make());
      const before = await world.start();
      before.pause();
      await acceptAll(
        before,
        drawn(20).map(({ priority }) => ({ priority })),
      );
      const { requests } = await before.find({ state: 'ready' });
      expect(new Set(requests.map(({ channel }) => channel)).size).toBe(4);
      await before.close();
      world.server.script.always(park);
      const after = await world.startRanked({ maxConcurrency: 1, priorityStrategy });
      world.server.script.always({ kind: 'answer', apply: true });
      world.server.release();
      await after.idle();
      const sent = sentTo(world.server);
      // The first was taken before anything was ranked anew.
      const rest = range(40).filter((n) => n !== sent[0]);
      expect(upright(sent.slice(1))).toEqual(rest);
    },
  );

  it('finds what has no tiers under priorities', async () => {
    const world = await worldOn(await store.make());
    const before = await world.start({ priorityStrategy: 'weighted' });
    before.pause();
    const priorities = drawn(21).map(({ priority }) => priority);
    await acceptAll(
      before,
      priorities.map((priority) => ({ priority })),
    );
    await before.close();
    world.server.script.always(park);
    const after = await world.startRanked({ maxConcurrency: 1 });
    world.server.script.always({ kind: 'answer', apply: true });
    world.server.release();
    await after.idle();
    const sent = sentTo(world.server).slice(1);
    const levels = sent.map((n) => priorities[n] as number);
    expect(levels).toEqual(levels.toSorted((a, b) => b - a));
  });
});
