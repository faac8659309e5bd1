import { describe, expect, it, onTestFinished } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import type { ProbeFunction, ZoneOptions } from '../../src/queue/core/config/options.ts';
import { byNaturalKey } from '../../src/queue/core/probeKits/byNaturalKey.ts';
import { byStamp } from '../../src/queue/core/probeKits/byStamp.ts';
import { byVersion } from '../../src/queue/core/probeKits/byVersion.ts';
import { byWindow } from '../../src/queue/core/probeKits/byWindow.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Transport, TransportCall, TransportResult } from '../../src/queue/types/transport.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import type { FakeServer } from '../../src/testing/FakeServer.ts';
import type { ReceivedRequest, ServerAnswer, ServerStep } from '../../src/testing/serverSteps.ts';
import { applyThenReset, resetBeforeApply } from '../../src/testing/serverSteps.ts';
import type { RestApiOptions } from '../support/RestApi.ts';
import { RestApi } from '../support/RestApi.ts';
import { at, deferred, record, world } from './harness.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A queue of an API that knows no keys, whose things bear the time at which they were made. */
async function rest(zone: Omit<ZoneOptions, 'origins'> = {}, options: RestApiOptions = {}) {
  const test = await world({ zones: { api: { origins: [TEST_ORIGIN], ...zone } } });
  const api = new RestApi(options);
  const respond = (request: ReceivedRequest): ServerAnswer => {
    const answer = api.respond(request);
    const location = answer.headers?.find(([name]) => name === 'location')?.[1];
    if (location !== undefined) api.edit(location, { madeAt: new Date(test.clock.now()).toISOString() });
    return answer;
  };
  return { test, api, server: test.network.serve(TEST_ORIGIN, { respond }) };
}

function sent(server: FakeServer): string[] {
  return server.ledger.entries.map(({ request }) => `${request.method} ${request.path}`);
}

type KitOf = (uuid: string) => { readonly probe: ProbeFunction; readonly body: object; readonly list: string };

/** A create whose answer is lost, something else that looks a little like it, and a note that waits for its id. */
async function lost(step: ServerStep, kitOf: KitOf) {
  let probe: ProbeFunction | undefined;
  const it = await rest({ probe: (context) => (probe as ProbeFunction)(context) });
  const { test, api, server } = it;
  const local = test.queue.localId('ticket');
  const kit = kitOf(local.split('.')[2] as string);
  probe = kit.probe;
  api.edit('/tickets/400', { slug: 'other', title: 'a', madeAt: '2020-01-01T00:00:00Z' });
  server.script.next(step);
  const { id } = await test.queue.enqueue({ method: 'POST', url: at('/tickets'), body: kit.body }, { localId: local });
  const note = await test.queue.enqueue({ method: 'POST', url: at('/notes'), body: { ticketId: local } });
  const bound = record(test.queue, 'id:bound', 'request:resolved');
  await test.clock.advance(30_000);
  expect(server.ledger.entries).toHaveLength(1); // what was sent may land late: nobody asks before that
  await test.clock.advance(HOUR_MS);
  return { ...it, kit, local, id, note, bound };
}

const KITS: readonly (readonly [string, KitOf])[] = [
  [
    'byNaturalKey',
    () => ({
      probe: byNaturalKey({ path: () => '/tickets?slug=mine', match: ['slug'] }),
      body: { slug: 'mine', title: 'a' },
      list: '/tickets?slug=mine',
    }),
  ],
  [
    'byStamp',
    (uuid) => ({
      probe: byStamp({ field: 'ref', path: (_, stamp) => `/tickets?ref=${stamp}` }),
      body: { title: 'a', ref: uuid },
      list: `/tickets?ref=${uuid}`,
    }),
  ],
];

