import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { HoldfastError } from '../../src/errors.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { Transport } from '../../src/queue/types/transport.ts';
import type { BackendHooks, StoreVerb } from '../../src/testing/backendHooks.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { applyThenReset } from '../../src/testing/serverSteps.ts';
import { call, enqueue, MINUTE_MS, zone } from './support/queues.ts';

const unavailable = () => new HoldfastError('BACKEND_UNAVAILABLE', 'the store does not answer', {});
const never = () => new Promise<never>(() => undefined);

const unhandled: unknown[] = [];
const onUnhandled = (error: unknown): void => void unhandled.push(error);
process.on('unhandledRejection', onUnhandled);
afterEach(() => {
  expect(unhandled.splice(0)).toEqual([]);
});

interface Parts {
  readonly config?: QueueOptions;
  readonly hooks?: BackendHooks;
  readonly backend?: (inner: Backend) => Partial<Backend>;
  readonly transport?: Partial<Transport>;
}

/** A queue in memory whose parts misbehave as told; not started yet. */
function build({ config, hooks = {}, backend, transport }: Parts = {}) {
  const clock = new FakeClock();
  const network = new FakeNetwork({ clock });
  const server = network.serve('https://api.test');
  onTestFinished(() => network.close());
  const inner = hookBackend(new MemoryBackend(), hooks);
  const closed: string[] = [];
  const store: Backend = {
    ...inner,
    close: async () => {
      closed.push('backend');
      await inner.close();
    },
    ...backend?.(inner),
  };
  const queue = new QueueManager({
    config: config ?? {},
    clock,
    random: seededRandom(1),
    backend: store,
    transport: { send: (sent) => network.send(sent), close: async () => undefined, ...transport },
  });
  return { clock, network, server, queue, closed };
}

async function open(parts: Parts = {}) {
  const built = build(parts);
  await built.queue.start();
  return built;
}

/** Closes within a minute of the fake clock, and says how long it took. */
async function closeOf({ queue, clock }: { readonly queue: QueueManager; readonly clock: FakeClock }, deadlineMs = 0) {
  const from = clock.monotonicNow();
  let isClosed = false;
  const closing = queue.close({ deadlineMs }).finally(() => {
    isClosed = true;
  });
  expect(await clock.advanceUntil(() => isClosed, MINUTE_MS), 'closed').toBe(true);
  await closing;
  return clock.monotonicNow() - from;
}

describe('close with a durable subscriber', () => {
  it('waits for its handler no longer than the deadline', async () => {
    const one = await open();
    await enqueue(one.queue, 'POST', '/notes');
    await one.clock.settle();
    one.network.online = false;
    let told = 0;
    let outcome: unknown;
    one.queue.subscribe(
      {},
      async () => {
        told += 1;
        outcome = await call(one.queue, 'POST', '/follow-up').settled.catch((error: unknown) => error);
      },
      { durable: 'follow-up' },
    );
    await one.clock.advance(1_000);
    expect(told).toBe(1);
    expect(await closeOf(one, 1_000)).toBeLessThanOrEqual(4_000);
    expect(outcome).toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: true } });
    expect(one.clock.pending).toBe(0);
  });

  it('ends although the store does not take its lease back', async () => {
    const one = await open({
      backend: (inner) => ({ shared: { ...inner.shared, release: () => Promise.reject(unavailable()) } }),
    });
    one.queue.subscribe({}, () => undefined, { durable: 'a' });
    one.network.online = false;
    const waiting = call(one.queue, 'POST', '/notes');
    const told = expect(waiting.settled).rejects.toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: true } });
    await one.clock.advance(1_000);
    await closeOf(one);
    await told;
    expect(one.closed).toEqual(['backend']);
    expect(one.clock.pending).toBe(0);
  });

  it('ends although a handler awaits the end of its own subscription', async () => {
    const one = await open();
    await enqueue(one.queue, 'POST', '/notes');
    await one.clock.settle();
    let ended = false;
    const stop = one.queue.subscribe(
      {},
      async () => {
        await stop();
        ended = true;
      },
      { durable: 'once' },
    );
    await one.clock.settle();
    expect(ended).toBe(true);
    await one.clock.settle();
    await one.queue.subscribe({}, () => undefined, { durable: 'once' })();
    await closeOf(one);
  });
});

