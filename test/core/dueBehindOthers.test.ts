import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { StoreVerb } from '../../src/testing/backendHooks.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { refused } from '../../src/testing/FakeServer.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { park } from '../../src/testing/serverSteps.ts';
import { deferred, world } from './harness.ts';
import { call, enqueue, HOUR_MS, MINUTE_MS } from './support/queues.ts';

const OTHER_ORIGIN = 'https://other.test';

/** A queue whose calls of the store are counted, and of which one answer can be kept back. */
async function watched(store = new MemoryStorage()) {
  const clock = new FakeClock();
  const network = new FakeNetwork({ clock });
  onTestFinished(() => network.close());
  const server = network.serve(TEST_ORIGIN);
  const asked = new Map<StoreVerb, number>();
  let kept: { readonly verb: StoreVerb; readonly until: Promise<void> } | undefined;
  const backend = hookBackend(new MemoryBackend({ store }), {
    before: (verb) => void asked.set(verb, (asked.get(verb) ?? 0) + 1),
    after: (verb) => {
      if (verb !== kept?.verb) return undefined;
      const { until } = kept;
      kept = undefined;
      return until;
    },
  });
  const queue = new QueueManager({ clock, random: seededRandom(1), backend, transport: network });
  await queue.start();
  onTestFinished(async () => {
    const closing = queue.close();
    await clock.advance(MINUTE_MS); // calls without an answer are cut off at its deadline
    await closing;
  });
  const start = clock.now();
  const sentAt: number[] = [];
  queue.on('request:dispatched', () => void sentAt.push(clock.now() - start));
  return {
    queue,
    clock,
    network,
    server,
    start,
    sentAt,
    /** How often the verb is called while this time passes. */
    async calls(verb: StoreVerb, ms: number): Promise<number> {
      const before = asked.get(verb) ?? 0;
      await clock.advance(ms);
      return (asked.get(verb) ?? 0) - before;
    },
    /** Keeps back the next answer of this verb; gives what lets it through. */
    keep(verb: StoreVerb): () => void {
      const { promise, resolve } = deferred();
      kept = { verb, until: promise };
      return resolve;
    },
  };
}

describe('what is due soon after something else', () => {
  it('is sent at its time', async () => {
    const { queue, clock, server } = await world();
    const start = clock.now();
    const sentAt: number[] = [];
    queue.on('request:dispatched', () => void sentAt.push(clock.now() - start));
    const times = [1_000, 1_001, 1_100, 1_200, 7_000, 7_300];
    for (const ms of times) await enqueue(queue, 'POST', '/notes', { ms }, { notBefore: start + ms });
    await clock.advance(10_000);
    expect(sentAt).toEqual(times);
    expect(server.ledger.applied()).toBe(times.length);
  });

  it('is sent at its time though what was due before waits in a paused zone', async () => {
    const { queue, clock, network, start, sentAt } = await watched();
    network.serve(OTHER_ORIGIN);
    queue.pause(TEST_ORIGIN);
    for (const ms of [100, 200, 999]) await enqueue(queue, 'POST', '/notes', {}, { notBefore: start + ms });
    const other = { method: 'POST', url: `${OTHER_ORIGIN}/notes` };
    for (const ms of [300, 1_000, 1_500]) await queue.enqueue(other, { notBefore: start + ms });
    await clock.advance(20_000);
    expect(sentAt).toEqual([300, 1_000, 1_500]);
  });

  it('is sent at its time though much is due at that time in another zone', async () => {
    const { queue, clock, network, start, sentAt } = await watched();
    network.serve(OTHER_ORIGIN);
    for (let n = 0; n < 64; n += 1) await enqueue(queue, 'POST', '/notes', {}, { notBefore: start + 1_000 });
    await queue.enqueue({ method: 'POST', url: `${OTHER_ORIGIN}/notes` }, { notBefore: start + 1_000 });
    await clock.advance(20_000);
    expect(sentAt).toEqual(Array.from({ length: 65 }, () => 1_000));
  });

  it('ends at its deadline though what was due before waits', async () => {
    const { queue, clock, start } = await watched();
    const endedAt: number[] = [];
    queue.on('request:settled', () => void endedAt.push(clock.now() - start));
    queue.pause();
    await enqueue(queue, 'POST', '/notes', {}, { notBefore: start + 1_000 });
    for (const ms of [1_500, 1_600]) await enqueue(queue, 'POST', '/notes', {}, { deadline: start + ms });
    await clock.advance(20_000);
    expect(endedAt).toEqual([1_500, 1_600]);
  });
});

