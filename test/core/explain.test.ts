import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import type { RequestOptions } from '../../src/queue/types/calls.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { applyThenReset, park, refuse } from '../../src/testing/serverSteps.ts';
import { at, errorOf, tokenProvider, world } from './harness.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function post(test: TestQueue, body: unknown, options: RequestOptions = {}) {
  return test.queue.enqueue({ method: 'POST', url: at('/notes'), body }, options);
}

describe('explain', () => {
  it('tells the root of a chain of three, and when that may go on', async () => {
    const test = await world();
    const notBefore = test.clock.now() + HOUR_MS;
    const first = await post(test, 1, { notBefore });
    const second = await post(test, 2, { after: [first.id], lane: 'l' });
    const third = await post(test, 3, { lane: 'l' });
    const time = { what: 'time', of: 'notBefore', until: notBefore };
    expect(await test.queue.explain(third.id)).toMatchObject({
      state: 'blocked',
      waitsFor: [{ what: 'lane', of: second.id, until: null }],
      root: { id: first.id, state: 'scheduled', waitsFor: [time] },
      wakesAt: notBefore,
    });
    expect(await test.queue.explain(second.id)).toMatchObject({
      waitsFor: [{ what: 'request', of: first.id }],
      root: { id: first.id },
    });
    const root = await test.queue.explain(first.id);
    expect(root).toMatchObject({ waitsFor: [time], wakesAt: notBefore });
    expect(root.root).toBeUndefined();
    await test.clock.advance(HOUR_MS);
    for (const { id } of [first, second, third]) {
      expect(await test.queue.explain(id)).toMatchObject({
        state: 'succeeded',
        waitsFor: [],
        wakesAt: null,
        next: null,
        bundle: null,
        conflicts: [],
      });
    }
  });

  it('tells a root that only a person moves, also behind one that moves by itself', async () => {
    const test = await world();
    test.server.script.next(refuse({ status: 402 }));
    const held = await post(test, 1);
    await test.clock.settle();
    test.server.script.next(park);
    const sending = await post(test, 2, { lane: 'l' });
    await test.clock.settle();
    const { id } = await post(test, 3, { lane: 'l', after: [held.id] });
    const { waitsFor, root, wakesAt } = await test.queue.explain(id);
    expect(waitsFor).toEqual([
      { what: 'lane', of: sending.id, until: null },
      { what: 'request', of: held.id, until: null },
    ]);
    expect(root).toEqual({
      id: held.id,
      state: 'held',
      waitsFor: [{ what: 'decision', of: 'quota', until: null }],
    });
    expect(wakesAt).toBeNull();
  });

  it('tells a zone that is offline, and when it is tried', async () => {
    const test = await world();
    test.network.online = false;
    const one = await post(test, 1);
    const two = await post(test, 2);
    await test.clock.advance(MINUTE_MS);
    const waits = await Promise.all([one, two].map(({ id }) => test.queue.explain(id)));
    const offline = waits.find(({ state }) => state === 'ready');
    expect(offline?.waitsFor).toMatchObject([{ what: 'zoneOffline', of: TEST_ORIGIN, until: expect.any(Number) }]);
    expect(offline?.wakesAt).toBe(offline?.waitsFor[0]?.until);
    const before = test.clock.now();
    expect(offline?.wakesAt).toBeGreaterThanOrEqual(before);
    test.network.online = true;
    await test.clock.advance((offline?.wakesAt ?? before) - before + 1_000);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 2 });
  });

  it('tells a client, or the rules of a resource, that this process does not have', async () => {
    const test = await world();
    const open = (hasResource: boolean) => {
      const auth = tokenProvider('t', 'ann');
      const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN, name: 'crm', auth });
      return { client, tickets: hasResource ? client.resource('ticket', { path: '/tickets' }) : undefined };
    };
    test.network.online = false;
    const { client, tickets } = open(true);
    const plain = await client.post('/notes', {}).accepted();
    const ofResource = await tickets?.create({}).accepted();
    await test.clock.settle();
    await test.crash();
    test.network.online = true;
    await test.clock.advance(5_000);
    const waits = async (id: string | undefined) => (await test.queue.explain(id ?? '')).waitsFor;
    expect(await waits(plain.id)).toEqual([{ what: 'client', of: 'crm', until: null }]);
    expect(await waits(ofResource?.id)).toEqual([{ what: 'client', of: 'crm#ticket', until: null }]);
    const again = open(false);
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(plain.id)).toMatchObject({ state: 'succeeded' });
    expect(await waits(ofResource?.id)).toEqual([{ what: 'client', of: 'crm#ticket', until: null }]);
    again.client.resource('ticket', { path: '/tickets' });
    await test.clock.advance(MINUTE_MS);
    expect(await waits(ofResource?.id)).toEqual([]);
  });

  it('tells a principal that is away, and a local id that nobody gave', async () => {
    const test = await world();
    test.server.script.next({ kind: 'answer', apply: true, answer: { status: 201 } });
    const localId = test.queue.localId('ticket');
    await post(test, {}, { localId });
    const child = await post(test, { of: localId, also: localId }, { principal: 'ann' });
    await test.clock.settle();
    expect(await test.queue.explain(child.id)).toMatchObject({
      state: 'held',
      reason: 'dependency',
      waitsFor: [
        { what: 'reference', of: localId, until: null },
        { what: 'decision', of: 'dependency', until: null },
      ],
    });
    test.queue.pause();
    const { id } = await post(test, 'x', { principal: 'bob' });
    expect((await test.queue.explain(id)).waitsFor).toEqual([{ what: 'zonePaused', of: TEST_ORIGIN, until: null }]);
    await test.queue.principals.leave('bob');
    expect((await test.queue.explain(id)).waitsFor).toEqual([{ what: 'principal', of: 'bob', until: null }]);
  });

  it('tells when it looks again for what nobody knows', async () => {
    const probe = async () => ({ outcome: 'inconclusive' }) as const;
    const test = await world({ zones: { api: { origins: [TEST_ORIGIN], probe } } });
    test.server.script.next(applyThenReset);
    const { id } = await post(test, 1);
    const until = test.clock.now() + MINUTE_MS;
    await test.clock.advance(1_000);
    const { waitsFor, wakesAt, attempts } = await test.queue.explain(id);
    expect(waitsFor).toEqual([{ what: 'probe', of: 'unanswered', until }]);
    expect(wakesAt).toBe(until);
    expect(attempts).toMatchObject([{ phase: 'sent', outcome: 'unknown', error: 'ECONNRESET' }]);
  });

  it('tells a deadline as the time at which what is held ends by itself, unless it is in doubt', async () => {
    const test = await world();
    const until = test.clock.now() + HOUR_MS;
    test.server.script.next(refuse({ status: 402 }), applyThenReset);
    const quota = await post(test, 1, { deadline: until });
    const doubt = await post(test, 2, { deadline: until });
    await test.clock.settle();
    expect((await test.queue.explain(quota.id)).waitsFor).toEqual([{ what: 'decision', of: 'quota', until }]);
    expect(await test.queue.explain(doubt.id)).toMatchObject({
      waitsFor: [{ what: 'decision', of: 'unknown', until: null }],
      wakesAt: null,
    });
    await test.clock.advance(2 * HOUR_MS);
    expect(await test.queue.explain(quota.id)).toMatchObject({ state: 'dead', reason: 'expired' });
    expect(await test.queue.explain(doubt.id)).toMatchObject({ state: 'held', reason: 'unknown' });
  });

  it('tells also of what is in doubt that the client is missing which could find out', async () => {
    const test = await world();
    const open = () =>
      new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN, name: 'crm', auth: tokenProvider('t', 'ann') });
    test.server.script.next(park);
    const { id } = await open().put('/notes/1', {}).accepted();
    await test.clock.settle();
    await test.crash();
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.explain(id)).toMatchObject({
      waitsFor: [{ what: 'client', of: 'crm', until: null }],
      wakesAt: null,
    });
    open();
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.explain(id)).toMatchObject({ state: 'succeeded' });
  });

  it('knows nothing of a request that is not there', async () => {
    const test = await world();
    expect((await errorOf(test.queue.explain('nobody'))).code).toBe('REQUEST_NOT_FOUND');
  });
});

