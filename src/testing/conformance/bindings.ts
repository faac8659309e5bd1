import assert from 'node:assert/strict';
import type { Binding } from '../../queue/types/binding.ts';
import type { PurgeQuery } from '../../queue/types/housekeeping.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';

function binding(t: Trial, fields: Partial<Binding> = {}): Binding {
  return { localId: 'l1', serverId: '7', type: 'note', zone: 'api', requestId: t.id(1), boundAt: t.now, ...fields };
}

async function bound(t: Trial, ...localIds: string[]): Promise<(Binding | undefined)[]> {
  return t.requests.bindings({ localIds });
}

const KEEP = { succeededMs: 1e9, deadMs: 1e9, maxRecords: 1e6, maxBytes: 1e12 };

function purge(t: Trial, retention: Partial<PurgeQuery['retention']>, query: Partial<PurgeQuery> = {}) {
  const keepAfter = Number.MAX_SAFE_INTEGER;
  return t.requests.purge({ now: t.now, limit: 100, keepAfter, retention: { ...KEEP, ...retention }, ...query });
}

export const bindingGroup = group('bindings', (test) => {
  test('a number stays a number and text stays text', async (t) => {
    const serverIds = [7, '7', 0, '', -1.5, '-1.5', 2 ** 53 - 1, '007', 1e21, 'null', `ä'"\u0000\u{1f600}`];
    const bind = serverIds.map((serverId, n) => binding(t, { localId: `l${n}`, serverId }));
    await t.done({}, { bind });
    assert.deepEqual(await bound(t, ...bind.map(({ localId }) => localId)), bind);
  });

  test('local ids, types and zones are text like any other', async (t) => {
    const odd = `a'b"c%_\\; --\u0000\u{1f600}`;
    const bind = [binding(t, { localId: odd, type: odd, zone: odd })];
    await t.done({}, { bind });
    assert.deepEqual(await bound(t, odd, odd.slice(0, 3)), [bind[0], undefined]);
  });

  test('the first one stays', async (t) => {
    const first = binding(t);
    await t.done({}, { bind: [first] });
    t.now += 100;
    const second = binding(t, { serverId: 8, type: 'other', zone: 'eu', requestId: t.id(2) });
    await t.done({}, { bind: [second] });
    const { id } = await t.accept();
    await t.amend({ id, from: ['ready'], bind: [second] });
    assert.deepEqual(await bound(t, 'l1'), [first]);
  });

  test('of two in one step the first one stays', async (t) => {
    const bind = [binding(t), binding(t, { serverId: 8 }), binding(t, { localId: 'l2' })];
    await t.done({}, { bind });
    assert.deepEqual(await bound(t, 'l1', 'l2'), [bind[0], bind[2]]);
  });

  test('the moment of binding is the one given', async (t) => {
    const boundAt = t.now - 12_345.5;
    await t.done({}, { bind: [binding(t, { boundAt })] });
    assert.equal((await bound(t, 'l1'))[0]?.boundAt, boundAt);
  });

  test('are made with any settlement that is not stale, whatever comes next', async (t) => {
    const held = await t.take();
    await t.settle({ ...held, token: held.token + 1 }, { state: 'ready', reason: 'retry' }, { bind: [binding(t)] });
    await t.settle(held, { state: 'sending', reason: 'retry' }, { bind: [binding(t)] });
    assert.deepEqual(await bound(t, 'l1'), [undefined]);
    await t.settle(held, { state: 'ready', reason: 'retry' }, { bind: [binding(t)] });
    assert.deepEqual(await bound(t, 'l1'), [binding(t)]);
  });

  test('a change binds if it is made', async (t) => {
    const { id } = await t.accept();
    await t.move(id, { state: 'held', reason: 'unknown' });
    const to = { state: 'succeeded', reason: 'markedApplied' } as const;
    for (const refused of [
      { from: ['ready'] },
      { from: ['held'], reason: 'operator' },
      { from: ['held'], callers: 2 },
      { from: ['held'], to: { state: 'sending', reason: 'retry' } },
    ] as const) {
      assert.equal((await t.amend({ id, bind: [binding(t)], ...refused })).status, 'refused');
    }
    assert.equal((await t.amend({ id: t.id(900), from: ['held'], bind: [binding(t)] })).status, 'notFound');
    assert.deepEqual(await bound(t, 'l1'), [undefined]);
    const bind = [binding(t, { serverId: 41 }), binding(t, { localId: 'l2' })];
    assert.equal((await t.amend({ id, from: ['held'], to, bind })).status, 'amended');
    assert.deepEqual(await bound(t, 'l2', 'l1'), bind.toReversed());
    await t.stands(id, 'succeeded', 'markedApplied');
  });

  test('a change binds without moving anything, of one that has ended too', async (t) => {
    const id = await t.done();
    const before = await t.get(id);
    assert.equal((await t.amend({ id, from: ['succeeded'], bind: [binding(t)] })).status, 'amended');
    assert.deepEqual(await t.get(id), before);
    assert.deepEqual(await bound(t, 'l1'), [binding(t)]);
  });

  test('a change of others with a settlement binds as well, if it is not refused', async (t) => {
    const held = await t.take();
    const { id } = await t.accept();
    await t.succeed(held, {
      amend: [
        { id, from: ['held'], bind: [binding(t, { localId: 'l2' })] },
        { id, from: ['ready'], bind: [binding(t)] },
      ],
    });
    assert.deepEqual(await bound(t, 'l1', 'l2'), [binding(t), undefined]);
  });

  test('outlive the record of the request that made them, for twice as long as the dead are kept', async (t) => {
    const requestId = await t.done({}, { bind: [binding(t, { requestId: t.id(1) })] });
    assert.equal(requestId, t.id(1));
    assert.deepEqual(await purge(t, { maxRecords: 0, deadMs: 1000 }), { ids: [requestId], more: false });
    t.now += 2000;
    assert.deepEqual(await purge(t, { deadMs: 1000 }), { ids: [], more: false });
    assert.equal((await bound(t, 'l1'))[0]?.serverId, '7');
    t.now += 1;
    assert.deepEqual(await purge(t, { deadMs: 1000 }), { ids: [], more: false });
    assert.deepEqual(await bound(t, 'l1'), [undefined]);
  });

  test('a local id that was forgotten can be bound anew', async (t) => {
    await t.done({}, { bind: [binding(t)] });
    await purge(t, { maxRecords: 0 });
    t.now += 10;
    await purge(t, { deadMs: 1 });
    const again = binding(t, { serverId: 9 });
    await t.done({}, { bind: [again] });
    assert.deepEqual(await bound(t, 'l1'), [again]);
  });

  test('stay as long as the record of their request does, ended or not', async (t) => {
    const done = await t.done();
    const live = await t.accept({ channel: 'other' });
    const bind = [done, live.id].map((requestId, n) => binding(t, { localId: `l${n}`, requestId, boundAt: 5 }));
    await t.done({}, { bind });
    await purge(t, { deadMs: 0 });
    assert.deepEqual(await bound(t, 'l0', 'l1'), bind);
    await purge(t, { deadMs: 0 }, { ids: [done] });
    assert.deepEqual(await bound(t, 'l0', 'l1'), bind);
    await purge(t, { deadMs: 0 });
    assert.deepEqual(await bound(t, 'l0', 'l1'), [undefined, bind[1]]);
  });

  test('go in the purge that drops the record of their request', async (t) => {
    const { id } = await t.accept();
    await t.amend({ id, from: ['ready'], bind: [binding(t, { requestId: id, boundAt: 5 })] });
    await t.succeed(await t.lease(id));
    t.now += 1;
    assert.deepEqual((await purge(t, { succeededMs: 0, deadMs: 0 })).ids, [id]);
    assert.deepEqual(await bound(t, 'l1'), [undefined]);
  });

  test('are forgotten oldest first, then by local id, at most so many by one purge, records aside', async (t) => {
    const gone = t.id(900);
    const at = [t.now + 2, t.now, t.now + 1, t.now + 1];
    const bind = at.map((boundAt, n) => binding(t, { localId: `l${n}`, requestId: gone, boundAt }));
    const [a, b] = [await t.done({}, { bind: bind.toReversed() }), await t.done()];
    t.now += 100;
    const left = async (): Promise<number[]> => {
      const found = await bound(t, 'l0', 'l1', 'l2', 'l3');
      return [0, 1, 2, 3].filter((n) => found[n] !== undefined);
    };
    const none = { deadMs: 0, maxRecords: 0 };
    assert.deepEqual(await purge(t, none, { limit: 1, ids: [t.id(901)] }), { ids: [], more: false });
    assert.deepEqual(await left(), [0, 1, 2, 3]);
    assert.deepEqual(await purge(t, none, { limit: 2 }), { ids: [a, b], more: true });
    assert.deepEqual(await left(), [0, 3]);
    assert.deepEqual(await purge(t, none, { limit: 1 }), { ids: [], more: true });
    assert.deepEqual(await left(), [0]);
    assert.deepEqual(await purge(t, none, { limit: 2 }), { ids: [], more: false });
    assert.deepEqual(await left(), []);
  });
});
