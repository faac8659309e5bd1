import { describe, expect, it, onTestFinished } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { refreshingToken } from '../../src/client/auth/refreshingToken.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import type { ProbeFunction } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { RequestOptions } from '../../src/queue/types/calls.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import type { ReceivedRequest } from '../../src/testing/serverSteps.ts';
import { applyThenReset, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { at, errorOf, headerIn, record, world } from './harness.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** One device, on which one user at a time is logged in. */
async function device(zone: object = {}) {
  const session = { user: 'ann', version: 1 };
  const auth = {
    credential: () => ({
      headers: [['authorization', `Bearer ${session.user}`]] as const,
      version: session.version,
      principal: session.user,
    }),
  };
  const config = { principal: () => session.user, zones: { api: { origins: [TEST_ORIGIN], auth, ...zone } } };
  const test = await world(config);
  const login = (user: string): Promise<number> => {
    session.user = user;
    session.version += 1;
    return test.queue.principals.enter(user);
  };
  const note = (n: number, options: RequestOptions = {}) =>
    test.queue.enqueue({ method: 'POST', url: at('/notes'), body: { n, by: session.user } }, options);
  return { test, session, auth, config, login, note };
}

/** By whom what was sent, in order. */
function sentBy(test: TestQueue): string[] {
  return test.server.ledger.entries.map(({ request }) => `${tokenOf(request)} ${request.body}`);
}

function tokenOf(request: ReceivedRequest): string {
  return headerIn(request, 'authorization')?.replace('Bearer ', '') ?? 'nobody';
}

describe('a user who leaves', () => {
  it('takes along what waits: nothing of it is sent for the next user, and all of it once it is back, in order', async () => {
    const { test, login, note } = await device();
    test.network.online = false;
    for (let n = 0; n < 5; n += 1) await note(n, { lane: 'notes' });
    await note(9, { notBefore: test.clock.now() + MINUTE_MS });
    expect(await test.queue.principals.leave('ann')).toEqual({ sealed: 6, purged: [] });
    expect(await login('bob')).toBe(0);
    for (let n = 0; n < 3; n += 1) await note(n, { lane: 'notes' });
    test.network.online = true;
    await test.clock.advance(HOUR_MS);
    expect(sentBy(test)).toEqual([0, 1, 2].map((n) => `bob {"n":${n},"by":"bob"}`));
    expect(await test.queue.principals.list()).toEqual([{ principal: 'ann', sealed: true, counts: { held: 6 } }]);

    await test.queue.principals.leave('bob');
    expect(await login('ann')).toBe(6);
    await test.clock.advance(HOUR_MS);
    const ofAnn = sentBy(test).slice(3);
    expect(ofAnn.filter((line) => !line.includes('9'))).toEqual(
      [0, 1, 2, 3, 4].map((n) => `ann {"n":${n},"by":"ann"}`),
    );
    expect(ofAnn).toHaveLength(6);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 9, held: 0 });
  });

  it('stays away over a crash, with what is accepted for it later', async () => {
    const { test, session, login, note } = await device();
    test.network.online = false;
    await note(1);
    await test.clock.settle();
    await test.queue.principals.leave('ann');
    await test.crash();
    test.network.online = true;
    const { id } = await note(2);
    const waiting = test.queue.call({ method: 'PUT', url: at('/late'), body: {} }).settled();
    await test.clock.advance(HOUR_MS);
    expect(await waiting).toMatchObject({ state: 'held', error: { code: 'AUTH_REQUIRED' } });
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'principal', firstSentAt: null });
    session.user = 'bob';
    await test.crash();
    await test.clock.advance(HOUR_MS);
    expect(sentBy(test)).toEqual([]);
    expect(await login('ann')).toBe(3);
    await test.clock.advance(HOUR_MS);
    expect(sentBy(test)).toHaveLength(3);
  });

  it('is away also where the process died before it had set aside what waits', async () => {
    const [clock, store] = [new FakeClock(), new MemoryStorage()];
    const network = new FakeNetwork({ clock });
    const server = network.serve(TEST_ORIGIN);
    network.online = false;
    let isDead = false;
    const open = async () => {
      const backend = hookBackend(new MemoryBackend({ store }), {
        before: (verb) => (verb === 'amend' && isDead ? new Promise<void>(() => undefined) : undefined),
      });
      const queue = new QueueManager({ clock, transport: network, backend });
      await queue.start();
      onTestFinished(() => queue.close());
      return queue;
    };
    const first = await open();
    await first.enqueue({ method: 'POST', url: at('/notes'), body: 'x' }, { principal: 'ann' });
    isDead = true;
    void first.principals.leave('ann');
    await clock.settle();
    isDead = false;
    const second = await open();
    network.online = true;
    await clock.advance(HOUR_MS);
    expect(server.ledger.entries).toEqual([]);
    expect(await second.counts()).toMatchObject({ held: 1 });
  });

  it('without saying so is not sent for either, and goes on when it comes back', async () => {
    const { test, session, login, note } = await device();
    test.network.online = false;
    await note(1, { lane: 'notes' });
    await note(2, { lane: 'notes' });
    session.user = 'bob';
    session.version += 1;
    test.network.online = true;
    await test.clock.advance(MINUTE_MS);
    expect(sentBy(test)).toEqual([]);
    expect((await test.queue.held.list()).requests).toMatchObject([{ reason: 'auth', principal: 'ann' }]);
    await login('ann');
    await test.clock.advance(MINUTE_MS);
    expect(sentBy(test)).toEqual([1, 2].map((n) => `ann {"n":${n},"by":"ann"}`));
  });

  it('is told of, and its waiting callers as well', async () => {
    const { test, login, note } = await device();
    const events = record(test.queue, 'request:held', 'request:released');
    test.network.online = false;
    const waiting = test.queue.call({ method: 'POST', url: at('/notes'), body: 'x' }).settled();
    const read = test.queue.call({ method: 'GET', url: at('/notes') }).settled();
    const { id } = await note(1);
    await test.clock.settle();
    await test.queue.principals.leave('ann');
    await test.clock.settle();
    for (const caller of [waiting, read]) {
      expect(await caller).toMatchObject({ state: 'held', reason: 'principal', error: { code: 'AUTH_REQUIRED' } });
    }
    expect((await test.queue.explain(id)).waitsFor).toEqual([{ what: 'principal', of: 'ann', until: null }]);
    await login('ann');
    expect(events.map(({ name }) => name)).toEqual([
      ...Array.from({ length: 3 }, () => 'request:held'),
      ...Array.from({ length: 3 }, () => 'request:released'),
    ]);
  });

  it('has as many requests as it likes', async () => {
    const { test, login } = await device();
    test.queue.pause();
    const items = Array.from({ length: 700 }, (_, n) => ({
      request: { method: 'POST', url: at('/notes'), body: { n } },
      options: { lane: `l${n % 3}` },
    }));
    await test.queue.enqueueMany(items);
    expect(await test.queue.principals.leave('ann')).toMatchObject({ sealed: 700 });
    test.queue.resume();
    await test.clock.advance(MINUTE_MS);
    expect(test.server.ledger.entries).toEqual([]);
    expect(await login('ann')).toBe(700);
    await test.clock.advance(MINUTE_MS);
    const sent = test.server.ledger.entries.map(({ request }) => (JSON.parse(request.body) as { n: number }).n);
    for (const lane of [0, 1, 2]) {
      const own = sent.filter((n) => n % 3 === lane);
      expect(own).toEqual([...own].sort((a, b) => a - b));
    }
    expect(sent).toHaveLength(700);
  });

  it('does not come back with what was under way when it left', async () => {
    const { test, login, note } = await device();
    test.server.script.next({ kind: 'answer', apply: false, answer: { status: 503 }, delayMs: 1_000 });
    const { id } = await note(1);
    await test.clock.settle();
    expect(await test.queue.principals.leave('ann')).toEqual({ sealed: 0, purged: [] });
    await login('bob');
    await test.clock.advance(HOUR_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'principal' });
    expect(sentBy(test)).toHaveLength(1);
    await login('ann');
    await test.clock.advance(MINUTE_MS);
    expect(sentBy(test)).toEqual(['ann {"n":1,"by":"ann"}', 'ann {"n":1,"by":"ann"}']);
  });

  it('is asked about nothing while it is away: what is in doubt waits for it too', async () => {
    const asked: string[] = [];
    const probe: ProbeFunction = async ({ send }) => {
      const answer = await send({ method: 'GET', path: '/notes' });
      asked.push(String(answer.status));
      return { outcome: 'applied' };
    };
    const { test, login, note } = await device({ probe });
    test.server.script.next(applyThenReset);
    const { id } = await note(1);
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ state: 'unknown' });
    await test.queue.principals.leave('ann');
    await login('bob');
    await test.clock.advance(2 * HOUR_MS);
    expect(asked).toEqual([]);
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'principal' });
    await test.queue.principals.leave('bob');
    await login('ann');
    await test.clock.advance(HOUR_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
    expect(test.server.ledger.entries.map(({ request }) => `${request.method} ${tokenOf(request)}`)).toEqual([
      'POST ann',
      'GET ann',
    ]);
  });
});

