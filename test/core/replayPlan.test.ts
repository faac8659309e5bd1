import { describe, expect, it, onTestFinished } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { PlannedRequest } from '../../src/queue/core/replayPlan.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { RequestOptions } from '../../src/queue/types/calls.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { applyThenReset, park, refuse } from '../../src/testing/serverSteps.ts';
import { at, errorOf, tokenProvider, world } from './harness.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function post(test: Pick<TestQueue, 'queue'>, name: string, options: RequestOptions = {}) {
  return test.queue.enqueue({ method: 'POST', url: at(`/${name}`), body: name }, options);
}

function says(requests: readonly PlannedRequest[]): string[] {
  return requests.map(({ path, would }) => `${path.slice(1)} ${would}`);
}

describe('the plan of a replay', () => {
  it('is in the order in which it will be sent: by priority, but for what waits in a lane or for another', async () => {
    const test = await world({ maxConcurrency: 1 });
    test.queue.pause();
    await post(test, 'plain');
    await post(test, 'bulk-head', { lane: 'l', priority: 'bulk' });
    await post(test, 'high', { priority: 'high' });
    const low = await post(test, 'low', { priority: 'low' });
    await post(test, 'bulk-next', { lane: 'l', priority: 'bulk' });
    await post(test, 'critical-after-low', { priority: 'critical', after: [low.id] });
    await post(test, 'plain-2');
    const { requests, totals, isPartial } = await test.queue.replayPlan();
    const planned = requests.map(({ path }) => path.slice(1));
    expect(planned).toEqual(['high', 'plain', 'plain-2', 'low', 'critical-after-low', 'bulk-head', 'bulk-next']);
    expect(totals).toEqual({ send: 0, expire: 0, resolve: 0, wait: 7 }); // for the pause to end
    expect(isPartial).toBe(false);
    const byName = new Map(requests.map((one) => [one.path.slice(1), one]));
    expect(byName.get('critical-after-low')?.after).toEqual([low.id]);
    expect(byName.get('bulk-next')?.after).toEqual([byName.get('bulk-head')?.id]);
    test.queue.resume();
    await test.clock.advance(MINUTE_MS);
    expect(test.server.ledger.entries.map(({ resource }) => resource.slice(1))).toEqual(planned);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('is what happens, whatever waits (seed %i)', async (seed) => {
    const test = await world({ maxConcurrency: 1 }, seed);
    const random = seededRandom(seed);
    const below = (n: number): number => Math.floor(random.number() * n);
    test.queue.pause();
    const ids: string[] = [];
    for (let n = 0; n < 25; n += 1) {
      const lane = below(3) === 0 ? null : `l${below(4)}`;
      const after = n > 0 && below(3) === 0 ? [ids[below(n)] as string] : [];
      ids.push((await post(test, `r${n}`, { lane, priority: 1 + below(10), after })).id);
      await test.clock.advance(below(2_000));
    }
    const { requests } = await test.queue.replayPlan();
    test.queue.resume();
    await test.clock.advance(MINUTE_MS);
    const sent = test.server.ledger.entries.map(({ resource }) => resource);
    expect(requests.map(({ path }) => path)).toEqual(sent);
  });

  it('tells what will have expired by the time the way is free, and what that leads to', async () => {
    const test = await world();
    test.network.online = false;
    const deadline = test.clock.now() + HOUR_MS;
    const made = await post(test, 'short', { deadline, lane: 'l' });
    await post(test, 'behind', { lane: 'l' });
    await post(test, 'waits', { after: [made.id] });
    await post(test, 'taken-along', { after: [(await post(test, 'head', { deadline, onFailure: 'cascade' })).id] });
    await post(test, 'long', { deadline: deadline + HOUR_MS });
    await test.clock.settle();
    expect((await test.queue.replayPlan()).totals).toMatchObject({ send: 6, expire: 0 });
    const { requests, totals } = await test.queue.replayPlan({ at: deadline });
    expect(says(requests).sort()).toEqual([
      'behind send',
      'head expire',
      'long send',
      'short expire',
      'taken-along expire',
      'waits wait',
    ]);
    expect(totals).toEqual({ send: 2, expire: 3, resolve: 0, wait: 1 });
    await test.clock.advance(HOUR_MS + MINUTE_MS);
    test.network.online = true;
    await test.clock.advance(10 * MINUTE_MS);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 2, dead: 3, held: 1 });
  });

  it('tells what is in doubt, what is held, and what stands behind it', async () => {
    const test = await world();
    test.server.script.next(applyThenReset, refuse({ status: 402 }));
    await test.queue.enqueue({ method: 'PATCH', url: at('/doubt'), body: { n: 1 } });
    await test.clock.settle();
    const held = await post(test, 'held', { lane: 'h' });
    await test.clock.settle();
    test.queue.pause();
    await test.queue.enqueue({ method: 'PATCH', url: at('/doubt'), body: { n: 2 } });
    await post(test, 'behind', { lane: 'h' });
    await post(test, 'further', { after: [(await post(test, 'after', { after: [held.id] })).id] });
    await post(test, 'free');
    const { requests, totals } = await test.queue.replayPlan();
    expect(says(requests).sort()).toEqual([
      'after wait',
      'behind wait',
      'doubt resolve',
      'doubt send',
      'free wait',
      'further wait',
      'held wait',
    ]);
    test.queue.resume();
    expect((await test.queue.replayPlan()).totals).toEqual({ send: 2, expire: 0, resolve: 1, wait: 4 });
    expect(totals.wait).toBe(5);
  });

  it('tells what this process cannot send, in whatever state it waits', async () => {
    const test = await world();
    test.network.online = false;
    const client = new ApiClient({
      queue: test.queue,
      baseUrl: TEST_ORIGIN,
      name: 'crm',
      auth: tokenProvider('t', 'ann'),
    });
    await client.put('/a/1', 1).accepted();
    await client.put('/a/1', 2).accepted();
    await client.put('/b/1', 3, { notBefore: test.clock.now() + MINUTE_MS }).accepted();
    await test.clock.settle();
    await test.crash();
    const { requests, totals } = await test.queue.replayPlan();
    expect(totals).toEqual({ send: 0, expire: 0, resolve: 0, wait: 3 });
    for (const { waitsFor } of requests) expect(waitsFor).toContainEqual({ what: 'client', of: 'crm', until: null });
  });

  it('warns of a change that the one before it makes stale, where nothing hands the version on', async () => {
    const test = await world();
    test.queue.pause();
    const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
    const tickets = client.resource('ticket', { path: '/tickets', version: 'etag' });
    const guarded = { headers: { 'if-match': '"v1"' } };
    for (const n of [1, 2]) await client.patch('/plain/7', { n }, guarded).accepted();
    for (const n of [1, 2]) await tickets.update(7, { n }, { etag: '"v1"' }).accepted();
    const { requests } = await test.queue.replayPlan();
    expect(requests.map(({ path, mayConflict }) => [path, mayConflict])).toEqual([
      ['/plain/7', false],
      ['/plain/7', true],
      ['/tickets/7', false],
      ['/tickets/7', false],
    ]);
  });

  it('shows local ids where the server gave none yet, and what each may come to', async () => {
    const test = await world({ zones: { api: { origins: [TEST_ORIGIN], idempotency: 'ietf' } } });
    test.queue.pause();
    const localId = test.queue.localId('ticket');
    const made = await post(test, 'tickets', { localId });
    await test.queue.enqueue({ method: 'PUT', url: at(`/tickets/${localId}`), body: {} });
    const { requests } = await test.queue.replayPlan();
    expect(requests).toMatchObject([
      {
        id: made.id,
        zone: 'api',
        method: 'POST',
        state: 'ready',
        after: [],
        guarantee: 'exactlyOnce',
        next: { unanswered: 'sentAgain', rejected: 'deadWithItsLane' },
      },
      { method: 'PUT', path: `/tickets/${localId}`, state: 'blocked', after: [made.id], next: { rejected: 'dead' } },
    ]);
  });

  it('tells of the first ones only, if there are many, and says so', async () => {
    const test = await world();
    test.queue.pause();
    await test.queue.enqueueMany(
      Array.from({ length: 450 }, (_, n) => ({ request: { method: 'POST', url: at(`/r${n}`), body: 'x' } })),
    );
    for (const [limit, count, isPartial] of [
      [undefined, 450, false],
      [450, 450, false],
      [449, 449, true],
      [200, 200, true],
      [1, 1, true],
    ] as const) {
      const plan = await test.queue.replayPlan({ limit });
      expect([limit, plan.requests.length, plan.isPartial]).toEqual([limit, count, isPartial]);
      expect(plan.requests[0]?.path).toBe('/r0');
      expect(Object.values(plan.totals).reduce((a, b) => a + b)).toBe(count);
    }
    expect(await (await world()).queue.replayPlan()).toEqual({
      requests: [],
      isPartial: false,
      totals: { send: 0, expire: 0, resolve: 0, wait: 0 },
    });
  });

  it('refuses a number of requests, or a time, that is none', async () => {
    const test = await world();
    await post(test, 'x');
    for (const options of [{ limit: 0 }, { limit: -1 }, { limit: 1.5 }, { limit: Number.NaN }, { at: Number.NaN }]) {
      expect((await errorOf(test.queue.replayPlan(options))).code).toBe('REQUEST_INVALID');
    }
  });

  it('sends nothing and changes nothing: it only reads the store', async () => {
    const clock = new FakeClock();
    const network = new FakeNetwork({ clock });
    const server = network.serve(TEST_ORIGIN);
    const verbs: string[] = [];
    let isCounting = false;
    const note = (verb: string): void => {
      if (isCounting) verbs.push(verb);
    };
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
    const queue = new QueueManager({ clock, transport: network, backend });
    await queue.start();
    onTestFinished(async () => {
      const closing = queue.close();
      await clock.advance(20_000);
      await closing;
    });
    server.script.next(park);
    const test = { queue };
    await post(test, 'sending', { lane: 'l' });
    await post(test, 'behind', { lane: 'l', deadline: clock.now() + 10 });
    network.online = false;
    await post(test, 'scheduled');
    await clock.settle();
    const before = await queue.find({ state: ['ready', 'scheduled', 'blocked', 'sending'] });
    const arrived = server.ledger.entries.length;
    isCounting = true;
    const { totals } = await queue.replayPlan({ at: clock.now() + HOUR_MS });
    isCounting = false;
    expect(totals).toEqual({ send: 2, expire: 1, resolve: 0, wait: 0 });
    expect([...new Set(verbs)].sort()).toEqual(['find', 'get']);
    expect(server.ledger.entries).toHaveLength(arrived);
    expect(await queue.find({ state: ['ready', 'scheduled', 'blocked', 'sending'] })).toEqual(before);
  });
});