describe('what becomes due during a look', () => {
  it('ends at its deadline though that passed after the look for deadlines', async () => {
    const { queue, clock, start, keep } = await watched();
    queue.pause();
    await enqueue(queue, 'POST', '/notes', {}, { notBefore: start + 1_000 });
    const late = call(queue, 'POST', '/notes', {}, { deadline: start + 1_001 });
    await clock.advance(999);
    const letThrough = keep('expire');
    await clock.advance(4);
    letThrough();
    await clock.advance(10);
    expect(late.told()).toMatchObject({ state: 'dead', reason: 'expired' });
  });

  it('is found when another handle scheduled it', async () => {
    const store = new MemoryStorage();
    const { clock, start, sentAt, keep } = await watched(store);
    const random = seededRandom(2);
    const neighbour = new QueueManager({
      config: { dispatch: false },
      clock,
      random,
      backend: new MemoryBackend({ store }),
      transport: new FakeNetwork({ clock }),
    });
    await neighbour.start();
    onTestFinished(() => neighbour.close());
    const letThrough = keep('nextDueAt');
    await enqueue(neighbour, 'POST', '/notes', {}, { notBefore: start + HOUR_MS }); // makes the queue look
    await clock.settle();
    await enqueue(neighbour, 'POST', '/notes', {}, { notBefore: start + 1_500 });
    await clock.settle();
    letThrough();
    await clock.advance(20_000);
    expect(sentAt).toEqual([1_500]);
  });

  /** When a zone that went down is tried next, with a look under way from `lookAt` on for 5 ms. */
  async function triedAt(lookAt: number): Promise<number> {
    const { queue, clock, network, server, start, keep } = await watched();
    network.serve(OTHER_ORIGIN);
    queue.pause(OTHER_ORIGIN);
    await queue.enqueue({ method: 'POST', url: `${OTHER_ORIGIN}/notes` }, { notBefore: start + lookAt });
    server.script.always(refused);
    for (let n = 0; n < 3; n += 1) call(queue, 'PUT', `/notes/${n}`).settled.catch(() => undefined);
    const isDown = async () => (await queue.health()).zones.some(({ connectivity }) => connectivity === 'down');
    expect(await clock.advanceUntil(isDown, MINUTE_MS)).toBe(true);
    server.script.clear();
    await clock.advance(start + lookAt - 1 - clock.now());
    const letThrough = keep('nextDueAt');
    await clock.advance(5);
    letThrough();
    expect(await clock.advanceUntil(() => server.ledger.applied() > 0, HOUR_MS)).toBe(true);
    return clock.now() - start;
  }

  it('is tried when the gate of a zone opened', async () => {
    const probedAt = await triedAt(3_000);
    expect(probedAt).toBeGreaterThan(4_000);
    expect(await triedAt(Math.floor(probedAt) - 1)).toBeLessThan(probedAt + 10);
  });
});

describe('looks at due times', () => {
  it('are few while much that is due waits, and none where nothing waits', async () => {
    const { queue, clock, start, sentAt, calls } = await watched();
    expect(await calls('expire', HOUR_MS)).toBe(0);
    queue.pause();
    const due = Array.from({ length: 1_000 }, (_, n) => start + HOUR_MS + 1 + (n % 10));
    for (const notBefore of due) await enqueue(queue, 'POST', '/notes', {}, { notBefore });
    await clock.advance(MINUTE_MS);
    const looks = await calls('expire', MINUTE_MS);
    expect(looks).toBeGreaterThan(0);
    expect(looks).toBeLessThanOrEqual(12);
    expect(sentAt).toEqual([]);
    queue.resume();
    expect(await clock.advanceUntil(() => sentAt.length === due.length, MINUTE_MS)).toBe(true);
    await clock.advance(MINUTE_MS);
    expect(await calls('expire', HOUR_MS)).toBe(0);
  });

  it('are few while no permit is free', async () => {
    const { queue, server, start, sentAt, calls } = await watched();
    server.script.always(park);
    for (let n = 0; n < 100; n += 1) await enqueue(queue, 'POST', '/notes', {}, { notBefore: start + 1_000 + n });
    expect(await calls('expire', 1_200)).toBeLessThanOrEqual(110);
    expect(sentAt.length).toBeLessThan(100);
    expect(await calls('expire', 20_000)).toBeLessThanOrEqual(5);
  });
});
