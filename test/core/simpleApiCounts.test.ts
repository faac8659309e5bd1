import { describe, expect, it, onTestFinished } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import type { FakeServer } from '../../src/testing/FakeServer.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { at, tokenProvider } from './harness.ts';

type Counts = Readonly<Record<string, number>>;

/** Verbs that only look: not counted where time passes, as the housekeeping looks more often then. */
const LOOKS: ReadonlySet<string> = new Set(['expire', 'nextDueAt', 'claimUnknown', 'get', 'count', 'find']);

/** What a scenario may use. */
interface Stage {
  readonly queue: QueueManager;
  readonly client: ApiClient;
  readonly signed: ApiClient;
  readonly clock: FakeClock;
  readonly network: FakeNetwork;
  readonly server: FakeServer;
}

/** A queue that has sent something already, whose calls of the store are counted from then on. */
async function stage() {
  const clock = new FakeClock();
  const network = new FakeNetwork({ clock });
  const server = network.serve(TEST_ORIGIN);
  const counts = new Map<string, number>();
  const note = (verb: string): void => void counts.set(verb, (counts.get(verb) ?? 0) + 1);
  const hooked = hookBackend(new MemoryBackend(), { before: (verb) => note(verb) });
  const counted = <Port extends object>(name: string, port: Port): Port =>
    new Proxy(port, {
      get: (target, verb) => {
        note(`${name}.${String(verb)}`);
        return Reflect.get(target, verb);
      },
    });
  const backend: Backend = {
    ...hooked,
    shared: counted('shared', hooked.shared),
    history: counted('history', hooked.history),
  };
  const queue = new QueueManager({ clock, random: seededRandom(1), transport: network, backend });
  await queue.start();
  onTestFinished(async () => {
    const closing = queue.close();
    await clock.advance(20_000);
    await closing;
  });
  const client = new ApiClient({ queue, baseUrl: TEST_ORIGIN });
  const signed = new ApiClient({ queue, baseUrl: TEST_ORIGIN, name: 'signed', auth: tokenProvider('t', 'ann') });
  for (const one of [client, signed]) {
    const first = one.post('/first', {}).then(() => undefined);
    await clock.settle();
    await first;
  }
  await clock.advance(5_000);
  counts.clear();
  return { queue, client, signed, clock, network, server, counts };
}

/** What a scenario asked of the store, beside what the time alone asks for. */
async function asked(play: (stage: Stage) => Promise<void>): Promise<Counts> {
  const busy = await stage();
  const before = busy.clock.now();
  await play(busy);
  const elapsedMs = busy.clock.now() - before;
  const idle = await stage();
  await idle.clock.advance(elapsedMs);
  const names = [...new Set([...busy.counts.keys(), ...idle.counts.keys()])].sort();
  const extra = names.map((name) => [name, (busy.counts.get(name) ?? 0) - (idle.counts.get(name) ?? 0)] as const);
  return Object.fromEntries(extra.filter(([name, count]) => count !== 0 && !(elapsedMs > 0 && LOOKS.has(name))));
}

/** Lets calls be made, sent and told. */
async function done(clock: FakeClock, ...calls: readonly PromiseLike<unknown>[]): Promise<void> {
  const all = Promise.all(calls.map((call) => call.then(() => undefined)));
  await clock.settle();
  await all;
}

/** One step that accepts and claims, one that settles. */
const ONE: Counts = { enqueue: 1, settle: 1 };

