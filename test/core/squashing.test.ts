import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { at, errorOf, record } from './harness.ts';
import { HOUR_MS, MINUTE_MS, statesOf, TICKET, tickets, told, writes } from './support/squashing.ts';

describe('two updates of one thing', () => {
  it('are sent as one: the later value wins, the first version stays, and both callers get its answer', async () => {
    const { test, api, server, resource, online } = await tickets();
    const settled = record(test.queue, 'request:settled');
    const first = resource.update(7, { title: 'b', count: 1 });
    const one = await first.accepted();
    const second = resource.update(7, { title: 'c' }, { etag: '"v9"', base: { title: 'z' } });
    const two = await second.accepted();
    const ends = Promise.all([first.settled(), second.settled()]);
    expect(await test.queue.get(one.id)).toMatchObject({
      state: 'superseded',
      reason: 'squashed',
      replayedAs: two.id,
    });
    expect(await test.queue.get(two.id)).toMatchObject({ base: { title: 'a', note: 'n', count: 0 }, callers: 2 });
    await online();
    expect(writes(server)).toEqual(['PATCH /tickets/7 "v1" {"title":"c","count":1}']);
    const shown = { id: 7, title: 'c', note: 'n', count: 1 };
    expect(api.at(TICKET)).toEqual(shown);
    expect((await ends).map(told)).toEqual([
      ['succeeded', 'applied', 200, shown],
      ['succeeded', 'applied', 200, shown],
    ]);
    expect(settled.slice(-2)).toMatchObject([
      { requestId: one.id, state: 'superseded', reason: 'squashed' },
      { requestId: two.id, state: 'succeeded', status: 200 },
    ]);
    expect(settled.filter(({ requestId }) => requestId === one.id || requestId === two.id)).toHaveLength(2);
    expect(told(await test.queue.handle(one.id).settled())).toEqual(['succeeded', 'applied', 200, shown]);
  });

  it('are one also where the first was tried and did not leave the machine', async () => {
    const { test, server, resource, online } = await tickets();
    test.queue.resume();
    const one = await resource.update(7, { title: 'b' }).accepted();
    await test.clock.advance(HOUR_MS);
    expect(await test.queue.get(one.id)).toMatchObject({ firstSentAt: null });
    await resource.update(7, { note: 'm' }).accepted();
    await online();
    expect(writes(server)).toEqual(['PATCH /tickets/7 "v1" {"title":"b","note":"m"}']);
  });

  it('survive a crash between them, and one before anybody learns that they are one', async () => {
    const { test, api, server, resource } = await tickets();
    const one = await resource.update(7, { title: 'b' }).accepted();
    await test.crash();
    const open = () =>
      new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN }).resource('ticket', {
        path: '/tickets',
        version: 'etag',
        squash: true,
      });
    const opened = open();
    await test.clock.settle();
    const stopped = test.stopAt('accept:afterCommit');
    void opened.update(7, { note: 'm' }).accepted();
    await stopped;
    await test.crash();
    const again = open();
    await test.clock.settle();
    await again.update(7, { count: 3 }).accepted();
    test.network.online = true;
    await test.clock.advance(10 * MINUTE_MS);
    expect(writes(server)).toEqual(['PATCH /tickets/7 "v1" {"title":"b","note":"m","count":3}']);
    expect(api.at(TICKET)).toEqual({ id: 7, title: 'b', note: 'm', count: 3 });
    expect(told(await test.queue.handle(one.id).settled())).toMatchObject(['succeeded', 'applied', 200, { count: 3 }]);
    expect(await test.queue.counts()).toMatchObject({ superseded: 2, succeeded: 2 });
  });

  it('leave nothing behind when both callers take them back', async () => {
    const { test, server, resource, online } = await tickets();
    const one = await resource.update(7, { title: 'b' }).accepted();
    const two = await resource.update(7, { note: 'm' }).accepted();
    expect(await two.cancel()).toBe(false);
    await one.cancel();
    await online();
    expect(await test.queue.counts()).toMatchObject({ held: 0, ready: 0, scheduled: 0 });
    expect(writes(server)).toEqual([]);
  });

  it('keep the better priority, the later deadline and all tags', async () => {
    const { test, resource } = await tickets();
    const deadline = test.clock.now() + HOUR_MS;
    await resource.update(7, { a: 1 }, { priority: 'high', deadline, tags: ['x'] }).accepted();
    const { id } = await resource
      .update(7, { b: 1 }, { priority: 'low', deadline: deadline + 5, tags: ['y'] })
      .accepted();
    expect(await test.queue.get(id)).toMatchObject({ priority: 8, expiresAt: deadline + 5, tags: ['x', 'y'] });
  });
});

