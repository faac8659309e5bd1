import { afterEach, describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import type { FaultPoint } from '../../src/testing/faultPoints.ts';
import { FAULT_POINTS } from '../../src/testing/faultPoints.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { park, refuse } from '../../src/testing/serverSteps.ts';
import {
  call,
  collect,
  drain,
  enqueue,
  expectIdle,
  expectNoPermitsHeld,
  HOUR_MS,
  KEYED,
  MINUTE_MS,
  testQueues,
  url,
} from './support/queues.ts';

const start = testQueues();
/** Points at which the request may be with the server and nothing durable says what it did. */
const IN_DOUBT: ReadonlySet<FaultPoint> = new Set([
  'accept:duringCommit', // the commit that accepts it claims it as well
  'accept:afterCommit',
  'fence:afterCommit',
  'send:beforeFirstByte',
  'send:afterLastByte',
  'answer:beforeSettle',
  'settle:beforeCommit',
]);

describe('a crash', () => {
  it.each(FAULT_POINTS)(
    'at %s neither loses nor doubles a PUT without a key, and its lane keeps its order',
    async (point) => {
      const test = await start();
      const accepted = new Set<number>();
      const stopped = test.stopAt(point, 3);
      for (let n = 0; n < 8; n += 1) {
        void enqueue(test.queue, 'PUT', '/notes/1', { n }, { dedupe: false }).then(
          () => accepted.add(n),
          () => undefined, // not accepted: nothing was promised
        );
        await test.clock.settle();
      }
      await stopped;
      await test.crash();
      await drain(test, HOUR_MS);
      expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0 });
      const bodies = test.server.ledger.entries.map((entry) => (JSON.parse(entry.request.body) as { n: number }).n);
      for (const n of accepted) expect(bodies).toContain(n);
      expect(bodies).toEqual([...bodies].sort((a, b) => a - b)); // a resend may repeat, never reorder
      expect(bodies.length - new Set(bodies).size).toBeLessThanOrEqual(1);
    },
  );

  it.each(FAULT_POINTS)('at %s never sends a POST without a key twice', async (point) => {
    const test = await start();
    const stopped = test.stopAt(point);
    void enqueue(test.queue, 'POST', '/notes').catch(() => undefined);
    await stopped;
    await test.crash();
    await test.clock.advance(HOUR_MS);
    expect(test.server.ledger.entries.length).toBeLessThanOrEqual(1);
    const { held, succeeded } = await test.queue.counts();
    if (IN_DOUBT.has(point)) expect({ held, succeeded }).toEqual({ held: 1, succeeded: 0 });
    else expect(held).toBe(0);
    if (succeeded === 1) expect(test.server.ledger.applied()).toBe(1);
  });

  it('at every point in turn leaves every lane in order', async () => {
    const test = await start({ config: { zones: KEYED }, seed: 42 });
    const accepted = new Set<number>();
    let n = 0;
    for (const point of [...FAULT_POINTS, ...FAULT_POINTS]) {
      const stopped = test.stopAt(point, 2);
      let isOver = false;
      void stopped.then(() => {
        isOver = true;
      });
      for (let k = 0; k < 40 && !isOver; k += 1) {
        const own = n;
        n += 1;
        void enqueue(test.queue, 'POST', '/notes', { n: own }, { lane: `l${own % 4}` }).then(
          () => accepted.add(own),
          () => undefined, // not accepted: nothing was promised
        );
        await test.clock.settle();
      }
      expect(isOver, `passed ${point}`).toBe(true);
      await test.crash();
    }
    await drain(test, HOUR_MS);
    const applied = test.server.ledger.entries.filter((entry) => entry.outcome === 'applied');
    const numbers = applied.map((entry) => (JSON.parse(entry.request.body) as { n: number }).n);
    expect(new Set(numbers).size).toBe(numbers.length);
    for (const one of accepted) expect(numbers).toContain(one);
    for (let lane = 0; lane < 4; lane += 1) {
      const ofLane = numbers.filter((one) => one % 4 === lane);
      expect(ofLane).toEqual([...ofLane].sort((a, b) => a - b));
    }
    expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0, unknown: 0 });
  });

  it('leaves nothing that waits for the dead process', async () => {
    const test = await start();
    test.network.online = false;
    const live = { authorization: 'Bearer anna' };
    const write = await enqueue(test.queue, 'POST', '/notes', {}, { headers: live });
    call(test.queue, 'GET', '/me', {}, { headers: live });
    call(test.queue, 'GET', '/open');
    const durable = await enqueue(test.queue, 'GET', '/report', {}, { headers: live });
    await test.clock.settle();
    await test.crash();
    test.network.online = true;
    await test.clock.advance(5 * MINUTE_MS);
    expect(await test.queue.get(write.id)).toMatchObject({ state: 'held', reason: 'auth' });
    expect(await test.queue.get(durable.id)).toMatchObject({ state: 'held', reason: 'auth' });
    expect(await test.queue.counts()).toMatchObject({
      ready: 0,
      scheduled: 0,
      blocked: 0,
      sending: 0,
      unknown: 0,
      held: 2,
    });
    expect(test.server.ledger.entries).toEqual([]);
    await expectIdle(test);

    await enqueue(test.queue, 'POST', '/later', {}, { headers: live });
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(write.id)).toMatchObject({ state: 'succeeded' });
  });

  it.each(['PUT', 'POST'])(
    'in the middle of a %s with a live credential leaves it where it waits for one',
    async (method) => {
      const test = await start({ config: { zones: KEYED } });
      const live = { authorization: 'Bearer anna' };
      test.server.script.next(park);
      const { id } = await enqueue(test.queue, method, '/notes/1', {}, { headers: live });
      await test.clock.settle();
      await test.crash();
      await test.clock.advance(5 * MINUTE_MS);
      expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'auth', progress: { unresolved: true } });
      await expectIdle(test);
      await enqueue(test.queue, 'POST', '/later', {}, { headers: live });
      await drain(test, 5 * MINUTE_MS);
      expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
      const outcomes = test.server.ledger.entries.filter((entry) => entry.resource === '/notes/1');
      expect(outcomes.map((entry) => entry.outcome)).toEqual(['applied', 'replayed']);
    },
  );
});

