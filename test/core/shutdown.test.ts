import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { refused } from '../../src/testing/FakeServer.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { applyThenReset, hang, park, slow } from '../../src/testing/serverSteps.ts';
import { call, enqueue, KEYED, MINUTE_MS, testQueues, zone } from './support/queues.ts';

const start = testQueues();

/** Closes the queue and says how much of the fake clock's time that took. */
async function timeToClose(test: TestQueue, deadlineMs: number): Promise<number> {
  const from = test.clock.monotonicNow();
  let isClosed = false;
  const closing = test.queue.close({ deadlineMs }).finally(() => {
    isClosed = true;
  });
  expect(await test.clock.advanceUntil(() => isClosed, 10 * MINUTE_MS), 'closed').toBe(true);
  await closing;
  return test.clock.monotonicNow() - from;
}

describe('close during sends', () => {
  it('waits for the answers and gives them to their callers', async () => {
    const test = await start();
    test.server.script.always(slow(3_000));
    const callers = Array.from({ length: 5 }, (_, n) => call(test.queue, 'POST', '/notes', { n }));
    await test.clock.settle();
    expect(await timeToClose(test, 10_000)).toBeLessThan(5_000);
    for (const caller of callers) expect(caller.told()).toMatchObject({ state: 'succeeded' });
    expect(test.clock.pending).toBe(0);
  });

  it('cuts a hung write without a key off at the deadline: its outcome is unknown and its caller is told so', async () => {
    const test = await start();
    test.server.script.always(hang);
    const caller = call(test.queue, 'POST', '/notes');
    await test.clock.settle();
    expect(await timeToClose(test, 2_000)).toBeLessThanOrEqual(5_000);
    expect(caller.told()).toMatchObject({ state: 'held', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(test.clock.pending).toBe(0);
  });

  it('cuts a hung write with a key off at the deadline: it is stored and goes on in the next life', async () => {
    const storage = new MemoryStorage();
    const clock = new FakeClock();
    const network = new FakeNetwork({ clock });
    const server = network.serve('https://api.test');
    const open = async (seed: number) => {
      const queue = new QueueManager({
        config: { zones: KEYED },
        clock,
        random: seededRandom(seed),
        backend: new MemoryBackend({ store: storage }),
        transport: cutOnClose(network),
      });
      await queue.start();
      return queue;
    };
    const first = await open(1);
    server.script.next({ kind: 'hang', apply: true });
    const caller = call(first, 'POST', '/notes');
    await clock.settle();
    const rejection = expect(caller.settled).rejects.toMatchObject({
      code: 'QUEUE_CLOSED',
      details: { accepted: true },
    });
    let isClosed = false;
    void first.close({ deadlineMs: 1_000 }).then(() => {
      isClosed = true;
    });
    expect(await clock.advanceUntil(() => isClosed, MINUTE_MS)).toBe(true);
    await rejection;
    const second = await open(2);
    await clock.advance(MINUTE_MS);
    expect(server.ledger.entries.map((entry) => entry.outcome)).toEqual(['applied', 'replayed']);
    expect(await second.counts()).toMatchObject({ succeeded: 1 });
    await second.close();
  });

  it('rejects callers whose requests wait, with the word that they are stored', async () => {
    const test = await start();
    test.server.script.always(refused);
    const callers = Array.from({ length: 10 }, (_, n) => call(test.queue, 'POST', '/notes', { n }));
    await test.clock.advance(30_000);
    const rejections = callers.map((caller) =>
      expect(caller.settled).rejects.toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: true } }),
    );
    await timeToClose(test, 1_000);
    await Promise.all(rejections);
    expect(test.clock.pending).toBe(0);
  });

  it('is not held up by a question that hangs, nor by a probe that never ends', async () => {
    for (const probe of ['byResource', () => new Promise<never>(() => undefined)] as const) {
      const test = await start({ config: { zones: zone({ probe }) } });
      test.server.script.always((request) => (request.method === 'GET' ? hang : applyThenReset));
      await enqueue(test.queue, 'PATCH', '/notes/1');
      await test.clock.advance(70_000);
      expect(await timeToClose(test, 1_000)).toBeLessThanOrEqual(3_000);
    }
  });

  it('is not held up by a credential that never comes', async () => {
    let isStuck = false;
    const credential = () =>
      isStuck ? new Promise<never>(() => undefined) : { headers: [['authorization', 'Bearer t']] as const, version: 1 };
    const test = await start({ config: { zones: zone({ auth: { credential } }) } });
    test.network.online = false;
    await enqueue(test.queue, 'POST', '/notes');
    await test.clock.advance(1_000);
    isStuck = true;
    test.network.online = true;
    await test.clock.advance(10_000);
    expect(await timeToClose(test, 1_000)).toBeLessThanOrEqual(3_000);
  });

  it('takes no new call once it has begun, and stores those taken before', async () => {
    const test = await start();
    test.server.script.always(park);
    const before = call(test.queue, 'POST', '/before');
    const closing = test.queue.close({ deadlineMs: 1_000 });
    await expect(enqueue(test.queue, 'POST', '/after')).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
    before.settled.catch(() => undefined); // told of the close, or of the doubt
    await expect(before.handle.accepted()).resolves.toMatchObject({ deduplicated: false });
    let isClosed = false;
    void closing.then(() => {
      isClosed = true;
    });
    expect(await test.clock.advanceUntil(() => isClosed, MINUTE_MS)).toBe(true);
  });
});

