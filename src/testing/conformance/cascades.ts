import assert from 'node:assert/strict';
import type { RequestState } from '../../queue/types/states.ts';
import type { Aftermath } from './deaths.ts';
import { DEATHS } from './deaths.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';
import { ids } from './Trial.ts';

const REJECTED = { state: 'dead', reason: 'rejected' } as const;
const DISCARDED = { state: 'dead', reason: 'discarded' } as const;
const HELD = { state: 'held', reason: 'operator' } as const;
const CASCADE = { onFailure: 'cascade' } as const;

/** Asserts that exactly these ended with `root`, in this order, and that all that tells of them says so. */
async function assertBundle(t: Trial, root: string, { ended }: Aftermath, expected: readonly string[]): Promise<void> {
  assert.deepEqual(ids(ended), expected);
  const places = [];
  for (const told of ended) {
    const found = await t.get(told.id);
    const { id, zone, state, reason, endedSeq, endedAt, bundle, dueAt, lease } = found;
    assert.deepEqual(
      { id, zone, state, reason, endedSeq },
      { ...told, state: 'dead', reason: 'abandoned', zone: 'api' },
    );
    assert.deepEqual(
      { bundle, endedAt, dueAt, lease },
      { bundle: root, endedAt: (await t.get(root)).endedAt, dueAt: null, lease: null },
    );
    places.push(endedSeq ?? 0);
  }
  const order = places.toSorted((a, b) => a - b);
  assert.deepEqual(places, order);
  const filter = { bundle: root };
  const page = await t.requests.find({ filter, order: 'ended', after: null, limit: 99 });
  assert.deepEqual(ids(page.requests), expected);
  assert.equal('bundle' in (await t.get(root)), false);
  await assertCounts(t, {});
}

/** Asserts that counters agree with what is found, and these numbers by state. */
async function assertCounts(t: Trial, expected: Partial<Record<RequestState, number>>): Promise<void> {
  const rows = async (query: object): Promise<string[]> =>
    (await t.requests.count(query)).map((row) => JSON.stringify(Object.entries(row).sort())).sort();
  assert.deepEqual(await rows({}), await rows({ filter: {} }));
  const counts = await t.counts();
  for (const [state, count] of Object.entries(expected)) assert.equal(counts[state as RequestState], count, state);
}

/** Settles a request that is leased as rejected. */
async function reject(t: Trial, held: { readonly id: string; readonly token: number }): Promise<Aftermath> {
  const settled = await t.settle(held, REJECTED);
  assert.equal(settled.status, 'settled');
  return settled;
}

