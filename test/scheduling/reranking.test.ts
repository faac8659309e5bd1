import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { park, unavailable } from '../../src/testing/serverSteps.ts';
import { deferred, errorOf, record } from '../core/harness.ts';
import { Lives } from './support/lives.ts';
import { acceptAll, sentTo } from './support/queues.ts';

const PRIORITIES = [1, 10, 3, 5, 2, 8, 4, 10, 1, 7, 3, 6];
const OF_ALL = PRIORITIES.map((priority) => ({ priority }));
const range = (count: number) => Array.from({ length: count }, (_, n) => n);
const sum = (of: readonly number[]): number => of.reduce((all, one) => all + one, 0);

async function send(lives: Lives, queue: QueueManager, count: number): Promise<number[]> {
  queue.resume();
  expect(await lives.clock.advanceUntil(() => lives.server.ledger.entries.length >= count, 600_000)).toBe(true);
  return sentTo(lives.server);
}

describe('another strategy of a queue that runs', () => {
  it.each([
    ['fifo', range(12)],
    ['lifo', range(12).reverse()],
    ['deadline', range(12)],
    ['adaptive', range(12)],
    ['weighted', undefined],
  ] as const)('puts what waits, by tiers too, in the order of %s', async (priorityStrategy, expected) => {
    const lives = new Lives();
    const queue = await lives.start();
    queue.pause();
    await acceptAll(queue, OF_ALL);
    const channels = (await queue.find({ state: 'ready' })).requests.map(({ channel }) => channel);
    expect(new Set(channels).size).toBe(4);
    const events = record(queue, 'queue:reranked');
    await queue.setStrategy({ priorityStrategy });
    await lives.clock.advance(100);
    expect(events).toMatchObject([{ strategy: priorityStrategy, requests: 12 }]);
    const sent = await send(lives, queue, 12);
    expect(sent.toSorted((a, b) => a - b)).toEqual(range(12));
    if (expected !== undefined) expect(sent).toEqual(expected);
  });

  it('is in force for what comes in before what waits is through', async () => {
    const lives = new Lives();
    const queue = await lives.start();
    queue.pause();
    await acceptAll(
      queue,
      range(600).map(() => ({})),
    );
    await queue.setStrategy({ priorityStrategy: 'lifo' });
    await acceptAll(queue, [{}], 600);
    expect((await queue.find({ state: 'ready' }, { after: 600 })).requests[0]).toMatchObject({ rank: -601 });
    await lives.clock.advance(100);
    expect(lives.steps).toEqual([256, 256, 88]);
  });

  it('sends more of what has more weight, by the new weights, and back to priorities', async () => {
    const lives = new Lives();
    const queue = await lives.start({ priorityStrategy: 'weighted', flows: { by: 'tag', weights: { x: 4 } } });
    queue.pause();
    await acceptAll(
      queue,
      range(300).map((n) => ({ tags: [n < 200 ? 'x' : 'y'], priority: n < 200 ? 4 : 5 })),
    );
    expect((await send(lives, queue, 50)).slice(0, 50).filter((n) => n < 200)).toHaveLength(40);
    queue.pause();
    await queue.setStrategy({ flows: { by: 'tag', weights: { y: 4 } } });
    await lives.clock.advance(100);
    const before = lives.server.ledger.entries.length;
    const sent = (await send(lives, queue, before + 50)).slice(before, before + 50);
    expect(sent.filter((n) => n >= 200)).toHaveLength(40);
    queue.pause();
    await queue.setStrategy({ priorityStrategy: 'priority' });
    await lives.clock.advance(100);
    const then = lives.server.ledger.entries.length;
    expect((await send(lives, queue, then + 20)).slice(then, then + 20).every((n) => n >= 200)).toBe(true);
  });

  it('reaches those that were being sent when they come back', async () => {
    const lives = new Lives();
    lives.server.script.next(park);
    const queue = await lives.start({ retry: { baseDelayMs: 1_000, maxDelayMs: 1_000, delay: () => 1_000 } });
    await acceptAll(queue, [{ priority: 1 }]);
    await lives.clock.settle();
    await queue.setStrategy({ priorityStrategy: 'fifo' });
    await lives.clock.advance(20_000);
    const [one] = (await queue.find({})).requests;
    expect(one).toMatchObject({ state: 'sending' });
    expect(one?.rank).not.toBe(0);
    queue.pause();
    lives.server.script.always(unavailable());
    lives.network.online = false;
    await lives.clock.advance(60_000);
    expect((await queue.find({})).requests[0]).toMatchObject({ rank: 0 });
  });

  it('keeps what an urgent request behind it lends to the head of a lane, also to one that was being sent', async () => {
    const lives = new Lives();
    lives.server.script.next(park);
    const queue = await lives.start({ priorityStrategy: 'fifo', maxConcurrency: 1 });
    await acceptAll(queue, [{ lane: 'sent', priority: 1 }]);
    await lives.clock.settle();
    queue.pause();
    await acceptAll(
      queue,
      [
        { lane: 'sent', priority: 9 },
        { lane: 'waits', priority: 1 },
        { lane: 'waits', priority: 8 },
      ],
      1,
    );
    await queue.setStrategy({ priorityStrategy: 'priority' });
    // After that both are stored in their order, and the head is lent a rank before it is its turn.
    await acceptAll(
      queue,
      [
        { lane: 'new', priority: 1 },
        { lane: 'new', priority: 7 },
      ],
      4,
    );
    lives.network.online = false;
    await lives.clock.advance(60_000);
    const { requests } = await queue.find({});
    const ranks = requests.map(({ rank, acceptedAt }) => (acceptedAt - rank) / 60_000);
    expect(ranks).toEqual([9, 9, 8, 8, 7, 7]);
  });

  it('is refused with every problem, and changes nothing then', async () => {
    const lives = new Lives();
    const queue = await lives.start();
    const wrong = [
      [{ priorityStrategy: 'random' }, ['priorityStrategy']],
      [{ ageingMs: -1, flows: { by: 'colour' } }, ['ageingMs', 'flows.by']],
      [{ maxSize: 5 }, ['maxSize']],
      [{ flows: { weights: { high: 2, 8: 3, odd: 1 } } }, ['flows.weights.high', 'flows.weights.odd']],
      [{ flows: { by: 'tag', weights: { a: 0 } } }, ['flows.weights.a']],
      [{ flows: { by: 'tag', weights: { a: 1_000, b: 0.5 } } }, ['flows.weights']],
    ] as const;
    for (const [options, paths] of wrong) {
      const error = await errorOf(queue.setStrategy(options as never));
      expect(error.code).toBe('CONFIG_INVALID');
      expect((error.details as { problems: { path: string }[] }).problems.map(({ path }) => path)).toEqual(paths);
    }
    expect(lives.marks).toEqual(['get']);
  });

  it('that cannot be stored is not in force, and its caller is told', async () => {
    const lives = new Lives();
    const queue = await lives.start();
    queue.pause();
    lives.failing = 'set';
    await expect(queue.setStrategy({ priorityStrategy: 'lifo' })).rejects.toThrow('on fire');
    lives.failing = undefined;
    await acceptAll(queue, [{}]);
    expect((await queue.find({})).requests[0]?.rank).toBeGreaterThan(0);
  });

  it.each(['find', 'amend', 'set'] as const)('is gone on with by the housekeeping where %s failed', async (verb) => {
    const lives = new Lives();
    const queue = await lives.start();
    queue.pause();
    await acceptAll(queue, OF_ALL);
    await queue.setStrategy({ priorityStrategy: 'fifo' });
    lives.failing = verb;
    await lives.clock.advance(12_000);
    expect(lives.warnings.length).toBeGreaterThan(0);
    lives.failing = undefined;
    await lives.clock.advance(10_000);
    expect((await queue.find({})).requests.every(({ rank }) => rank === 0)).toBe(true);
  });

  it('set again while what waits is not through ends in the order of the last', async () => {
    const lives = new Lives();
    const queue = await lives.start();
    queue.pause();
    await acceptAll(
      queue,
      range(700).map(() => ({})),
    );
    await queue.setStrategy({ priorityStrategy: 'lifo' });
    await lives.clock.advance(1);
    await Promise.all([
      queue.setStrategy({ priorityStrategy: 'weighted' }),
      queue.setStrategy({ priorityStrategy: 'fifo' }),
    ]);
    await lives.clock.advance(60_000);
    const found = await queue.find({ state: 'ready' }, { limit: 1_000 });
    expect(found.requests.filter(({ rank, rankGroup }) => rank !== 0 || rankGroup !== undefined)).toEqual([]);
  });
});

