import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import type { ResourceOptions } from '../../src/client/resourceOptions.ts';
import type { Json } from '../../src/queue/types/request.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import type { FakeServer } from '../../src/testing/FakeServer.ts';
import { applyThenReset, refuse } from '../../src/testing/serverSteps.ts';
import type { RestApiOptions } from '../support/RestApi.ts';
import { RestApi } from '../support/RestApi.ts';
import { record, world } from './harness.ts';

const MINUTE_MS = 60_000;
const TICKET = '/tickets/7';
const FIRST = { title: 'a', note: 'n', count: 0 };

/** A queue, an API with one ticket, and a client that has tickets as a resource. */
async function tickets(options: Partial<ResourceOptions> = {}, restOptions: RestApiOptions = {}) {
  const test = await world();
  const api = new RestApi(restOptions);
  const server: FakeServer = test.network.serve(TEST_ORIGIN, { respond: api.respond });
  api.edit(TICKET, FIRST);
  const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
  const resource = client.resource('ticket', { path: '/tickets', version: 'etag', ...options });
  const read = async (): Promise<void> => {
    const got = resource.get(7).then(() => undefined);
    await test.clock.settle();
    await got;
  };
  const rest = (ms = 10 * MINUTE_MS): Promise<void> => test.clock.advance(ms);
  return { test, api, server, client, resource, read, rest };
}

/** What was sent to change something. */
function writes(server: FakeServer): string[] {
  return server.ledger.entries
    .filter(({ request }) => request.method !== 'GET')
    .map(({ request }) => {
      const match = request.headers.find(([name]) => name === 'if-match')?.[1] ?? '-';
      return `${request.method} ${match} ${request.body}`;
    });
}

/** A change that is stored, and what becomes of it. */
async function changed(
  world: Awaited<ReturnType<typeof tickets>>,
  changes: Json,
  meanwhile: () => void = () => undefined,
) {
  const { resource, test, rest } = world;
  await world.read();
  test.network.online = false;
  const call = resource.update(7, changes);
  const { id } = await call.accepted();
  meanwhile();
  test.network.online = true;
  const end = call.settled();
  await rest();
  return { id, end: await end, stored: await test.queue.get(id) };
}