/** As they were before there were resources, local ids, principals and conflicts: what none of these is declared of pays nothing for them. */
const SCENARIOS: Readonly<Record<string, readonly [counts: Counts, play: (stage: Stage) => Promise<void>]>> = {
  'a POST of a client': [ONE, ({ client, clock }) => done(clock, client.post('/notes', { n: 1 }))],
  'a POST of a client with credentials': [ONE, ({ signed, clock }) => done(clock, signed.post('/notes', { n: 1 }))],
  'a POST with credentials of its own': [
    { ...ONE, claim: 1, claimUnknown: 1, count: 1, expire: 1, find: 1, nextDueAt: 1 },
    ({ client, clock }) => done(clock, client.post('/notes', { n: 1 }, { headers: { authorization: 'Bearer t' } })),
  ],
  'a POST with a key and tags': [
    ONE,
    ({ client, clock }) => done(clock, client.post('/notes', { n: 1 }, { key: 'k', tags: ['a'], priority: 'high' })),
  ],
  'a PUT of a client': [ONE, ({ client, clock }) => done(clock, client.put('/notes/1', { n: 1 }))],
  'a DELETE of a client': [ONE, ({ client, clock }) => done(clock, client.delete('/notes/1'))],
  'a GET of a client': [ONE, ({ client, clock }) => done(clock, client.get('/notes'))],
  'a PATCH, a PUT and a DELETE of one thing': [
    { enqueue: 1, claim: 2, settle: 3 },
    ({ client, clock }) =>
      done(clock, client.patch('/notes/1', { n: 1 }), client.put('/notes/1', { n: 2 }), client.delete('/notes/1')),
  ],
  'ten POSTs one after the other': [
    { enqueue: 10, settle: 10 },
    async ({ client, clock }) => {
      for (let n = 0; n < 10; n += 1) await done(clock, client.post('/notes', { n }));
    },
  ],
  'ten POSTs at once': [
    ONE,
    ({ client, clock }) => done(clock, ...Array.from({ length: 10 }, (_, n) => client.post('/notes', { n }))),
  ],
  'an enqueue': [
    ONE,
    async ({ queue, clock }) => {
      await queue.enqueue({ method: 'POST', url: at('/notes'), body: { n: 1 } });
      await clock.settle();
    },
  ],
  'an enqueue of ten': [
    ONE,
    async ({ queue, clock }) => {
      const items = Array.from({ length: 10 }, (_, n) => ({
        request: { method: 'POST', url: at('/notes'), body: { n } },
      }));
      await queue.enqueueMany(items);
      await clock.settle();
    },
  ],
  'an enqueue that waits for another': [
    { enqueue: 2, settle: 2 },
    async ({ queue, clock }) => {
      const { id } = await queue.enqueue({ method: 'POST', url: at('/notes'), body: { n: 1 } });
      await queue.enqueue({ method: 'POST', url: at('/notes'), body: { n: 2 } }, { after: [id] });
      await clock.settle();
    },
  ],
  'a call of fetch': [
    ONE,
    async ({ queue, clock }) => {
      const got = queue.fetch(at('/notes'), { method: 'POST', body: 'x' }).then((response) => response.text());
      await clock.settle();
      await got;
    },
  ],
  'a POST that is refused': [
    ONE,
    async ({ client, clock, server }) => {
      server.script.next(refuse({ status: 422 }));
      const end = client.post('/notes', { n: 1 }).settled();
      await clock.settle();
      await end;
    },
  ],
  'a POST that is sent again': [
    // What its breaker does is stored with the queue.
    { enqueue: 1, claim: 4, settle: 2, 'shared.set': 1 },
    async ({ client, clock, server }) => {
      server.script.next(unavailable(1));
      const end = client.post('/notes', { n: 1 }).settled();
      await clock.advance(9_000);
      await end;
    },
  ],
  'a POST made offline, sent later': [
    { enqueue: 1, claim: 6, settle: 5 },
    async ({ client, clock, network }) => {
      network.online = false;
      const end = client.post('/notes', { n: 1 }).settled();
      await clock.advance(60_000);
      network.online = true;
      await clock.advance(60_000);
      await end;
    },
  ],
  'ten POSTs made offline, sent later': [
    // After an outage they go a few at a time.
    { enqueue: 1, claim: 15, settle: 14 },
    async ({ client, clock, network }) => {
      network.online = false;
      const ends = Array.from({ length: 10 }, (_, n) => client.post('/notes', { n }).settled());
      await clock.advance(60_000);
      network.online = true;
      await clock.advance(60_000);
      await Promise.all(ends);
    },
  ],
};

describe('the calls of the store that the simple API makes', () => {
  it.each(Object.entries(SCENARIOS))('are as few as before for %s', async (_, [counts, play]) => {
    expect(await asked(play)).toEqual(counts);
  });
});
