import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { park, unavailable } from '../../src/testing/serverSteps.ts';
import { at, record } from '../core/harness.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
  HOUR_MS,
  MINUTE_MS,
  noteArrivals,
  put,
  rig,
  SECOND_MS,
  ZONE,
  zones,
} from './support/world.ts';

/** A zone that was opened by five requests, `openings` times. */
async function opened(openings = 1): Promise<{ test: TestQueue; until: number }> {
  const test = await gated();
  const events = record(test.queue, 'breaker:opened');
  test.server.script.always(unavailable());
  await enqueueEach(test.queue, 5);
  expect(await test.clock.advanceUntil(() => events.length === openings, HOUR_MS)).toBe(true);
  return { test, until: events.at(-1)?.until ?? 0 };
}

describe('an open breaker', () => {
  it('is open after a crash, until the time it was to be', async () => {
    const { test, until } = await opened();
    const arrivals = noteArrivals(test);
    await test.clock.advance(2 * SECOND_MS);
    const queue = await test.crash();
    expect(breakerOf(queue)).toBe('open');
    await queue.enqueue(put('/after'));
    await test.clock.advance(until - test.clock.now() - 1);
    expect(arrivals).toEqual([]);
    await test.clock.advance(MINUTE_MS);
    expect(arrivals.length).toBe(6);
  });

  it('is tried by one request after a crash that lasted beyond its time', async () => {
    const { test, until } = await opened();
    noteArrivals(test, () => park);
    test.clock.setWall(until + 1);
    const queue = await test.crash();
    await enqueueEach(queue, 10, '/more');
    await test.clock.advance(3 * SECOND_MS);
    expect(test.network.underWay).toBe(1);
    expect(breakerOf(queue)).toBe('halfOpen');
  });

  it('opens for longer after a crash than before it, where its zone still fails', async () => {
    const { test } = await opened(3);
    const queue = await test.crash();
    const events = record(queue, 'breaker:opened');
    expect(await test.clock.advanceUntil(() => events.length === 1, MINUTE_MS)).toBe(true);
    expect(events).toMatchObject([{ tries: 4, reason: 'probeFailed' }]);
    expect((events[0]?.until ?? 0) - test.clock.now()).toBeGreaterThanOrEqual(40_000);
  });

  it('is asked for nothing, not even what was being sent at the crash, before the store told that it is open', async () => {
    const { storage, clock, network, arrivalsBefore } = await crashedWhileSending();
    const queue = new QueueManager({
      config: { zones: zones() },
      clock,
      backend: withSlowShared(new MemoryBackend({ store: storage }), clock),
      transport: { isPunctual: true, send: (call) => network.send(call), close: () => Promise.resolve() },
    });
    onTestFinished(() => passing(clock, queue.close()));
    await passing(clock, queue.start());
    expect(arrivalsBefore.length).toBe(6);
    expect(breakerOf(queue)).toBe('open');
  });

  it.each([
    ['an hour ahead', HOUR_MS],
    ['an hour back', -HOUR_MS],
  ])('keeps its time in a process that goes on while the clock is set %s', async (_, stepMs) => {
    const { test, until } = await opened();
    const leftMs = until - test.clock.now();
    const arrivals = noteArrivals(test);
    test.clock.setWall(test.clock.now() + stepMs);
    await test.clock.advance(leftMs - 10);
    expect(arrivals).toEqual([]);
    await test.clock.advance(MINUTE_MS);
    expect(arrivals.length).toBe(5);
  });

  it('is tried soon after a crash where the clock was set an hour ahead meanwhile', async () => {
    const { test } = await opened();
    noteArrivals(test);
    test.clock.setWall(test.clock.now() + HOUR_MS);
    await test.crash();
    await test.clock.advance(MINUTE_MS);
    expect((await test.queue.counts()).succeeded).toBe(5);
  });

  it('is tried within its longest time after a crash where the clock was set an hour back meanwhile', async () => {
    const { test } = await opened();
    const arrivals = noteArrivals(test);
    test.clock.setWall(test.clock.now() - HOUR_MS);
    const queue = await test.crash();
    expect(breakerOf(queue)).toBe('open');
    await test.clock.advance(5 * MINUTE_MS);
    expect(arrivals.length).toBeGreaterThan(0);
    await test.clock.advance(2 * MINUTE_MS);
    expect((await test.queue.counts()).succeeded).toBe(5);
  });

  it('is closed a day later, and has kept what it learned', async () => {
    const { test } = await opened();
    const { baseline } = gatesOf(test.queue).breaker ?? {};
    test.clock.setWall(test.clock.now() + 25 * HOUR_MS);
    const queue = await test.crash();
    expect(gatesOf(queue).breaker).toMatchObject({
      status: 'closed',
      tries: 0,
      baseline: expect.closeTo(baseline ?? 0, 2),
    });
  });
});

