import assert from 'node:assert/strict';
import { NO_PROGRESS } from '../../queue/types/request.ts';
import { group } from './group.ts';
import { ids } from './Trial.ts';

export const amendGroup = group('amend', (test) => {
  test('answers notFound for what is not stored', async (t) => {
    assert.deepEqual(await t.amend({ id: t.id(900), from: ['ready'] }), { status: 'notFound' });
  });

  test('refuses a state that is not among those named', async (t) => {
    const { id } = await t.accept();
    const to = { state: 'cancelled', reason: 'caller' } as const;
    assert.deepEqual(await t.amend({ id, from: ['held', 'blocked'], to }), { status: 'refused', state: 'ready' });
    await t.stands(id, 'ready');
  });

  test('refuses whatever is being sent, a patch too', async (t) => {
    const held = await t.take();
    for (const change of [{ patch: { told: true } }, { to: { state: 'cancelled', reason: 'caller' } as const }]) {
      const answer = await t.amend({ id: held.id, from: ['sending'], ...change });
      assert.deepEqual(answer, { status: 'refused', state: 'sending' });
    }
    assert.equal((await t.get(held.id)).told, false);
  });

  test('refuses a sent request where it must never have been sent', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'ready', reason: 'retry' });
    const to = { state: 'cancelled', reason: 'caller' } as const;
    const refused = await t.amend({ id: held.id, from: ['ready'], neverSent: true, to });
    assert.deepEqual(refused, { status: 'refused', state: 'ready' });
    const fresh = await t.accept();
    assert.equal((await t.amend({ id: fresh.id, from: ['ready'], neverSent: true, to })).status, 'amended');
  });

  test('refuses another number of callers, so that the last one cancels', async (t) => {
    const { id } = await t.accept({ key: 'k' });
    await t.enqueue([t.request({ key: 'k' })]);
    const to = { state: 'cancelled', reason: 'caller' } as const;
    assert.deepEqual(await t.amend({ id, from: ['ready'], callers: 1, to }), { status: 'refused', state: 'ready' });
    assert.equal((await t.amend({ id, from: ['ready'], patch: { callers: -1 } })).status, 'amended');
    assert.equal((await t.amend({ id, from: ['ready'], callers: 1, to })).status, 'amended');
    await t.stands(id, 'cancelled', 'caller');
  });

  test('lists the request itself among those that ended', async (t) => {
    const { id } = await t.accept();
    t.now += 3;
    const result = await t.move(id, { state: 'cancelled', reason: 'caller' });
    const { endedSeq, endedAt } = await t.get(id);
    assert.deepEqual(result, {
      status: 'amended',
      state: 'cancelled',
      ended: [{ id, zone: 'api', state: 'cancelled', reason: 'caller', endedSeq }],
      moved: [],
    });
    assert.equal(endedAt, t.now);
  });

  test('patches every field it may', async (t) => {
    const { id } = await t.accept({ priority: 5, expiresAt: t.now + 10 });
    const patch = {
      priority: 9,
      rank: { form: 'value', value: -4 } as const,
      expiresAt: null,
      sender: 'principal:bob',
      base: { v: 2 },
      content: { method: 'PUT', path: '/new', headers: [['a', 'b']] as const, body: null },
      progress: { ...NO_PROGRESS, faults: 3 },
      told: true,
      replayedAs: t.id(77),
      callers: 2,
      result: { status: 200, headers: [], body: new Uint8Array([9]) },
    };
    await t.amend({ id, from: ['ready'], patch });
    const found = await t.get(id);
    const { callers: _callers, rank, result, ...same } = patch;
    for (const [name, value] of Object.entries(same)) {
      assert.deepEqual(found[name as keyof typeof found], value, name); // names of a patch are names of a record
    }
    assert.equal(found.rank, rank.value);
    assert.equal(found.callers, 3);
    assert.equal(found.result?.status, result.status);
    assert.deepEqual([...(found.result?.body ?? [])], [9]);
    assert.equal(found.state, 'ready');
  });

  test('a patch leaves what it does not name', async (t) => {
    const { id } = await t.accept({ priority: 7, base: { v: 1 }, expiresAt: t.now + 10 });
    const before = await t.get(id);
    await t.amend({ id, from: ['ready'], patch: { told: true, priority: undefined } });
    assert.deepEqual(await t.get(id), { ...before, told: true });
  });

  test('a patched rank, sender or deadline takes effect', async (t) => {
    const [a, b] = [await t.accept(), await t.accept()];
    await t.amend({ id: b.id, from: ['ready'], patch: { rank: { form: 'value', value: -1 } } });
    await t.amend({ id: a.id, from: ['ready'], patch: { sender: 'client:x', expiresAt: t.now + 5 } });
    assert.deepEqual(ids(await t.claim()), [b.id]);
    t.now += 5;
    assert.deepEqual(ids((await t.requests.expire({ now: t.now, limit: 9 })).ended), [a.id]);
  });

  test('a record that ended can be marked, not moved', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'dead', reason: 'rejected' });
    const to = { state: 'ready', reason: 'released' } as const;
    assert.deepEqual(await t.amend({ id: held.id, from: ['dead'], to }), { status: 'refused', state: 'dead' });
    await t.amend({ id: held.id, from: ['dead'], patch: { replayedAs: t.id(5), told: true } });
    const { replayedAs, told, state } = await t.get(held.id);
    assert.deepEqual({ replayedAs, told, state }, { replayedAs: t.id(5), told: true, state: 'dead' });
  });

  test('a refused change patches nothing', async (t) => {
    const { id } = await t.accept();
    const to = { state: 'unknown', reason: 'unanswered' } as const;
    assert.equal((await t.amend({ id, from: ['ready'], to, patch: { told: true } })).status, 'refused');
    assert.equal((await t.get(id)).told, false);
  });

  test('nobody is leased by an amend', async (t) => {
    const { id } = await t.accept();
    const answer = await t.amend({ id, from: ['ready'], to: { state: 'sending', reason: 'accepted' } });
    assert.deepEqual(answer, { status: 'refused', state: 'ready' });
  });

  test('a released request goes as far as it can get', async (t) => {
    const [plain, later, behind] = [
      await t.accept(),
      await t.accept({ notBefore: t.now + 50 }),
      await t.accept({ after: [(await t.accept()).id] }),
    ];
    for (const { id } of [plain, later, behind]) await t.move(id, { state: 'held', reason: 'operator' });
    const states = [];
    for (const { id } of [plain, later, behind])
      states.push((await t.move(id, { state: 'ready', reason: 'released' })).state);
    assert.deepEqual(states, ['ready', 'scheduled', 'blocked']);
    await t.stands(plain.id, 'ready', 'released');
    await t.stands(later.id, 'scheduled', 'notBefore');
    await t.stands(behind.id, 'blocked', 'dependency');
  });

  test('a scheduled request can be sent sooner or later', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'scheduled', reason: 'retry', dueAt: t.now + 100 });
    await t.move(held.id, { state: 'scheduled', reason: 'retry', dueAt: t.now + 200 });
    assert.equal((await t.get(held.id)).dueAt, t.now + 200);
    assert.equal((await t.move(held.id, { state: 'ready', reason: 'released' })).state, 'ready');
    assert.equal((await t.get(held.id)).dueAt, null);
  });

  test('a change of an unknown request that is being looked at ends the look', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered' });
    const channels = [{ channel: 'api', senders: [''] }];
    const [taken] = await t.requests.claimUnknown({
      worker: t.worker,
      now: t.now,
      until: t.now + 9,
      limit: 1,
      channels,
    });
    await t.move(held.id, { state: 'held', reason: 'unknown' });
    assert.equal((await t.get(held.id)).lease, null);
    const late = await t.succeed({ id: held.id, token: taken?.lease?.token ?? 0 });
    assert.deepEqual(late, { status: 'stale', state: 'held' });
  });

  test('each change of a batch sees the ones before it', async (t) => {
    const { id } = await t.accept();
    const results = await t.requests.amend({
      now: t.now,
      changes: [
        { id, from: ['ready'], to: { state: 'held', reason: 'operator' } },
        { id, from: ['ready'], to: { state: 'cancelled', reason: 'caller' } },
        { id: t.id(900), from: ['ready'] },
        { id, from: ['held'], to: { state: 'ready', reason: 'released' } },
      ],
    });
    assert.deepEqual(
      results.map(({ status }) => status),
      ['amended', 'refused', 'notFound', 'amended'],
    );
    await t.stands(id, 'ready', 'released');
  });
});
