import { describe, expect, it, onTestFinished } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import type { ResourceOptions } from '../../src/client/resourceOptions.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Json } from '../../src/queue/types/request.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { answer, applyThenReset, partialBody, unavailable } from '../../src/testing/serverSteps.ts';
import { RestApi } from '../support/RestApi.ts';
import { world } from './harness.ts';
import { stepwise } from './support/steps.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A ticket that was made by its local id, and is known by both ids. */
async function made() {
  const test = await world();
  const api = new RestApi();
  const server = test.network.serve(TEST_ORIGIN, { respond: api.respond });
  const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
  const tickets = client.resource('ticket', { path: '/tickets', version: 'etag', onConflict: 'merge' });
  const ticket = test.queue.localId('ticket');
  await tickets.create({ title: 'a' }, { localId: ticket }).accepted();
  await test.clock.advance(1_000);
  return { test, api, server, tickets, ticket };
}

describe('a change behind one that was made on no version', () => {
  it.each([
    ['sets', { size: 3 }, { title: 'a', size: 3 }],
    ['removes', { size: null }, { title: 'a' }],
  ] as const)('%s what that one has set', async (_, last, left) => {
    const { test, api, tickets, ticket } = await made();
    await tickets.update(501, { size: 1 }).accepted();
    await tickets.update(501, { size: 2 }).accepted();
    const { id } = await tickets.update(ticket, last).accepted();
    await test.clock.advance(MINUTE_MS);
    expect(api.at('/tickets/501')).toEqual({ id: 501, ...left });
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
  });

  it('may be made on what another of those left', async () => {
    const { test, api, tickets } = await made();
    const first = tickets.update(501, { size: 1 });
    await tickets.update(501, { size: 2 }).accepted();
    const left = first.withResponse();
    await test.clock.advance(1_000);
    const { response, data } = await left;
    const etag = new Map(response.headers).get('etag');
    const { id } = await tickets.update(501, { size: 3 }, { etag, base: data as Json }).accepted();
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/501')).toEqual({ id: 501, title: 'a', size: 3 });
  });

  describe('of a version that was there when it was accepted', () => {
    /** The first is sent once somebody else has set the size, which the second has read. */
    async function read(title: string) {
      const given = await made();
      const { test, api, tickets } = given;
      test.network.online = false;
      await tickets.update(501, { title: 'b' }).accepted();
      api.edit('/tickets/501', { size: 2 });
      const seen = { etag: '"v2"', base: { id: 501, title: 'a', size: 2 } };
      const { id } = await tickets.update(501, { title }, seen).accepted();
      test.network.online = true;
      return { ...given, id };
    }

    it.each([['a'], ['c']])('is made on both, be it what the version had (%s)', async (title) => {
      const { test, api, id } = await read(title);
      await test.clock.advance(MINUTE_MS);
      expect(api.at('/tickets/501')).toEqual({ id: 501, title, size: 2 });
      expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    });

    it.each([['a'], ['c']])('meets what others made of the same since (%s)', async (title) => {
      const { test, api, server, id } = await read(title);
      server.script.always(({ headers }) => {
        if (new Map(headers).get('if-match') === '"v2"') api.edit('/tickets/501', { title: 'theirs' });
        return undefined;
      });
      await test.clock.advance(MINUTE_MS);
      expect(api.at('/tickets/501')).toMatchObject({ title: 'theirs' });
      expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'conflict' });
    });
  });

  it('is compared with what its author saw where that one may have been made before', async () => {
    const { test, api, server, tickets } = await made();
    server.script.next(applyThenReset);
    await tickets.update(501, { title: 'b' }).accepted();
    await test.clock.settle();
    test.network.online = false;
    api.edit('/tickets/501', { title: 'theirs' });
    const seen = { etag: '"v3"', base: { id: 501, title: 'theirs' } };
    const { id } = await tickets.update(501, { title: 'd' }, seen).accepted();
    test.network.online = true;
    await test.clock.advance(MINUTE_MS);
    const { title } = api.at('/tickets/501') ?? {};
    const record = await test.queue.get(id);
    // Nobody's title is taken for our own: it is made on what its author saw, or held.
    expect([title, record?.state]).toEqual(record?.state === 'held' ? ['b', 'held'] : ['d', 'succeeded']);
  });

  it('removes what it has replaced', async () => {
    const { test, api, tickets, ticket } = await made();
    await tickets.replace(501, { title: 'b' }).accepted();
    const { id } = await tickets.delete(ticket).accepted();
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/501')).toBeUndefined();
  });

  it('removes what it has replaced, also where the answer to that was cut off', async () => {
    const { test, api, server, tickets, ticket } = await made();
    server.script.next(partialBody);
    const first = await tickets.replace(501, { title: 'b' }).accepted();
    const { id } = await tickets.delete(ticket).accepted();
    await test.clock.advance(30 * MINUTE_MS);
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/501')).toBeUndefined();
  });

  it('is not in conflict with it where a look showed that it was applied', async () => {
    const { test, api, server, tickets, ticket } = await made();
    server.script.next(applyThenReset);
    const first = await tickets.update(501, { size: 1 }).accepted();
    const second = await tickets.update(ticket, { size: 2 }).accepted();
    test.network.online = false;
    await test.clock.advance(15 * MINUTE_MS);
    test.network.online = true;
    await test.clock.advance(5 * MINUTE_MS);
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
    expect(await test.queue.get(second.id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/501')).toEqual({ id: 501, title: 'a', size: 2 });
  });
});

