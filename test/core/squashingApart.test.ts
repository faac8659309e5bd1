import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { park, refuse } from '../../src/testing/serverSteps.ts';
import { at } from './harness.ts';
import { statesOf, TICKET, tickets, writes } from './support/squashing.ts';

describe('a change stays by itself', () => {
  it.each<[string, (w: Awaited<ReturnType<typeof tickets>>) => Promise<unknown>]>([
    [
      'behind one that is being sent',
      async ({ test, server, resource }) => {
        test.network.online = true;
        test.queue.resume();
        server.script.next(park);
        await resource.update(7, { title: 'b' }).accepted();
        await test.clock.settle();
      },
    ],
    [
      'behind one that was sent',
      async ({ test, server, resource }) => {
        test.network.online = true;
        test.queue.resume();
        server.script.next(refuse({ status: 503 }));
        await resource.update(7, { title: 'b' }).accepted();
        await test.clock.settle();
        test.network.online = false;
      },
    ],
    [
      'behind one that is held',
      async ({ test, server, resource }) => {
        test.network.online = true;
        test.queue.resume();
        server.script.next(refuse({ status: 402 }));
        const { id } = await resource.update(7, { title: 'b' }).accepted();
        await test.clock.settle();
        expect(await statesOf(test, id)).toEqual(['held']);
      },
    ],
    ['behind one that has a key', ({ resource }) => resource.update(7, { title: 'b' }, { key: 'k' }).accepted()],
    [
      'behind one that others wait for',
      async ({ client, resource }) => {
        const { id } = await resource.update(7, { title: 'b' }).accepted();
        await client.post('/notes', {}, { after: [id] }).accepted();
      },
    ],
    [
      'beside one of somebody else',
      ({ resource }) => resource.update(7, { title: 'b' }, { principal: 'bob' }).accepted(),
    ],
    ['behind one of no resource', ({ client }) => client.put('/tickets/7', { title: 'b' }).accepted()],
  ])('%s', async (_, before) => {
    const it = await tickets({ onConflict: 'client-wins' });
    await before(it);
    const { id } = await it.resource.update(7, { note: 'm' }).accepted();
    expect(await it.test.queue.counts()).toMatchObject({ superseded: 0 });
    for (const { id: held } of (await it.test.queue.held.list()).requests) {
      await it.test.queue.held.resolve(held, 'resend', 'ann');
    }
    it.server.release();
    await it.online();
    expect(await statesOf(it.test, id)).toEqual(['succeeded']);
    expect(it.api.at(TICKET)).toMatchObject({ title: 'b', note: 'm' });
  });

  it('with a key of its own, and where its resource does not ask for it', async () => {
    const keyed = await tickets();
    await keyed.resource.update(7, { title: 'b' }).accepted();
    await keyed.resource.update(7, { note: 'm' }, { key: 'k' }).accepted();
    const plain = await tickets({ squash: false });
    await plain.resource.update(7, { title: 'b' }).accepted();
    await plain.resource.update(7, { note: 'm' }).accepted();
    for (const { test, online, server } of [keyed, plain]) {
      expect(await test.queue.counts()).toMatchObject({ superseded: 0 });
      await online();
      expect(writes(server)).toHaveLength(2);
    }
  });
});

describe('what waits for a change', () => {
  it('waits for what that has become, whether it was asked before or after', async () => {
    const { test, api, server, client, resource, online } = await tickets();
    const one = await resource.update(7, { title: 'b' }).accepted();
    const two = await resource.update(7, { note: 'm' }).accepted();
    const late = await client.post('/notes', { n: 1 }, { after: [one.id] }).accepted();
    expect(await test.queue.explain(late.id)).toMatchObject({ waitsFor: [{ what: 'request', of: two.id }] });
    await online();
    expect(writes(server)).toEqual(['PATCH /tickets/7 "v1" {"title":"b","note":"m"}', 'POST /notes - {"n":1}']);
    expect(api.at(TICKET)).toMatchObject({ title: 'b', note: 'm' });
  });

  it('waits for it also where both are made at the same moment', async () => {
    const { test, api, client, resource, online } = await tickets();
    const local = test.queue.localId('ticket');
    await resource.create({ title: 'new' }, { localId: local }).accepted();
    const calls = [
      resource.update(local, { n: 1 }),
      client.post('/notes', { ticketId: local }),
      resource.update(local, { n: 2 }),
      client.post('/notes', { ticketId: local, last: true }),
    ];
    await Promise.all(calls.map((call) => call.accepted()));
    await online();
    expect(api.all('/tickets').at(-1)).toEqual({ id: 501, title: 'new', n: 2 });
    expect(api.all('/notes')).toMatchObject([{ ticketId: 501 }, { ticketId: 501, last: true }]);
    expect(await test.queue.counts()).toMatchObject({ held: 0, dead: 0 });
  });
});

describe('a replay', () => {
  it('is made as it was, by a process that has the rules, of whatever another one asked for again', async () => {
    const { test, api, server, resource } = await tickets();
    const local = test.queue.localId('ticket');
    server.script.always(({ method }) => (method === 'POST' ? refuse({ status: 422, body: {} }) : undefined));
    const made = await resource.create({ title: 'new' }, { localId: local }).accepted();
    await test.queue.enqueue({ method: 'POST', url: at('/notes'), body: { ticketId: local } });
    await resource.update(local, { n: 1 }).accepted();
    test.network.online = true;
    test.queue.resume();
    await test.clock.advance(1_000);
    expect(await test.queue.counts()).toMatchObject({ dead: 3 });
    await test.crash();
    server.script.clear();
    expect(await test.queue.deadLetters.replayBundle(made.id)).toEqual({ matched: 3, done: 3 });
    await test.clock.advance(60_000);
    expect(api.all('/tickets')).toHaveLength(1);
    new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN }).resource('ticket', { path: '/tickets', squash: true });
    await test.clock.advance(60_000);
    expect(api.all('/tickets').at(-1)).toEqual({ id: 501, title: 'new', n: 1 });
    expect(api.all('/notes')).toMatchObject([{ ticketId: 501 }]);
    expect(await test.queue.counts()).toMatchObject({ dead: 3, held: 0, blocked: 0 });
  });
});
