import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { StoreVerb } from '../../src/testing/backendHooks.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { call, collect, enqueue, expectNoPermitsHeld, KEYED, MINUTE_MS } from './support/queues.ts';

const full = () => new HoldfastError('STORAGE_FULL', 'the disk is full', {});
const gone = () => new HoldfastError('BACKEND_UNAVAILABLE', 'the store does not answer', {});

const queues: { readonly queue: QueueManager; readonly clock: FakeClock }[] = [];

afterEach(async () => {
  for (const { queue, clock } of queues.splice(0)) {
    let isClosed = false;
    const closing = queue.close().finally(() => {
      isClosed = true;
    });
    await clock.advanceUntil(() => isClosed, MINUTE_MS);
    await closing;
  }
});

/** A queue in memory whose store fails the verbs in `fails`, before or after they took effect. */
async function open(config: QueueOptions = {}) {
  const clock = new FakeClock();
  const network = new FakeNetwork({ clock });
  const server = network.serve('https://api.test');
  const fails = new Map<StoreVerb, { readonly when: 'before' | 'after'; readonly error: () => Error }>();
  const check = (verb: StoreVerb, when: 'before' | 'after'): void => {
    const fault = fails.get(verb);
    if (fault?.when === when) throw fault.error();
  };
  /** Answers of these verbs are kept back until the promise resolves. */
  const gates = new Map<StoreVerb, Promise<void>>();
  const backend = hookBackend(new MemoryBackend({ store: new MemoryStorage() }), {
    before: async (verb) => {
      check(verb, 'before');
    },
    after: async (verb) => {
      check(verb, 'after');
      await gates.get(verb);
    },
  });
  const queue = new QueueManager({
    config: { zones: KEYED, ...config },
    clock,
    random: seededRandom(1),
    backend,
    transport: network,
  });
  await queue.start();
  queues.push({ queue, clock });
  return { queue, clock, server, fails, gates };
}

