import { describe, expect, it, onTestFinished } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { holdfastError } from '../../src/errors.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Gauges } from '../../src/system/gauges.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { arrivals, at, deferred, errorOf, record, world } from './harness.ts';

/** Gauges that a test sets. */
class Dials implements Gauges {
  delayMs = 0;
  heap = 0;
  isRunning = false;

  start(): void {
    this.isRunning = true;
  }

  stop(): void {
    this.isRunning = false;
  }

  eventLoopDelayMs(): number {
    return this.delayMs;
  }

  heapUsed(): number {
    return this.heap;
  }
}

const FULL_MS = 200;
const post = (body: string) => ({ method: 'POST', url: at('/notes'), body });

async function shedder(config: Parameters<typeof world>[0] = {}) {
  const dials = new Dials();
  return { dials, test: await world({ shedding: true, ...config }, 1, dials) };
}

/** A queue under as much pressure as there can be. */
async function critical(config: Parameters<typeof world>[0] = {}) {
  const { dials, test } = await shedder(config);
  dials.delayMs = 10 * FULL_MS;
  await test.clock.advance(30_000);
  expect((await test.queue.health()).level).toBe('critical');
  return { dials, test };
}

/** Of so many calls of a priority, how many are refused for the load. */
async function refusedOf(test: TestQueue, priority: number, count: number): Promise<number> {
  const calls = Array.from({ length: count }, () => test.queue.enqueue(post('x'), { priority }));
  const ends = await Promise.allSettled(calls);
  return ends.filter((end) => end.status === 'rejected' && holdfastError(end.reason, 'LOAD_SHED') !== undefined).length;
}

describe('the level of the load', () => {
  it('is normal, and looked at by nobody, where shedding is off', async () => {
    const dials = new Dials();
    dials.delayMs = 10 * FULL_MS;
    dials.heap = 1;
    const test = await world({}, 1, dials);
    await test.clock.advance(30_000);
    expect([dials.isRunning, (await test.queue.health()).level]).toEqual([false, 'normal']);
    await test.queue.enqueue(post('x'), { priority: 'bulk' });
  });

  it('rises from step to step, and tells', async () => {
    const { dials, test } = await shedder();
    const events = record(test.queue, 'queue:levelChanged');
    dials.delayMs = FULL_MS;
    await test.clock.advance(30_000);
    expect(events.map(({ from, to }) => [from, to])).toEqual([
      ['normal', 'elevated'],
      ['elevated', 'high'],
      ['high', 'critical'],
    ]);
    expect(events[2]?.pressure).toBeGreaterThanOrEqual(0.95);
    expect(events[2]).toMatchObject({ queue: test.queue.name, at: expect.any(Number) });
  });

  it('falls only once the pressure has been low for a while', async () => {
    const { dials, test } = await critical();
    const events = record(test.queue, 'queue:levelChanged');
    dials.delayMs = 0;
    await test.clock.advance(9_000);
    expect(events).toEqual([]);
    await test.clock.advance(20_000);
    expect(events.map(({ to }) => to).at(-1)).toBe('normal');
    expect((await test.queue.health()).level).toBe('normal');
  });

  it('does not come and go with a pressure at the border', async () => {
    const { dials, test } = await shedder();
    dials.delayMs = 0.72 * FULL_MS;
    await test.clock.advance(60_000);
    const events = record(test.queue, 'queue:levelChanged');
    for (let n = 0; n < 30; n += 1) {
      dials.delayMs = (n % 2 === 0 ? 0.65 : 0.75) * FULL_MS;
      await test.clock.advance(4_000);
    }
    expect([(await test.queue.health()).level, events]).toEqual(['elevated', []]);
  });

  it('follows how much of the heap is used', async () => {
    const { dials, test } = await shedder();
    dials.heap = 0.9;
    await test.clock.advance(30_000);
    expect((await test.queue.health()).level).toBe('critical');
  });

  it('follows how full the queue is, by number and by bytes, whatever it waits for', async () => {
    for (const [config, bytes] of [[{ maxSize: 10 }, 1] as const, [{ maxBytes: 10_000 }, 1_000] as const]) {
      const { test } = await shedder(config);
      test.queue.pause();
      for (let n = 0; n < 9; n += 1) await test.queue.enqueue(post('x'.repeat(bytes)), { priority: 10 });
      await test.clock.advance(40_000);
      expect((await test.queue.health()).level).toBe('high');
      test.queue.resume();
      await test.clock.advance(60_000);
      expect((await test.queue.health()).level).toBe('normal');
    }
  });

  it('is not raised by the time for which a backlog has waited', async () => {
    const { test } = await shedder({ maxSize: 10 });
    test.network.online = false;
    for (let n = 0; n < 3; n += 1) await test.queue.enqueue(post(String(n)));
    await test.clock.advance(1_800_000);
    expect((await test.queue.health()).level).toBe('normal');
  });
});

