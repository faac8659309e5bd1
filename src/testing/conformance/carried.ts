import assert from 'node:assert/strict';
import type { Carried, Progress } from '../../queue/types/request.ts';
import { NO_PROGRESS } from '../../queue/types/request.ts';
import { group } from './group.ts';
import { ids, LEASE_MS } from './Trial.ts';

/** What a request brings along that was waiting, unless said otherwise. */
export function carried(fields: Partial<Carried> = {}): Carried {
  return {
    isHeld: false,
    reason: 'accepted',
    dueAt: null,
    token: 0,
    firstSentAt: null,
    progress: NO_PROGRESS,
    callers: 1,
    result: null,
    told: false,
    ...fields,
  };
}

const UNRESOLVED: Progress = { ...NO_PROGRESS, unresolved: true };
const RELEASED = { state: 'ready', reason: 'released' } as const;

export const carriedGroup = group('carried requests', (test) => {
  test('are stored with all they bring', async (t) => {
    const progress: Progress = { ...NO_PROGRESS, faults: 2, delayMs: 70, probes: 1, failingSince: 5, servedBefore: 9 };
    const result = { status: 503, headers: [['retry-after', '3']] as const, body: new Uint8Array([1, 2]) };
    const past = { reason: 'retry', token: 4, firstSentAt: 1234.5, progress, callers: 3, told: true } as const;
    const request = t.request({ carried: carried({ ...past, result }), acceptedAt: t.now - 50, tags: ['a'] });
    const [answer] = await t.enqueue([request]);
    assert.deepEqual(answer?.status === 'accepted' && [answer.state, answer.token, answer.dueAt], [
      'ready',
      null,
      null,
    ]);
    const found = await t.get(request.id);
    const { reason, firstSentAt, callers, told, tags, acceptedAt, lease } = found;
    assert.deepEqual(
      { reason, firstSentAt, callers, told, tags, acceptedAt, lease },
      {
        reason: 'retry',
        firstSentAt: 1234.5,
        callers: 3,
        told: true,
        tags: ['a'],
        acceptedAt: t.now - 50,
        lease: null,
      },
    );
    assert.deepEqual(found.progress, progress);
    assert.deepEqual({ ...found.result, body: [...(found.result?.body ?? [])] }, { ...result, body: [1, 2] });
    assert.equal('carried' in found, false);
    assert.equal((await t.lease(request.id)).token, 5);
    assert.equal((await t.get(request.id)).firstSentAt, 1234.5);
  });

  test('that were held are held, in their place in their lane', async (t) => {
    const held = await t.accept({
      lane: 'l',
      carried: carried({ isHeld: true, reason: 'conflict', dueAt: t.now + 5 }),
    });
    assert.equal(held.state, 'held');
    assert.deepEqual((await t.get(held.id)).dueAt, null);
    await t.stands(held.id, 'held', 'conflict');
    const behind = await t.accept({ lane: 'l' });
    await t.stands(behind.id, 'blocked', 'lane');
    assert.deepEqual(await t.claim(), []);
    assert.equal((await t.move(held.id, RELEASED)).state, 'ready');
    await t.succeed(await t.lease(held.id));
    await t.stands(behind.id, 'ready');
  });

  test('that are held lend the head of their lane no rank', async (t) => {
    const head = await t.accept({ lane: 'l', rank: { form: 'value', value: 9 } });
    const rank = { form: 'value', value: 1 } as const;
    await t.accept({ lane: 'l', rank, carried: carried({ isHeld: true, reason: 'operator' }) });
    assert.equal((await t.get(head.id)).rank, 9);
    await t.accept({ lane: 'l', rank, carried: carried() });
    assert.equal((await t.get(head.id)).rank, 1);
  });

  test('are scheduled for what they waited for', async (t) => {
    const later = await t.accept({ carried: carried({ reason: 'retry', dueAt: t.now + 40 }) });
    assert.deepEqual([later.state, later.dueAt], ['scheduled', t.now + 40]);
    await t.stands(later.id, 'scheduled', 'retry');
    const channels = [{ channel: 'api', senders: [''] }];
    assert.equal(await t.requests.nextDueAt({ channels, after: null }), t.now + 40);
    t.now += 39;
    assert.deepEqual(await t.claim(), []);
    t.now += 1;
    assert.deepEqual(ids(await t.claim()), [later.id]);
  });

  test('whose time has come are ready', async (t) => {
    const due = await t.accept({ carried: carried({ reason: 'retry', dueAt: t.now }) });
    assert.deepEqual([due.state, due.dueAt], ['ready', null]);
    await t.stands(due.id, 'ready', 'retry');
  });

  test('wait for the later of both times', async (t) => {
    const a = await t.accept({ notBefore: t.now + 50, carried: carried({ reason: 'retry', dueAt: t.now + 20 }) });
    const b = await t.accept({ notBefore: t.now + 20, carried: carried({ reason: 'retry', dueAt: t.now + 50 }) });
    assert.deepEqual([a.dueAt, b.dueAt], [t.now + 50, t.now + 50]);
    await t.stands(a.id, 'scheduled', 'notBefore');
    await t.stands(b.id, 'scheduled', 'retry');
  });

  test('that are blocked keep the time they waited for', async (t) => {
    const head = await t.take({ lane: 'l' });
    const first = await t.accept();
    const inLane = await t.accept({ lane: 'l', carried: carried({ reason: 'retry', dueAt: t.now + 30 }) });
    const after = await t.accept({ after: [first.id], carried: carried({ reason: 'retry', dueAt: t.now + 30 }) });
    await t.stands(inLane.id, 'blocked', 'lane');
    await t.stands(after.id, 'blocked', 'dependency');
    await t.succeed(head);
    await t.succeed(await t.lease(first.id));
    for (const { id } of [inLane, after]) {
      await t.stands(id, 'scheduled');
      assert.equal((await t.get(id)).dueAt, t.now + 30);
    }
  });

  test('wait for what they come after, and are refused where that is not there', async (t) => {
    const first = t.request({ carried: carried({ isHeld: true, reason: 'auth' }) });
    const second = t.request({ after: [first.id], carried: carried() });
    const results = await t.enqueue([first, second, t.request({ after: [t.id(900)], carried: carried() })]);
    assert.deepEqual(
      results.map((result) =>
        result.status === 'refused' ? result.why : result.status === 'accepted' && result.state,
      ),
      ['held', 'blocked', 'dependency'],
    );
    const { moved } = await t.move(first.id, { state: 'dead', reason: 'discarded' });
    assert.deepEqual(ids(moved), [second.id]);
    await t.stands(second.id, 'held', 'dependency');
  });

  test('join nothing', async (t) => {
    const same = { lane: 'l', digest: 'd', fingerprint: '00000000000000f1' } as const;
    const present = await t.accept(same);
    for (const rule of [{ rule: 'tail' }, { rule: 'window', since: 0 }] as const) {
      const { id } = await t.accept({ ...same, join: rule, carried: carried() });
      assert.notEqual(id, present.id);
    }
    assert.equal((await t.get(present.id)).callers, 1);
  });

  test('whose key another has are refused, whatever their content', async (t) => {
    const { id } = await t.accept({ key: 'k', digest: 'd' });
    for (const digest of ['d', 'e']) {
      const [result] = await t.enqueue([t.request({ key: 'k', digest, carried: carried() })]);
      assert.equal(result?.status === 'refused' && result.why, 'keyConflict');
    }
    assert.equal((await t.get(id)).callers, 1);
  });

  test('can be joined like any other', async (t) => {
    const { id } = await t.accept({ key: 'k', digest: 'd', carried: carried({ callers: 2 }) });
    const [joined] = await t.enqueue([t.request({ key: 'k', digest: 'd' })]);
    assert.equal(joined?.status === 'joined' && joined.id, id);
    assert.equal((await t.get(id)).callers, 3);
  });

  test('that are there already stay as they are', async (t) => {
    const request = t.request({ key: 'k', carried: carried({ callers: 2, reason: 'retry' }) });
    await t.enqueue([request]);
    const held = await t.lease(request.id);
    const again = { ...request, carried: carried({ isHeld: true, reason: 'operator', callers: 7 }) };
    const [result] = await t.enqueue([again]);
    assert.equal(result?.status === 'accepted' && result.state, 'sending');
    assert.equal((await t.get(request.id)).callers, 2);
    assert.equal((await t.succeed(held)).status, 'settled');
  });

  test('count under the limits like any other', async (t) => {
    const limits = { maxSize: 1, maxBytes: 1_000_000 };
    const results = await t.enqueue([t.request({ carried: carried() }), t.request({ carried: carried() })], { limits });
    assert.deepEqual(
      results.map((result) => (result.status === 'refused' ? result.why : result.status)),
      ['accepted', 'full'],
    );
  });

  test('may be leased at once, unless they are set aside or wait', async (t) => {
    const claim = {
      worker: t.worker,
      leaseUntil: t.leaseNow + LEASE_MS,
      allowance: [{ channel: 'api', calls: 9 }],
    };
    const states = [];
    for (const fields of [
      { isHeld: true, reason: 'auth' },
      { dueAt: t.now + 5, reason: 'retry' },
    ] as const) {
      states.push((await t.accept({ carried: carried(fields) }, { claim })).state);
    }
    assert.deepEqual(states, ['held', 'scheduled']);
    const past = carried({ token: 6, firstSentAt: t.now - 9, dueAt: t.now, reason: 'retry' });
    const { id, state, token } = await t.accept({ carried: past }, { claim });
    assert.deepEqual([state, token], ['sending', 7]);
    assert.equal((await t.get(id)).firstSentAt, t.now - 9);
  });

  test('stay sent, whatever a later attempt says', async (t) => {
    const { id } = await t.accept({ carried: carried({ token: 1, firstSentAt: t.now - 9 }) });
    await t.settle(await t.lease(id), { state: 'ready', reason: 'retry' }, { notSent: true });
    assert.equal((await t.get(id)).firstSentAt, t.now - 9);
    const to = { state: 'cancelled', reason: 'caller' } as const;
    const refused = await t.amend({ id, from: ['ready'], neverSent: true, to });
    assert.deepEqual(refused, { status: 'refused', state: 'ready' });
    const unleased = await t.accept({ carried: carried({ isHeld: true, reason: 'unknown', firstSentAt: 7 }) });
    await t.move(unleased.id, { state: 'unknown', reason: 'unanswered' });
    await t.settle({ id: unleased.id, token: 0 }, { state: 'ready', reason: 'retry' }, { notSent: true });
    assert.equal((await t.get(unleased.id)).firstSentAt, 7);
  });

  test('are not ended by their deadline while in doubt', async (t) => {
    const expiresAt = t.now + 5;
    const doubtful = await t.accept({ expiresAt, carried: carried({ progress: UNRESOLVED }) });
    const set = await t.accept({ expiresAt, carried: carried({ isHeld: true, reason: 'auth' }) });
    t.now += 5;
    const { ended } = await t.requests.expire({ now: t.now, limit: 9 });
    assert.deepEqual(ids(ended), [set.id]);
    assert.deepEqual(ids(await t.claim()), [doubtful.id]);
  });

  test('are counted where they stand, by place', async (t) => {
    await t.accept({ carried: carried({ isHeld: true, reason: 'auth' }), bytes: 7 });
    await t.accept({ carried: carried({ dueAt: t.now + 5 }), sender: 'client:c', bytes: 4 });
    const rows = await t.requests.count({});
    const told = rows.map(({ sender, state, count, bytes }) => `${sender} ${state} ${count} ${bytes}`).sort();
    assert.deepEqual(told, [' held 1 7', 'client:c scheduled 1 4']);
  });

  test('an atomic refusal stores none of them', async (t) => {
    const head = await t.accept({ lane: 'l', rank: { form: 'value', value: 9 } });
    const result = { status: 409, headers: [], body: new Uint8Array(3) };
    const batch = [
      t.request({ lane: 'l', carried: carried({ callers: 2, result }), key: 'k' }),
      t.request({ carried: carried({ isHeld: true, reason: 'auth' }) }),
      t.request({ after: [t.id(900)], carried: carried() }),
    ];
    await t.enqueue(batch, { atomic: true });
    assert.deepEqual(await t.counts(), { ready: 1 });
    assert.equal((await t.get(head.id)).rank, 9);
    const [again] = await t.enqueue([t.request({ key: 'k' })]);
    assert.equal(again?.status === 'accepted' && (await t.get(again.id)).result, null);
  });

  test('an answer they brought counts among the ended records', async (t) => {
    const retention = { succeededMs: 1e9, deadMs: 1e9, maxRecords: 1e6 };
    const result = { status: 409, headers: [], body: new Uint8Array(50) };
    const { id } = await t.accept({ carried: carried({ isHeld: true, reason: 'conflict', result }), bytes: 5 });
    await t.move(id, { state: 'dead', reason: 'discarded' });
    const purge = { now: t.now, limit: 9, keepAfter: Number.MAX_SAFE_INTEGER };
    const kept = await t.requests.purge({ ...purge, retention: { ...retention, maxBytes: 55 } });
    const gone = await t.requests.purge({ ...purge, retention: { ...retention, maxBytes: 54 } });
    assert.deepEqual([kept.ids, gone.ids], [[], [id]]);
  });
});

