import { getEventListeners } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { BackendHooks } from '../../src/testing/backendHooks.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { call, enqueue, MINUTE_MS, zone } from './support/queues.ts';

/** A world in which several queues share one store, as processes do. */
function shared() {
  const clock = new FakeClock();
  const network = new FakeNetwork({ clock });
  const server = network.serve('https://api.test');
  const storage = new MemoryStorage();
  let seed = 0;
  onTestFinished(() => network.close());
  const open = async (config: QueueOptions = {}, hooks: BackendHooks = {}) => {
    seed += 1;
    const queue = new QueueManager({
      config,
      clock,
      random: seededRandom(seed),
      backend: hookBackend(new MemoryBackend({ store: storage }), hooks),
      transport: { send: (sent) => network.send(sent), close: async () => undefined },
    });
    await queue.start();
    onTestFinished(async () => {
      let isClosed = false;
      const closing = queue.close({ deadlineMs: 0 }).finally(() => {
        isClosed = true;
      });
      await clock.advanceUntil(() => isClosed, MINUTE_MS);
      await closing;
    });
    return queue;
  };
  return { clock, network, server, open };
}

const never = () => new Promise<never>(() => undefined);

describe('a request that ended in another process', () => {
  it('is joined by no later read', async () => {
    const { clock, network, server, open } = shared();
    const a = await open({ zones: zone() }, { before: (verb) => (verb === 'expire' ? never() : undefined) });
    const b = await open({ zones: zone() });
    network.online = false;
    const first = call(a, 'GET', '/me', {}, { deadline: clock.now() + 10_000 });
    await enqueue(b, 'POST', '/notes', {}, { deadline: clock.now() + 11_000 }); // makes the other look, at all that is due
    await clock.advance(MINUTE_MS);
    expect(first.told()).toMatchObject({ error: { code: 'REQUEST_EXPIRED' } });
    network.online = true;
    await clock.advance(MINUTE_MS);
    const second = call(a, 'GET', '/me');
    await clock.advance(MINUTE_MS);
    expect(second.told()).toMatchObject({ state: 'succeeded', deduplicated: false });
    expect(server.ledger.entries.length).toBe(1);
  });

  it('is joined by no read once its deadline has passed, told or not', async () => {
    const { clock, network, open } = shared();
    const isStuck = { value: false };
    const stuck = (): Promise<never> | undefined => (isStuck.value ? never() : undefined);
    const a = await open({}, { before: (verb) => (verb === 'expire' || verb === 'get' ? stuck() : undefined) });
    network.online = false;
    const first = call(a, 'GET', '/me', {}, { deadline: clock.now() + 10_000 });
    await clock.settle();
    isStuck.value = true;
    await clock.advance(11_000);
    const second = call(a, 'GET', '/me');
    await clock.settle();
    expect(second.handle).not.toBe(first.handle);
    expect((await second.handle.accepted()).deduplicated).toBe(false);
    first.settled.catch(() => undefined); // told of the close
    second.settled.catch(() => undefined);
  });

  it('keeps neither a signal of its caller nor the listener on it', async () => {
    const { clock, open } = shared();
    const front = await open({ dispatch: false });
    await open();
    const scope = new AbortController();
    const waiting = call(front, 'POST', '/notes', {}, { signal: scope.signal });
    await enqueue(front, 'POST', '/notes', { n: 2 }, { signal: scope.signal });
    await enqueue(front, 'GET', '/me', {}, { signal: scope.signal });
    await clock.advance(MINUTE_MS);
    expect(waiting.told()).toMatchObject({ state: 'succeeded' });
    expect(getEventListeners(scope.signal, 'abort')).toEqual([]);
  });

  it('and was deleted since is forgotten too, and its caller told', async () => {
    const { clock, open } = shared();
    const isBlind = { value: true };
    const front = await open(
      { dispatch: false },
      { before: (verb) => (verb === 'get' && isBlind.value ? Promise.reject(new Error('blind')) : undefined) },
    );
    await open({ retention: { maxRecords: 1 } });
    const scope = new AbortController();
    const first = call(front, 'POST', '/notes', {}, { signal: scope.signal, lane: 'l' });
    const told = expect(first.settled).rejects.toMatchObject({ code: 'REQUEST_NOT_FOUND' });
    for (let n = 0; n < 5; n += 1) await enqueue(front, 'POST', '/notes', { n }, { lane: 'l' });
    await clock.advance(2 * MINUTE_MS);
    isBlind.value = false;
    await clock.advance(MINUTE_MS);
    await told;
    expect(getEventListeners(scope.signal, 'abort')).toEqual([]);
  });
});
