import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { at, deferred, errorOf, world } from './harness.ts';
import { DAY_MS, enqueue, HOUR_MS, MINUTE_MS } from './support/queues.ts';

/** Two queues on one store, as two processes have. */
async function pair(config: { readonly leaseMs?: number } = {}) {
  const clock = new FakeClock();
  const network = new FakeNetwork({ clock });
  network.serve('https://api.test');
  const storage = new MemoryStorage();
  const open = async (seed: number) => {
    const queue = new QueueManager({
      config,
      clock,
      random: seededRandom(seed),
      backend: new MemoryBackend({ store: storage }),
      transport: { send: (sent) => network.send(sent), close: async () => undefined },
    });
    await queue.start();
    return queue;
  };
  const queues = [await open(1), await open(2)] as const;
  onTestFinished(async () => {
    await Promise.all(queues.map((queue) => queue.close({ deadlineMs: 0 })));
    await network.close();
  });
  return { clock, queues };
}

describe('the place of a subscriber with a filter', () => {
  it('moves on over what does not match, so that retention can delete it', async () => {
    const test = await world({ retention: { maxRecords: 2 } });
    const told: string[] = [];
    test.queue.subscribe({ tags: ['import'] }, ({ tags }) => void told.push(tags[0] ?? ''), { durable: 'import' });
    for (let n = 0; n < 10; n += 1) await enqueue(test.queue, 'POST', '/notes', { n });
    await test.clock.advance(2 * MINUTE_MS);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 2 });
    await enqueue(test.queue, 'POST', '/notes', {}, { tags: ['import'] });
    await test.clock.advance(MINUTE_MS);
    expect(told).toEqual(['import']);
  });

  it('keeps its protection while nothing ends for longer than dead letters are kept', async () => {
    const test = await world({ retention: { deadMs: HOUR_MS, maxRecords: 1 } });
    let isOpen = true;
    const told: unknown[] = [];
    const handler = ({ tags }: { readonly tags: readonly string[] }) => {
      if (!isOpen) throw new Error('not yet');
      told.push(tags[0]);
    };
    test.queue.subscribe({}, handler, { durable: 'a' });
    await enqueue(test.queue, 'POST', '/notes', {}, { tags: ['0'] });
    await test.clock.advance(HOUR_MS);
    isOpen = false;
    for (const tag of ['1', '2', '3']) await enqueue(test.queue, 'POST', '/notes', {}, { tags: [tag] });
    await test.clock.advance(2 * MINUTE_MS);
    isOpen = true;
    await test.clock.advance(2 * MINUTE_MS);
    expect(told).toEqual(['0', '1', '2', '3']);
  });

  it('is the same by every field, in the store and outside', async () => {
    const test = await world();
    await enqueue(test.queue, 'POST', '/notes', {}, { tags: ['a', 'b'], lane: 'l', key: 'k' });
    const other = await enqueue(test.queue, 'PUT', '/notes/1', {}, { tags: ['a'], principal: 'bob' });
    await test.clock.settle();
    const now = test.clock.now();
    const filters = [
      { ids: [other.id] },
      { key: 'k' },
      { state: 'succeeded' },
      { state: ['dead'] },
      { reason: 'applied' },
      { zone: 'nowhere' },
      { lane: 'l' },
      { principal: 'bob' },
      { tags: ['a', 'b'] },
      { tags: [] },
      { acceptedBefore: now },
      { acceptedAfter: now - DAY_MS },
    ] as const;
    for (const [n, filter] of filters.entries()) {
      const told: string[] = [];
      test.queue.subscribe(filter, ({ requestId }) => void told.push(requestId), { durable: `${n}` });
      await test.clock.settle();
      const found = await test.queue.find(filter);
      expect(told, JSON.stringify(filter)).toEqual(found.requests.map(({ id }) => id));
    }
  });
});

describe('the lease of a subscriber', () => {
  it('is kept while one handler after the other takes its time', async () => {
    const { clock, queues } = await pair({ leaseMs: 6_000 });
    let atOnce = 0;
    let most = 0;
    const told: string[] = [];
    for (let n = 0; n < 8; n += 1) {
      await enqueue(queues[0], 'POST', '/notes', { n }, { tags: [`${n}`], lane: 'l' });
    }
    await clock.advance(1_000);
    for (const queue of queues) {
      queue.subscribe(
        {},
        async ({ tags }) => {
          atOnce += 1;
          most = Math.max(most, atOnce);
          await new Promise<void>((resolve) => void clock.schedule(4_000, resolve));
          atOnce -= 1;
          told.push(tags[0] ?? '');
        },
        { durable: 'slow' },
      );
    }
    await clock.advance(2 * MINUTE_MS);
    expect(most).toBe(1);
    expect(told).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
  });

  it('that was lost does not set the place back', async () => {
    const { clock, queues } = await pair({ leaseMs: 6_000 });
    for (let n = 0; n < 3; n += 1) {
      await enqueue(queues[0], 'POST', '/notes', { n }, { tags: [`${n}`], lane: 'l' });
    }
    await clock.advance(1_000);
    const stuck = deferred();
    const first: string[] = [];
    const second: string[] = [];
    queues[0].subscribe(
      {},
      ({ tags }) => {
        first.push(tags[0] ?? '');
        return first.length === 1 ? stuck.promise : undefined;
      },
      { durable: 'one' },
    );
    await clock.advance(20_000);
    queues[1].subscribe({}, ({ tags }) => void second.push(tags[0] ?? ''), { durable: 'one' });
    await clock.advance(20_000);
    expect(second).toEqual(['0', '1', '2']);
    stuck.resolve();
    await clock.advance(MINUTE_MS);
    expect([first, second]).toEqual([['0'], ['0', '1', '2']]);
  });

  it('is not shared by two subscribers of one process', async () => {
    const test = await world();
    const stop = test.queue.subscribe({}, () => undefined, { durable: 'one' });
    const error = await errorOf(() => test.queue.subscribe({}, () => undefined, { durable: 'one' }));
    expect(error).toMatchObject({ code: 'REQUEST_INVALID', details: { problems: [{ path: 'durable', got: 'one' }] } });
    await stop();
    const told: string[] = [];
    test.queue.subscribe({}, ({ requestId }) => void told.push(requestId), { durable: 'one' });
    await test.queue.enqueue({ method: 'POST', url: at('/notes'), body: 'x' });
    await test.clock.advance(5_000);
    expect(told).toHaveLength(1);
  });
});