describe('a start', () => {
  it('under the strategy the store is ranked by costs one read and no write', async () => {
    const lives = new Lives();
    for (const priorityStrategy of ['priority', 'weighted'] as const) {
      const first = await lives.start({ priorityStrategy });
      first.pause();
      await acceptAll(first, OF_ALL);
      await lives.clock.advance(60_000);
      await lives.close(first);
      lives.marks.length = 0;
      lives.steps.length = 0;
      const second = await lives.start({ priorityStrategy });
      await lives.clock.advance(60_000);
      await lives.close(second);
      expect([lives.marks, lives.steps]).toEqual([['get'], []]);
    }
  });

  it('under another strategy warns, and goes on where a run before it stopped', async () => {
    const lives = new Lives();
    const first = await lives.start();
    first.pause();
    await acceptAll(
      first,
      range(2_500).map(() => ({ notBefore: lives.clock.now() + 1e9 })),
    );
    await lives.close(first);
    const second = await lives.start({ priorityStrategy: 'lifo' });
    await lives.clock.advance(1);
    await lives.close(second);
    const done = sum(lives.steps);
    expect(done).toBeGreaterThanOrEqual(256);
    expect(done).toBeLessThan(2_200);
    const third = await lives.start({ priorityStrategy: 'lifo' });
    const events = record(third, 'queue:reranked');
    await lives.clock.advance(60_000);
    expect(sum(lives.steps)).toBe(2_500);
    expect(events).toMatchObject([{ requests: 2_500 }]);
    await lives.close(third);
    const fourth = await lives.start({ priorityStrategy: 'fifo' });
    expect(lives.warnings).toEqual(['what waits is ranked by another strategy from now on']);
    await lives.clock.advance(60_000);
    expect((await fourth.find({}, { limit: 1_000 })).requests.every(({ rank }) => rank === 0)).toBe(true);
  });

  it('goes on after a crash within a step, once the lease of the dead has lapsed', async () => {
    const lives = new Lives();
    const first = await lives.start();
    first.pause();
    await acceptAll(
      first,
      range(600).map(() => ({})),
    );
    lives.diesAt = 2;
    await first.setStrategy({ priorityStrategy: 'weighted' });
    await lives.clock.advance(10);
    expect(sum(lives.steps)).toBe(512);
    const second = await lives.start({ priorityStrategy: 'weighted' });
    second.pause();
    await lives.clock.advance(60_000);
    // What the step did before nobody heard of its end is not done again.
    expect(sum(lives.steps)).toBe(600);
    const found = (await second.find({ state: 'ready' }, { limit: 1_000 })).requests;
    expect(found.filter(({ rank }, n) => Math.abs(rank - (n + 1) / 5) > 1e-6)).toEqual([]);
  });

  it('on what a later version said of the strategy keeps its own, warns once, and changes nothing of that', async () => {
    const lives = new Lives();
    lives.isShared = true;
    await lives.plant({ strategy: { priorityStrategy: 'psychic' }, at: 5 });
    const queue = await lives.start();
    queue.pause();
    await acceptAll(queue, [{}]);
    await lives.clock.advance(60_000);
    expect(lives.warnings).toEqual(['the stored strategy cannot be read: a later version may have set it']);
    expect(lives.marks).not.toContain('set');
    expect((await queue.find({})).requests[0]?.rank).toBeGreaterThan(0);
  });

  it('of a process that never sends changes no order, and follows the one there is', async () => {
    const lives = new Lives();
    const first = await lives.start({ priorityStrategy: 'lifo' });
    await lives.clock.advance(30_000);
    await lives.close(first);
    lives.marks.length = 0;
    const looker = await lives.start({ dispatch: false, priorityStrategy: 'fifo' });
    await acceptAll(looker, [{}]);
    await lives.clock.advance(30_000);
    expect(lives.marks).toEqual(['get']);
    expect((await looker.find({})).requests[0]).toMatchObject({ rank: -1 });
  });
});