describe('a user who leaves by sending first', () => {
  it('is sealed once everything is sent', async () => {
    const { test, note } = await device();
    test.server.script.next(unavailable(), unavailable());
    for (let n = 0; n < 4; n += 1) await note(n, { lane: 'notes' });
    const left = test.queue.principals.leave('ann', { policy: 'sendFirst' });
    await test.clock.advance(MINUTE_MS);
    expect(await left).toEqual({ sealed: 0, purged: [] });
    expect(test.server.ledger.applied()).toBe(4);
    expect(await test.queue.principals.list()).toEqual([{ principal: 'ann', sealed: true, counts: {} }]);
  });

  it('is sealed with the rest when its time is over', async () => {
    const { test, note } = await device();
    test.network.online = false;
    await note(1);
    const before = test.clock.now();
    let leftAt: number | undefined;
    const left = test.queue.principals.leave('ann', { policy: 'sendFirst', deadlineMs: 5_000 }).then((result) => {
      leftAt = test.clock.now();
      return result;
    });
    await test.clock.advance(MINUTE_MS);
    expect(await left).toMatchObject({ sealed: 1 });
    expect(leftAt).toBe(before + 5_000);
    test.network.online = true;
    await test.clock.advance(HOUR_MS);
    expect(sentBy(test)).toEqual([]);
  });
});

