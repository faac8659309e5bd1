import assert from 'node:assert/strict';
import type { NewRequest } from '../../queue/types/request.ts';
import type { EnqueueResult } from '../../queue/types/store.ts';
import { carried } from './carried.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';
import { ids, LEASE_MS } from './Trial.ts';

const RESULT = { status: 200, headers: [['etag', '"1"']], body: new Uint8Array([7, 0, 255]) } as const;
const LANE = { lane: 'l' } as const;

function why(result: EnqueueResult | undefined): string | undefined {
  return result?.status === 'refused' ? result.why : result?.status;
}

async function offer(t: Trial, fields: Partial<NewRequest>): Promise<string | undefined> {
  const [result] = await t.enqueue([t.request({ ...LANE, ...fields })]);
  return why(result);
}

const valued = (value: number) => ({ form: 'value', value }) as const;

export const replaceGroup = group('replacements', (test) => {
  test('a newcomer takes the place of the last one of its lane', async (t) => {
    const old = await t.accept({ ...LANE, key: 'k' });
    t.now += 5;
    const fresh = await t.accept({ ...LANE, replaces: { id: old.id } });
    assert.deepEqual([fresh.state, fresh.token], ['ready', null]);
    const found = await t.get(old.id);
    const { state, reason, replayedAs, endedAt, dueAt, result } = found;
    assert.deepEqual(
      { state, reason, replayedAs, endedAt, dueAt, result },
      { state: 'superseded', reason: 'squashed', replayedAs: fresh.id, endedAt: t.now, dueAt: null, result: null },
    );
    assert.ok((found.endedSeq ?? 0) > 0);
    assert.equal('bundle' in found, false);
    const record = await t.get(fresh.id);
    assert.equal('replaces' in record, false);
    assert.deepEqual([record.replayOf, record.replayedAs, record.reason], [null, null, 'accepted']);
    assert.deepEqual(await t.counts(), { superseded: 1, ready: 1 });
    assert.deepEqual(ids(await t.claim()), [fresh.id]);
  });

  test('it is answered for by all the callers of both', async (t) => {
    const old = await t.accept({ ...LANE, key: 'k' });
    await t.enqueue([t.request({ key: 'k' }), t.request({ key: 'k' })]);
    const second = await t.accept({ ...LANE, replaces: { id: old.id } });
    assert.equal((await t.get(second.id)).callers, 4);
    assert.equal((await t.get(old.id)).callers, 3);
    const third = await t.accept({ ...LANE, replaces: { id: second.id } });
    assert.equal((await t.get(third.id)).callers, 5);
  });

  test('it takes the better rank and priority of the two, and its own deadline', async (t) => {
    const first = await t.accept({ ...LANE, rank: valued(3), priority: 8, expiresAt: t.now + 9 });
    const second = await t.accept({ ...LANE, rank: valued(7), priority: 2, replaces: { id: first.id } });
    const { rank, priority, expiresAt } = await t.get(second.id);
    assert.deepEqual({ rank, priority, expiresAt }, { rank: 3, priority: 8, expiresAt: null });
    const third = await t.accept({ ...LANE, rank: valued(1), priority: 9, replaces: { id: second.id } });
    const best = await t.get(third.id);
    assert.deepEqual([best.rank, best.priority], [1, 9]);
    const lifo = await t.accept({ ...LANE, rank: { form: 'negatedSeq' }, replaces: { id: third.id } });
    assert.equal((await t.get(lifo.id)).rank, -lifo.seq);
    t.now += 9;
    assert.deepEqual((await t.requests.expire({ now: t.now, limit: 9 })).ended, []);
    const other = await t.accept({ rank: valued(-lifo.seq + 1) });
    assert.deepEqual(ids(await t.claim()), ids([lifo, other]));
  });

  test('it waits behind the others of its lane, and the head keeps or takes the better rank', async (t) => {
    const head = await t.accept({ ...LANE, rank: valued(9) });
    const old = await t.accept({ ...LANE, rank: valued(5) });
    const fresh = await t.accept({ ...LANE, rank: valued(6), replaces: { id: old.id } });
    await t.stands(fresh.id, 'blocked', 'lane');
    assert.equal((await t.get(head.id)).rank, 5);
    const urgent = await t.accept({ ...LANE, rank: valued(2), replaces: { id: fresh.id } });
    assert.equal((await t.get(head.id)).rank, 2);
    const last = await t.accept(LANE);
    await t.succeed(await t.lease(head.id));
    await t.stands(urgent.id, 'ready', 'accepted');
    await t.succeed(await t.lease(urgent.id));
    await t.stands(last.id, 'ready', 'accepted');
  });

  test('a scheduled or blocked one is replaced like a ready one, whatever it waited for', async (t) => {
    const first = await t.accept({ channel: 'other' });
    const scheduled = await t.accept({ lane: 's', notBefore: t.now + 50 });
    const blocked = await t.accept({ lane: 'b', after: [first.id] });
    const a = await t.accept({ lane: 's', replaces: { id: scheduled.id } });
    const b = await t.accept({ lane: 'b', replaces: { id: blocked.id } });
    assert.deepEqual([a.state, b.state], ['ready', 'ready']);
    const c = await t.accept({ lane: 's', notBefore: t.now + 30, replaces: { id: a.id } });
    const d = await t.accept({ lane: 'b', after: [first.id], replaces: { id: b.id } });
    assert.deepEqual([c.state, c.dueAt, d.state], ['scheduled', t.now + 30, 'blocked']);
    await t.succeed(await t.lease(first.id, { channel: 'other' }));
    await t.stands(d.id, 'ready', 'accepted');
    assert.equal(
      await t.requests.nextDueAt({ channels: [{ channel: 'api', senders: [''] }], after: null }),
      t.now + 30,
    );
  });

  test('one that was never sent for all that is replaced', async (t) => {
    const held = await t.take(LANE);
    await t.settle(held, { state: 'scheduled', reason: 'retry', dueAt: t.now + 9 }, { notSent: true });
    assert.equal(await offer(t, { replaces: { id: held.id } }), 'accepted');
  });

  test('it may be of another channel, sender or zone', async (t) => {
    const old = await t.accept({ ...LANE, sender: 'client:a' });
    const { id } = await t.accept({ ...LANE, zone: 'eu', channel: 'eu', sender: '', replaces: { id: old.id } });
    const told = (await t.requests.count({})).map((row) => `${row.channel} ${row.sender} ${row.state}`).sort();
    assert.deepEqual(told, ['api  superseded', 'eu  ready']);
    await t.lease(id, { channel: 'eu' });
  });

  test('with a result it ends at once', async (t) => {
    const old = await t.accept({ ...LANE, rank: valued(3), priority: 7 });
    const replaces = { id: old.id, result: RESULT };
    t.now += 3;
    const fresh = await t.accept({ ...LANE, rank: valued(5), expiresAt: t.now + 9, key: 'k', replaces });
    assert.deepEqual([fresh.state, fresh.token, fresh.dueAt], ['succeeded', null, null]);
    const found = await t.get(fresh.id);
    const { state, reason, endedAt, firstSentAt, lease, told, callers, rank, priority } = found;
    assert.deepEqual(
      { state, reason, endedAt, firstSentAt, lease, told, callers, rank, priority },
      {
        state: 'succeeded',
        reason: 'noop',
        endedAt: t.now,
        firstSentAt: null,
        lease: null,
        told: false,
        callers: 2,
        rank: 3,
        priority: 7,
      },
    );
    assert.deepEqual({ ...found.result, body: [...(found.result?.body ?? [])] }, { ...RESULT, body: [7, 0, 255] });
    assert.equal(found.endedSeq, ((await t.get(old.id)).endedSeq ?? 0) + 1);
    await t.stands(old.id, 'superseded', 'squashed');
    assert.deepEqual(await t.counts(), { superseded: 1, succeeded: 1 });
    assert.deepEqual(await t.claim(), []);
    t.now += 20;
    assert.deepEqual((await t.requests.expire({ now: t.now, limit: 9 })).ended, []);
    assert.equal(await offer(t, { key: 'k' }), 'joined');
  });

  test('with a result its lane goes on, and nobody waits for it or what it named', async (t) => {
    const first = await t.accept({ channel: 'other' });
    const head = await t.accept({ ...LANE, rank: valued(9) });
    const old = await t.accept({ ...LANE, rank: valued(5) });
    const done = await t.accept({
      ...LANE,
      rank: valued(1),
      after: [first.id],
      notBefore: t.now + 99,
      replaces: { id: old.id, result: { ...RESULT, body: null } },
    });
    assert.equal(done.state, 'succeeded');
    assert.equal((await t.get(done.id)).result?.body, null);
    assert.equal((await t.get(head.id)).rank, 5);
    const waiting = await t.accept({ after: [done.id] });
    assert.equal(waiting.state, 'ready');
    const last = await t.accept(LANE);
    await t.stands(last.id, 'blocked', 'lane');
    await t.succeed(await t.lease(head.id));
    await t.stands(last.id, 'ready', 'accepted');
    await t.succeed(await t.lease(first.id, { channel: 'other' }));
    const retention = { succeededMs: 1e9, deadMs: 1e9, maxRecords: 0, maxBytes: 1e12 };
    const purge = { now: t.now, limit: 99, keepAfter: Number.MAX_SAFE_INTEGER, retention };
    assert.deepEqual((await t.requests.purge(purge)).ids, ids([old, head, first]));
  });

  test('with a result that stood alone the lane is free', async (t) => {
    const old = await t.accept({ ...LANE, rank: valued(-9) });
    await t.accept({ ...LANE, replaces: { id: old.id, result: RESULT } });
    const { id, state } = await t.accept(LANE);
    assert.equal(state, 'ready');
    assert.equal((await t.get(id)).rank, 0);
  });

  test('with a result it counts among the ended records', async (t) => {
    const old = await t.accept({ ...LANE, bytes: 4 });
    const { id } = await t.accept({ ...LANE, bytes: 5, replaces: { id: old.id, result: RESULT } });
    const retention = { succeededMs: 1e9, deadMs: 1e9, maxRecords: 1e6 };
    const purge = { now: t.now, limit: 9, keepAfter: Number.MAX_SAFE_INTEGER };
    const purged = async (maxBytes: number): Promise<string[]> =>
      (await t.requests.purge({ ...purge, retention: { ...retention, maxBytes } })).ids;
    assert.deepEqual(
      [await purged(12), await purged(11), await purged(7)],
      [[], [old.id], [id]].map((one) => one),
    );
  });

  test('limits are not for what takes a place', async (t) => {
    const old = await t.accept({ ...LANE, bytes: 60 });
    const limits = { maxSize: 1, maxBytes: 60 };
    const fresh = t.request({ ...LANE, bytes: 90, replaces: { id: old.id } });
    const [accepted, refused] = await t.enqueue([fresh, t.request({ bytes: 0 })], { limits });
    assert.deepEqual([why(accepted), why(refused)], ['accepted', 'full']);
    const [none] = await t.enqueue([t.request({ ...LANE, replaces: { id: old.id } })], { limits });
    assert.equal(why(none), 'replaced');
    await t.succeed(await t.lease(fresh.id));
    assert.equal(why((await t.enqueue([t.request({ bytes: 60 })], { limits }))[0]), 'accepted');
  });

  test('one that is not there, or ended, is not replaced', async (t) => {
    assert.equal(await offer(t, { replaces: { id: t.id(900) } }), 'replaced');
    const done = await t.done(LANE);
    const cancelled = await t.accept(LANE);
    await t.move(cancelled.id, { state: 'cancelled', reason: 'caller' });
    for (const id of [done, cancelled.id]) assert.equal(await offer(t, { replaces: { id } }), 'replaced');
    assert.deepEqual(await t.counts(), { succeeded: 1, cancelled: 1 });
  });

  test('one of another lane, or of none, is not replaced', async (t) => {
    const [other, none] = [await t.accept({ lane: 'other' }), await t.accept()];
    for (const { id } of [other, none]) {
      assert.equal(await offer(t, { replaces: { id } }), 'replaced');
      assert.equal(await offer(t, { lane: null, replaces: { id } }), 'replaced');
    }
    assert.deepEqual(await t.counts(), { ready: 2 });
  });

  test('one that is not the last of its lane is not replaced', async (t) => {
    const [first, second] = [await t.accept(LANE), await t.accept(LANE)];
    assert.equal(await offer(t, { replaces: { id: first.id } }), 'replaced');
    await t.move(second.id, { state: 'cancelled', reason: 'caller' });
    assert.equal(await offer(t, { replaces: { id: first.id } }), 'accepted');
  });

  test('one that is sending, unknown, held or was sent is not replaced', async (t) => {
    const held = await t.take(LANE);
    const refused = async (): Promise<void> => assert.equal(await offer(t, { replaces: { id: held.id } }), 'replaced');
    await refused();
    await t.settle(held, { state: 'unknown', reason: 'unanswered' });
    await refused();
    await t.move(held.id, { state: 'ready', reason: 'released' });
    await refused();
    const aside = await t.accept({ lane: 'm' });
    await t.move(aside.id, { state: 'held', reason: 'operator' });
    assert.equal(await offer(t, { lane: 'm', replaces: { id: aside.id } }), 'replaced');
    const brought = await t.accept({ lane: 'n', carried: carried({ firstSentAt: 5 }) });
    assert.equal(await offer(t, { lane: 'n', replaces: { id: brought.id } }), 'replaced');
  });

  test('one of another principal is not replaced', async (t) => {
    const { id } = await t.accept({ ...LANE, principal: 'bob' });
    assert.equal(await offer(t, { principal: 'ann', replaces: { id } }), 'replaced');
    assert.equal(await offer(t, { principal: 'bob', replaces: { id } }), 'accepted');
  });

  test('one that a live request comes after is not replaced, nor by one that comes after it', async (t) => {
    const old = await t.accept(LANE);
    const waiting = await t.accept({ after: [old.id] });
    assert.equal(await offer(t, { replaces: { id: old.id } }), 'replaced');
    await t.move(waiting.id, { state: 'cancelled', reason: 'caller' });
    assert.equal(await offer(t, { after: [old.id], replaces: { id: old.id } }), 'replaced');
    assert.equal(await offer(t, { replaces: { id: old.id } }), 'accepted');
  });

  test('nothing is replaced by one that is refused, joins, or is there already', async (t) => {
    const old = await t.accept({ ...LANE, key: 'k', digest: 'd' });
    const replaces = { id: old.id };
    assert.equal(await offer(t, { after: [t.id(900)], replaces }), 'dependency');
    assert.equal(await offer(t, { after: [t.id(900)], replaces: { id: t.id(901) } }), 'replaced');
    assert.equal(await offer(t, { key: 'k', digest: 'other', replaces }), 'keyConflict');
    assert.equal(await offer(t, { key: 'k', digest: 'd', replaces }), 'joined');
    const there = await t.accept();
    await t.enqueue([t.request({ ...LANE, id: there.id, replaces })]);
    await t.stands(old.id, 'ready');
  });

  test('the same newcomer offered again is answered with its record', async (t) => {
    const old = await t.accept(LANE);
    const fresh = t.request({ ...LANE, replaces: { id: old.id } });
    const [first] = await t.enqueue([fresh]);
    assert.deepEqual(await t.enqueue([fresh]), [first]);
    assert.deepEqual(await t.counts(), { superseded: 1, ready: 1 });
  });

  test('it is leased at once where it would have been without the one it replaces', async (t) => {
    const claim = { worker: t.worker, leaseUntil: t.leaseNow + LEASE_MS, allowance: [{ channel: 'api', calls: 9 }] };
    const old = await t.accept(LANE);
    const fresh = await t.accept({ ...LANE, replaces: { id: old.id } }, { claim });
    assert.equal(fresh.state, 'sending');
    const other = await t.accept({ lane: 'm', channel: 'other' });
    const waiting = await t.accept();
    const replaces = { id: other.id };
    assert.equal((await t.accept({ lane: 'm', replaces }, { claim })).state, 'ready');
    await t.stands(waiting.id, 'ready');
  });

  test('items of one batch replace each other', async (t) => {
    const [a, b, c] = [t.request(LANE), t.request(LANE), t.request(LANE)];
    const results = await t.enqueue([a, { ...b, replaces: { id: a.id } }, { ...c, replaces: { id: b.id } }]);
    assert.deepEqual(results.map(why), ['accepted', 'accepted', 'accepted']);
    assert.deepEqual(await t.counts(), { superseded: 2, ready: 1 });
    assert.equal((await t.get(c.id)).callers, 3);
  });

  for (const result of [undefined, RESULT]) {
    test(`an atomic batch that is refused replaces nothing${result === undefined ? '' : ', with a result neither'}`, async (t) => {
      const first = await t.accept({ channel: 'other' });
      const head = await t.accept({ ...LANE, rank: valued(9) });
      const old = await t.accept({ ...LANE, rank: valued(8), after: [first.id], expiresAt: t.now + 9, notBefore: 5 });
      const alone = await t.accept({ lane: 'm', notBefore: t.now + 4, sender: 'process:gone', key: 'k' });
      const before = await t.requests.get({ ids: ids([first, head, old, alone]) });
      const counts = await t.requests.count({});
      const replacing = t.request({ ...LANE, rank: valued(2), replaces: { id: old.id, result } });
      const batch = [
        replacing,
        t.request({ lane: 'm', replaces: { id: alone.id, result }, principal: 'ann', sender: 'client:a' }),
        t.request({ ...LANE, replaces: { id: replacing.id } }),
        t.request(LANE),
        t.request({ after: [t.id(900)] }),
      ];
      const results = await t.enqueue(result === undefined ? batch : batch.filter((_, n) => n !== 2), { atomic: true });
      assert.deepEqual(new Set(results.map(why)), new Set(['neighbour', 'dependency']));
      assert.deepEqual(await t.requests.get({ ids: ids([first, head, old, alone]) }), before);
      assert.deepEqual((await t.requests.count({})).map(sorted).sort(), counts.map(sorted).sort());
      const ended = await t.requests.find({ filter: {}, order: 'ended', after: null, limit: 9 });
      assert.deepEqual(ended.requests, []);
      await t.succeed(await t.lease(head.id));
      await t.stands(old.id, 'blocked', 'dependency');
      await t.succeed(await t.lease(first.id, { channel: 'other' }));
      await t.stands(old.id, 'ready');
      assert.deepEqual(ids((await t.recover()).recovered), [alone.id]);
      t.now += 9;
      assert.deepEqual(ids((await t.requests.expire({ now: t.now, limit: 9 })).ended), [old.id]);
      assert.equal((await t.accept({ lane: 'l' })).state, 'ready');
      assert.equal((await t.get(old.id)).endedSeq, ((await t.get(first.id)).endedSeq ?? 0) + 1);
    });
  }
});

function sorted(row: object): string {
  return JSON.stringify(Object.entries(row).sort());
}