describe('a change that meets what somebody else changed', () => {
  it('is merged field by field, with the version of the server as its new precondition', async () => {
    const world = await tickets({ onConflict: 'merge' });
    const events = record(world.test.queue, 'conflict:detected', 'conflict:resolved');
    const { end, stored } = await changed(world, { title: 'mine' }, () => world.api.edit(TICKET, { note: 'theirs' }));
    expect(end).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(world.api.at(TICKET)).toEqual({ id: 7, title: 'mine', note: 'theirs', count: 0 });
    expect(writes(world.server)).toEqual(['PATCH "v1" {"title":"mine"}', 'PATCH "v2" {"title":"mine"}']);
    expect(events).toMatchObject([
      { name: 'conflict:detected', trigger: 'changed', round: 1 },
      { name: 'conflict:resolved', strategy: 'merge', action: 'resend' },
    ]);
    expect(stored?.progress).toMatchObject({ generation: 2, rounds: 1 });
  });

  it('is held where both changed the same field, and its caller is told', async () => {
    const world = await tickets({ onConflict: 'merge' });
    const { end, id } = await changed(world, { title: 'mine' }, () => world.api.edit(TICKET, { title: 'theirs' }));
    expect(end).toMatchObject({ state: 'held', reason: 'conflict', error: { code: 'CONFLICT' } });
    expect(world.api.at(TICKET)).toMatchObject({ title: 'theirs' });
    expect((await world.test.queue.held.list()).requests).toMatchObject([{ id, reason: 'conflict' }]);
  });

  it('is decided by a resolver of the field', async () => {
    const later = ({ local, remote }: { local: Json; remote: Json }): Json => `${String(local)}+${String(remote)}`;
    const world = await tickets({ onConflict: { merge: { fields: { title: later } } } });
    await changed(world, { title: 'mine' }, () => world.api.edit(TICKET, { title: 'theirs' }));
    expect(world.api.at(TICKET)).toMatchObject({ title: 'mine+theirs' });
  });

  it('wins, loses or fails as was declared', async () => {
    const ends = new Map<string, unknown>();
    for (const onConflict of ['client-wins', 'server-wins', 'fail', 'manual'] as const) {
      const world = await tickets({ onConflict });
      const { end } = await changed(world, { title: 'mine' }, () => world.api.edit(TICKET, { title: 'theirs' }));
      const { title } = world.api.at(TICKET) ?? {};
      ends.set(onConflict, [end.state, end.reason, title]);
    }
    expect(Object.fromEntries(ends)).toEqual({
      'client-wins': ['succeeded', 'applied', 'mine'],
      'server-wins': ['superseded', 'remoteWins', 'theirs'],
      fail: ['dead', 'rejected', 'theirs'],
      manual: ['held', 'conflict', 'theirs'],
    });
  });

  it('is made again on what the server has, by the function of its author', async () => {
    const world = await tickets({
      onConflict: { reapply: (remote) => ({ count: Number((remote as { count: number }).count) + 1 }) },
    });
    await changed(world, { count: 1 }, () => world.api.edit(TICKET, { count: 5 }));
    expect(world.api.at(TICKET)).toMatchObject({ count: 6 });
  });

  it('takes 0, false and the empty text for values', async () => {
    const world = await tickets({ onConflict: 'merge' });
    await changed(world, { count: 0, title: '', isOpen: false }, () => world.api.edit(TICKET, { note: '' }));
    expect(world.api.at(TICKET)).toEqual({ id: 7, title: '', note: '', count: 0, isOpen: false });
  });

  it('gives up after five rounds and asks a person', async () => {
    const world = await tickets({ onConflict: 'client-wins' });
    await world.read();
    let n = 0;
    world.server.script.always(({ method }) => {
      if (method !== 'PATCH') return undefined;
      n += 1;
      world.api.edit(TICKET, { note: String(n) });
      return undefined;
    });
    const end = world.resource.update(7, { title: 'mine' }).settled();
    await world.rest();
    expect(await end).toMatchObject({ state: 'held', reason: 'conflict' });
    expect(n).toBe(6);
  });

  it('keeps what was decided, with base, local and remote', async () => {
    const world = await tickets({ onConflict: 'merge' });
    const { id } = await changed(world, { title: 'mine' }, () => world.api.edit(TICKET, { note: 'theirs' }));
    expect((await world.test.queue.explain(id)).conflicts).toMatchObject([
      {
        trigger: 'changed',
        round: 1,
        strategy: 'merge',
        action: 'resend',
        base: { id: 7, ...FIRST },
        local: { title: 'mine' },
        remote: { id: 7, ...FIRST, note: 'theirs' },
      },
    ]);
  });
});

describe('a change whose answer was lost', () => {
  it('is known to be applied where the server refuses the second send and shows what was meant', async () => {
    const world = await tickets({ onConflict: 'merge' });
    await world.read();
    world.server.script.next(applyThenReset);
    const end = world.resource.update(7, { title: 'mine' }).settled();
    await world.rest();
    expect(await end).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
    expect(world.api.changes).toHaveLength(1);
    expect(world.api.at(TICKET)).toMatchObject({ title: 'mine' });
  });

  it('is merged where somebody else came in between', async () => {
    const world = await tickets({ onConflict: 'merge' });
    await world.read();
    world.server.script.next(applyThenReset);
    const end = world.resource.update(7, { title: 'mine' }).settled();
    await world.test.clock.settle();
    world.api.edit(TICKET, { note: 'theirs', title: 'theirs' });
    await world.rest();
    expect(await end).toMatchObject({ state: 'held', reason: 'conflict' });
  });
});