describe('a user who leaves for good', () => {
  it('gets back all that was never sent, and nothing that may have been is given up', async () => {
    const { test, note } = await device();
    test.server.script.next(refuse({ status: 503 }));
    const tried = await note(0);
    await test.clock.settle();
    test.queue.pause();
    const local = test.queue.localId('ticket');
    const made = await test.queue.enqueue(
      { method: 'POST', url: at('/tickets'), body: { t: 1 } },
      { localId: local, tags: ['x'] },
    );
    const child = await test.queue.enqueue({ method: 'POST', url: at('/notes'), body: { ticketId: local } });
    const waiting = test.queue.call({ method: 'PUT', url: at(`/tickets/${local}`), body: { t: 2 } });
    const third = await waiting.accepted();
    const end = waiting.settled();
    const { sealed, purged } = await test.queue.principals.leave('ann', { policy: 'purge' });
    expect(sealed).toBe(1);
    expect(purged.map(({ id }) => id)).toEqual([made.id, child.id, third.id]);
    expect(purged[0]).toMatchObject({ state: 'ready', tags: ['x'], content: { body: '{"t":1}' } });
    expect(await end).toMatchObject({ state: 'cancelled', error: { code: 'REQUEST_CANCELLED' } });
    expect(await test.queue.get(tried.id)).toMatchObject({ state: 'held', reason: 'principal' });
    expect(await test.queue.counts()).toMatchObject({ cancelled: 3, held: 1, dead: 0 });
    expect((await test.queue.deadLetters.list({ includeTold: true })).requests).toEqual([]);
    test.queue.resume();
    await test.clock.advance(HOUR_MS);
    expect(sentBy(test)).toHaveLength(1);
  });

  it('takes nothing of others along', async () => {
    const { test, login, note } = await device();
    test.queue.pause();
    await note(1);
    await login('bob');
    await note(2);
    expect((await test.queue.principals.leave('ann', { policy: 'purge' })).purged).toHaveLength(1);
    test.queue.resume();
    await test.clock.advance(MINUTE_MS);
    expect(sentBy(test)).toEqual(['bob {"n":2,"by":"bob"}']);
  });
});

