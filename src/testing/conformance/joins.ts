import assert from 'node:assert/strict';
import type { NewRequest } from '../../queue/types/request.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';

const put = { effect: 'absolute', lane: 'note:7', digest: 'd1', join: { rule: 'tail' } } as const;
const window = (since: number, digest = 'd1') =>
  ({ fingerprint: '00000000000000aa', digest, join: { rule: 'window', since } }) as const;

async function offer(t: Trial, fields: Partial<NewRequest>) {
  const [result] = await t.enqueue([t.request(fields)]);
  assert.ok(result);
  return result;
}

export const joinGroup = group('joins', (test) => {
  test('the same key joins, in any state', async (t) => {
    const first = await t.take({ key: 'k', digest: 'd' });
    const joined = { status: 'joined', id: first.id, seq: (await t.get(first.id)).seq };
    assert.deepEqual(await offer(t, { key: 'k', digest: 'd' }), { ...joined, state: 'sending' });
    await t.succeed(first);
    assert.deepEqual(await offer(t, { key: 'k', digest: 'd' }), { ...joined, state: 'succeeded' });
    assert.equal((await t.get(first.id)).callers, 3);
    assert.deepEqual(await t.counts(), { succeeded: 1 });
  });

  test('the same key with other content is a conflict', async (t) => {
    const { id } = await t.accept({ key: 'k', digest: 'd' });
    const result = await offer(t, { key: 'k', digest: 'other' });
    assert.equal(result.status === 'refused' && result.why, 'keyConflict');
    assert.equal((await t.get(id)).callers, 1);
  });

  test('a key is free again once its record is purged', async (t) => {
    await t.done({ key: 'k', digest: 'd' });
    const none = { succeededMs: 0, deadMs: 0, maxRecords: 0, maxBytes: 0 };
    await t.requests.purge({ now: t.now + 1, limit: 10, keepAfter: Number.MAX_SAFE_INTEGER, retention: none });
    assert.equal((await offer(t, { key: 'k', digest: 'other' })).status, 'accepted');
  });

  test('without a rule or key nothing joins', async (t) => {
    await t.accept({ ...put, join: { rule: 'none' } });
    assert.equal((await offer(t, { ...put, join: { rule: 'none' } })).status, 'accepted');
  });

  test('a tail join takes the last live request of the lane', async (t) => {
    const { id } = await t.accept(put);
    const result = await offer(t, put);
    assert.equal(result.status, 'joined');
    assert.equal(result.status === 'joined' && result.id, id);
    assert.equal((await t.get(id)).callers, 2);
  });

  test('PUT a, PUT b, PUT a ends with a: a tail join looks at the last one only', async (t) => {
    await t.accept(put);
    await t.accept({ ...put, digest: 'd2' });
    assert.equal((await offer(t, put)).status, 'accepted');
    assert.deepEqual(await t.counts(), { ready: 1, blocked: 2 });
  });

  test('a tail join needs the same principal and a lane', async (t) => {
    await t.accept(put);
    assert.equal((await offer(t, { ...put, principal: 'bob' })).status, 'accepted');
    await t.accept({ ...put, lane: null });
    assert.equal((await offer(t, { ...put, lane: null })).status, 'accepted');
  });

  test('a tail join needs one that was never sent', async (t) => {
    const head = await t.take(put);
    assert.equal((await offer(t, put)).status, 'accepted');
    await t.succeed(head);
    const second = await t.claim(1);
    await t.settle(
      { id: second[0]?.id ?? '', token: second[0]?.lease?.token ?? 0 },
      { state: 'ready', reason: 'retry' },
    );
    assert.equal((await offer(t, put)).status, 'accepted');
  });

  test('a tail join accepts one whose only attempt never reached the server', async (t) => {
    const head = await t.take(put);
    await t.settle(head, { state: 'ready', reason: 'retry' }, { notSent: true });
    assert.equal((await offer(t, put)).status, 'joined');
  });

  test('a tail join needs a digest', async (t) => {
    await t.accept({ ...put, digest: null });
    assert.equal((await offer(t, { ...put, digest: null })).status, 'accepted');
  });

  test('a window join takes an equal request accepted since', async (t) => {
    const { id } = await t.accept(window(0));
    t.now += 100;
    assert.equal((await offer(t, window(t.now - 99))).status, 'accepted');
    const result = await offer(t, window(t.now - 100));
    assert.equal(result.status, 'joined');
    assert.notEqual(result.status === 'joined' && result.id, id);
  });

  test('a window join goes by the moment of acceptance, inclusive', async (t) => {
    const { id } = await t.accept(window(0));
    t.now += 100;
    const result = await offer(t, window(t.now - 100));
    assert.equal(result.status === 'joined' && result.id, id);
  });

  test('a window join needs equal digests under one fingerprint', async (t) => {
    const a = await t.accept(window(t.now, 'a'));
    assert.equal((await offer(t, window(t.now, 'b'))).status, 'accepted');
    const result = await offer(t, window(t.now, 'a'));
    assert.equal(result.status === 'joined' && result.id, a.id);
  });

  test('a window join takes one that has ended too', async (t) => {
    const id = await t.done(window(0));
    const result = await offer(t, window(0));
    assert.deepEqual(result, { status: 'joined', id, seq: (await t.get(id)).seq, state: 'succeeded' });
  });

  test('who joins raises priority and rank and puts off the deadline, never the other way', async (t) => {
    const { id } = await t.accept({ ...put, priority: 5, rank: { form: 'value', value: 10 }, expiresAt: t.now + 100 });
    await offer(t, { ...put, priority: 8, rank: { form: 'value', value: 4 }, expiresAt: t.now + 900 });
    await offer(t, { ...put, priority: 2, rank: { form: 'value', value: 99 }, expiresAt: t.now + 50 });
    const { priority, rank, expiresAt, callers } = await t.get(id);
    assert.deepEqual(
      { priority, rank, expiresAt, callers },
      { priority: 8, rank: 4, expiresAt: t.now + 900, callers: 3 },
    );
    await offer(t, { ...put, expiresAt: null });
    assert.equal((await t.get(id)).expiresAt, null);
    t.now += 1000;
    assert.deepEqual((await t.requests.expire({ now: t.now, limit: 10 })).ended, []);
  });

  test('a joined request is claimed by its better rank', async (t) => {
    const other = await t.accept({ rank: { form: 'value', value: 5 } });
    const { id } = await t.accept({ ...put, rank: { form: 'value', value: 10 } });
    await offer(t, { ...put, rank: { form: 'value', value: 1 } });
    assert.deepEqual(
      (await t.claim()).map((claimed) => claimed.id),
      [id, other.id],
    );
  });

  test('items of one batch join each other', async (t) => {
    const results = await t.enqueue([t.request(put), t.request(put), t.request({ key: 'k' }), t.request({ key: 'k' })]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['accepted', 'joined', 'accepted', 'joined'],
    );
  });
});