export const cascadeGroup = group('cascades', (test) => {
  for (const [verb, doom] of Object.entries(DEATHS)) {
    test(`one that ends by ${verb} takes its lane and all that waits for it along`, async (t) => {
      const failing = await doom(t, { lane: 'l', ...CASCADE });
      const second = await t.accept({ lane: 'l', bytes: 7 });
      const dependant = await t.accept({ after: [failing.id], sender: 'client:a', channel: 'other' });
      const third = await t.accept({ lane: 'l', notBefore: t.now + 50 });
      const further = await t.accept({ after: [second.id, dependant.id] });
      const apart = await t.accept();
      const aftermath = await failing.fail();
      await assertBundle(t, failing.id, aftermath, ids([further, third, dependant, second]));
      assert.deepEqual(aftermath.moved, []);
      await t.stands(failing.id, 'dead');
      await t.stands(apart.id, 'ready', 'accepted');
      await assertCounts(t, { dead: 5, ready: 1 });
    });
  }

  test('a lane is free again afterwards', async (t) => {
    const head = await t.take({ lane: 'l', ...CASCADE });
    for (let n = 0; n < 5; n += 1) await t.accept({ lane: 'l', rank: { form: 'value', value: -n } });
    assert.equal((await reject(t, head)).ended.length, 5);
    const fresh = await t.accept({ lane: 'l', rank: { form: 'value', value: 7 } });
    assert.equal(fresh.state, 'ready');
    assert.equal((await t.get(fresh.id)).rank, 7);
    await t.succeed(await t.lease(fresh.id));
  });

  test('what was accepted before it in its lane goes on', async (t) => {
    const head = await t.take({ lane: 'l' });
    const middle = await t.accept({ lane: 'l', ...CASCADE });
    const last = await t.accept({ lane: 'l' });
    await assertBundle(t, middle.id, others(await t.move(middle.id, DISCARDED)), [last.id]);
    const fresh = await t.accept({ lane: 'l' });
    await t.stands(fresh.id, 'blocked', 'lane');
    await t.succeed(head);
    await t.stands(fresh.id, 'ready', 'accepted');
  });

  test('what waits for a victim ends with it, whatever the victim says, and so on', async (t) => {
    const root = await t.take(CASCADE);
    const chain = [root.id];
    for (const onFailure of ['continue', 'halt', 'cascade', 'continue'] as const) {
      chain.push((await t.accept({ after: [chain.at(-1) ?? ''], onFailure })).id);
    }
    await assertBundle(t, root.id, await reject(t, root), chain.slice(1).reverse());
  });

  test('what stands behind a victim in another lane goes on, unless the victim has cascade or halt', async (t) => {
    const root = await t.take(CASCADE);
    const victims = [];
    const behind = [];
    for (const onFailure of [undefined, 'continue', 'halt', 'cascade'] as const) {
      const lane = `lane-${onFailure}`;
      victims.push(await t.accept({ lane, after: [root.id], ...(onFailure !== undefined && { onFailure }) }));
      behind.push(await t.accept({ lane }));
    }
    const [b0, b1, b2, b3] = ids(behind);
    const aftermath = await reject(t, root);
    await assertBundle(t, root.id, aftermath, [b3 ?? '', ...ids(victims).reverse()]);
    assert.deepEqual(ids(aftermath.moved).sort(), [b0, b1, b2].sort());
    for (const id of [b0, b1]) await t.stands(id ?? '', 'ready', 'accepted');
    await t.stands(b2 ?? '', 'held', 'dependency');
  });

  test('a victim that is not the first of its lane leaves the lane as it is', async (t) => {
    const root = await t.take(CASCADE);
    const head = await t.take({ lane: 'l' });
    const victim = await t.accept({ lane: 'l', after: [root.id] });
    const last = await t.accept({ lane: 'l' });
    const aftermath = await reject(t, root);
    await assertBundle(t, root.id, aftermath, [victim.id]);
    assert.deepEqual(aftermath.moved, []);
    await t.stands(last.id, 'blocked', 'lane');
    await t.succeed(head);
    await t.stands(last.id, 'ready');
  });

  test('a victim is taken once, by however many ways it is reached', async (t) => {
    const root = await t.take({ lane: 'l', ...CASCADE });
    const a = await t.accept({ lane: 'l', after: [root.id], ...CASCADE });
    const b = await t.accept({ lane: 'l', after: [a.id, root.id, root.id], ...CASCADE });
    const c = await t.accept({ after: [a.id, b.id] });
    await assertBundle(t, root.id, await reject(t, root), ids([c, b, a]));
    await assertCounts(t, { dead: 4 });
  });

  test('held ones are victims, and what succeeded is none', async (t) => {
    const other = await t.done({ channel: 'other' });
    const root = await t.take({ lane: 'l', after: [other], ...CASCADE });
    const inLane = await t.accept({ lane: 'l' });
    const waiting = await t.accept({ after: [root.id, other] });
    for (const { id } of [inLane, waiting]) await t.move(id, HELD);
    await assertBundle(t, root.id, await reject(t, root), ids([waiting, inLane]));
    await t.stands(other, 'succeeded');
  });

  test('one whose outcome is unknown is no victim, nor what waits for that only', async (t) => {
    const root = await t.accept({ ...CASCADE, channel: 'later' });
    const unknown = await t.accept({ lane: 'l', after: [root.id] });
    await t.move(unknown.id, HELD);
    await t.move(unknown.id, { state: 'unknown', reason: 'unanswered', dueAt: t.now + 9 });
    const behind = await t.accept({ lane: 'l' });
    const waiting = await t.accept({ after: [unknown.id] });
    const both = await t.accept({ after: [unknown.id, root.id] });
    await assertBundle(t, root.id, others(await t.move(root.id, DISCARDED)), [both.id]);
    await t.stands(unknown.id, 'unknown', 'unanswered');
    await t.stands(behind.id, 'blocked', 'lane');
    await t.stands(waiting.id, 'blocked', 'dependency');
    await t.move(unknown.id, { state: 'succeeded', reason: 'markedApplied' });
    for (const { id } of [behind, waiting]) await t.stands(id, 'ready', 'accepted');
  });

  test('one that is being sent is no victim of another', async (t) => {
    const root = await t.take({ ...CASCADE, channel: 'other' });
    const sending = await t.take({ lane: 'l' });
    const behind = await t.accept({ lane: 'l', after: [root.id] });
    await assertBundle(t, root.id, await reject(t, root), [behind.id]);
    await t.stands(sending.id, 'sending');
    await t.succeed(sending);
  });

  test('a victim frees what it came after, and what it waited for is no longer kept for it', async (t) => {
    const root = await t.take(CASCADE);
    const first = await t.done({ channel: 'other' });
    const waiting = await t.accept({ after: [root.id, first] });
    await reject(t, root);
    const retention = { succeededMs: 0, deadMs: 1e9, maxRecords: 1e6, maxBytes: 1e12 };
    const purge = { now: t.now + 1, limit: 9, keepAfter: Number.MAX_SAFE_INTEGER, retention };
    assert.deepEqual((await t.requests.purge(purge)).ids, [first]);
    await t.stands(waiting.id, 'dead', 'abandoned');
  });

  for (const to of [
    { state: 'cancelled', reason: 'caller' },
    { state: 'superseded', reason: 'remoteWins' },
    { state: 'superseded', reason: 'squashed' },
  ] as const) {
    test(`what waits for one with cascade is abandoned when that ends ${to.state} (${to.reason}); its lane goes on`, async (t) => {
      const root = await t.accept({ lane: 'l', ...CASCADE });
      const next = await t.accept({ lane: 'l' });
      const waiting = await t.accept({ after: [root.id], lane: 'm', ...CASCADE });
      const behind = await t.accept({ lane: 'm' });
      const further = await t.accept({ after: [waiting.id] });
      const amended = await t.move(root.id, to);
      await assertBundle(t, root.id, others(amended), ids([further, behind, waiting]));
      assert.deepEqual(ids(amended.moved), [next.id]);
      await t.stands(next.id, 'ready', 'accepted');
    });
  }

  test('one that is moved to another store abandons nobody', async (t) => {
    for (const reason of ['moved', 'spilled'] as const) {
      const root = await t.accept(CASCADE);
      const waiting = await t.accept({ after: [root.id] });
      const { ended, moved } = await t.move(root.id, { state: 'superseded', reason });
      assert.deepEqual([ids(ended), ids(moved)], [[root.id], [waiting.id]]);
      await t.stands(waiting.id, 'held', 'dependency');
    }
  });

  test('one that ends dead takes them along for whatever reason', async (t) => {
    for (const reason of ['moved', 'spilled', 'abandoned'] as const) {
      const root = await t.accept({ lane: 'l', ...CASCADE });
      const behind = await t.accept({ lane: 'l' });
      const waiting = await t.accept({ after: [root.id] });
      await assertBundle(t, root.id, others(await t.move(root.id, { state: 'dead', reason })), ids([waiting, behind]));
    }
  });

  test('one that succeeds takes nobody along', async (t) => {
    const root = await t.take({ lane: 'l', ...CASCADE });
    const next = await t.accept({ lane: 'l', after: [root.id] });
    const settled = await t.succeed(root);
    assert.deepEqual(settled.status === 'settled' && settled.ended, []);
    await t.stands(next.id, 'ready', 'accepted');
  });

  test('two that fail in one batch have a bundle each, and whoever is a victim by then is not settled again', async (t) => {
    const [a, b] = [await t.take({ lane: 'a', ...CASCADE }), await t.take({ lane: 'b', ...CASCADE })];
    const [behindA, behindB] = [await t.accept({ lane: 'a' }), await t.accept({ lane: 'b' })];
    const both = await t.accept({ after: [a.id, b.id] });
    const { progress } = await t.get(a.id);
    const end = [{ id: both.id, ...DISCARDED }];
    const results = await t.requests.settle({
      now: t.now,
      settlements: [
        { ...a, next: REJECTED, progress },
        { ...b, next: REJECTED, progress, end },
      ],
    });
    const [first, second] = results.map((result) => (result.status === 'settled' ? ids(result.ended) : []));
    assert.deepEqual([first, second], [ids([both, behindA]), ids([behindB])]);
    assert.equal((await t.get(both.id)).bundle, a.id);
    assert.equal((await t.get(behindB.id)).bundle, b.id);
  });

  test('what became a victim before its own deadline was looked at is abandoned, and a limit is met all the same', async (t) => {
    const root = await t.accept({ lane: 'l', expiresAt: t.now + 1, ...CASCADE });
    const victim = await t.accept({ lane: 'l', expiresAt: t.now + 2 });
    const undated = await t.accept({ lane: 'l' });
    const other = await t.accept({ expiresAt: t.now + 3 });
    t.now += 5;
    const { ended } = await t.requests.expire({ now: t.now, limit: 2 });
    assert.deepEqual(ids(ended), ids([undated, victim, root]));
    assert.deepEqual(ids((await t.requests.expire({ now: t.now, limit: 2 })).ended), [other.id]);
  });

  test('what became a victim before it could be repaired is not repaired', async (t) => {
    const gone = { sender: 'process:gone', ephemeral: true } as const;
    const root = await t.accept({ ...gone, lane: 'l', ...CASCADE });
    const victim = await t.accept({ ...gone, lane: 'l' });
    const kept = await t.accept({ sender: 'process:gone', after: [root.id] });
    const { ended, recovered } = await t.recover();
    assert.deepEqual([ids(ended), ids(recovered)], [ids([kept, victim, root]), []]);
    assert.equal((await t.get(kept.id)).bundle, root.id);
  });

  test('a long lane ends whole', async (t) => {
    const head = await t.take({ lane: 'l', ...CASCADE });
    const batch = Array.from({ length: 300 }, (_, n) => t.request({ lane: 'l', bytes: n, channel: `c${n % 3}` }));
    await t.enqueue(batch);
    assert.deepEqual(ids((await reject(t, head)).ended), ids(batch).reverse());
    assert.deepEqual(await t.counts(), { dead: 301 });
    const rows = await t.requests.count({ filter: { bundle: head.id } });
    assert.deepEqual(
      rows
        .map(({ channel, sender, state, count, bytes }) => ({ channel, sender, state, count, bytes }))
        .sort(byChannel),
      ['c0', 'c1', 'c2'].map((channel) => ({ channel, sender: '', state: 'dead', count: 100, bytes: 0 })),
    );
  });

  test('a bundle is found and counted, with other conditions too', async (t) => {
    const root = await t.take({ lane: 'l', ...CASCADE });
    const [a, b] = [await t.accept({ lane: 'l', tags: ['x'] }), await t.accept({ lane: 'l', principal: 'bob' })];
    await reject(t, root);
    const found = async (filter: object): Promise<string[]> => {
      const count = (await t.requests.count({ filter })).reduce((sum, row) => sum + row.count, 0);
      const page = await t.requests.find({ filter, order: 'accepted', after: null, limit: 9 });
      assert.equal(count, page.requests.length);
      return ids(page.requests);
    };
    assert.deepEqual(await found({ bundle: root.id }), ids([a, b]));
    assert.deepEqual(await found({ bundle: a.id }), []);
    assert.deepEqual(await found({ bundle: root.id, tags: ['x'] }), [a.id]);
    assert.deepEqual(await found({ bundle: root.id, principal: 'bob', state: 'dead' }), [b.id]);
    assert.deepEqual(await found({ bundle: root.id, state: 'ready' }), []);
    assert.deepEqual(await found({ bundle: root.id, ids: [b.id, root.id] }), [b.id]);
    assert.equal((await found({ bundle: undefined })).length, 3);
  });

  test('a purged victim is found no more, and a purged root leaves its victims theirs', async (t) => {
    const root = await t.take({ lane: 'l', ...CASCADE });
    const [a, b] = [await t.accept({ lane: 'l' }), await t.accept({ lane: 'l' })];
    await reject(t, root);
    const retention = { succeededMs: 1e9, deadMs: 1e9, maxRecords: 1e6, maxBytes: 1e12 };
    const purge = { now: t.now, limit: 9, keepAfter: Number.MAX_SAFE_INTEGER, retention };
    await t.requests.purge({ ...purge, ids: [root.id, a.id] });
    const page = await t.requests.find({ filter: { bundle: root.id }, order: 'accepted', after: null, limit: 9 });
    assert.deepEqual(ids(page.requests), [b.id]);
    assert.equal((await t.get(b.id)).bundle, root.id);
  });
});

/** What ended with the request that an amend ended, which is told last. */
function others(step: Aftermath): Aftermath {
  return { ...step, ended: step.ended.slice(0, -1) };
}

function byChannel(a: { readonly channel: string }, b: { readonly channel: string }): number {
  return a.channel < b.channel ? -1 : 1;
}
