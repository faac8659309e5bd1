import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { partialBody, refuse } from '../../src/testing/serverSteps.ts';
import type { RestApiOptions } from '../support/RestApi.ts';
import { RestApi } from '../support/RestApi.ts';
import { at, errorOf, record, world } from './harness.ts';

const MINUTE_MS = 60_000;

/** A world whose API has things in collections. */
async function rest(config: Parameters<typeof world>[0] = {}, options: RestApiOptions = {}) {
  const test = await world(config);
  const api = new RestApi(options);
  const server = test.network.serve(TEST_ORIGIN, { respond: api.respond });
  return { test, api, server };
}

async function drained(test: TestQueue, ms = 10 * MINUTE_MS): Promise<void> {
  await test.clock.advance(ms);
}

function post(test: TestQueue, path: string, body: unknown, options: object = {}) {
  return test.queue.enqueue({ method: 'POST', url: at(path), body }, options);
}

function patch(test: TestQueue, path: string, body: unknown, options: object = {}) {
  const headers = { 'content-type': 'application/merge-patch+json' };
  return test.queue.enqueue({ method: 'PATCH', url: at(path), headers, body }, options);
}

describe('a local id', () => {
  it('stands in path, query and body of later requests until the server gave its own', async () => {
    const { test, api, server } = await rest();
    test.network.online = false;
    const ticket = test.queue.localId('ticket');
    const note = test.queue.localId('note');
    const bound = record(test.queue, 'id:bound');
    await post(test, '/tickets', { title: 'broken' }, { localId: ticket });
    await post(test, '/notes', { text: 'first', ticketId: ticket, nested: { list: [ticket] } }, { localId: note });
    await patch(test, `/tickets/${ticket}`, { title: 'very broken', lastNote: note });
    await test.queue.enqueue({ method: 'GET', url: at(`/notes?ticketId=${ticket}`) });
    expect(await test.queue.counts()).toMatchObject({ blocked: 3, succeeded: 0 });
    expect(await test.queue.serverId(ticket)).toBeUndefined();

    test.network.online = true;
    await drained(test);
    expect(api.all('/tickets')).toEqual([{ id: 501, title: 'very broken', lastNote: 502 }]);
    expect(api.all('/notes')).toEqual([{ id: 502, text: 'first', ticketId: 501, nested: { list: [501] } }]);
    const asked = server.ledger.entries.map(({ request }) => `${request.method} ${request.path}`);
    expect(asked.slice(0, 2)).toEqual(['POST /tickets', 'POST /notes']);
    // The two do not wait for each other.
    expect(asked.slice(2).sort()).toEqual(['GET /notes?ticketId=501', 'PATCH /tickets/501']);
    expect(await test.queue.serverId(ticket)).toBe(501);
    expect(bound).toMatchObject([
      { localId: ticket, serverId: 501, type: 'ticket' },
      { localId: note, serverId: 502 },
    ]);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 4, held: 0 });
  });

  it('is replaced at acceptance once it is known, and survives crashes in between', async () => {
    const { test, api } = await rest({ zones: { api: { origins: [TEST_ORIGIN], idempotency: 'ietf' } } });
    const ticket = test.queue.localId('ticket');
    test.network.online = false;
    await post(test, '/tickets', { title: 'a' }, { localId: ticket });
    await test.crash();
    await patch(test, `/tickets/${ticket}`, { n: 1 });
    await test.crash();
    test.network.online = true;
    await drained(test);
    await test.crash();
    const late = await patch(test, `/tickets/${ticket}`, { n: 2 });
    expect((await test.queue.get(late.id))?.content.path).toBe('/tickets/501');
    await drained(test);
    expect(api.at('/tickets/501')).toEqual({ id: 501, title: 'a', n: 2 });
  });

  it('does not keep requests from being known by their keys, also once it is known', async () => {
    const { test, api } = await rest();
    const ticket = test.queue.localId('ticket');
    const visit = async (): Promise<string[]> => [
      (await post(test, '/tickets', { title: 'a' }, { localId: ticket, key: 'made' })).id,
      (await post(test, '/notes', { ticket }, { key: 'noted' })).id,
      (await patch(test, `/tickets/${ticket}`, { n: 1 }, { key: 'changed' })).id,
    ];
    const first = await visit();
    await drained(test);
    expect(await visit()).toEqual(first);
    await drained(test);
    expect(api.changes).toHaveLength(3);
    expect((await errorOf(post(test, '/notes', { ticket, n: 2 }, { key: 'noted' }))).code).toBe('KEY_CONFLICT');
  });

  it('keeps the writes of its entity in one lane, also for those who know the id of the server', async () => {
    const { test, api, server } = await rest();
    const ticket = test.queue.localId('ticket');
    await post(test, '/tickets', { title: 'a' }, { localId: ticket });
    for (const n of [1, 2, 3]) await patch(test, `/tickets/${ticket}`, { n });
    test.network.online = true;
    await test.clock.settle();
    await patch(test, '/tickets/501', { n: 4 });
    await drained(test);
    const sent = server.ledger.entries.map(({ request }) => request.body);
    expect(sent).toEqual(['{"title":"a"}', '{"n":1}', '{"n":2}', '{"n":3}', '{"n":4}']);
    expect(api.at('/tickets/501')).toMatchObject({ n: 4 });
  });

  it('takes all that refers to it along when what makes it is refused, as one bundle that can be replayed', async () => {
    const { test, api, server } = await rest();
    server.script.next(refuse({ status: 422, body: { error: 'no title' } }));
    test.network.online = false;
    const ticket = test.queue.localId('ticket');
    const note = test.queue.localId('note');
    const made = await post(test, '/tickets', {}, { localId: ticket });
    const other = await post(test, '/notes', { ticketId: ticket }, { localId: note });
    await patch(test, `/notes/${note}`, { text: 'more' });
    await patch(test, `/tickets/${ticket}`, { n: 1 });
    test.network.online = true;
    await drained(test);
    expect(await test.queue.counts()).toMatchObject({ dead: 4, blocked: 0, held: 0 });
    expect(await test.queue.get(other.id)).toMatchObject({ state: 'dead', reason: 'abandoned', bundle: made.id });
    const refused = await errorOf(post(test, '/notes', { ticketId: ticket }));
    expect(refused.code).toBe('REQUEST_INVALID');

    expect(await test.queue.deadLetters.replayBundle(made.id)).toEqual({ matched: 4, done: 4 });
    await drained(test);
    expect(await test.queue.counts()).toMatchObject({ dead: 4, succeeded: 4, held: 0, blocked: 0 });
    expect(api.at('/tickets/501')).toEqual({ id: 501, n: 1 });
    expect(api.at('/notes/502')).toEqual({ id: 502, ticketId: 501, text: 'more' });
    expect((await errorOf(test.queue.deadLetters.replayBundle(made.id))).code).toBe('ILLEGAL_MOVE');
    await post(test, '/notes', { ticketId: ticket });
    await drained(test);
    expect(api.all('/notes')).toHaveLength(2);
  });

  it('is asked for again where the answer with it was lost and the server knows the request by its key', async () => {
    const zones = { api: { origins: [TEST_ORIGIN], idempotency: 'stripe' as const } };
    const { test, api, server } = await rest({ zones }, { hasLocation: false });
    server.script.next(partialBody);
    const ticket = test.queue.localId('ticket');
    await post(test, '/tickets', { title: 'a' }, { localId: ticket });
    await patch(test, `/tickets/${ticket}`, { n: 1 });
    await drained(test);
    expect(api.changes.map(({ method }) => method)).toEqual(['POST', 'PATCH']);
    expect(server.ledger.entries.map(({ outcome }) => outcome)).toEqual(['applied', 'replayed', 'applied']);
    expect(await test.queue.serverId(ticket)).toBe(501);
  });

  it('can be told by a person where nothing else tells it', async () => {
    const { test, api, server } = await rest();
    server.script.next({ kind: 'answer', apply: true, answer: { status: 201 } });
    api.edit('/tickets/501', {});
    const ticket = test.queue.localId('ticket');
    await post(test, '/tickets', { title: 'a' }, { localId: ticket });
    const { id } = await patch(test, `/tickets/${ticket}`, { n: 1 });
    await drained(test);
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'dependency' });
    expect((await test.queue.explain(id)).waitsFor).toContainEqual({ what: 'reference', of: ticket, until: null });
    await test.queue.bind(ticket, 501);
    await drained(test);
    expect(api.at('/tickets/501')).toMatchObject({ n: 1 });
  });

  it('is taken from Location where the body does not have it, and from where it was said to be', async () => {
    const { test, server } = await rest();
    const [one, two] = [test.queue.localId('a'), test.queue.localId('b')];
    server.script.next({
      kind: 'answer',
      apply: true,
      answer: { status: 201, headers: [['location', '/things/x%20y']] },
    });
    server.script.next({ kind: 'answer', apply: true, answer: { status: 200, body: { data: { key: 'k-1' } } } });
    await post(test, '/things', {}, { localId: one });
    await drained(test);
    await post(test, '/things', {}, { localId: two, yields: '/data/key' });
    await drained(test);
    expect([await test.queue.serverId(one), await test.queue.serverId(two)]).toEqual(['x y', 'k-1']);
  });

  it('is refused where it could not be replaced, and where it would wait for itself', async () => {
    const { test } = await rest();
    const ticket = test.queue.localId('ticket');
    const form = new URLSearchParams({ ticket });
    for (const body of [`about ${ticket}`, form, { text: `see ${ticket}` }, { [ticket]: 1 }]) {
      expect((await errorOf(post(test, '/notes', body))).code).toBe('REQUEST_INVALID');
    }
    expect((await errorOf(post(test, '/tickets', { self: ticket }, { localId: ticket }))).message).toMatch(/cycle/);
    expect((await errorOf(post(test, '/notes', { ticket }))).message).toMatch(/not known/);
    expect((await errorOf(post(test, '/notes', {}, { localId: 'mine' }))).code).toBe('REQUEST_INVALID');
    expect((await errorOf(() => test.queue.localId('no good'))).code).toBe('REQUEST_INVALID');
    expect(await test.queue.counts()).toMatchObject({ ready: 0, blocked: 0 });
  });

  it('works in one batch, and through a client whose calls are made in one turn', async () => {
    const { test, api } = await rest();
    const [ticket, other] = [test.queue.localId('ticket'), test.queue.localId('ticket')];
    await test.queue.enqueueMany([
      { request: { method: 'POST', url: at('/tickets'), body: { a: 1 } }, options: { localId: ticket } },
      { request: { method: 'POST', url: at('/notes'), body: { ticket } } },
    ]);
    const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
    const made = client.post('/tickets', { b: 1 }, { localId: other });
    const noted = client.post('/notes', { ticket: other });
    const both = Promise.all([made, noted]);
    await drained(test);
    const { id: second } = api.all('/tickets')[1] ?? {};
    expect(await both).toMatchObject([{ b: 1 }, { ticket: second }]);
    expect(api.all('/notes')).toHaveLength(2);
  });
});