describe('updates made without waiting for each other', () => {
  it('are sent in their order, however many become one', async () => {
    const { test, api, server, resource, online } = await tickets();
    await resource.update(7, { n: 0 }).accepted();
    const calls = Array.from({ length: 20 }, (_, n) => resource.update(7, { n: n + 1, [`f${n}`]: n }));
    const ends = Promise.all(calls.map((call) => call.settled()));
    await test.clock.settle();
    for (let n = 0; n < 5; n += 1) await resource.update(7, { n: 100 + n }).accepted();
    await online();
    expect(await ends).toHaveLength(20);
    expect((await ends).every(({ state }) => state === 'succeeded')).toBe(true);
    const seen = api.changes.map(({ body }) => (JSON.parse(body) as { n: number }).n);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.at(-1)).toBe(104);
    expect(api.at(TICKET)).toMatchObject({ f0: 0, f19: 19, n: 104 });
    expect(writes(server).length).toBeLessThan(26);
  });

  it('in one batch are kept apart, and the batch is accepted', async () => {
    const { test, server, resource, online } = await tickets();
    await resource.update(7, { n: 0 }).accepted();
    const headers = { 'content-type': 'application/merge-patch+json' };
    const change = (n: number) => ({
      request: { method: 'PATCH', url: at(TICKET), headers, body: { n } },
      options: { resource: resource.name },
    });
    const batch = test.queue.enqueueMany([change(1), change(2)]);
    await test.clock.settle();
    await online();
    expect(await batch).toHaveLength(2);
    expect(writes(server).at(-1)).toMatch(/"n":2/);
  });
});

describe('a create and what follows', () => {
  it('is one create with an update of it, whose local id others may refer to', async () => {
    const { test, api, server, client, resource, online } = await tickets();
    const bound = record(test.queue, 'id:bound');
    const local = test.queue.localId('ticket');
    const made = resource.create({ title: 'new', note: 'n' }, { localId: local });
    await made.accepted();
    const changed = resource.update(local, { title: 'newer' });
    await changed.accepted();
    const ends = Promise.all([made.settled(), changed.settled()]);
    await client.post('/notes', { ticketId: local }).accepted();
    await online();
    expect(writes(server)).toEqual(['POST /tickets - {"title":"newer","note":"n"}', 'POST /notes - {"ticketId":501}']);
    const shown = { id: 501, title: 'newer', note: 'n' };
    expect((await ends).map(told)).toEqual([
      ['succeeded', 'applied', 201, shown],
      ['succeeded', 'applied', 201, shown],
    ]);
    expect(bound).toMatchObject([{ localId: local, serverId: 501 }]);
    expect(api.all('/notes')).toEqual([{ id: 502, ticketId: 501 }]);
  });

  it('may be changed any number of times and for any time before somebody refers to it', async () => {
    const { test, api, client, resource, online } = await tickets();
    const local = test.queue.localId('ticket');
    await resource.create({ title: 'new' }, { localId: local }).accepted();
    for (let n = 0; n < 15; n += 1) await resource.update(local, { n }).accepted();
    await client.post('/notes', { ticketId: local }).accepted();
    await online();
    expect(api.all('/tickets').at(-1)).toEqual({ id: 501, title: 'new', n: 14 });
    expect(api.all('/notes')).toMatchObject([{ ticketId: 501 }]);
  });

  it('may be referred to when what it was at first is forgotten', async () => {
    const { test, api, client, resource, online } = await tickets({}, {}, { retention: { succeededMs: 1_000 } });
    const local = test.queue.localId('ticket');
    await resource.create({ title: 'new' }, { localId: local }).accepted();
    await resource.update(local, { n: 1 }).accepted();
    await test.clock.advance(10 * MINUTE_MS);
    await resource.update(local, { n: 2 }).accepted();
    await client.post('/notes', { ticketId: local }).accepted();
    await online();
    expect(api.all('/tickets').at(-1)).toEqual({ id: 501, title: 'new', n: 2 });
    expect(api.all('/notes')).toMatchObject([{ ticketId: 501 }]);
  });

  it('is not sent at all where it is deleted again: both calls end well', async () => {
    const { test, server, resource, online } = await tickets();
    const settled = record(test.queue, 'request:settled');
    const local = test.queue.localId('ticket');
    const made = resource.create({ title: 'new' }, { localId: local });
    const one = await made.accepted();
    const gone = resource.delete(local);
    const two = await gone.accepted();
    await test.clock.settle();
    expect((await Promise.all([made.settled(), gone.settled()])).map(told)).toEqual([
      ['succeeded', 'noop', 204, undefined],
      ['succeeded', 'noop', 204, undefined],
    ]);
    await expect(gone).resolves.toBeUndefined();
    expect(settled.slice(-2)).toMatchObject([
      { requestId: one.id, state: 'superseded', reason: 'squashed' },
      { requestId: two.id, state: 'succeeded', reason: 'noop' },
    ]);
    await online();
    expect(writes(server)).toEqual([]);
    expect(await test.queue.counts()).toMatchObject({ ready: 0, scheduled: 0, blocked: 0, held: 0 });
  });

  it('that came to nothing is nothing others can refer to', async () => {
    const { test, client, resource } = await tickets();
    const local = test.queue.localId('ticket');
    await resource.create({ title: 'new' }, { localId: local }).accepted();
    await resource.delete(local).accepted();
    expect((await errorOf(client.post('/notes', { ticketId: local }).accepted())).code).toBe('REQUEST_INVALID');
    expect((await errorOf(resource.update(local, { n: 1 }).accepted())).code).toBe('REQUEST_INVALID');
  });

  it('is sent, and deleted, where something refers to it', async () => {
    const { test, api, server, client, resource, online } = await tickets();
    const local = test.queue.localId('ticket');
    await resource.create({ title: 'new' }, { localId: local }).accepted();
    const note = await client.post('/notes', { ticketId: local }).accepted();
    await resource.update(local, { title: 'newer' }).accepted();
    await resource.update(local, { title: 'newest' }).accepted();
    await resource.delete(local).accepted();
    await online();
    expect(writes(server).filter((line) => !line.startsWith('POST /notes'))).toEqual([
      'POST /tickets - {"title":"new"}',
      'DELETE /tickets/501 "v1"',
    ]);
    expect(await statesOf(test, note.id)).toEqual(['succeeded']);
    expect(api.all('/notes')).toMatchObject([{ ticketId: 501 }]);
    expect(api.at('/tickets/501')).toBeUndefined();
  });

  it('is refused for both at once, and replayed as the one it became', async () => {
    const { test, api, server, resource, online } = await tickets();
    server.script.always(({ method }) => (method === 'POST' ? refuse({ status: 422, body: {} }) : undefined));
    const local = test.queue.localId('ticket');
    const made = resource.create({ title: '' }, { localId: local });
    await made.accepted();
    const changed = resource.update(local, { n: 1 });
    const two = await changed.accepted();
    const ends = Promise.all([made.settled(), changed.settled()]);
    await online();
    expect(await ends).toMatchObject([
      { error: { code: 'REQUEST_REJECTED' } },
      { error: { code: 'REQUEST_REJECTED' } },
    ]);
    server.script.clear();
    await test.queue.deadLetters.replay({ ids: [two.id] });
    await online();
    expect(api.all('/tickets').at(-1)).toEqual({ id: 501, title: '', n: 1 });
    expect(await test.queue.serverId(local)).toBe(501);
  });
});