describe('a create whose answer was lost', () => {
  it.each([
    ...KITS,
    [
      'byWindow',
      () => ({
        probe: byWindow({ path: () => '/tickets', createdAt: 'madeAt' }),
        body: { title: 'a' },
        list: '/tickets',
      }),
    ] satisfies readonly [string, KitOf],
  ])('is found %s, with the id that others wait for', async (_, kitOf) => {
    const { test, api, server, kit, local, id, note, bound } = await lost(applyThenReset, kitOf);
    expect(sent(server)).toEqual(['POST /tickets', `GET ${kit.list}`, 'POST /notes']);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
    expect(await test.queue.serverId(local)).toBe(501);
    expect(bound).toMatchObject([
      { name: 'id:bound', localId: local, serverId: 501 },
      { name: 'request:resolved', requestId: id, how: 'probe', state: 'succeeded' },
    ]);
    expect(await test.queue.get(note.id)).toMatchObject({ state: 'succeeded' });
    expect(api.all('/notes')).toMatchObject([{ ticketId: 501 }]);
  });

  it.each(KITS)('and did nothing is made once, as %s shows that it is not there', async (_, kitOf) => {
    const { test, api, server, kit, local, id } = await lost(resetBeforeApply, kitOf);
    expect(sent(server)).toEqual(['POST /tickets', `GET ${kit.list}`, 'POST /tickets', 'POST /notes']);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(await test.queue.serverId(local)).toBe(501);
    expect(api.all('/tickets')).toHaveLength(2);
  });

  it('and of which byWindow sees nothing is left to a person, who says what came of it', async () => {
    const { test, api, server, local, id, note, bound } = await lost(resetBeforeApply, () => ({
      probe: byWindow({ path: () => '/tickets', createdAt: 'madeAt' }),
      body: { title: 'a' },
      list: '/tickets',
    }));
    expect(sent(server)).toEqual(['POST /tickets', ...Array<string>(4).fill('GET /tickets')]);
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
    expect(await test.queue.get(note.id)).toMatchObject({ state: 'blocked' });
    expect(bound).toEqual([]);

    await test.queue.held.resolve(id, 'markApplied', 'ann', { serverId: 400 });
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.serverId(local)).toBe(400);
    expect(bound).toMatchObject([
      { name: 'id:bound', localId: local, serverId: 400, type: 'ticket', requestId: id },
      { name: 'request:resolved', requestId: id, how: 'operator', state: 'succeeded' },
    ]);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'markedApplied' });
    expect(api.all('/notes')).toMatchObject([{ ticketId: 400 }]);
  });

  it('and that a person takes for done without saying what it made keeps others waiting for the id, not for ever', async () => {
    const { test, api, local, id, note } = await lost(resetBeforeApply, () => ({
      probe: byWindow({ path: () => '/tickets', createdAt: 'madeAt' }),
      body: { title: 'a' },
      list: '/tickets',
    }));
    await test.queue.held.resolve(id, 'markApplied', 'ann');
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(note.id)).toMatchObject({ state: 'held', reason: 'dependency' });
    await test.queue.bind(local, 400);
    await test.clock.advance(MINUTE_MS);
    expect(api.all('/notes')).toMatchObject([{ ticketId: 400 }]);
  });
});

describe('a change whose answer was lost', () => {
  it.each<[what: string, step: ServerStep, reason: string, count: number]>([
    ['is known by the next version', applyThenReset, 'appliedEarlier', 8],
    ['is made again where the version is the same', resetBeforeApply, 'applied', 8],
  ])('%s', async (_, step, reason, count) => {
    const { test, api, server } = await rest({ probe: byVersion({ version: '/version' }) }, { hasVersionField: true });
    api.edit('/tickets/7', { count: 7 });
    server.script.next(step);
    const headers = { 'content-type': 'application/json' };
    const request = { method: 'PATCH', url: at('/tickets/7'), headers, body: { count: 8 } };
    const base = { id: 7, count: 7, version: 1 };
    const { id } = await test.queue.enqueue(request, { effect: 'relative', base });
    await test.clock.advance(HOUR_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason });
    expect(api.changes).toHaveLength(1);
    expect(api.at('/tickets/7')).toMatchObject({ count, version: 2 });
  });

  it('is looked into by the probe of its resource, before that of its zone', async () => {
    const { test, server } = await rest({ probe: async () => ({ outcome: 'applied' }) });
    const asked: string[] = [];
    const probe: ProbeFunction = async ({ request }) => {
      asked.push(request.id);
      return { outcome: 'notApplied' };
    };
    const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
    const tickets = client.resource('ticket', { path: '/tickets', probe });
    server.script.next(resetBeforeApply);
    const { id } = await tickets.create({ n: 1 }).accepted();
    await test.clock.advance(HOUR_MS);
    expect(asked).toEqual([id]);
    expect(sent(server)).toEqual(['POST /tickets', 'POST /tickets']);
  });
});

