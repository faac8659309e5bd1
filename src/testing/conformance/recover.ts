import assert from 'node:assert/strict';
import { group } from './group.ts';
import { identity, ids, LEASE_MS } from './Trial.ts';

const DAY = 86_400_000;

export const recoverGroup = group('recover', (test, handles) => {
  test('leaves leases of the living alone', async (t) => {
    await t.take();
    t.leaseNow += LEASE_MS - 1;
    assert.deepEqual(await t.recover(), { recovered: [], ended: [], more: false });
  });

  test('makes a lapsed harmless request ready and another one unknown, due at once', async (t) => {
    const read = await t.take({ harmless: true });
    const write = await t.take();
    t.leaseNow += LEASE_MS;
    await t.backend.keepAlive({ worker: t.worker, leaseNow: t.leaseNow });
    const { recovered, ended, more } = await t.recover();
    assert.deepEqual(recovered, [
      { id: read.id, zone: 'api', channel: 'api', state: 'ready', reason: 'leaseLost', dueAt: null },
      { id: write.id, zone: 'api', channel: 'api', state: 'unknown', reason: 'leaseLost', dueAt: t.now },
    ]);
    assert.deepEqual([ended, more], [[], false]);
    for (const { id } of [read, write]) {
      const found = await t.get(id);
      assert.equal(found.progress.unresolved, true);
      assert.equal(found.lease, null);
      assert.notEqual(found.firstSentAt, null);
    }
  });

  test('jumps of wall time neither lapse leases nor keep them', async (t) => {
    await t.take();
    for (const jump of [DAY, -2 * DAY]) {
      t.now += jump;
      assert.deepEqual((await t.recover()).recovered, []);
    }
    t.leaseNow += LEASE_MS;
    assert.equal((await t.recover()).recovered.length, 1);
  });

  test('repairs at most the limit and says that there is more', async (t) => {
    for (let n = 0; n < 3; n += 1) await t.take();
    t.leaseNow += LEASE_MS;
    const first = await t.recover({ limit: 2 });
    assert.equal(first.recovered.length, 2);
    assert.equal(first.more, true);
    const second = await t.recover({ limit: 2 });
    assert.equal(second.recovered.length, 1);
    assert.equal(second.more, false);
  });

  test('an unknown request whose looker is gone is just due again', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered' });
    const look = { worker: 'gone', until: t.now + 100, limit: 1, channels: [{ channel: 'api', senders: [''] }] };
    await t.requests.claimUnknown({ ...look, now: t.now });
    t.leaseNow += DAY;
    assert.deepEqual((await t.recover()).recovered, []);
    t.now += 100;
    assert.equal((await t.requests.claimUnknown({ ...look, now: t.now })).length, 1);
  });

  test('a repaired lane head keeps its lane', async (t) => {
    const head = await t.take({ lane: 'l', harmless: true });
    const next = await t.accept({ lane: 'l' });
    t.leaseNow += LEASE_MS;
    await t.recover();
    await t.stands(next.id, 'blocked', 'lane');
    await t.lease(head.id);
  });

  test('what waits only for a process that never was, or closed, is held for its principal', async (t) => {
    const [ready, later, behind] = [
      await t.accept({ sender: 'process:gone', auth: 'live' }),
      await t.accept({ sender: 'process:gone', notBefore: t.now + 9 }),
      await t.accept({ sender: 'process:gone', after: [(await t.accept()).id] }),
    ];
    const own = await t.accept({ sender: `process:${t.worker}` });
    const { recovered, ended } = await t.recover();
    assert.deepEqual(ids(recovered), ids([ready, later, behind]));
    assert.deepEqual(ended, []);
    for (const { id } of [ready, later, behind]) {
      await t.stands(id, 'held', 'auth');
      assert.equal((await t.get(id)).sender, 'principal:ann');
    }
    await t.stands(own.id, 'ready');
    assert.deepEqual((await t.recover()).recovered, []);
    await t.move(ready.id, { state: 'ready', reason: 'released' });
    await t.lease(ready.id, { senders: ['principal:ann'] });
  });

  test('ephemeral requests of a dead process end', async (t) => {
    const { id } = await t.accept({ sender: 'process:gone', ephemeral: true, effect: 'read', harmless: true });
    const { recovered, ended } = await t.recover();
    const { endedSeq } = await t.get(id);
    assert.deepEqual(recovered, []);
    assert.deepEqual(ended, [{ id, zone: 'api', state: 'dead', reason: 'expired', endedSeq }]);
  });

  test('held and unknown requests of a dead process change hands and stay what they are', async (t) => {
    const sender = 'process:gone';
    const unknown = await t.take({ sender });
    await t.settle(unknown, { state: 'unknown', reason: 'unanswered' });
    const held = await t.accept({ sender });
    await t.move(held.id, { state: 'held', reason: 'conflict' });
    await t.recover();
    await t.stands(unknown.id, 'unknown', 'unanswered');
    await t.stands(held.id, 'held', 'conflict');
    for (const { id } of [unknown, held]) assert.equal((await t.get(id)).sender, 'principal:ann');
  });

  handles('repairs what a worker left that is provably gone, before its lease lapses', async (t) => {
    const other = await t.open('worker-2');
    const held = await t.take({}, other, 'worker-2');
    await t.abandon(other);
    assert.deepEqual((await t.recover()).recovered, []);
    const observer = await t.open('worker-3', { isGone: ({ worker }) => worker === 'worker-2' });
    const { recovered } = await t.recover({ worker: 'worker-3' }, observer);
    assert.deepEqual(ids(recovered), [held.id]);
    await t.stands(held.id, 'unknown', 'leaseLost');
  });

  handles('does not take the word of another boot or process namespace for it', async (t) => {
    const other = await t.open('worker-2');
    await t.take({}, other, 'worker-2');
    for (const elsewhere of [{ bootId: 'boot-2' }, { pidNamespace: 'pid-2' }]) {
      const worker = `worker-${Object.keys(elsewhere)[0]}`;
      const observer = await t.open(worker, { identity: identity(worker, elsewhere), isGone: () => true });
      assert.deepEqual((await t.recover({ worker }, observer)).recovered, []);
    }
  });

  handles('repairs what a worker left whose lease of life lapsed', async (t) => {
    const other = await t.open('worker-2');
    const held = await t.take({ harmless: true }, other, 'worker-2');
    await t.requests.renew({ worker: 'worker-2', leases: [held], leaseUntil: t.leaseNow + DAY });
    t.leaseNow += LEASE_MS - 1;
    assert.deepEqual((await t.recover()).recovered, []);
    t.leaseNow += 1;
    assert.deepEqual(ids((await t.recover()).recovered), [held.id]);
  });

  handles('keepAlive keeps a worker alive', async (t) => {
    const other = await t.open('worker-2');
    const held = await t.take({}, other, 'worker-2');
    await t.requests.renew({ worker: 'worker-2', leases: [held], leaseUntil: t.leaseNow + DAY });
    t.leaseNow += LEASE_MS - 1;
    await other.keepAlive({ worker: 'worker-2', leaseNow: t.leaseNow });
    t.leaseNow += LEASE_MS - 1;
    assert.deepEqual((await t.recover()).recovered, []);
  });

  handles('a lease that its living worker stopped renewing is repaired', async (t) => {
    const other = await t.open('worker-2');
    const held = await t.take({}, other, 'worker-2');
    t.leaseNow += LEASE_MS;
    await other.keepAlive({ worker: 'worker-2', leaseNow: t.leaseNow });
    assert.deepEqual(ids((await t.recover()).recovered), [held.id]);
  });

  handles('a worker that closed is dead', async (t) => {
    const other = await t.open('worker-2');
    const sending = await t.take({}, other, 'worker-2');
    const waiting = await t.accept({ sender: 'process:worker-2' });
    assert.deepEqual((await t.recover()).recovered, []);
    await other.close();
    assert.deepEqual(ids((await t.recover()).recovered), ids([sending, waiting]));
  });

  handles('a read under way in a process that died ends; a write goes unknown and changes hands', async (t) => {
    const other = await t.open('worker-2');
    const sender = 'process:worker-2';
    const read = await t.take({ sender, ephemeral: true, harmless: true }, other, 'worker-2');
    const safe = await t.take({ sender, harmless: true }, other, 'worker-2');
    const write = await t.take({ sender }, other, 'worker-2');
    await other.close();
    const { recovered, ended } = await t.recover();
    assert.deepEqual(ids(ended), [read.id]);
    assert.deepEqual(ids(recovered), ids([safe, write]));
    await t.stands(safe.id, 'held', 'auth');
    await t.stands(write.id, 'unknown', 'leaseLost');
    for (const { id } of [safe, write]) {
      const found = await t.get(id);
      assert.equal(found.sender, 'principal:ann');
      assert.equal(found.progress.unresolved, true);
    }
  });

  handles('leases of an earlier boot do not outlive it', async (t) => {
    await t.take();
    // the machine started anew: monotonic time begins again far below the leases of before
    t.leaseNow = 1000;
    const observer = await t.open('worker-2', { identity: identity('worker-2', { bootId: 'boot-2' }) });
    const { recovered } = await t.recover({ worker: 'worker-2' }, observer);
    assert.equal(recovered.length, 1);
  });
});