describe('credentials that came with the calls of a user', () => {
  it('are not used after it left, whichever of them', async () => {
    const test = await world();
    test.queue.pause();
    const post = (token: string) =>
      test.queue.enqueue(
        { method: 'POST', url: at('/notes'), body: token, headers: { authorization: `Bearer ${token}` } },
        { principal: 'ann' },
      );
    await post('old');
    await post('new');
    await test.queue.principals.leave('ann');
    test.queue.resume();
    await test.queue.principals.enter('ann');
    await test.clock.advance(MINUTE_MS);
    expect(sentBy(test)).toEqual([]);
    expect((await test.queue.held.list()).requests.map(({ reason }) => reason)).toEqual(['auth', 'auth']);
    await post('third');
    await test.clock.advance(MINUTE_MS);
    expect(sentBy(test).sort()).toEqual(['third new', 'third old', 'third third']);
  });
});

describe('a storm of 401 of two users', () => {
  it('is one refresh each; who gets none is held alone', async () => {
    const test = await world({ zones: { api: { origins: [TEST_ORIGIN] } } });
    const refreshed = { ann: 0, bob: 0 };
    const clients = (['ann', 'bob'] as const).map((name) => {
      const refresh = (): string => {
        refreshed[name] += 1;
        if (name === 'ann') throw new Error('the account is closed');
        return 'bob-2';
      };
      const auth = refreshingToken({ token: `${name}-1`, refresh, principal: name, clock: test.clock });
      return new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN, name, auth });
    });
    test.server.script.always((request) =>
      tokenOf(request) === 'bob-2' ? undefined : refuse({ status: 401, body: {} }),
    );
    for (const client of clients) {
      for (let n = 0; n < 100; n += 1) await client.post('/notes', { n }, { lane: `l${n}` }).accepted();
    }
    await test.clock.advance(MINUTE_MS);
    expect(refreshed.bob).toBe(1);
    expect(refreshed.ann).toBeLessThanOrEqual(6); // one per `retryRefreshMs` at most
    expect(await test.queue.principals.list()).toEqual([{ principal: 'ann', sealed: false, counts: { held: 100 } }]);
    expect(test.server.ledger.applied()).toBe(100);
    const held = (await test.queue.held.list({}, { limit: 500 })).requests;
    expect(new Set(held.map(({ reason, principal }) => `${principal} ${reason}`))).toEqual(new Set(['ann auth']));
  });
});

describe('whoever enters or leaves', () => {
  it('is named, and leaves as there is a way to', async () => {
    const { test, note } = await device();
    test.queue.pause();
    await note(1);
    const { principals } = test.queue;
    const wrong = [
      () => principals.enter(''),
      () => principals.enter(undefined as never),
      () => principals.leave(7 as never),
      () => principals.leave('ann', { policy: 'burn' as never }),
      () => principals.leave('ann', { policy: 'sendFirst', deadlineMs: Number.NaN }),
      () => principals.leave('ann', { policy: 'sendFirst', deadlineMs: -1 }),
      () => principals.leave('ann', { polcy: 'purge' } as never),
    ];
    for (const call of wrong) expect((await errorOf(call())).code).toBe('REQUEST_INVALID');
    expect(await principals.list()).toEqual([{ principal: 'ann', sealed: false, counts: { ready: 1 } }]);
  });

  it('may do so twice, and without ever having been there', async () => {
    const { test, note } = await device();
    const { principals } = test.queue;
    expect(await principals.enter('eve')).toBe(0);
    test.queue.pause();
    await note(1);
    expect(await principals.leave('ann')).toMatchObject({ sealed: 1 });
    expect(await principals.leave('ann')).toMatchObject({ sealed: 0 });
    expect(await principals.enter('ann')).toBe(1);
    expect(await principals.enter('ann')).toBe(0);
    expect(await principals.leave('nobody')).toEqual({ sealed: 0, purged: [] });
    test.queue.resume();
    await test.clock.advance(MINUTE_MS);
    expect(sentBy(test)).toHaveLength(1);
  });
});