const opened: { readonly queue: QueueManager; readonly clock: FakeClock }[] = [];

afterEach(async () => {
  for (const { queue, clock } of opened.splice(0)) {
    let isClosed = false;
    const closing = queue.close().finally(() => {
      isClosed = true;
    });
    await clock.advanceUntil(() => isClosed, MINUTE_MS);
    await closing;
  }
});

/** A queue on a store that others share, with a clock of its own: it can be left standing while theirs go on. */
async function open(store: MemoryStorage, clock: FakeClock, network: FakeNetwork, config = {}) {
  const queue = new QueueManager({
    config: { zones: KEYED, ...config },
    clock,
    random: seededRandom(opened.length + 1),
    backend: new MemoryBackend({ store }),
    transport: { send: (sent) => network.send(sent), close: async () => undefined },
  });
  await queue.start();
  opened.push({ queue, clock });
  return queue;
}

describe('a worker that stood still past its lease', () => {
  it('settles too late: its evidence is kept and decides nothing', async () => {
    const store = new MemoryStorage();
    const [slow, quick] = [new FakeClock(), new FakeClock({ monotonicNow: 1_000_001 })];
    const network = new FakeNetwork({ clock: quick });
    const server = network.serve('https://api.test');
    const first = await open(store, slow, network);
    const settled = collect(first, 'request:settled');
    server.script.next(park);
    const caller = call(first, 'POST', '/notes');
    await slow.settle();
    expect(server.parked).toBe(1);

    // Its timers stand still; another process finds the lease lapsed and resends with the same key.
    const second = await open(store, quick, network);
    const settledElsewhere = collect(second, 'request:settled');
    await quick.advance(2 * MINUTE_MS);
    expect(await second.counts()).toMatchObject({ succeeded: 1 });
    expect(server.ledger.entries.map((entry) => entry.outcome)).toEqual(['applied', 'replayed']);

    server.release(); // the late answer
    await slow.settle();
    expect(caller.told()).toMatchObject({ state: 'succeeded' });
    expect(await second.counts()).toMatchObject({ succeeded: 1, held: 0, unknown: 0 });
    expect(settled.length + settledElsewhere.length).toBe(1);
    await expectNoPermitsHeld(first);
  });

  it('cannot end a request that was taken for unknown and is held', async () => {
    const store = new MemoryStorage();
    const [slow, quick] = [new FakeClock(), new FakeClock({ monotonicNow: 1_000_001 })];
    const network = new FakeNetwork({ clock: quick });
    const server = network.serve('https://api.test');
    const zones = { api: { origins: ['https://api.test'] } };
    const first = await open(store, slow, network, { zones });
    server.script.next(park);
    const caller = call(first, 'POST', '/notes');
    await slow.settle();
    const second = await open(store, quick, network, { zones });
    await quick.advance(2 * MINUTE_MS);
    expect(await second.counts()).toMatchObject({ held: 1 });
    server.release();
    await slow.settle();
    expect(await second.counts()).toMatchObject({ held: 1, succeeded: 0 });
    expect(caller.told()).toMatchObject({ state: 'held', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(server.ledger.entries.length).toBe(1);
  });

  it('does not take its own calls for lost', async () => {
    const store = new MemoryStorage();
    const clock = new FakeClock();
    // All that time passes between two of its timers: it was stopped, or its event loop blocked.
    let stoodStillMs = 0;
    const jumping = {
      now: () => clock.now() + stoodStillMs,
      monotonicNow: () => clock.monotonicNow() + stoodStillMs,
      schedule: clock.schedule.bind(clock),
    };
    const network = new FakeNetwork({ clock });
    const server = network.serve('https://api.test');
    const queue = new QueueManager({
      config: { zones: { api: { origins: ['https://api.test'] } }, attemptTimeoutMs: HOUR_MS },
      clock: jumping,
      random: seededRandom(1),
      backend: new MemoryBackend({ store }),
      transport: network,
    });
    await queue.start();
    opened.push({ queue, clock });
    server.script.next(park);
    const handle = queue.call({ method: 'POST', url: url('/notes'), body: {} });
    const settled = handle.settled();
    for (const at of [1_000, 11_000, 14_000, 16_000]) {
      await clock.advance(at);
      stoodStillMs += 40_000;
      await clock.advance(20_000);
    }
    server.release();
    await clock.settle();
    expect(await settled).toMatchObject({ state: 'succeeded' });
    expect(server.ledger.entries.length).toBe(1);
  });
});

describe('a queue that was closed cleanly', () => {
  it('leaves nothing behind that waits for it', async () => {
    const store = new MemoryStorage();
    const clock = new FakeClock();
    const network = new FakeNetwork({ clock });
    const server = network.serve('https://api.test');
    network.online = false;
    const first = await open(store, clock, network);
    const live = { authorization: 'Bearer anna' };
    const write = await enqueue(first, 'POST', '/notes', {}, { headers: live });
    const plain = await enqueue(first, 'POST', '/plain');
    const read = call(first, 'GET', '/me', {}, { headers: live });
    await clock.settle();
    read.settled.catch(() => undefined); // told of the close
    await first.close();
    network.online = true;

    const second = await open(store, clock, network);
    await clock.advance(MINUTE_MS);
    expect(await second.get(write.id)).toMatchObject({ state: 'held', reason: 'auth' });
    expect(await second.get(plain.id)).toMatchObject({ state: 'succeeded' });
    expect(await second.counts()).toMatchObject({ ready: 0, scheduled: 0, blocked: 0, sending: 0, held: 1, dead: 1 });
    await enqueue(second, 'POST', '/again', {}, { headers: live });
    await clock.advance(MINUTE_MS);
    expect(await second.get(write.id)).toMatchObject({ state: 'succeeded' });
    expect(server.ledger.entries.some((entry) => entry.request.method === 'GET')).toBe(false);
  });
});

describe('a request refused for good', () => {
  it('frees its lane for what waits behind it', async () => {
    const test = await start();
    test.server.script.next(refuse({ status: 422, body: {} }));
    const bad = await enqueue(test.queue, 'PUT', '/notes/1', { n: 1 });
    const good = await enqueue(test.queue, 'PUT', '/notes/1', { n: 2 });
    await drain(test, MINUTE_MS);
    expect(await test.queue.get(bad.id)).toMatchObject({ state: 'dead', reason: 'rejected' });
    expect(await test.queue.get(good.id)).toMatchObject({ state: 'succeeded' });
  });
});
