import { describe, expect, it } from 'vitest';
import { park, refuse } from '../../src/testing/serverSteps.ts';
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