describe('two processes that are configured differently', () => {
  it('follow the one that set its strategy last, and both warn', async () => {
    const lives = new Lives();
    lives.isShared = true;
    const one = await lives.start({ priorityStrategy: 'lifo' });
    one.pause();
    await acceptAll(one, OF_ALL);
    const other = await lives.start({ priorityStrategy: 'fifo' });
    other.pause();
    // It has not heard of it yet.
    await acceptAll(one, [{}], 12);
    await lives.clock.advance(30_000);
    expect(lives.warnings.toSorted()).toEqual([
      'another process set another strategy, which is followed from now on',
      'what waits is ranked by another strategy from now on',
    ]);
    await acceptAll(one, [{}], 13);
    expect((await one.find({})).requests.map(({ rank }) => rank)).toEqual(range(14).map(() => 0));
  });

  it('give each request its rank once', async () => {
    const lives = new Lives();
    lives.isShared = true;
    const queues = [await lives.start(), await lives.start(), await lives.start()];
    for (const queue of queues) queue.pause();
    const [first] = queues as [QueueManager];
    await acceptAll(
      first,
      range(900).map(() => ({})),
    );
    const events = queues.map((queue) => record(queue, 'queue:reranked'));
    await first.setStrategy({ priorityStrategy: 'weighted' });
    await lives.clock.advance(60_000);
    expect(sum(lives.steps)).toBe(900);
    expect(events.flat()).toMatchObject([{ strategy: 'weighted', requests: 900 }]);
  });

  it('give its rank to what one of them accepted before it heard, however late that is', async () => {
    const lives = new Lives();
    lives.isShared = true;
    const [one, other] = [await lives.start(), await lives.start()];
    for (const queue of [one, other]) queue.pause();
    lives.deaf.add(2);
    await one.setStrategy({ priorityStrategy: 'fifo' });
    await lives.clock.advance(60_000);
    await acceptAll(other, OF_ALL);
    expect((await one.find({})).requests.every(({ rank }) => rank > 0)).toBe(true);
    lives.deaf.clear();
    await lives.clock.advance(30_000);
    expect((await one.find({})).requests.map(({ rank }) => rank)).toEqual(range(12).map(() => 0));
    lives.marks.length = 0;
    await lives.clock.advance(60_000);
    expect(lives.marks).not.toContain('set');
  });

  it('end in the order of the last, also where one was at a step of the order before until others were through', async () => {
    const lives = new Lives();
    lives.isShared = true;
    const [one, other] = [await lives.start(), await lives.start()];
    for (const queue of [one, other]) queue.pause();
    await acceptAll(
      one,
      range(300).map(() => ({})),
    );
    const { promise, resolve } = deferred();
    lives.stalls = { at: 1, until: promise };
    await one.setStrategy({ priorityStrategy: 'lifo' });
    await lives.clock.advance(10);
    const events = record(other, 'queue:reranked');
    await other.setStrategy({ priorityStrategy: 'fifo' });
    expect(await lives.clock.advanceUntil(() => events.length === 1, 60_000)).toBe(true);
    await lives.clock.advance(30_000);
    resolve();
    await lives.clock.advance(30_000);
    const { requests } = await one.find({}, { limit: 1_000 });
    expect(new Set(requests.map(({ rank }) => rank))).toEqual(new Set([0]));
    lives.marks.length = 0;
    await lives.clock.advance(60_000);
    expect(lives.marks).not.toContain('set');
  });
});