describe('a store that refuses to accept', () => {
  it('is a typed error at the call, and nothing is sent', async () => {
    const { queue, clock, server, fails } = await open();
    fails.set('enqueue', { when: 'before', error: full });
    await expect(enqueue(queue, 'POST', '/notes')).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await expect(call(queue, 'POST', '/notes').settled).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    await clock.advance(MINUTE_MS);
    expect(server.ledger.entries).toEqual([]);
    await expectNoPermitsHeld(queue);
    fails.clear();
    await enqueue(queue, 'POST', '/notes');
    await clock.settle();
    expect(server.ledger.applied()).toBe(1);
  });

  it('after it took it leaves no request behind that its answer could strand', async () => {
    const { queue, clock, server, fails } = await open();
    fails.set('enqueue', { when: 'after', error: gone });
    await expect(enqueue(queue, 'POST', '/notes')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    fails.clear();
    await clock.advance(5 * MINUTE_MS);
    expect(await queue.counts()).toMatchObject({ sending: 0, unknown: 0, succeeded: 1 });
    expect(server.ledger.applied()).toBe(1);
    await expectNoPermitsHeld(queue);
  });
});

describe('a store that refuses settlements', () => {
  it.each([full, gone])('gets them again until it takes them; callers are told afterwards (%o)', async (error) => {
    const { queue, clock, server, fails } = await open();
    const failed = collect(queue, 'backend:failed');
    const recovered = collect(queue, 'backend:recovered');
    const ended = collect(queue, 'request:settled');
    fails.set('settle', { when: 'before', error });
    const callers = Array.from({ length: 20 }, (_, n) => call(queue, 'POST', '/notes', { n }, { lane: `l${n % 5}` }));
    await clock.advance(5 * MINUTE_MS);
    expect(callers.every((caller) => caller.told() === undefined)).toBe(true);
    expect(server.ledger.entries.length).toBe(5); // one of each lane, none twice: its answer is kept
    expect(await queue.health()).toMatchObject({ status: 'degraded', backend: { failing: true } });
    expect(failed.length).toBe(1);
    fails.clear();
    await clock.advance(MINUTE_MS);
    for (const caller of callers)
      expect(caller.told()).toMatchObject({ state: 'succeeded', response: { status: 201 } });
    expect(server.ledger.entries.length).toBe(20);
    expect(recovered.length).toBe(1);
    expect(ended.length).toBe(20);
    expect(await queue.health()).toMatchObject({ status: 'ok', backend: { failing: false } });
    await expectNoPermitsHeld(queue);
  });

  it('whose answer was lost after it took one goes on with the lane, and its caller is told', async () => {
    const { queue, clock, server, fails } = await open();
    fails.set('settle', { when: 'after', error: gone });
    const first = call(queue, 'POST', '/notes', { n: 1 }, { lane: 'one' });
    const second = call(queue, 'POST', '/notes', { n: 2 }, { lane: 'one' });
    await clock.advance(1_000);
    fails.clear();
    await clock.advance(10_000);
    expect(first.told()).toMatchObject({ state: 'succeeded' });
    expect(second.told()).toMatchObject({ state: 'succeeded' });
    expect(server.ledger.entries.map((entry) => entry.outcome)).toEqual(['applied', 'applied']);
  });

  it('does not keep close from ending', async () => {
    const { queue, clock, fails } = await open();
    fails.set('settle', { when: 'before', error: full });
    const caller = call(queue, 'POST', '/notes');
    await clock.settle();
    let isClosed = false;
    void queue.close({ deadlineMs: 1_000 }).then(() => {
      isClosed = true;
    });
    const rejection = expect(caller.settled).rejects.toMatchObject({
      code: 'QUEUE_CLOSED',
      details: { accepted: true },
    });
    expect(await clock.advanceUntil(() => isClosed, 5_000)).toBe(true);
    await rejection;
    expect(clock.keepingAlive).toBe(0);
  });
});

describe('a store that answers late', () => {
  it('leaves no request lying that was accepted while a claim was under way', async () => {
    const { queue, clock, server, gates } = await open();
    const [claimed, accepted] = [new AbortController(), new AbortController()];
    gates.set(
      'claim',
      once(claimed.signal, 'abort').then(() => undefined),
    );
    gates.set(
      'enqueue',
      once(accepted.signal, 'abort').then(() => undefined),
    );
    queue.pause();
    queue.resume(); // there may be work: a claim goes out and finds nothing
    await clock.settle();
    const accepting = enqueue(queue, 'POST', '/notes');
    await clock.settle();
    gates.clear();
    claimed.abort();
    await clock.settle();
    accepted.abort();
    await accepting;
    await clock.settle();
    expect(server.ledger.applied()).toBe(1);
  });
});

describe('a store that fails', () => {
  it('claims is asked again, and no permit is lost', async () => {
    const { queue, clock, server, fails } = await open();
    fails.set('claim', { when: 'before', error: gone });
    for (let n = 0; n < 30; n += 1) await enqueue(queue, 'POST', '/notes', { n }, { lane: 'one' });
    await clock.advance(MINUTE_MS);
    fails.clear();
    await clock.advance(10_000);
    expect(server.ledger.applied()).toBe(30);
    await expectNoPermitsHeld(queue);
  });

  it('after a claim has its requests recovered once their lease is over', async () => {
    const { queue, clock, server, fails } = await open();
    queue.pause();
    for (let n = 0; n < 5; n += 1) await enqueue(queue, 'POST', '/notes', { n });
    fails.set('claim', { when: 'after', error: gone });
    queue.resume();
    await clock.settle();
    fails.clear();
    await clock.advance(3 * MINUTE_MS);
    expect(await queue.counts()).toMatchObject({ succeeded: 5 });
    expect(server.ledger.applied()).toBe(5);
    await expectNoPermitsHeld(queue);
  });

  it.each(['expire', 'nextDueAt', 'recover', 'renew', 'purge', 'claimUnknown', 'count', 'get'] as const)(
    '%s for a while goes on by itself',
    async (verb) => {
      const { queue, clock, server, fails } = await open();
      server.script.next({ kind: 'answer', apply: false, answer: { status: 503 } });
      fails.set(verb, { when: 'before', error: gone });
      const caller = call(queue, 'POST', '/notes');
      await clock.advance(2 * MINUTE_MS);
      fails.clear();
      await clock.advance(MINUTE_MS);
      expect(caller.told()).toMatchObject({ state: 'succeeded' });
      expect(server.ledger.applied()).toBe(1);
    },
  );
});