/** Cuts off what is under way when its queue closes, and leaves the network to the next. */
function cutOnClose(network: FakeNetwork) {
  const abort = new AbortController();
  return {
    send: (sent: Parameters<FakeNetwork['send']>[0]) => network.send({ ...sent, signal: abort.signal }),
    close: async () => abort.abort(),
  };
}

describe('close around start', () => {
  function queueOn(backend: Backend, clock = new FakeClock()) {
    return { clock, queue: new QueueManager({ clock, backend, transport: new FakeNetwork({ clock }) }) };
  }

  it('waits for a start under way and then ends what it began', async () => {
    const { queue, clock } = queueOn(new MemoryBackend());
    const starting = queue.start();
    const closing = queue.close();
    const outcome = await starting.then(
      () => 'started',
      (error: { code?: string }) => error.code,
    );
    expect(['started', 'QUEUE_CLOSED']).toContain(outcome);
    await closing;
    await expect(enqueue(queue, 'POST', '/notes')).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
    expect(clock.pending).toBe(0);
  });

  it.each(['recover', 'count'] as const)('ends a queue whose start failed at %s, and its store', async (verb) => {
    let closed = 0;
    const inner = hookBackend(new MemoryBackend(), {
      before: async (asked) => {
        if (asked === verb) throw new HoldfastError('BACKEND_UNAVAILABLE', 'no', {});
      },
    });
    const backend: Backend = {
      ...inner,
      open: (options) => inner.open(options),
      close: async () => {
        closed += 1;
        await inner.close();
      },
    };
    const { queue, clock } = queueOn(backend);
    await expect(queue.start()).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    await queue.close();
    expect(closed).toBeGreaterThanOrEqual(1); // closing a store twice is harmless
    expect(clock.pending).toBe(0);
  });

  it('ends the store of a queue that could not load what it needs from it', async () => {
    let closed = 0;
    const inner = new MemoryBackend();
    const backend: Backend = {
      capabilities: inner.capabilities,
      requests: inner.requests,
      schedules: inner.schedules,
      history: inner.history,
      shared: { ...inner.shared, get: () => Promise.reject(new HoldfastError('BACKEND_UNAVAILABLE', 'no', {})) },
      open: (options) => inner.open(options),
      keepAlive: (query) => inner.keepAlive(query),
      close: async () => {
        closed += 1;
        await inner.close();
      },
    };
    const { queue, clock } = queueOn(backend);
    await expect(queue.start()).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    await queue.close();
    expect(closed).toBeGreaterThanOrEqual(1); // closing a store twice is harmless
    expect(clock.pending).toBe(0);
  });

  it('resolves for all who ask, also before any start', async () => {
    const { queue } = queueOn(new MemoryBackend());
    await Promise.all([queue.close(), queue.close()]);
    await expect(queue.start()).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
  });
});
