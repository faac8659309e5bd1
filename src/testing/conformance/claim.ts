import assert from 'node:assert/strict';
import { PROMOTIONS_PER_CLAIM } from '../../queue/types/store.ts';
import { group } from './group.ts';
import { ids, LEASE_MS } from './Trial.ts';

const ranked = (value: number) => ({ rank: { form: 'value', value } }) as const;

export const claimGroup = group('claim', (test) => {
  test('leases by rank, then by order of acceptance', async (t) => {
    const [c, a, d, b] = [
      await t.accept(ranked(3)),
      await t.accept(ranked(-1.5)),
      await t.accept(ranked(3)),
      await t.accept(ranked(2)),
    ];
    assert.deepEqual(ids(await t.claim()), ids([a, b, c, d]));
  });

  test('moves to sending under a lease and marks the first send', async (t) => {
    const { id } = await t.accept();
    const [claimed] = await t.claim(1);
    const found = await t.get(id);
    assert.deepEqual(claimed, found);
    assert.equal(found.state, 'sending');
    assert.equal(found.firstSentAt, t.now);
    assert.deepEqual(found.lease, { token: found.lease?.token, worker: t.worker, until: t.leaseNow + LEASE_MS });
  });

  test('every claim raises the token and keeps the first send', async (t) => {
    const first = await t.take();
    const sentAt = t.now;
    await t.settle(first, { state: 'ready', reason: 'retry' });
    t.now += 1000;
    const second = await t.lease(first.id);
    assert.ok(second.token > first.token);
    assert.equal((await t.get(first.id)).firstSentAt, sentAt);
  });

  test('leases at most calls times perCall', async (t) => {
    await t.enqueue(Array.from({ length: 9 }, () => t.request()));
    const channels = [{ channel: 'api', senders: [''], calls: 2, perCall: 3 }];
    assert.equal((await t.claim(0, { channels })).length, 6);
    assert.equal((await t.claim(0)).length, 0);
    assert.equal((await t.claim()).length, 3);
  });

  test('leaves channels and senders that were not asked for alone', async (t) => {
    const other = await t.accept({ channel: 'other', expiresAt: t.now });
    const foreign = await t.accept({ sender: 'client:a' });
    const later = await t.accept({ channel: 'other', notBefore: t.now + 1 });
    t.now += 5;
    assert.deepEqual(await t.claim(), []);
    await t.stands(other.id, 'ready');
    await t.stands(foreign.id, 'ready');
    await t.stands(later.id, 'scheduled');
    assert.deepEqual(await t.claim(9, { channel: 'nowhere' }), []);
  });

  test('merges the senders of a channel by rank, under one allowance', async (t) => {
    const a = await t.accept({ sender: '', ...ranked(2) });
    const b = await t.accept({ sender: 'client:a', ...ranked(1) });
    const c = await t.accept({ sender: 'principal:ann', ...ranked(3) });
    await t.accept({ sender: 'client:b', ...ranked(0) });
    const senders = ['', 'client:a', 'principal:ann'];
    assert.deepEqual(ids(await t.claim(2, { senders })), ids([b, a]));
    assert.deepEqual(ids(await t.claim(2, { senders })), [c.id]);
  });

  test('gives each channel its own allowance, in the order asked', async (t) => {
    for (const channel of ['a', 'b']) await t.enqueue(Array.from({ length: 3 }, () => t.request({ channel })));
    const channels = [
      { channel: 'b', senders: [''], calls: 1, perCall: 2 },
      { channel: 'a', senders: [''], calls: 1, perCall: 1 },
    ];
    const claimed = await t.claim(0, { channels });
    assert.deepEqual(
      claimed.map(({ channel }) => channel),
      ['b', 'b', 'a'],
    );
  });

  test('promotes what is due and leaves what is not', async (t) => {
    const due = await t.accept({ notBefore: t.now + 10 });
    const later = await t.accept({ notBefore: t.now + 11 });
    t.now += 10;
    assert.deepEqual(ids(await t.claim()), [due.id]);
    await t.stands(later.id, 'scheduled');
  });

  test('what was promoted is claimed by rank', async (t) => {
    const plain = await t.accept(ranked(5));
    const due = await t.accept({ notBefore: t.now + 10, ...ranked(1) });
    t.now += 10;
    assert.deepEqual(ids(await t.claim()), ids([due, plain]));
  });

  test('promotes of every channel what it may lease, however much is due in others', async (t) => {
    for (let n = 0; n < PROMOTIONS_PER_CLAIM + 6; n += 1) await t.accept({ notBefore: t.now + 1 });
    for (const sender of ['', 'client:a']) await t.accept({ channel: 'other', sender, notBefore: t.now + 1 });
    t.now += 1;
    const channels = [
      { channel: 'api', senders: [''], calls: PROMOTIONS_PER_CLAIM + 6, perCall: 1 },
      { channel: 'other', senders: ['', 'client:a'], calls: 2, perCall: 1 },
    ];
    const query = { worker: t.worker, now: t.now, leaseUntil: t.leaseNow + 1, channels };
    assert.equal((await t.requests.claim(query)).claimed.length, PROMOTIONS_PER_CLAIM + 8);
  });

  test('promotes a bounded number per call, longest due first', async (t) => {
    const batch = Array.from({ length: PROMOTIONS_PER_CLAIM + 6 }, (_, n) =>
      t.request({ notBefore: t.now + 1000 - n }),
    );
    await t.enqueue(batch);
    t.now += 1000;
    const [first] = await t.claim(1);
    assert.ok(first);
    assert.deepEqual(await t.counts(), { sending: 1, ready: PROMOTIONS_PER_CLAIM - 1, scheduled: 6 });
    assert.equal((await t.claim(1000)).length, PROMOTIONS_PER_CLAIM - 1 + 6);
    await t.stands(batch.at(-1)?.id ?? '', 'sending');
  });

  test('ends what is past its deadline instead of leasing it, and reports it', async (t) => {
    const late = await t.accept({ expiresAt: t.now + 10, ...ranked(-1) });
    const fresh = await t.accept({ expiresAt: t.now + 11 });
    t.now += 10;
    const { claimed, ended } = await t.requests.claim({
      worker: t.worker,
      now: t.now,
      leaseUntil: t.leaseNow + LEASE_MS,
      channels: [{ channel: 'api', senders: [''], calls: 1, perCall: 1 }],
    });
    assert.deepEqual(ids(claimed), [fresh.id]);
    const { endedSeq } = await t.get(late.id);
    assert.deepEqual(ended, [{ id: late.id, zone: 'api', state: 'dead', reason: 'expired', endedSeq }]);
    assert.equal((await t.get(late.id)).firstSentAt, null);
  });

  test('the successor of an expired head can be leased in the same call', async (t) => {
    await t.accept({ lane: 'l', expiresAt: t.now + 1 });
    const next = await t.accept({ lane: 'l' });
    t.now += 1;
    assert.deepEqual(ids(await t.claim(1)), [next.id]);
  });

  test('nothing to claim is an empty answer', async (t) => {
    assert.deepEqual(await t.claim(), []);
    assert.deepEqual(await t.claim(0, { channels: [] }), []);
  });

  test('a record it gave does not change with the store, nor the store with it', async (t) => {
    const { id } = await t.accept({ tags: ['a'] });
    const [claimed] = await t.claim();
    assert.ok(claimed);
    // a caller that does not keep to the types
    const mutable = claimed as unknown as {
      state: string;
      tags: string[];
      content: { path: string; headers: string[][] };
    };
    const tries = [
      () => {
        mutable.state = 'dead';
      },
      () => {
        mutable.tags.push('b');
      },
      () => {
        mutable.content.path = '/changed';
      },
      () => {
        mutable.content.headers[0]?.push('x');
      },
    ];
    for (const attempt of tries) {
      try {
        attempt();
      } catch (error) {
        assert.ok(error instanceof TypeError); // frozen, which is as good
      }
    }
    const found = await t.get(id);
    assert.equal(found.state, 'sending');
    assert.deepEqual(found.tags, ['a']);
    assert.equal(found.content.path, '/notes?a=1');
    assert.deepEqual(found.content.headers, [['content-type', 'text/plain']]);
  });
});