describe('a lane', () => {
  it('is never in conflict with itself: each change is made on what the one before it left', async () => {
    const world = await tickets({ onConflict: 'manual' });
    await world.read();
    world.test.network.online = false;
    for (const title of ['b', 'c', 'd']) await world.resource.update(7, { title }).accepted();
    world.test.network.online = true;
    await world.rest();
    expect(writes(world.server)).toEqual([
      'PATCH "v1" {"title":"b"}',
      'PATCH "v2" {"title":"c"}',
      'PATCH "v3" {"title":"d"}',
    ]);
    expect(await world.test.queue.counts()).toMatchObject({ succeeded: 4, held: 0 });
  });

  it('hands versions on through a crash, and by reading where the server tells none with a write', async () => {
    const world = await tickets({ onConflict: 'manual' }, { hasEtagsOnWrites: false });
    await world.read();
    world.test.network.online = false;
    for (const title of ['b', 'c', 'd']) await world.resource.update(7, { title }).accepted();
    world.test.network.online = true;
    const stopped = world.test.stopAt('settle:afterCommit', 2);
    await world.rest();
    await stopped;
    await world.test.crash();
    // The rules of a resource are of the process that declares them.
    new ApiClient({ queue: world.test.queue, baseUrl: TEST_ORIGIN }).resource('ticket', {
      path: '/tickets',
      version: 'etag',
      onConflict: 'manual',
    });
    await world.rest();
    expect(world.api.at(TICKET)).toMatchObject({ title: 'd' });
    expect(world.api.changes).toHaveLength(3);
    expect(await world.test.queue.counts()).toMatchObject({ held: 0 });
  });

  it('knows what it made itself: a change of what was made offline is based on that', async () => {
    const world = await tickets({ onConflict: 'merge' });
    world.test.network.online = false;
    const local = world.test.queue.localId('ticket');
    await world.resource.create({ title: 'new', note: 'n' }, { localId: local }).accepted();
    await world.resource.update(local, { title: 'newer' }).accepted();
    let isEdited = false;
    world.server.script.always(({ method }) => {
      if (method === 'PATCH' && !isEdited) {
        isEdited = true;
        world.api.edit('/tickets/501', { note: 'theirs' });
      }
      return undefined;
    });
    world.test.network.online = true;
    await world.rest();
    expect(world.api.at('/tickets/501')).toEqual({ id: 501, title: 'newer', note: 'theirs' });
    expect(writes(world.server).slice(1)).toEqual(['PATCH "v1" {"title":"newer"}', 'PATCH "v2" {"title":"newer"}']);
  });

  it.each([false, true])(
    'knows it also where the change is accepted once the id is known, squashed: %s',
    async (squash) => {
      const world = await tickets({ onConflict: 'merge', squash });
      const local = world.test.queue.localId('ticket');
      await world.resource.create({ title: 'new', note: 'n' }, { localId: local }).accepted();
      await world.rest();
      world.api.edit('/tickets/501', { note: 'theirs' });
      world.test.queue.pause();
      await world.resource.update(local, { title: 'newer' }).accepted();
      await world.resource.update(local, { title: 'newest' }).accepted();
      world.test.queue.resume();
      await world.rest();
      expect(world.api.at('/tickets/501')).toEqual({ id: 501, title: 'newest', note: 'theirs' });
      const first = squash ? 'newest' : 'newer';
      expect(writes(world.server)[1]).toBe(`PATCH "v1" {"title":"${first}"}`);
      expect(await world.test.queue.counts()).toMatchObject({ held: 0, dead: 0 });
    },
  );

  it.each([
    ['another field', { count: 2 }, { title: 'mine', note: 'theirs', count: 2 }, 0],
    ['the same field', { title: 'mine too' }, { title: 'mine too', note: 'theirs', count: 0 }, 0],
    ['what somebody else changed', { note: 'mine' }, { title: 'mine', note: 'theirs', count: 0 }, 1],
  ])(
    'that met a conflict goes on: a change behind it, of %s, meets what others did and not its own',
    async (...row) => {
      const [, second, state, held] = row;
      for (const isMade of [true, false]) {
        const world = await tickets({ onConflict: 'merge' });
        const id = isMade ? world.test.queue.localId('ticket') : 7;
        if (!isMade) await world.read();
        world.test.network.online = false;
        if (isMade) await world.resource.create(FIRST, { localId: String(id) }).accepted();
        await world.resource.update(id, { title: 'mine' }).accepted();
        await world.resource.update(id, second).accepted();
        const serverId = isMade ? 501 : 7;
        let isEdited = false;
        world.server.script.always(({ method }) => {
          if (method === 'PATCH' && !isEdited) {
            isEdited = true;
            world.api.edit(`/tickets/${serverId}`, { note: 'theirs' });
          }
          return undefined;
        });
        world.test.network.online = true;
        await world.rest();
        expect(world.api.at(`/tickets/${serverId}`)).toEqual({ id: serverId, ...state });
        expect(await world.test.queue.counts()).toMatchObject({ held, dead: 0, blocked: 0 });
      }
    },
  );

  it('that was applied without an answer goes on: a change behind it does not meet it as a conflict', async () => {
    const world = await tickets({ onConflict: 'merge' });
    await world.read();
    world.test.network.online = false;
    await world.resource.update(7, { title: 'b' }).accepted();
    await world.resource.update(7, { title: 'c' }).accepted();
    world.server.script.next(applyThenReset);
    world.test.network.online = true;
    await world.rest();
    expect(world.api.at(TICKET)).toMatchObject({ title: 'c' });
    expect(world.api.changes).toHaveLength(2);
    expect(await world.test.queue.counts()).toMatchObject({ held: 0 });
  });

  it('of several things keeps their versions apart', async () => {
    const world = await tickets({ onConflict: 'manual' });
    world.api.edit('/tickets/8', { title: 'other' });
    await world.read();
    const got = world.resource.get(8).then(() => undefined);
    await world.test.clock.settle();
    await got;
    world.test.network.online = false;
    for (const [id, title] of [
      [7, 'b'],
      [8, 'x'],
      [7, 'c'],
      [8, 'y'],
    ] as const) {
      await world.resource.update(id, { title }, { lane: 'import' }).accepted();
    }
    world.test.network.online = true;
    await world.rest();
    expect(writes(world.server)).toEqual([
      'PATCH "v1" {"title":"b"}',
      'PATCH "v1" {"title":"x"}',
      'PATCH "v2" {"title":"c"}',
      'PATCH "v2" {"title":"y"}',
    ]);
  });

  it('does not change unseen what others made of a thing that is told without a version, or otherwise than it was made', async () => {
    const answers = [undefined, { status: 201, headers: [['location', '/tickets/501']] }] as const;
    for (const answer of answers) {
      const world = await tickets({ onConflict: 'merge' });
      const local = world.test.queue.localId('ticket');
      world.test.network.online = false;
      await world.resource.create({ title: ' new ', note: 'n' }, { localId: local }).accepted();
      await world.resource.update(local, { note: 'mine' }).accepted();
      world.server.script.always(({ method }) => {
        if (method !== 'POST') return undefined;
        world.api.edit('/tickets/501', { title: 'new', note: 'n' });
        const shown = { status: 201, headers: [['etag', '"v1"']], body: { id: 501, title: 'new', note: 'n' } } as const;
        world.api.edit('/tickets/501', { note: 'theirs' });
        return { kind: 'answer', apply: false, answer: answer ?? shown };
      });
      world.test.network.online = true;
      await world.rest();
      expect(world.api.at('/tickets/501')).toMatchObject({ note: 'theirs' });
      expect(await world.test.queue.counts()).toMatchObject({ held: 1 });
    }
  });
});