/** Two processes on one store; what the first sends is answered when the test says so, and from then on it stands still. */
async function twoProcesses() {
  const [clock, store] = [new FakeClock(), new MemoryStorage()];
  const config = { leaseMs: 3_000, attemptTimeoutMs: 30 * MINUTE_MS };
  const calls: { readonly call: TransportCall; readonly answer: ReturnType<typeof deferred<TransportResult>> }[] = [];
  const open = async (isFrozen: boolean) => {
    const hooked = hookBackend(new MemoryBackend({ store }), {});
    const backend: typeof hooked = {
      ...hooked,
      keepAlive: (query) => (isFrozen ? Promise.resolve() : hooked.keepAlive(query)),
      requests: {
        ...hooked.requests,
        renew: (query) => (isFrozen ? Promise.resolve(query.leases.map(() => true)) : hooked.requests.renew(query)),
        recover: (query) =>
          isFrozen ? Promise.resolve({ recovered: [], ended: [], more: false }) : hooked.requests.recover(query),
      },
    };
    const transport: Transport = {
      send: (call) => {
        const answer = deferred<TransportResult>();
        calls.push({ call, answer });
        return answer.promise;
      },
      close: async () => {
        const error = Object.assign(new Error('closed'), { code: 'TRANSPORT_CLOSED' });
        for (const { answer } of calls) answer.resolve({ phase: 'sent', error });
      },
    };
    const queue = new QueueManager({ config, clock, backend, transport });
    await queue.start();
    onTestFinished(async () => {
      const closing = queue.close({ deadlineMs: 1 });
      await clock.advance(10);
      await closing;
    });
    return queue;
  };
  const first = await open(true);
  const body = new TextEncoder().encode('{"id":77}');
  const applied: TransportResult = { phase: 'answered', response: { status: 201, headers: [], body } };
  return { clock, calls, first, second: () => open(false), applied };
}

describe('the answer of a process that lost its lease', () => {
  it('settles what another one holds for a person, and gives others the id', async () => {
    const { clock, calls, first, second, applied } = await twoProcesses();
    const local = first.localId('ticket');
    const { id } = await first.enqueue({ method: 'POST', url: at('/tickets'), body: {} }, { localId: local });
    const other = await second();
    await clock.advance(MINUTE_MS);
    expect(await other.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
    await other.enqueue({ method: 'POST', url: at('/notes'), body: { ticketId: local } });
    const events = record(first, 'id:bound', 'request:resolved', 'request:settled');
    calls[0]?.answer.resolve(applied);
    await clock.advance(MINUTE_MS);
    expect(await other.get(id)).toMatchObject({
      state: 'succeeded',
      reason: 'appliedEarlier',
      result: { status: 201 },
      progress: { unresolved: false },
    });
    expect(events).toMatchObject([
      { name: 'id:bound', localId: local, serverId: 77 },
      { name: 'request:resolved', how: 'lateAnswer' },
      { name: 'request:settled', requestId: id, state: 'succeeded' },
    ]);
    expect(calls.map(({ call }) => `${call.method} ${call.path} ${call.body}`)).toEqual([
      'POST /tickets {}',
      'POST /notes {"ticketId":77}',
    ]);
  });

  it('settles what another one still looks for', async () => {
    const { clock, calls, first, second, applied } = await twoProcesses();
    const { id } = await first.enqueue({ method: 'PATCH', url: at('/doors/1'), body: { open: true } });
    const other = await second();
    expect(await clock.advanceUntil(async () => (await other.get(id))?.state === 'unknown', MINUTE_MS)).toBe(true);
    calls[0]?.answer.resolve(applied);
    await clock.advance(10 * MINUTE_MS);
    expect(await other.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
    expect(calls).toHaveLength(1);
  });

  it('that says it was refused settles nothing: another send of it may have been applied', async () => {
    const { clock, calls, first, second } = await twoProcesses();
    const { id } = await first.enqueue({ method: 'POST', url: at('/tickets'), body: {} });
    const other = await second();
    await clock.advance(MINUTE_MS);
    const response = { status: 422, headers: [], body: new Uint8Array() };
    calls[0]?.answer.resolve({ phase: 'answered', response });
    await clock.advance(MINUTE_MS);
    expect(await other.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
  });

  it('is heard also where its principal has left meanwhile', async () => {
    const { clock, calls, first, second, applied } = await twoProcesses();
    const { id } = await first.enqueue({ method: 'POST', url: at('/tickets'), body: {} }, { principal: 'ann' });
    const other = await second();
    await other.principals.leave('ann');
    await clock.advance(MINUTE_MS);
    expect(await other.get(id)).toMatchObject({ state: 'held', reason: 'principal' });
    calls[0]?.answer.resolve(applied);
    await clock.advance(MINUTE_MS);
    expect(await other.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
  });
});