describe('a change behind others of its lane', () => {
  /** A ticket the app has read: a change of it names the version. */
  async function read(options: Partial<ResourceOptions> = {}) {
    const test = await world();
    const api = new RestApi();
    const server = test.network.serve(TEST_ORIGIN, { respond: api.respond });
    const client = new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN });
    const rules = { path: '/tickets', version: 'etag', onConflict: 'merge', ...options } as const;
    api.edit('/tickets/7', { title: 'a', size: 1 });
    return { test, api, server, tickets: client.resource('ticket', rules) };
  }
  const FIRST = { etag: '"v1"', base: { id: 7, title: 'a', size: 1 } };

  it('that was found to be applied meets nothing of anybody else, not even what the server sets itself', async () => {
    const { test, api, server, tickets } = await read();
    server.script.next(applyThenReset);
    await tickets.replace(7, { title: 'b', size: 1 }, FIRST).accepted();
    const { id } = await tickets.delete(7, FIRST).accepted();
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/7')).toBeUndefined();
  });

  it('that was made twice, as it only removes, meets nothing that the server sets itself', async () => {
    const { test, api, server, tickets } = await read();
    server.script.next(applyThenReset);
    await tickets.replace(7, { size: 1 }, FIRST).accepted();
    const { id } = await tickets.delete(7, FIRST).accepted();
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/7')).toBeUndefined();
  });

  it('does not undo what others did, which one ahead of it took over', async () => {
    const { test, api, tickets } = await read();
    test.network.online = false;
    await tickets.update(7, { title: 'b' }, FIRST).accepted();
    api.edit('/tickets/7', { size: 2 });
    test.network.online = true;
    await test.clock.advance(MINUTE_MS);
    test.network.online = false;
    const third = { etag: '"v3"', base: { id: 7, title: 'b', size: 2 } };
    await tickets.replace(7, { title: 'b', size: 2, note: 'n' }, third).accepted();
    api.edit('/tickets/7', { color: 'x' });
    await tickets.replace(7, { title: 'c', size: 1 }, FIRST).accepted();
    test.network.online = true;
    await test.clock.advance(MINUTE_MS);
    expect(api.at('/tickets/7')).toMatchObject({ title: 'c', size: 2, color: 'x' });
  });

  it('that was made again on what others did meets nothing that the server sets itself', async () => {
    const { test, api, tickets } = await read();
    test.network.online = false;
    await tickets.replace(7, { title: 'b', size: 1 }, FIRST).accepted();
    api.edit('/tickets/7', { size: 2 });
    const { id } = await tickets.replace(7, { title: 'c', size: 1 }, FIRST).accepted();
    test.network.online = true;
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/7')).toEqual({ id: 7, title: 'c', size: 2 });
  });

  it('may know a version of somebody else that those ahead of it did not', async () => {
    const { test, api, server, tickets } = await read();
    test.network.online = false;
    await tickets.update(7, { title: 'b' }, FIRST).accepted();
    api.edit('/tickets/7', { size: 2 });
    const second = { etag: '"v2"', base: { id: 7, title: 'a', size: 2 } };
    const { id } = await tickets.update(7, { title: 'c', size: 3 }, second).accepted();
    const third = await tickets.update(7, { title: 'd' }, FIRST).accepted();
    test.network.online = true;
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(await test.queue.get(third.id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/7')).toEqual({ id: 7, title: 'd', size: 3 });
    const matches = server.ledger.entries.map(({ request }) => new Map(request.headers).get('if-match'));
    expect(matches).toEqual(['"v1"', undefined, '"v2"', '"v3"', '"v1"', undefined, '"v4"']);
  });

  describe('made on a version that was there when one ahead of it met another one', () => {
    /** The first meets what stands for sizes and colors of others; the second was made on the sizes alone. */
    async function between(last: 'update' | 'replace' = 'update', options: Partial<ResourceOptions> = {}) {
      const given = await read(options);
      const { test, api, tickets } = given;
      test.network.online = false;
      const first = await tickets
        .update(7, { title: 'b' }, { ...FIRST, deadline: test.clock.now() + HOUR_MS })
        .accepted();
      api.edit('/tickets/7', { size: 2 });
      const seen = { etag: '"v2"', base: { id: 7, title: 'a', size: 2 } };
      const body = last === 'update' ? { title: 'c' } : { title: 'c', size: 2 };
      const second = await tickets[last](7, body, seen).accepted();
      api.edit('/tickets/7', { color: 'x' });
      test.network.online = true;
      return { ...given, first, second };
    }

    it.each(['update', 'replace'] as const)('meets nothing of anybody else (%s)', async (last) => {
      const { test, api, first, second } = await between(last);
      await test.clock.advance(MINUTE_MS);
      expect(await test.queue.get(first.id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
      expect(await test.queue.get(second.id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
      expect(api.at('/tickets/7')).toEqual({ id: 7, title: 'c', size: 2, color: 'x' });
    });

    it('meets what others made of the same since', async () => {
      const { test, api, server, first, second } = await between();
      server.script.always(({ headers, method }) => {
        const isSecond = method === 'PATCH' && new Map(headers).get('if-match') === '"v2"';
        const { title } = api.at('/tickets/7') ?? {};
        if (isSecond && title === 'b') api.edit('/tickets/7', { title: 'theirs' });
        return undefined;
      });
      await test.clock.advance(MINUTE_MS);
      expect(await test.queue.get(first.id)).toMatchObject({ state: 'succeeded' });
      expect(await test.queue.get(second.id)).toMatchObject({ state: 'held', reason: 'conflict' });
      expect(api.at('/tickets/7')).toMatchObject({ title: 'theirs' });
    });

    it('meets what others made of it where the one ahead was given up, though it is what that one meant', async () => {
      const { test, api, server, first, second } = await between();
      server.script.next(answer(), answer(), unavailable(2 * 3_600));
      await test.clock.advance(MINUTE_MS);
      api.edit('/tickets/7', { title: 'b' });
      await test.clock.advance(3 * HOUR_MS);
      expect(await test.queue.get(first.id)).toMatchObject({ state: 'dead', reason: 'expired' });
      expect(await test.queue.get(second.id)).toMatchObject({ state: 'held', reason: 'conflict' });
      expect(api.at('/tickets/7')).toMatchObject({ title: 'b' });
    });

    it('is another case than one that was made on what others left of it, and changed back since', async () => {
      const { test, api, tickets, second } = await between();
      await test.clock.advance(MINUTE_MS);
      api.edit('/tickets/7', { title: 'theirs' });
      const seen = { etag: '"v6"', base: { id: 7, title: 'theirs', size: 2, color: 'x' } };
      test.network.online = false;
      const third = await tickets.update(7, { title: 'd' }, seen).accepted();
      api.edit('/tickets/7', { title: 'c' });
      test.network.online = true;
      await test.clock.advance(MINUTE_MS);
      expect(await test.queue.get(second.id)).toMatchObject({ state: 'succeeded' });
      expect(await test.queue.get(third.id)).toMatchObject({ state: 'held', reason: 'conflict' });
      expect(api.at('/tickets/7')).toMatchObject({ title: 'c' });
    });

    it('is not found in what another one says that version was, where they differ', async () => {
      const { test, api, tickets, second } = await between();
      const other = { etag: '"v2"', base: { id: 7, title: 'a' } };
      test.network.online = false;
      const third = await tickets.update(7, { title: 'd' }, other).accepted();
      test.network.online = true;
      await test.clock.advance(MINUTE_MS);
      expect(await test.queue.get(second.id)).toMatchObject({ state: 'held', reason: 'conflict' });
      expect(await test.queue.get(third.id)).toMatchObject({ state: 'blocked' });
      expect(api.at('/tickets/7')).toMatchObject({ title: 'b' });
    });
  });

  it('does not stand on one that met a conflict and was given up then', async () => {
    const { test, api, server, tickets } = await read();
    test.network.online = false;
    const deadline = test.clock.now() + MINUTE_MS;
    const first = await tickets.update(7, { title: 'b' }, { ...FIRST, deadline }).accepted();
    const { id } = await tickets.update(7, { title: 'c' }, FIRST).accepted();
    api.edit('/tickets/7', { size: 2 });
    server.script.next(answer(), answer(), unavailable(120));
    test.network.online = true;
    await test.clock.advance(5 * MINUTE_MS);
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'dead', reason: 'expired' });
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/7')).toEqual({ id: 7, title: 'c', size: 2 });
  });

  it('stands on all of a thing, also where the answer that showed it was lost', async () => {
    const probe = async () => ({ outcome: 'applied', serverId: 501 }) as const;
    const { test, api, server, tickets } = await read({ probe, onConflict: 'server-wins' });
    const ticket = test.queue.localId('ticket');
    server.script.next(applyThenReset, partialBody, applyThenReset);
    await tickets.create({ title: 'a', size: 1 }, { localId: ticket }).accepted();
    await tickets.update(ticket, { title: 'b' }).accepted();
    await tickets.update(ticket, { title: 'c' }).accepted();
    const { id } = await tickets.update(ticket, { size: 2 }).accepted();
    await test.clock.advance(10 * MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(api.at('/tickets/501')).toEqual({ id: 501, title: 'c', size: 2 });
  });
});

it('a change on no version is sent though it cannot be noted what those behind it were made on', async () => {
  const [clock, storage] = [new FakeClock(), new MemoryStorage()];
  const network = new FakeNetwork({ clock });
  network.serve(TEST_ORIGIN, { respond: new RestApi().respond });
  let isFailing = false;
  const backend = stepwise(new MemoryBackend({ store: storage }), 'store', (verb) => {
    if (isFailing && verb === 'store.set') throw new Error('not now');
  });
  const queue = new QueueManager({ clock, random: seededRandom(1), backend, transport: network });
  onTestFinished(() => queue.close());
  await queue.start();
  const client = new ApiClient({ queue, baseUrl: TEST_ORIGIN });
  const tickets = client.resource('ticket', { path: '/tickets', version: 'etag', onConflict: 'merge' });
  await tickets.create({ title: 'a' }).accepted();
  await clock.advance(1_000);
  network.online = false;
  const first = await tickets.update(501, { size: 1 }).accepted();
  await tickets.update(501, { size: 2 }, { etag: '"v1"', base: { id: 501, title: 'a' } }).accepted();
  isFailing = true;
  network.online = true;
  await clock.advance(MINUTE_MS);
  const { state, progress } = (await queue.get(first.id)) ?? {};
  expect([state, progress?.attempts.map(({ phase }) => phase)]).toEqual(['succeeded', ['notSent', 'answered']]);
});