describe('a thing that is gone', () => {
  it('is given up, held or put back as was declared', async () => {
    const ends = new Map<string, unknown>();
    for (const onGone of ['drop', 'hold', 'recreate'] as const) {
      const world = await tickets({ onGone });
      await world.read();
      world.test.network.online = false;
      const { id } = await world.resource.replace(7, { title: 'mine' }).accepted();
      world.api.remove(TICKET);
      world.test.network.online = true;
      await world.rest();
      const stored = await world.test.queue.get(id);
      const { title } = world.api.at(TICKET) ?? {};
      ends.set(onGone, [stored?.state, stored?.reason, title]);
    }
    expect(Object.fromEntries(ends)).toEqual({
      drop: ['superseded', 'remoteWins', undefined],
      hold: ['held', 'conflict', undefined],
      recreate: ['succeeded', 'applied', 'mine'],
    });
  });

  it('may only not be seen yet, where it was made just now', async () => {
    const world = await tickets({ onConflict: 'merge' });
    const local = world.test.queue.localId('ticket');
    let looks = 0;
    world.server.script.always(({ method }) => {
      if (method !== 'PATCH') return undefined;
      looks += 1;
      return looks < 3 ? refuse({ status: 404 }) : undefined;
    });
    await world.resource.create({ title: 'new' }, { localId: local }).accepted();
    await world.resource.update(local, { title: 'newer' }).accepted();
    await world.rest();
    expect(world.api.at('/tickets/501')).toMatchObject({ title: 'newer' });
  });

  it('is deleted all the same, and a deletion of what was changed is held', async () => {
    const gone = await tickets();
    await gone.read();
    gone.api.remove(TICKET);
    const end = gone.resource.delete(7).settled();
    await gone.rest();
    expect(await end).toMatchObject({ state: 'succeeded', reason: 'noop' });

    const world = await tickets();
    await world.read();
    world.api.edit(TICKET, { note: 'theirs' });
    const held = world.resource.delete(7).settled();
    await world.rest();
    expect(await held).toMatchObject({ state: 'held', reason: 'conflict' });
    expect(world.api.at(TICKET)).toBeDefined();
  });
});