describe('a breaker that was never open', () => {
  it('is closed after a crash', async () => {
    const test = await gated();
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    const queue = await test.crash();
    expect(gatesOf(queue).breaker).toMatchObject({ status: 'closed', tries: 0, calls: 0 });
  });
});

describe('breakers of processes that share a store', () => {
  it('are opened by advice only where a call of their own failed too', async () => {
    const first = await rig({ config: { zones: zones() }, isShared: true });
    const { storage, clock, network, server } = first;
    const second = await rig({ config: { zones: zones() }, isShared: true, storage, clock, network, seed: 2 });
    const third = await rig({
      config: { zones: zones(), dispatch: false },
      isShared: true,
      storage,
      clock,
      network,
      seed: 3,
    });
    const advised = record(second.queue, 'breaker:opened');
    server.script.next(unavailable());
    const own = second.queue.call({ method: 'GET', url: at('/own') });
    await clock.settle();
    expect(gatesOf(second.queue).breaker).toMatchObject({ status: 'closed', failures: 1 });
    server.script.always(unavailable());
    const opened = record(first.queue, 'breaker:opened');
    for (let n = 0; n < 20 && opened.length === 0; n += 1) {
      void first.queue.call({ method: 'GET', url: at(`/reads/${n}`) });
      await clock.settle();
    }
    expect(opened.length).toBe(1);
    await clock.advance(5 * SECOND_MS);
    expect(advised).toMatchObject([{ reason: 'advised', zone: ZONE }]);
    expect(breakerOf(third.queue)).toBe('closed');
    void own;
  });

  it('are probed by one process at a time', async () => {
    const first = await rig({ config: { zones: zones() }, isShared: true });
    const { storage, clock, network, server } = first;
    server.script.always(unavailable());
    const opened = record(first.queue, 'breaker:opened');
    await enqueueEach(first.queue, 5);
    await clock.settle();
    expect(opened.length).toBe(1);
    const second = await rig({ config: { zones: zones() }, isShared: true, storage, clock, network, seed: 2 });
    expect(breakerOf(second.queue)).toBe('open');
    await enqueueEach(second.queue, 20, '/waiting');
    server.script.always(park);
    await clock.advance((opened[0]?.until ?? 0) - clock.now() + 500);
    expect([breakerOf(first.queue), breakerOf(second.queue)]).toEqual(['halfOpen', 'halfOpen']);
    expect(network.underWay).toBe(1);
  });
});

/** Lets time pass while it is under way. */
async function passing(clock: FakeClock, work: Promise<void>): Promise<void> {
  let isDone = false;
  const end = work.finally(() => {
    isDone = true;
  });
  while (!isDone) await clock.advance(100);
  await end;
}

/** A store with a zone that is open, and a request that was being sent when its process died. */
async function crashedWhileSending() {
  const clock = new FakeClock();
  const storage = new MemoryStorage();
  const network = new FakeNetwork({ clock });
  const server = network.serve(at(''));
  let isOver = false;
  const queue = new QueueManager({
    config: { zones: zones() },
    clock,
    backend: new MemoryBackend({ store: storage }),
    transport: {
      isPunctual: true,
      send: (call) => (isOver ? new Promise(() => undefined) : network.send(call)),
      close: () => Promise.resolve(),
    },
  });
  await queue.start();
  const arrivalsBefore = noteArrivals({ server, clock }, ({ path }) => (path === '/stuck' ? park : unavailable()));
  await queue.enqueue(put('/stuck'));
  await enqueueEach(queue, 5);
  await clock.settle();
  expect(breakerOf(queue)).toBe('open');
  isOver = true;
  for (const worker of storage.workers.values()) worker.until = 0;
  return { storage, clock, network, arrivalsBefore };
}

/** As the store of another machine: shared values come some turns of the event loop later. */
function withSlowShared(backend: Backend, clock: FakeClock): Backend {
  const { shared } = backend;
  const later = () => new Promise<void>((resolve) => clock.schedule(100, resolve));
  return {
    ...backend,
    requests: backend.requests,
    open: (options) => backend.open(options),
    keepAlive: (query) => backend.keepAlive(query),
    close: () => backend.close(),
    shared: {
      ...shared,
      list: async (query) => {
        await later();
        return shared.list(query);
      },
    },
  };
}
