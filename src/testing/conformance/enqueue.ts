import assert from 'node:assert/strict';
import { group } from './group.ts';
import { LEASE_MS, NO_LIMITS } from './Trial.ts';

const full = { maxSize: 2, maxBytes: 1_000_000 };

export const enqueueGroup = group('enqueue', (test) => {
  test('stores a request ready, with the next seq', async (t) => {
    const first = await t.accept();
    const second = await t.accept();
    assert.deepEqual(first, {
      status: 'accepted',
      id: first.id,
      seq: first.seq,
      state: 'ready',
      token: null,
      dueAt: null,
    });
    assert.ok(second.seq > first.seq);
    await t.stands(first.id, 'ready', 'accepted');
  });

  test('stores every field as given', async (t) => {
    const request = t.request({
      zone: 'eu',
      channel: 'eu/search',
      sender: 'client:crm',
      content: {
        method: 'PUT',
        path: '/a?b=c',
        headers: [
          ['x-a', '1'],
          ['x-a', '2'],
        ],
        body: '{"a":1}',
      },
      effect: 'absolute',
      harmless: true,
      lane: 'note:7',
      refs: [{ at: '/path', localId: 'local-1' }],
      principal: 'bob',
      auth: 'zone',
      client: 'crm',
      key: 'order-7',
      fingerprint: '0123456789abcdef',
      digest: 'sha',
      idempotencyKey: 'server-key',
      base: { version: 3, nested: [null, true, 'x'] },
      priority: 8,
      rank: { form: 'value', value: 12.5 },
      notBefore: t.now + 5,
      expiresAt: t.now + 500,
      acceptedAt: t.now - 1,
      trace: '00-1-2-01',
      tags: ['import', 'night'],
      durable: false,
      replayOf: t.id(999),
      bytes: 77,
    });
    await t.enqueue([request]);
    const { rank: _rank, join: _join, ...given } = request;
    const found = await t.get(request.id);
    assert.deepEqual(found, {
      ...given,
      seq: found.seq,
      state: 'scheduled',
      reason: 'notBefore',
      rank: 12.5,
      dueAt: t.now + 5,
      firstSentAt: null,
      progress: found.progress,
      lease: null,
      callers: 1,
      endedAt: null,
      endedSeq: null,
      result: null,
      told: false,
      replayedAs: null,
      version: found.version,
    });
    assert.deepEqual(
      { ...found.progress },
      { ...found.progress, faults: 0, unresolved: false, probes: 0, attempts: [] },
    );
    assert.ok(Number.isInteger(found.version) && found.version >= 1);
  });

  test('schedules what must not be sent yet', async (t) => {
    const later = await t.accept({ notBefore: t.now + 1 });
    assert.equal(later.state, 'scheduled');
    assert.equal(later.dueAt, t.now + 1);
    assert.equal((await t.accept({ notBefore: t.now })).state, 'ready');
  });

  test('answers the same id with its present record and stores it once', async (t) => {
    const request = t.request();
    const [first] = await t.enqueue([request]);
    assert.deepEqual(await t.enqueue([request]), [first]);
    await t.lease(request.id);
    const [again] = await t.enqueue([request]);
    assert.deepEqual(again, { ...first, state: 'sending' });
    assert.deepEqual(await t.counts(), { sending: 1 });
  });

  test('takes the same id twice in one batch as one request', async (t) => {
    const request = t.request();
    const [first, second] = await t.enqueue([request, request]);
    assert.deepEqual(second, first);
    assert.deepEqual(await t.counts(), { ready: 1 });
  });

  test('refuses a full store by number and accepts up to it', async (t) => {
    const results = await t.enqueue([t.request(), t.request(), t.request()], { limits: full });
    assert.deepEqual(
      results.map(({ status }) => status),
      ['accepted', 'accepted', 'refused'],
    );
    assert.equal(results[2]?.status === 'refused' && results[2].why, 'full');
    assert.deepEqual(await t.counts(), { ready: 2 });
  });

  test('refuses a full store by bytes', async (t) => {
    const limits = { maxSize: 10, maxBytes: 100 };
    const results = await t.enqueue(
      [60, 41, 40].map((bytes) => t.request({ bytes })),
      { limits },
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      ['accepted', 'refused', 'accepted'],
    );
  });

  test('counts sending, unknown and held requests as full, ended ones not', async (t) => {
    const first = await t.take();
    const second = await t.take();
    const refused = await t.enqueue([t.request()], { limits: full });
    assert.equal(refused[0]?.status, 'refused');
    await t.settle(first, { state: 'held', reason: 'operator' });
    assert.equal((await t.enqueue([t.request()], { limits: full }))[0]?.status, 'refused');
    await t.succeed(second);
    assert.equal((await t.enqueue([t.request()], { limits: full }))[0]?.status, 'accepted');
  });

  test('joins and the same id pass though the store is full', async (t) => {
    const request = t.request({ key: 'k' });
    await t.enqueue([request, t.request()], { limits: full });
    const results = await t.enqueue([request, t.request({ key: 'k' })], { limits: full });
    assert.deepEqual(
      results.map(({ status }) => status),
      ['accepted', 'joined'],
    );
  });

  test('a refused item does not fail its neighbours', async (t) => {
    const results = await t.enqueue([t.request(), t.request({ after: [t.id(900)] }), t.request()]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['accepted', 'refused', 'accepted'],
    );
    assert.deepEqual(await t.counts(), { ready: 2 });
  });

  test('an atomic batch with one refusal stores nothing', async (t) => {
    const head = await t.accept({ lane: 'l', rank: { form: 'value', value: 50 }, key: 'k', priority: 3 });
    const before = await t.get(head.id);
    const results = await t.enqueue(
      [
        t.request({ lane: 'l', rank: { form: 'value', value: 1 } }),
        t.request({ key: 'k', priority: 9, rank: { form: 'value', value: 2 } }),
        t.request({ key: 'new' }),
        t.request({ after: [t.id(900)] }),
        t.request(),
      ],
      { atomic: true },
    );
    assert.deepEqual(
      results.map((result) => (result.status === 'refused' ? result.why : result.status)),
      ['neighbour', 'neighbour', 'neighbour', 'dependency', 'neighbour'],
    );
    assert.deepEqual(await t.counts(), { ready: 1 });
    assert.deepEqual(await t.get(head.id), before);
    assert.equal((await t.accept({ key: 'new' })).seq, head.seq + 1);
  });

  test('an atomic batch without refusal is stored whole', async (t) => {
    const first = t.request();
    const results = await t.enqueue([first, t.request({ after: [first.id] })], { atomic: true });
    assert.deepEqual(
      results.map((result) => result.status === 'accepted' && result.state),
      ['ready', 'blocked'],
    );
  });

  test('an atomic batch that does not fit is refused whole', async (t) => {
    const batch = [t.request(), t.request(), t.request()];
    const results = await t.enqueue(batch, { atomic: true, limits: full });
    assert.deepEqual(
      results.map((result) => result.status === 'refused' && result.why),
      ['neighbour', 'neighbour', 'full'],
    );
    assert.deepEqual(await t.counts(), {});
  });

  test('computes the rank "last in, first out"', async (t) => {
    const first = await t.accept({ rank: { form: 'negatedSeq' } });
    const second = await t.accept({ rank: { form: 'negatedSeq' } });
    assert.equal((await t.get(first.id)).rank, -first.seq);
    assert.deepEqual(
      (await t.claim()).map(({ id }) => id),
      [second.id, first.id],
    );
  });

  test('an empty batch is an empty answer', async (t) => {
    assert.deepEqual(await t.enqueue([]), []);
  });
});