describe('a version that is a field', () => {
  it('is compared before a change is sent that waited long', async () => {
    const world = await tickets(
      { version: '/version', onConflict: 'merge' },
      { hasEtags: false, hasVersionField: true },
    );
    await world.read();
    world.test.network.online = false;
    const { id } = await world.resource.update(7, { title: 'mine' }).accepted();
    await world.rest();
    world.api.edit(TICKET, { note: 'theirs' });
    world.test.network.online = true;
    await world.rest();
    expect(world.api.at(TICKET)).toEqual({ id: 7, title: 'mine', note: 'theirs', count: 0, version: 3 });
    expect((await world.test.queue.get(id))?.progress).toMatchObject({ rounds: 1 });
    expect((await world.test.queue.explain(id)).next).toBeNull();
  });

  it('is not asked for where the change is young', async () => {
    const world = await tickets({ version: '/version' }, { hasEtags: false, hasVersionField: true });
    await world.read();
    const end = world.resource.update(7, { title: 'mine' }).settled();
    await world.rest();
    expect(await end).toMatchObject({ state: 'succeeded' });
    expect(world.server.ledger.entries.filter(({ request }) => request.method === 'GET')).toHaveLength(1);
  });
});

describe('without a declaration', () => {
  it('a waiting caller gets the answer, and nothing is read', async () => {
    const world = await tickets();
    const end = world.client.patch('/tickets/7', { title: 'mine' }, { headers: { 'if-match': '"v0"' } }).settled();
    await world.rest();
    expect(await end).toMatchObject({ state: 'dead', reason: 'rejected', response: { status: 412 } });
    expect(world.server.ledger.entries).toHaveLength(1);
  });
});