describe('an update and a delete', () => {
  it('are one delete, of the version that the update was made on', async () => {
    const { api, server, resource, online } = await tickets();
    const changed = resource.update(7, { title: 'b' });
    await changed.accepted();
    const gone = resource.delete(7, { etag: '"v9"' });
    await gone.accepted();
    const ends = Promise.all([changed.settled(), gone.settled()]);
    await online();
    expect(writes(server)).toEqual(['DELETE /tickets/7 "v1"']);
    expect((await ends).map(told)).toEqual([
      ['succeeded', 'applied', 204, undefined],
      ['succeeded', 'applied', 204, undefined],
    ]);
    expect(api.at(TICKET)).toBeUndefined();
  });
});

describe('a mistake', () => {
  it('is told to its caller, and loses nothing', async () => {
    const { test, api, server, resource, online } = await tickets();
    const gone = await resource.delete(7).accepted();
    const late = await errorOf(resource.update(7, { title: 'b' }).accepted());
    expect(late).toMatchObject({ code: 'REQUEST_INVALID' });
    expect(late.message).toMatch(/\/tickets\/7/);
    const make = { headers: { 'if-none-match': '*' } };
    const new9 = await resource.replace(9, { title: 'x' }, make).accepted();
    expect((await errorOf(resource.replace(9, { title: 'y' }, make).accepted())).code).toBe('REQUEST_INVALID');
    expect(await statesOf(test, gone.id, new9.id)).not.toContain('superseded');
    await online();
    expect(api.at(TICKET)).toBeUndefined();
    expect(api.at('/tickets/9')).toMatchObject({ title: 'x' });
    expect(writes(server)).toHaveLength(2);
  });

  it('is none where what is in its way is taken back before it', async () => {
    const { test, api, resource, online } = await tickets();
    const make = { headers: { 'if-none-match': '*' } };
    await resource.replace(9, { title: 'x' }, make).accepted();
    const [gone, again] = [resource.delete(9), resource.replace(9, { title: 'y' }, make)];
    await Promise.all([gone.accepted(), again.accepted()]);
    await online();
    expect(api.at('/tickets/9')).toMatchObject({ title: 'y' });
    expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0 });
  });
});
