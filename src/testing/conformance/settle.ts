import assert from 'node:assert/strict';
import { NO_PROGRESS } from '../../queue/types/request.ts';
import { group } from './group.ts';
import { ids } from './Trial.ts';

const result = { status: 201, headers: [['etag', '"1"']], body: new Uint8Array([1, 0, 255]) } as const;

export const settleGroup = group('settle', (test) => {
  test('ends a request with its result and its place in the order of ending', async (t) => {
    const held = await t.take();
    t.now += 10;
    const settled = await t.succeed(held, { result, told: true });
    const found = await t.get(held.id);
    assert.deepEqual(settled, {
      status: 'settled',
      state: 'succeeded',
      endedSeq: found.endedSeq,
      ended: [],
      moved: [],
    });
    assert.equal(found.endedAt, t.now);
    assert.equal(found.lease, null);
    assert.equal(found.told, true);
    assert.equal(found.result?.status, 201);
    assert.deepEqual(found.result?.headers, [['etag', '"1"']]);
    assert.deepEqual([...(found.result?.body ?? [])], [1, 0, 255]);
  });

  test('endedSeq ascends in the order of ending', async (t) => {
    const [a, b] = [await t.take(), await t.take()];
    const first = await t.succeed(b);
    const second = await t.succeed(a);
    assert.ok(first.status === 'settled' && second.status === 'settled');
    assert.ok((first.endedSeq ?? 0) > 0);
    assert.ok((second.endedSeq ?? 0) > (first.endedSeq ?? 0));
  });

  test('a retry is scheduled and keeps the progress whole', async (t) => {
    const held = await t.take();
    const progress = {
      ...NO_PROGRESS,
      faults: 2,
      delayMs: 750,
      unresolved: true,
      failingSince: t.now,
      servedBefore: 3,
      attempts: [
        { n: 1, at: t.now, phase: 'answered', outcome: 'notApplied', status: 503, error: null, origin: 'https://a' },
      ],
    } as const;
    const settled = await t.settle(held, { state: 'scheduled', reason: 'retry', dueAt: t.now + 750 }, { progress });
    assert.deepEqual(settled, { status: 'settled', state: 'scheduled', endedSeq: null, ended: [], moved: [] });
    const found = await t.get(held.id);
    assert.deepEqual(found.progress, progress);
    assert.equal(found.dueAt, t.now + 750);
    assert.equal(found.reason, 'retry');
    assert.equal(found.lease, null);
  });

  test('a retry whose time has come is ready, and not before notBefore', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'scheduled', reason: 'retry', dueAt: t.now });
    await t.stands(held.id, 'ready', 'retry');
    const other = await t.accept({ notBefore: t.now + 10 });
    t.now += 10;
    const leases = await t.claim();
    const lease = leases.find(({ id }) => id === other.id)?.lease;
    // the clock stepped back: its time has not come again
    t.now -= 20;
    await t.settle({ id: other.id, token: lease?.token ?? 0 }, { state: 'ready', reason: 'retry' });
    await t.stands(other.id, 'scheduled', 'notBefore');
    assert.equal((await t.get(other.id)).dueAt, t.now + 20);
  });

  test('notSent undoes the first send of this claim and of no earlier one', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'ready', reason: 'retry' }, { notSent: true });
    assert.equal((await t.get(held.id)).firstSentAt, null);
    const sentAt = t.now;
    await t.settle(await t.lease(held.id), { state: 'ready', reason: 'retry' });
    t.now += 5;
    await t.settle(await t.lease(held.id), { state: 'ready', reason: 'retry' }, { notSent: true });
    assert.equal((await t.get(held.id)).firstSentAt, sentAt);
  });

  test('an unknown outcome is due at once unless a time is given', async (t) => {
    const held = await t.take();
    const settled = await t.settle(held, { state: 'unknown', reason: 'unanswered' });
    assert.equal(settled.status === 'settled' && settled.state, 'unknown');
    assert.equal((await t.get(held.id)).dueAt, t.now);
  });

  test('a held request is not due', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'held', reason: 'conflict' });
    const { state, reason, dueAt, lease } = await t.get(held.id);
    assert.deepEqual({ state, reason, dueAt, lease }, { state: 'held', reason: 'conflict', dueAt: null, lease: null });
  });

  test('binds local ids in the same step', async (t) => {
    const held = await t.take();
    const bind = ['a', 'b'].map((localId) => ({
      localId,
      serverId: `7${localId}`,
      type: 'note',
      zone: 'api',
      requestId: held.id,
      boundAt: t.now,
    }));
    await t.succeed(held, { bind });
    assert.deepEqual(await t.requests.bindings({ localIds: ['b', 'none', 'a'] }), [bind[1], undefined, bind[0]]);
  });

  test('ends others that nobody is sending, and reports them', async (t) => {
    const held = await t.take({ lane: 'l' });
    const sending = await t.take();
    const squashed = await t.accept({ lane: 'l' });
    const last = await t.accept({ lane: 'l' });
    const settled = await t.succeed(held, {
      end: [
        { id: squashed.id, state: 'superseded', reason: 'squashed' },
        { id: sending.id, state: 'dead', reason: 'abandoned' },
        { id: t.id(900), state: 'dead', reason: 'abandoned' },
      ],
    });
    assert.ok(settled.status === 'settled');
    const { endedSeq } = await t.get(squashed.id);
    assert.deepEqual(settled.ended, [
      { id: squashed.id, zone: 'api', state: 'superseded', reason: 'squashed', endedSeq },
    ]);
    assert.deepEqual(ids(settled.moved), [last.id]);
    await t.stands(sending.id, 'sending');
  });

  test('others are not ended by moves that are not legal', async (t) => {
    const held = await t.take();
    const unknown = await t.take();
    await t.settle(unknown, { state: 'unknown', reason: 'unanswered' });
    const done = await t.done();
    const settled = await t.succeed(held, {
      end: [
        { id: unknown.id, state: 'cancelled', reason: 'caller' },
        { id: done, state: 'dead', reason: 'abandoned' },
      ],
    });
    assert.deepEqual(settled.status === 'settled' && settled.ended, []);
    await t.stands(unknown.id, 'unknown');
    await t.stands(done, 'succeeded');
  });

  test('a settlement does not end or change its own request twice', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered' });
    const settled = await t.succeed(held, {
      end: [{ id: held.id, state: 'dead', reason: 'abandoned' }],
      amend: [{ id: held.id, from: ['unknown'], to: { state: 'held', reason: 'operator' } }],
    });
    assert.ok(settled.status === 'settled');
    assert.deepEqual([settled.state, settled.ended, settled.moved], ['succeeded', [], []]);
    assert.deepEqual(await t.counts(), { succeeded: 1 });
  });

  test('a cascade ends its dependants with it', async (t) => {
    const held = await t.take();
    const dependant = await t.accept({ after: [held.id] });
    const settled = await t.settle(
      held,
      { state: 'dead', reason: 'rejected' },
      { end: [{ id: dependant.id, state: 'dead', reason: 'abandoned' }] },
    );
    assert.ok(settled.status === 'settled');
    assert.deepEqual(ids(settled.ended), [dependant.id]);
    assert.deepEqual(settled.moved, []);
    await t.stands(dependant.id, 'dead', 'abandoned');
  });

  test('changes others with it and ignores refusals', async (t) => {
    const held = await t.take({ lane: 'l' });
    const sibling = await t.accept({ lane: 'l' });
    const free = await t.accept();
    const settled = await t.succeed(held, {
      amend: [
        { id: sibling.id, from: ['blocked'], patch: { base: { version: 2 } } },
        { id: free.id, from: ['held'], patch: { base: 'never' } },
        { id: free.id, from: ['ready'], to: { state: 'held', reason: 'operator' } },
      ],
    });
    assert.ok(settled.status === 'settled');
    assert.deepEqual(ids(settled.moved).sort(), ids([sibling, free]).sort());
    assert.deepEqual((await t.get(sibling.id)).base, { version: 2 });
    const found = await t.get(free.id);
    assert.equal(found.base, null);
    assert.equal(found.state, 'held');
  });

  test('each item of a batch has its own answer, in order', async (t) => {
    const [a, b] = [await t.take(), await t.take()];
    const next = { state: 'succeeded', reason: 'applied' } as const;
    const settlements = [a, { id: t.id(900), token: 1 }, { ...b, token: b.token + 7 }, a, b];
    const results = await t.requests.settle({
      now: t.now,
      settlements: settlements.map((held) => ({ ...held, next, progress: NO_PROGRESS })),
    });
    assert.deepEqual(
      results.map(({ status }) => status),
      ['settled', 'notFound', 'stale', 'stale', 'settled'],
    );
    assert.deepEqual(await t.counts(), { succeeded: 2 });
  });
});
