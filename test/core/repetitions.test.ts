import { describe, expect, it } from 'vitest';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { RestApi } from '../support/RestApi.ts';
import { at, errorOf, world } from './harness.ts';

async function tickets(config: Parameters<typeof world>[0] = {}) {
  const test = await world(config);
  const api = new RestApi();
  const server = test.network.serve(TEST_ORIGIN, { respond: api.respond });
  const make = (body: object, localId: string) =>
    test.queue.enqueue({ method: 'POST', url: at('/tickets'), body }, { localId });
  return { test, api, server, make, local: test.queue.localId('ticket') };
}

describe('a creation that is given again', () => {
  it.each([
    ['before it is sent', 0],
    ['after it was done', 60_000],
  ])('%s is the first one', async (_, ms) => {
    const { test, api, make, local } = await tickets();
    test.network.online = ms > 0;
    const one = await make({ title: 'a' }, local);
    await test.clock.advance(ms);
    const other = await make({ title: 'a' }, local);
    expect([one.deduplicated, other.deduplicated, other.id]).toEqual([false, true, one.id]);
    test.network.online = true;
    await test.clock.advance(60_000);
    expect(api.all('/tickets')).toHaveLength(1);
    expect(await other.settled()).toMatchObject({ state: 'succeeded' });
  });

  it('at the same moment is the first one, and both callers get the answer', async () => {
    const { test, api, local } = await tickets();
    const input = { method: 'POST', url: at('/tickets'), body: { title: 'a' } };
    const handles = [1, 2].map(() => test.queue.call(input, { localId: local }));
    const accepted = Promise.all(handles.map((handle) => handle.accepted()));
    await test.clock.advance(60_000);
    expect((await accepted).map(({ deduplicated }) => deduplicated)).toEqual([false, true]);
    expect(await Promise.all(handles.map(async (handle) => (await handle.settled()).state))).toEqual([
      'succeeded',
      'succeeded',
    ]);
    expect(api.all('/tickets')).toHaveLength(1);
  });

  it('refers to what has an id by now, and is still the first one', async () => {
    const { test, make, local } = await tickets();
    const note = test.queue.localId('note');
    await make({ title: 'a' }, local);
    const first = await make({ ticket: local }, note);
    await test.clock.advance(60_000);
    const again = await make({ ticket: local }, note);
    expect(again).toMatchObject({ id: first.id, deduplicated: true });
  });
});

describe('another creation under a local id that is taken', () => {
  it.each([
    ['waits', 0],
    ['is done', 60_000],
  ])('by one that %s is refused, and the first goes on', async (_, ms) => {
    const { test, api, make, local } = await tickets();
    test.network.online = ms > 0;
    const first = await make({ title: 'a' }, local);
    await test.clock.advance(ms);
    const error = await errorOf(make({ title: 'b' }, local));
    expect(error).toMatchObject({ code: 'KEY_CONFLICT', details: { key: local } });
    test.network.online = true;
    await test.clock.advance(60_000);
    expect(api.all('/tickets')).toMatchObject([{ title: 'a' }]);
    expect((await first.settled()).state).toBe('succeeded');
  });

  it('at the same moment is refused, and the first goes on with its caller', async () => {
    const { test, api, local } = await tickets();
    const [one, other] = ['a', 'b'].map((title) =>
      test.queue.call({ method: 'POST', url: at('/tickets'), body: { title } }, { localId: local }),
    );
    const refused = errorOf(other?.accepted() ?? Promise.resolve());
    await test.clock.advance(60_000);
    expect(await refused).toMatchObject({ code: 'KEY_CONFLICT' });
    expect(await one?.settled()).toMatchObject({ state: 'succeeded', response: { status: 201 } });
    expect(api.all('/tickets')).toMatchObject([{ title: 'a' }]);
  });

  it('in one batch is refused with all of it', async () => {
    const { test, local } = await tickets();
    const items = ['a', 'b'].map((title) => ({
      request: { method: 'POST', url: at('/tickets'), body: { title } },
      options: { localId: local },
    }));
    const error = await errorOf(test.queue.enqueueMany(items));
    expect(error).toMatchObject({ code: 'REQUEST_INVALID', details: { problems: [{ path: '[1].localId' }] } });
    expect((await test.queue.counts()).ready).toBe(0);
  });

  it('is refused also when all that is left of the first is its id', async () => {
    const { test, make, local } = await tickets({ retention: { succeededMs: 1_000 } });
    const { id } = await make({ title: 'a' }, local);
    await test.clock.advance(600_000);
    expect(await test.queue.get(id)).toBeUndefined();
    expect(await errorOf(make({ title: 'a' }, local))).toMatchObject({ code: 'KEY_CONFLICT' });
  });
});

describe('a lane that is named by a local id', () => {
  it('is that of what it stands for, before and after that is known', async () => {
    const { test, make, local } = await tickets();
    const patch = { method: 'PATCH', url: at('/tickets/501'), body: { n: 1 } };
    const note = { method: 'POST', url: at('/notes'), body: {} };
    test.network.online = false;
    await make({ title: 'a' }, local);
    await test.queue.enqueue(note, { lane: local });
    test.network.online = true;
    await test.clock.advance(60_000);
    test.network.online = false;
    const one = await test.queue.enqueue(note, { lane: local });
    const two = await test.queue.enqueue(patch);
    const three = await test.queue.enqueue(note, { lane: local });
    const lanes = await Promise.all([one, two, three].map(async ({ id }) => (await test.queue.get(id))?.lane));
    expect(new Set(lanes).size).toBe(1);
    expect(lanes[0]).toContain('/tickets/501');
  });
});