export const conditionGroup = group('amend under a condition', (test) => {
  test('a change for a reason that no longer holds is refused', async (t) => {
    const { id } = await t.accept({ carried: carried({ isHeld: true, reason: 'auth' }) });
    const change = { id, from: ['held'], reason: 'auth', to: RELEASED } as const;
    await t.move(id, { state: 'held', reason: 'unknown' });
    assert.deepEqual(await t.amend(change), { status: 'refused', state: 'held' });
    await t.stands(id, 'held', 'unknown');
    await t.move(id, { state: 'held', reason: 'auth' });
    assert.equal((await t.amend({ ...change, patch: { sender: 'client:c' } })).status, 'amended');
    await t.stands(id, 'ready', 'released');
  });

  test('the reason is asked of every state', async (t) => {
    const ready = await t.accept({ carried: carried({ reason: 'retry' }) });
    const later = await t.accept({ notBefore: t.now + 9 });
    const behind = await t.accept({ after: [later.id] });
    const ask = async (id: string, reason: 'accepted' | 'retry' | 'notBefore' | 'dependency') =>
      (await t.amend({ id, from: ['ready', 'scheduled', 'blocked'], reason, patch: { priority: 9 } })).status;
    assert.deepEqual(
      [await ask(ready.id, 'retry'), await ask(later.id, 'notBefore'), await ask(behind.id, 'dependency')],
      ['amended', 'amended', 'amended'],
    );
    assert.deepEqual(
      [await ask(ready.id, 'accepted'), await ask(later.id, 'retry'), await ask(behind.id, 'accepted')],
      ['refused', 'refused', 'refused'],
    );
  });
});
