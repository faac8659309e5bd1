import assert from 'node:assert/strict';
import { group } from './group.ts';
import { LEASE_MS } from './Trial.ts';

export const leaseGroup = group('leases', (test) => {
  test('renew extends the lease of the current token', async (t) => {
    const held = await t.take();
    const leaseUntil = t.leaseNow + 5 * LEASE_MS;
    assert.deepEqual(await t.requests.renew({ worker: t.worker, leases: [held], leaseUntil }), [true]);
    assert.equal((await t.get(held.id)).lease?.until, leaseUntil);
    t.leaseNow += 2 * LEASE_MS;
    await t.backend.keepAlive({ worker: t.worker, leaseNow: t.leaseNow });
    assert.deepEqual(await t.recover(), { recovered: [], ended: [], more: false });
  });

  test('renew answers false for a stale token, an unknown id and what is not being sent', async (t) => {
    const old = await t.take();
    await t.settle(old, { state: 'ready', reason: 'retry' });
    const current = await t.lease(old.id);
    const waiting = await t.take();
    await t.settle(waiting, { state: 'unknown', reason: 'unanswered' });
    const ended = await t.take();
    await t.succeed(ended);
    const leases = [old, { id: t.id(900), token: 1 }, waiting, current, ended];
    const leaseUntil = t.leaseNow + LEASE_MS;
    const answers = await t.requests.renew({ worker: t.worker, leases, leaseUntil });
    assert.deepEqual(answers, [false, false, false, true, false]);
  });

  test('a stale token settles nothing', async (t) => {
    const old = await t.take();
    await t.settle(old, { state: 'ready', reason: 'retry' });
    assert.deepEqual(await t.succeed(old), { status: 'stale', state: 'ready' });
    const current = await t.lease(old.id);
    const before = await t.get(old.id);
    assert.deepEqual(await t.succeed(old, { result: { status: 200, headers: [], body: null } }), {
      status: 'stale',
      state: 'sending',
    });
    assert.deepEqual(await t.get(old.id), before);
    assert.equal((await t.succeed(current)).status, 'settled');
    assert.deepEqual(await t.succeed(current), { status: 'stale', state: 'succeeded' });
  });

  test('a stale settlement takes nothing else with it', async (t) => {
    const old = await t.take();
    const other = await t.accept();
    await t.settle(old, { state: 'held', reason: 'operator' });
    const binding = { localId: 'l1', serverId: '1', type: 'note', zone: 'api', requestId: old.id, boundAt: t.now };
    await t.succeed(old, { end: [{ id: other.id, state: 'superseded', reason: 'squashed' }], bind: [binding] });
    await t.stands(other.id, 'ready');
    assert.deepEqual(await t.requests.bindings({ localIds: ['l1'] }), [undefined]);
  });

  test('a lease that lapsed can still be settled until somebody repaired it', async (t) => {
    const held = await t.take();
    t.leaseNow += 2 * LEASE_MS;
    assert.equal((await t.succeed(held)).status, 'settled');
  });

  test('whoever was repaired away settles nothing once it is leased again', async (t) => {
    const held = await t.take({ harmless: true });
    t.leaseNow += 2 * LEASE_MS;
    await t.backend.keepAlive({ worker: t.worker, leaseNow: t.leaseNow });
    await t.recover();
    assert.equal((await t.succeed(held)).status, 'stale');
    const again = await t.lease(held.id);
    assert.equal((await t.succeed(held)).status, 'stale');
    assert.equal((await t.succeed(again)).status, 'settled');
  });
});