describe('a store that is slow', () => {
  async function slowStore(before: () => Promise<void> | undefined) {
    const clock = new FakeClock();
    const network = new FakeNetwork({ clock });
    network.serve(at(''));
    const backend = hookBackend(new MemoryBackend(), { before: (verb) => (verb === 'enqueue' ? before() : undefined) });
    const queue = new QueueManager({
      config: { shedding: { storeMs: 1_000 } },
      clock,
      backend,
      transport: network,
      gauges: new Dials(),
    });
    await queue.start();
    return { clock, queue, level: async () => (await queue.health()).level };
  }

  it('raises the level by the time it takes', async () => {
    const wait = (clock: FakeClock) => new Promise<void>((resolve) => clock.schedule(1_500, resolve));
    const { clock, queue, level } = await slowStore(() => wait(clock));
    onTestFinished(() => queue.close({ deadlineMs: 0 }));
    for (let n = 0; n < 30; n += 1) {
      queue.call(post(String(n)), { priority: 10 });
      await clock.advance(1_000);
    }
    expect(await level()).toBe('critical');
    // What is not asked is not slow.
    await clock.advance(60_000);
    expect(await level()).toBe('normal');
  });

  it('raises the level when it does not answer at all', async () => {
    const stuck = deferred();
    const { clock, queue, level } = await slowStore(() => stuck.promise);
    queue.call(post('x'));
    await clock.advance(30_000);
    expect(await level()).toBe('critical');
    stuck.resolve();
    await clock.settle();
    await queue.close();
  });

  it('that cannot be counted leaves the rest as it is', async () => {
    const clock = new FakeClock();
    let isDown = false;
    const backend = hookBackend(new MemoryBackend(), {
      before: (verb) => (isDown && verb === 'count' ? Promise.reject(new Error('away')) : undefined),
    });
    const dials = new Dials();
    const transport = new FakeNetwork({ clock });
    const queue = new QueueManager({ config: { shedding: true }, clock, backend, transport, gauges: dials });
    await queue.start();
    isDown = true;
    dials.delayMs = FULL_MS;
    await clock.advance(30_000);
    isDown = false;
    expect((await queue.health()).level).toBe('critical');
    await queue.close();
  });
});

describe('new calls', () => {
  it('are refused by their importance', async () => {
    const { dials, test } = await shedder();
    dials.delayMs = 0.9 * FULL_MS;
    await test.clock.advance(60_000);
    expect((await test.queue.health()).level).toBe('high');
    const refused = [];
    for (const priority of [1, 2, 3, 5, 8, 10]) refused.push((await refusedOf(test, priority, 50)) > 40);
    expect(refused).toEqual([true, true, false, false, false, false]);
  });

  it('pass at critical only where they are critical', async () => {
    const { test } = await critical();
    for (const priority of [1, 5, 8]) expect(await refusedOf(test, priority, 50)).toBeGreaterThan(40);
    expect(await refusedOf(test, 10, 50)).toBe(0);
  });

  it('of each priority pass in a few of a hundred cases', async () => {
    const { test } = await critical();
    const passed = 2_000 - (await refusedOf(test, 1, 2_000));
    expect(passed).toBeGreaterThan(10);
    expect(passed).toBeLessThan(90);
  });

  it('are told why, and when to come back, by every way in', async () => {
    const { test } = await critical();
    const events = record(test.queue, 'queue:shed');
    const enqueued = await errorOf(test.queue.enqueue(post('1')));
    expect(enqueued).toMatchObject({ code: 'LOAD_SHED', retryable: true });
    expect(enqueued.details).toMatchObject({ level: 'critical', priority: 5 });
    const { retryAfterMs } = enqueued.details as { readonly retryAfterMs: number };
    expect([retryAfterMs >= 10_000, retryAfterMs <= 20_000]).toEqual([true, true]);
    const handle = test.queue.call(post('2'), { priority: 'bulk' });
    expect((await errorOf(handle.settled())).code).toBe('LOAD_SHED');
    expect((await errorOf(handle.accepted())).code).toBe('LOAD_SHED');
    expect(
      await test.queue
        .call(post('3'))
        .cancel()
        .catch((error) => holdfastError(error)?.code),
    ).toBe('LOAD_SHED');
    const read = test.queue.call({ method: 'GET', url: at('/notes') });
    expect((await errorOf(read.settled())).code).toBe('LOAD_SHED');
    const fetched = await test.queue.fetch(at('/notes'), { method: 'POST', body: '4' }).catch((error) => error);
    expect(fetched).toBeInstanceOf(TypeError);
    expect([fetched.message, fetched.cause.code]).toEqual(['fetch failed', 'LOAD_SHED']);
    expect(events.map(({ priority, level }) => [priority, level])).toEqual([
      [5, 'critical'],
      [1, 'critical'],
      [5, 'critical'],
      [5, 'critical'],
      [5, 'critical'],
    ]);
    expect(test.queue.stats()).toMatchObject({ shed: 5, accepted: 0 });
    expect(arrivals(test.server)).toEqual([]);
  });

  it('leave nothing behind of a read that others had joined in the same turn', async () => {
    const { dials, test } = await critical();
    const read = { method: 'GET', url: at('/notes') };
    const both = [test.queue.call(read), test.queue.call(read)];
    for (const one of both) expect((await errorOf(one.settled())).code).toBe('LOAD_SHED');
    dials.delayMs = 0;
    await test.clock.advance(60_000);
    const [later] = await Promise.all([test.queue.call(read).settled(), test.clock.settle()]);
    expect(later.state).toBe('succeeded');
  });

  it('of a read pass where a critical one joins it in the same turn', async () => {
    const { test } = await critical();
    const read = { method: 'GET', url: at('/notes') };
    const ends = await Promise.all([
      test.queue.call(read).settled(),
      test.queue.call(read, { priority: 10 }).settled(),
    ]);
    expect(ends.map(({ state }) => state)).toEqual(['succeeded', 'succeeded']);
  });

  it('of one batch are all accepted, or none, by the most important of them', async () => {
    const { test } = await critical();
    const items = [1, 5, 8].map((priority) => ({ request: post(String(priority)), options: { priority } }));
    expect((await errorOf(test.queue.enqueueMany(items))).code).toBe('LOAD_SHED');
    expect(test.queue.stats()).toMatchObject({ shed: 3, accepted: 0 });
    await test.queue.enqueueMany([...items, { request: post('10'), options: { priority: 10 } }]);
    expect(test.queue.stats()).toMatchObject({ accepted: 4 });
  });

  it('pass while the level is normal, however many they are', async () => {
    const { test } = await shedder();
    expect(await refusedOf(test, 1, 500)).toBe(0);
  });
});