const claimOf = (worker: string, leaseNow: number, calls: number) => ({
  worker,
  leaseUntil: leaseNow + LEASE_MS,
  allowance: [{ channel: 'api', calls }],
});

export const enqueueClaimGroup = group('enqueue with claim', (test) => {
  test('leases at once what nothing stands before', async (t) => {
    const claim = claimOf(t.worker, t.leaseNow, 1);
    const { id, state, token } = await t.accept({}, { claim });
    assert.equal(state, 'sending');
    const found = await t.get(id);
    assert.deepEqual(found.lease, { token, worker: t.worker, until: t.leaseNow + LEASE_MS });
    assert.equal(found.firstSentAt, t.now);
    assert.equal((await t.succeed({ id, token: token ?? -1 })).status, 'settled');
  });

  test('leases at most the allowance of the channel, over the whole batch', async (t) => {
    const results = await t.enqueue([t.request(), t.request(), t.request()], {
      claim: claimOf(t.worker, t.leaseNow, 2),
    });
    assert.deepEqual(
      results.map((result) => result.status === 'accepted' && result.state),
      ['sending', 'sending', 'ready'],
    );
  });

  test('leases nothing of a channel without allowance', async (t) => {
    const claim = claimOf(t.worker, t.leaseNow, 1);
    assert.equal((await t.accept({ channel: 'other' }, { claim })).state, 'ready');
    assert.equal((await t.accept({}, { claim: { ...claim, allowance: [] } })).token, null);
  });

  test('does not overtake a ready request of its channel and sender', async (t) => {
    const waiting = await t.accept();
    const claim = claimOf(t.worker, t.leaseNow, 5);
    assert.equal((await t.accept({}, { claim })).state, 'ready');
    assert.equal((await t.accept({ sender: 'client:a' }, { claim })).state, 'sending');
    await t.stands(waiting.id, 'ready');
  });

  test('does not overtake a due scheduled request, but one that is not due', async (t) => {
    const claim = claimOf(t.worker, t.leaseNow, 5);
    await t.accept({ notBefore: t.now + 10 });
    assert.equal((await t.accept({}, { claim })).state, 'sending');
    t.now += 10;
    assert.equal((await t.accept({}, { claim })).state, 'ready');
  });

  test('does not lease what is blocked, scheduled or past its deadline', async (t) => {
    const claim = claimOf(t.worker, t.leaseNow, 9);
    const head = await t.accept({ lane: 'l' }, { claim });
    assert.equal(head.state, 'sending');
    assert.equal((await t.accept({ lane: 'l' }, { claim })).state, 'blocked');
    assert.equal((await t.accept({ after: [head.id] }, { claim })).state, 'blocked');
    assert.equal((await t.accept({ notBefore: t.now + 1 }, { claim })).state, 'scheduled');
    assert.equal((await t.accept({ expiresAt: t.now }, { claim })).token, null);
  });

  test('gives no token for an id that was accepted before', async (t) => {
    const request = t.request();
    const claim = claimOf(t.worker, t.leaseNow, 5);
    await t.enqueue([request], { claim });
    const [again] = await t.enqueue([request], { claim });
    assert.equal(again?.status === 'accepted' && again.state, 'sending');
    assert.equal(again?.status === 'accepted' && again.token, null);
  });

  test('an atomic refusal leases nothing', async (t) => {
    await t.enqueue([t.request(), t.request({ after: [t.id(900)] })], {
      atomic: true,
      claim: claimOf(t.worker, t.leaseNow, 5),
      limits: NO_LIMITS,
    });
    assert.deepEqual(await t.counts(), {});
  });
});