describe('what would become of a request next', () => {
  const probe = async () => ({ outcome: 'inconclusive' }) as const;
  const MERGE = { 'content-type': 'application/merge-patch+json' };

  it.each<[what: string, zone: object, method: string, options: RequestOptions, next: object]>([
    ['a POST', {}, 'POST', {}, { unanswered: 'held', conflict: 'held', rejected: 'dead', keyUntil: null }],
    ['a POST that is probed', { probe }, 'POST', {}, { unanswered: 'probed' }],
    ['a POST with a key', { idempotency: 'ietf' }, 'POST', {}, { unanswered: 'sentAgain', keyUntil: null }],
    ['a DELETE of Stripe', { idempotency: 'stripe' }, 'DELETE', {}, { unanswered: 'sentAgain', keyUntil: null }],
    ['a POST that may be done twice', {}, 'POST', { onUnknown: 'resend' }, { unanswered: 'sentAgain' }],
    ['a POST that may be lost', {}, 'POST', { onUnknown: 'drop' }, { unanswered: 'dropped' }],
    ['a POST that may be lost, probed', { probe }, 'POST', { onUnknown: 'drop' }, { unanswered: 'probed' }],
    ['a PUT', {}, 'PUT', {}, { unanswered: 'sentAgain' }],
    ['a PATCH that does something', {}, 'PATCH', { effect: 'action' }, { unanswered: 'probed' }],
    ['one that takes others along', {}, 'POST', { onFailure: 'cascade' }, { rejected: 'deadWithItsLane' }],
    ['one that stops its lane', {}, 'PUT', { onFailure: 'halt' }, { rejected: 'deadAndLaneHalts' }],
  ])('is told of %s', async (_, zone, method, options, next) => {
    const test = await world({ zones: { api: { origins: [TEST_ORIGIN], ...zone } } });
    test.queue.pause();
    const body = method === 'DELETE' ? undefined : {};
    const { id } = await test.queue.enqueue({ method, url: at('/notes/1'), headers: MERGE, body }, options);
    expect((await test.queue.explain(id)).next).toMatchObject({ isWindowOpen: false, ...next });
  });

  it('follows from its resource: who reconciles, and whether another may come in between', async () => {
    const test = await world();
    test.queue.pause();
    const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
    const nexts = [];
    for (const [name, options] of [
      ['plain', {}],
      ['etag', { version: 'etag' }],
      ['seen', { version: 'etag' }],
      ['field', { version: '/version' }],
      ['manual', { onConflict: 'manual' }],
    ] as const) {
      const resource = client.resource(name, { path: `/${name}`, ...options });
      const etag = name === 'seen' ? '"v1"' : undefined;
      const { id } = await resource.update(7, { n: 1 }, { etag }).accepted();
      const { next } = await test.queue.explain(id);
      nexts.push([name, next?.conflict, next?.isWindowOpen]);
    }
    expect(nexts).toEqual([
      ['plain', 'held', false],
      ['etag', 'reconciled', true],
      ['seen', 'reconciled', false],
      ['field', 'reconciled', true],
      ['manual', 'reconciled', false],
    ]);
  });

  it('changes with time: a key is good for so long, and a resend without one too', async () => {
    const zones = { api: { origins: [TEST_ORIGIN], idempotency: { header: 'x-key', ttlMs: 10 * MINUTE_MS } } };
    const test = await world({ zones });
    test.server.script.next(applyThenReset);
    const { id } = await post(test, 1);
    await test.clock.settle();
    test.network.online = false;
    const sentAt = (await test.queue.get(id))?.firstSentAt ?? 0;
    expect((await test.queue.explain(id)).next).toMatchObject({
      unanswered: 'sentAgain',
      keyUntil: sentAt + 8 * MINUTE_MS,
    });
    await test.clock.advance(9 * MINUTE_MS);
    expect((await test.queue.explain(id)).next).toMatchObject({ unanswered: 'held' });
  });

  it.each<[what: string, zone: object, method: string, headers: Record<string, string>, guarantee: string]>([
    ['a key the API is known to know', { idempotency: 'ietf' }, 'POST', {}, 'exactlyOnce'],
    ['a key nobody said it knows', {}, 'POST', { 'idempotency-key': 'k' }, 'atLeastOnce'],
    ['a method that API keys not', { idempotency: 'stripe-v2' }, 'PATCH', {}, 'atMostOnce'],
    ['a key of its own for that', { idempotency: 'stripe-v2' }, 'PATCH', { 'idempotency-key': 'k' }, 'atLeastOnce'],
    ['nothing', {}, 'POST', {}, 'atMostOnce'],
    ['a server that is asked again', { retryAnswered5xx: true }, 'POST', {}, 'atLeastOnce'],
    ['a PUT', {}, 'PUT', {}, 'exactlyOnce'],
  ])('is promised by %s', async (_, zone, method, headers, guarantee) => {
    const test = await world({ zones: { api: { origins: [TEST_ORIGIN], ...zone } } });
    test.queue.pause();
    const { id } = await test.queue.enqueue({ method, url: at('/notes/1'), headers, body: {} });
    expect((await test.queue.explain(id)).guarantee).toBe(guarantee);
  });
});