describe('what was accepted', () => {
  it('is never dropped', async () => {
    const { dials, test } = await shedder({ maxSize: 100 });
    test.queue.pause();
    for (let n = 0; n < 99; n += 1) await test.queue.enqueue(post(String(n)), { priority: 'bulk' });
    dials.delayMs = 10 * FULL_MS;
    await test.clock.advance(60_000);
    expect((await test.queue.health()).level).toBe('critical');
    expect(await test.queue.counts()).toMatchObject({ ready: 99 });
    dials.delayMs = 0;
    test.queue.resume();
    await test.clock.advance(120_000);
    expect(test.server.ledger.applied()).toBe(99);
  });

  it('is joined by what repeats it', async () => {
    const { dials, test } = await shedder();
    test.queue.pause();
    const put = { method: 'PUT', url: at('/notes/1'), body: 'x' };
    const read = { method: 'GET', url: at('/notes/2') };
    const localId = test.queue.localId('note');
    const [keyed, tail, made] = [
      await test.queue.enqueue(post('k'), { key: 'k' }),
      await test.queue.enqueue(put),
      await test.queue.enqueue(post('made'), { localId }),
    ];
    const waiting = test.queue.call(read);
    await waiting.accepted();
    dials.delayMs = 10 * FULL_MS;
    await test.clock.advance(10_000);
    expect((await test.queue.health()).level).toBe('critical');
    expect((await test.queue.enqueue(post('k'), { key: 'k' })).id).toBe(keyed.id);
    expect((await test.queue.enqueue(put)).id).toBe(tail.id);
    expect((await test.queue.enqueue(post('made'), { localId })).id).toBe(made.id);
    expect(await test.queue.call(read).accepted()).toMatchObject({ deduplicated: true });
    // But another one in their place is new.
    expect((await errorOf(test.queue.enqueue({ ...put, body: 'y' }))).code).toBe('LOAD_SHED');
    expect((await errorOf(test.queue.enqueue(post('new'), { key: 'new' }))).code).toBe('LOAD_SHED');
    expect((await errorOf(test.queue.enqueue(post('k2'), { key: 'k' }))).code).toBe('KEY_CONFLICT');
  });

  it('is joined beside new calls of the same turn, each of which is decided by itself', async () => {
    const { dials, test } = await shedder();
    test.queue.pause();
    await test.queue.enqueue(post('k'), { key: 'k' });
    dials.delayMs = 10 * FULL_MS;
    await test.clock.advance(10_000);
    const ends = await Promise.allSettled([
      test.queue.enqueue(post('k'), { key: 'k' }),
      test.queue.enqueue(post('1'), { priority: 10 }),
      test.queue.enqueue(post('new'), { key: 'new' }),
      test.queue.enqueue(post('2'), { priority: 10 }),
    ]);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
    expect(await test.queue.counts()).toMatchObject({ ready: 3 });
  });

  it('may be replaced by one that stands for both', async () => {
    const { dials, test } = await shedder();
    const client = new ApiClient({ queue: test.queue, baseUrl: at('') });
    const notes = client.resource('note', { path: '/notes', squash: true });
    test.queue.pause();
    await notes.update(1, { title: 'a' }).accepted();
    dials.delayMs = 10 * FULL_MS;
    await test.clock.advance(10_000);
    await notes.update(1, { text: 'b' }).accepted();
    expect((await errorOf(notes.update(2, { text: 'b' }).accepted())).code).toBe('LOAD_SHED');
    test.queue.resume();
    await test.clock.advance(1_000);
    expect(arrivals(test.server)).toEqual(['PATCH /notes/1 {"title":"a","text":"b"}']);
    client.close();
  });

  it('is joined by a batch that repeats it, whole', async () => {
    const { dials, test } = await shedder();
    test.queue.pause();
    const items = ['a', 'b'].map((key) => ({ request: post(key), options: { key } }));
    const before = await test.queue.enqueueMany(items);
    dials.delayMs = 10 * FULL_MS;
    await test.clock.advance(30_000);
    expect((await test.queue.enqueueMany(items)).map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    const more = [...items, { request: post('c'), options: { key: 'c' } }];
    expect((await errorOf(test.queue.enqueueMany(more))).code).toBe('LOAD_SHED');
  });

  it('may be replayed at any level', async () => {
    const { dials, test } = await shedder();
    test.server.script.next(refuse({ status: 422 }));
    const { id } = await test.queue.enqueue(post('x'));
    await test.clock.settle();
    dials.delayMs = 10 * FULL_MS;
    await test.clock.advance(30_000);
    await test.queue.deadLetters.replay({ ids: [id] });
    dials.delayMs = 0;
    await test.clock.advance(60_000);
    expect(test.server.ledger.applied('/notes')).toBe(1);
  });
});

describe('low and bulk requests', () => {
  it('are accepted at high, and wait until the level falls', async () => {
    const { dials, test } = await shedder();
    dials.delayMs = 0.9 * FULL_MS;
    await test.clock.advance(60_000);
    await test.queue.enqueue(post('low'), { priority: 'low' });
    await test.queue.enqueue(post('normal'));
    await test.clock.advance(10_000);
    expect(arrivals(test.server)).toEqual(['POST /notes normal']);
    const events = record(test.queue, 'queue:levelChanged');
    dials.delayMs = 0;
    await test.clock.advanceUntil(() => events.length > 0, 60_000);
    await test.clock.settle();
    expect(arrivals(test.server)).toEqual(['POST /notes normal', 'POST /notes low']);
  });

  it('cost nothing while they wait', async () => {
    let claims = 0;
    const clock = new FakeClock();
    const network = new FakeNetwork({ clock });
    network.serve(at(''));
    const backend = hookBackend(new MemoryBackend(), {
      before: (verb) => {
        if (verb === 'claim') claims += 1;
      },
    });
    const gauges = new Dials();
    const endpoint = ({ path }: { readonly path: string }) => path.split('/')[1];
    const config = { shedding: true, zones: { api: { origins: [at('')], endpoint } } };
    const queue = new QueueManager({ config, clock, backend, transport: network, gauges });
    onTestFinished(() => queue.close());
    await queue.start();
    gauges.delayMs = 0.9 * FULL_MS;
    await clock.advance(60_000);
    for (const path of ['/a', '/b', '/c']) {
      await queue.enqueue({ method: 'POST', url: at(path), body: 'x' }, { priority: 'low' });
    }
    await clock.advance(1_000);
    claims = 0;
    await clock.advance(60_000);
    expect(await queue.counts()).toMatchObject({ ready: 3 });
    expect(claims).toBeLessThan(50);
  });

  it('are sent where only that makes room again', async () => {
    const { dials, test } = await shedder({ maxSize: 10 });
    dials.heap = 0.9;
    test.queue.pause();
    for (let n = 0; n < 10; n += 1) await test.queue.enqueue(post(String(n)), { priority: 'bulk' });
    await test.clock.advance(30_000);
    expect((await test.queue.health()).level).toBe('critical');
    test.queue.resume();
    await test.clock.advance(1_000);
    expect(test.server.ledger.applied()).toBe(10);
  });
});

it('a queue that closes looks no more', async () => {
  const { dials, test } = await critical();
  await test.queue.close();
  expect([dials.isRunning, test.clock.pending]).toEqual([false, 0]);
});