describe('close with a store that does not answer', () => {
  it('says of no call that it is stored whose acceptance is still open', async () => {
    let isStuck = false;
    const one = await open({ hooks: { before: (verb) => (isStuck && verb === 'enqueue' ? never() : undefined) } });
    isStuck = true;
    const waiting = call(one.queue, 'POST', '/notes');
    const told = expect(waiting.settled).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
      details: { accepted: null },
    });
    await one.clock.settle();
    await closeOf(one);
    await told;
  });

  it('says of no read that it will be sent', async () => {
    let isStuck = false;
    const one = await open({ hooks: { before: (verb) => (isStuck && verb === 'get' ? never() : undefined) } });
    one.network.online = false;
    const read = call(one.queue, 'GET', '/me');
    const write = call(one.queue, 'POST', '/notes');
    const told = [
      expect(read.settled).rejects.toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: false } }),
      expect(write.settled).rejects.toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: true } }),
    ];
    await one.clock.advance(1_000);
    isStuck = true;
    await closeOf(one);
    await Promise.all(told);
  });

  it('ends although a look at unknown outcomes fails meanwhile', async () => {
    let fail: () => void = () => undefined;
    const one = await open({
      config: { zones: zone({ probe: async () => ({ outcome: 'inconclusive' }) }) },
      hooks: {
        before: (verb) =>
          verb === 'claimUnknown'
            ? new Promise<never>((_, reject) => {
                fail = () => reject(unavailable());
              })
            : undefined,
      },
    });
    one.server.script.always(applyThenReset);
    await enqueue(one.queue, 'POST', '/notes');
    await one.clock.advance(1_000);
    const waiting = call(one.queue, 'POST', '/other', {}, { notBefore: one.clock.now() + MINUTE_MS });
    const told = expect(waiting.settled).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
    let isClosed = false;
    const closing = one.queue.close({ deadlineMs: 5_000 }).then(() => {
      isClosed = true;
    });
    await one.clock.settle();
    fail();
    expect(await one.clock.advanceUntil(() => isClosed, MINUTE_MS)).toBe(true);
    await closing;
    await told;
    expect(one.closed).toEqual(['backend']);
  });
});

describe('close with a credential provider that does not answer', () => {
  it('leaves nothing that keeps the process', async () => {
    const one = await open({ config: { zones: zone({ auth: { credential: never } }) } });
    const waiting = call(one.queue, 'POST', '/notes');
    const told = expect(waiting.settled).rejects.toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: false } });
    await one.clock.settle();
    expect(one.clock.keepingAlive).toBe(1);
    await closeOf(one);
    await told;
    await one.clock.settle();
    expect(one.clock.keepingAlive).toBe(0);
  });
});

describe('close with a transport that does not close', () => {
  it.each([
    ['rejects', () => Promise.reject(new Error('no'))],
    ['hangs', never],
  ] as const)('ends although its close %s', async (_, close) => {
    const one = await open({ transport: { close } });
    one.network.online = false;
    const waiting = call(one.queue, 'POST', '/notes');
    const told = expect(waiting.settled).rejects.toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: true } });
    await one.clock.advance(1_000);
    await closeOf(one);
    await told;
    expect(one.closed).toEqual(['backend']);
    expect(one.clock.pending).toBe(0);
  });
});

describe('a start that fails', () => {
  const failingOn = (verb: StoreVerb, state: { isFailing: boolean }): BackendHooks => ({
    before: async (asked) => {
      if (state.isFailing && asked === verb) throw unavailable();
    },
  });

  it('leaves nothing running, and can be tried again', async () => {
    const state = { isFailing: true };
    const one = build({
      hooks: failingOn('count', state),
      backend: (inner) => ({ close: async () => void inner }),
      config: { name: 'again' },
    });
    await expect(one.queue.start()).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(one.clock.pending).toBe(0);
    await expect(enqueue(one.queue, 'POST', '/notes')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    state.isFailing = false;
    await one.queue.start();
    await enqueue(one.queue, 'POST', '/notes');
    await one.clock.settle();
    expect(one.queue.stats()).toMatchObject({ accepted: 1 });
    await closeOf(one);
    expect(one.clock.pending).toBe(0);
  });

  it('accepts nothing before what earlier runs left is repaired', async () => {
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const one = build({ hooks: { before: (verb) => (verb === 'recover' ? gate : undefined) } });
    const starting = one.queue.start();
    await one.clock.settle();
    await expect(enqueue(one.queue, 'POST', '/notes')).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    go();
    await starting;
    await enqueue(one.queue, 'POST', '/notes');
    await one.clock.settle();
    expect(one.server.ledger.applied('/notes')).toBe(1);
    await closeOf(one);
  });
});
