import assert from 'node:assert/strict';
import type { Binding } from '../../queue/types/binding.ts';
import { group } from './group.ts';
import type { Held, Trial } from './Trial.ts';
import { ids } from './Trial.ts';

const LOCAL = { lane: 'note:local-1' } as const;
const SERVER = { lane: 'note:7' } as const;
const ALIAS: Required<Binding>['alias'] = { local: LOCAL.lane, server: SERVER.lane };

function bind(t: Trial, { id: requestId }: Held, alias = ALIAS, localId = 'local-1'): Binding[] {
  return [{ localId, serverId: 7, type: 'note', zone: 'api', requestId, boundAt: t.now, alias }];
}

/** Accepts a request that names the server's lane and says in which one it is. */
async function landing(t: Trial, fields: object = {}): Promise<string | null> {
  const { id } = await t.accept({ ...SERVER, channel: 'probe', ...fields });
  return (await t.get(id)).lane;
}

/** A create that succeeded and told the server's id while an update by the local id waits. */
async function created(t: Trial): Promise<{ readonly waiting: string }> {
  const create = await t.take(LOCAL);
  const waiting = await t.accept(LOCAL);
  await t.succeed(create, { bind: bind(t, create) });
  return { waiting: waiting.id };
}

export const aliasGroup = group('lane aliases', (test) => {
  test('whoever names the lane of the server id waits in that of the local id while that lives', async (t) => {
    const { waiting } = await created(t);
    await t.stands(waiting, 'ready', 'accepted');
    const late = await t.accept(SERVER);
    const later = await t.accept(LOCAL);
    const latest = await t.accept(SERVER);
    for (const { id } of [late, later, latest]) {
      await t.stands(id, 'blocked', 'lane');
      assert.equal((await t.get(id)).lane, LOCAL.lane);
    }
    const order = [];
    for (let n = 0; n < 4; n += 1) {
      const [next, ...more] = await t.claim();
      assert.deepEqual(more, []);
      order.push(next?.id);
      await t.succeed({ id: next?.id ?? '', token: next?.lease?.token ?? 0 });
    }
    assert.deepEqual(order, [waiting, ...ids([late, later, latest])]);
  });

  test('listings by lane find it in the one it is in', async (t) => {
    const { waiting } = await created(t);
    const late = await t.accept(SERVER);
    const find = async (lane: string): Promise<string[]> => {
      const filter = { lane, state: ['ready', 'blocked'] as const };
      return ids((await t.requests.find({ filter, order: 'accepted', after: null, limit: 9 })).requests);
    };
    assert.deepEqual([await find(LOCAL.lane), await find(SERVER.lane)], [[waiting, late.id], []]);
  });

  test('it lends its rank to the head of that lane', async (t) => {
    const { waiting } = await created(t);
    await t.accept({ ...SERVER, rank: { form: 'value', value: -5 } });
    assert.equal((await t.get(waiting)).rank, -5);
  });

  test('a tail join looks at the last one of that lane', async (t) => {
    await created(t);
    const put = { ...SERVER, effect: 'absolute', digest: 'd', join: { rule: 'tail' } } as const;
    const first = await t.accept({ ...put, ...LOCAL });
    const [joined] = await t.enqueue([t.request(put)]);
    assert.deepEqual(joined?.status === 'joined' && joined.id, first.id);
  });

  test('what replaces the last one of that lane may name either', async (t) => {
    const { waiting } = await created(t);
    const second = await t.accept({ ...SERVER, replaces: { id: waiting } });
    assert.equal((await t.get(second.id)).lane, LOCAL.lane);
    await t.stands(waiting, 'superseded', 'squashed');
    assert.equal(await landing(t), LOCAL.lane);
  });

  test('what replaces the only one of that lane and ends at once ends the alias', async (t) => {
    const { waiting } = await created(t);
    const result = { status: 200, headers: [], body: null };
    const { id } = await t.accept({ ...SERVER, replaces: { id: waiting, result } });
    assert.equal((await t.get(id)).lane, LOCAL.lane);
    assert.equal(await landing(t), SERVER.lane);
  });

  test('one that is leased at once is in that lane too', async (t) => {
    const { waiting } = await created(t);
    await t.move(waiting, { state: 'held', reason: 'operator' });
    const allowance = [{ channel: 'probe', calls: 9 }];
    const claim = { worker: t.worker, leaseUntil: t.leaseNow + 100, allowance };
    const late = await t.accept({ ...SERVER, channel: 'probe' }, { claim });
    assert.deepEqual([late.state, late.token], ['blocked', null]);
  });

  test('a change binds and makes the alias as well, as does one that leaves its request alive', async (t) => {
    const create = await t.accept(LOCAL);
    await t.accept(LOCAL);
    await t.amend({ id: create.id, from: ['ready'], bind: bind(t, { ...create, token: 0 }) });
    assert.equal(await landing(t), LOCAL.lane);
  });

  test('a request of another lane may bind', async (t) => {
    const create = await t.take();
    await t.accept(LOCAL);
    await t.succeed(create, { bind: bind(t, create) });
    assert.equal(await landing(t), LOCAL.lane);
  });

  test('held and unknown requests keep the alias alive', async (t) => {
    const { waiting } = await created(t);
    await t.move(waiting, { state: 'held', reason: 'operator' });
    const first = await t.accept(SERVER);
    assert.equal((await t.get(first.id)).lane, LOCAL.lane);
    await t.move(first.id, { state: 'cancelled', reason: 'caller' });
    await t.move(waiting, { state: 'unknown', reason: 'unanswered' });
    assert.equal(await landing(t), LOCAL.lane);
  });

  test('the alias ends with the last live one of the lane, and does not come back', async (t) => {
    const { waiting } = await created(t);
    await t.succeed(await t.lease(waiting));
    assert.equal(await landing(t), SERVER.lane);
    await t.accept({ ...LOCAL, channel: 'other' });
    assert.equal(await landing(t), SERVER.lane);
  });

  for (const how of ['cancelled', 'expired', 'abandoned'] as const) {
    test(`the alias ends when the last one of the lane is ${how}`, async (t) => {
      const create = await t.take({ ...LOCAL, channel: 'other', onFailure: 'cascade' });
      const { id } = await t.accept({ ...LOCAL, expiresAt: t.now + 5 });
      const end = { state: how === 'abandoned' ? 'dead' : 'succeeded', reason: 'applied' } as const;
      await t.settle(create, end, { bind: bind(t, create) });
      if (how === 'cancelled') await t.move(id, { state: 'cancelled', reason: 'caller' });
      t.now += 5;
      if (how === 'expired') await t.requests.expire({ now: t.now, limit: 9 });
      assert.notEqual((await t.get(id)).endedAt, null);
      await t.accept({ ...LOCAL, channel: 'other' });
      assert.equal(await landing(t), SERVER.lane);
    });
  }

  test('none is made where the lane of the server id lives', async (t) => {
    await t.accept({ ...SERVER, channel: 'other' });
    await created(t);
    assert.equal(await landing(t), SERVER.lane);
  });

  test('none is made where nothing but the request that binds lives in the lane', async (t) => {
    const create = await t.take(LOCAL);
    await t.settle(create, { state: 'ready', reason: 'retry' }, { bind: bind(t, create) });
    assert.equal(await landing(t), SERVER.lane);
    const other = await t.take({ channel: 'other' });
    const nowhere = { local: 'note:none', server: 'note:8' };
    await t.succeed(other, { bind: bind(t, other, nowhere, 'local-2') });
    await t.accept({ lane: 'note:none' });
    assert.equal(await landing(t, { lane: 'note:8' }), 'note:8');
  });

  test('none is made by a settlement that is stale, nor by a local id that is bound', async (t) => {
    const create = await t.take(LOCAL);
    await t.accept(LOCAL);
    await t.succeed({ ...create, token: create.token + 1 }, { bind: bind(t, create) });
    assert.equal(await landing(t), SERVER.lane);
    const other = await t.take({ channel: 'other' });
    const elsewhere = { local: LOCAL.lane, server: 'note:8' };
    await t.succeed(other, { bind: bind(t, other, { local: 'x', server: 'y' }) });
    await t.succeed(create, { bind: bind(t, create, elsewhere) });
    assert.equal(await landing(t, { lane: 'note:8' }), 'note:8');
  });

  test('the first of two lanes that stand for one keeps it', async (t) => {
    await created(t);
    const other = await t.take({ lane: 'note:local-2', channel: 'other' });
    await t.accept({ lane: 'note:local-2' });
    await t.succeed(other, { bind: bind(t, other, { local: 'note:local-2', server: SERVER.lane }, 'local-2') });
    assert.equal(await landing(t), LOCAL.lane);
  });

  test('one lane may stand for several', async (t) => {
    await created(t);
    const other = await t.take({ channel: 'other' });
    await t.succeed(other, { bind: bind(t, other, { local: LOCAL.lane, server: 'note:8' }, 'local-2') });
    assert.equal(await landing(t), LOCAL.lane);
    assert.equal(await landing(t, { lane: 'note:8' }), LOCAL.lane);
  });

  test('an atomic batch that is refused leaves the alias as it was', async (t) => {
    const { waiting } = await created(t);
    const result = { status: 200, headers: [], body: null };
    for (const replaces of [{ id: waiting }, { id: waiting, result }]) {
      const batch = [t.request({ ...SERVER, replaces }), t.request(SERVER), t.request({ after: [t.id(900)] })];
      const results = await t.enqueue(batch, { atomic: true });
      assert.deepEqual(
        results.map((one) => one.status === 'refused' && one.why),
        ['neighbour', 'neighbour', 'dependency'],
      );
      await t.stands(waiting, 'ready');
      const [probe] = await t.enqueue([t.request(SERVER)]);
      assert.ok(probe?.status === 'accepted');
      assert.equal((await t.get(probe.id)).lane, LOCAL.lane);
      await t.move(probe.id, { state: 'cancelled', reason: 'caller' });
    }
  });

  test('is no part of what bindings tell', async (t) => {
    await created(t);
    const [found] = await t.requests.bindings({ localIds: ['local-1'] });
    assert.ok(found);
    assert.equal('alias' in found, false);
    assert.equal(found.serverId, 7);
  });
});
