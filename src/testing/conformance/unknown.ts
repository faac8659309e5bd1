import assert from 'node:assert/strict';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';
import { ids } from './Trial.ts';

const channels = [{ channel: 'api', senders: [''] }];

async function unknown(t: Trial, dueAt: number): Promise<string> {
  const held = await t.take();
  await t.settle(held, { state: 'unknown', reason: 'unanswered', dueAt });
  return held.id;
}

const look = (t: Trial, limit = 10, more = {}) =>
  t.requests.claimUnknown({ worker: t.worker, now: t.now, until: t.now + 500, limit, channels, ...more });

export const unknownGroup = group('claimUnknown', (test) => {
  test('takes what is due for a look under a new token; it stays unknown', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered', dueAt: t.now + 10 });
    assert.deepEqual(await look(t), []);
    t.now += 10;
    const [taken] = await look(t);
    assert.equal(taken?.id, held.id);
    assert.equal(taken?.state, 'unknown');
    assert.ok((taken?.lease?.token ?? 0) > held.token);
    assert.equal(taken?.dueAt, t.now + 500);
    assert.deepEqual(await t.get(held.id), taken);
  });

  test('what is being looked at is not taken again until the time given', async (t) => {
    const id = await unknown(t, t.now);
    await look(t);
    assert.deepEqual(await look(t), []);
    t.now += 500;
    assert.deepEqual(ids(await look(t)), [id]);
  });

  test('takes the longest due first, at most the limit', async (t) => {
    const [b, a, c] = [await unknown(t, t.now + 2), await unknown(t, t.now + 1), await unknown(t, t.now + 2)];
    t.now += 5;
    assert.deepEqual(ids(await look(t, 2)), [a, b]);
    assert.deepEqual(ids(await look(t, 2)), [c]);
  });

  test('takes only from the channels and senders given', async (t) => {
    const other = await t.take({ channel: 'other', sender: 'client:a' });
    await t.settle(other, { state: 'unknown', reason: 'unanswered' });
    assert.deepEqual(await look(t), []);
    const there = [{ channel: 'other', senders: ['client:a', ''] }];
    assert.deepEqual(ids(await look(t, 9, { channels: there })), [other.id]);
  });

  test('a look ends by a settlement with its token; the older token is stale', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered' });
    const [taken] = await look(t);
    assert.equal((await t.succeed(held)).status, 'stale');
    const result = await t.settle(
      { id: held.id, token: taken?.lease?.token ?? 0 },
      { state: 'succeeded', reason: 'appliedEarlier' },
    );
    assert.equal(result.status, 'settled');
    await t.stands(held.id, 'succeeded', 'appliedEarlier');
  });

  test('a look may leave it unknown until later', async (t) => {
    const id = await unknown(t, t.now);
    const [taken] = await look(t);
    const result = await t.settle(
      { id, token: taken?.lease?.token ?? 0 },
      { state: 'unknown', reason: 'unanswered', dueAt: t.now + 50 },
    );
    assert.equal(result.status, 'settled');
    const found = await t.get(id);
    assert.equal(found.lease, null);
    assert.equal(found.dueAt, t.now + 50);
  });

  test('a look is not a send', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered' });
    const { firstSentAt } = await t.get(held.id);
    t.now += 10;
    const [taken] = await look(t);
    assert.equal(taken?.firstSentAt, firstSentAt);
    const token = taken?.lease?.token ?? 0;
    await t.settle({ id: held.id, token }, { state: 'ready', reason: 'retry' }, { notSent: true });
    assert.equal((await t.get(held.id)).firstSentAt, firstSentAt);
  });

  test('a look at what was never sent is not a send either', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered' }, { notSent: true });
    const [taken] = await look(t);
    assert.equal(taken?.firstSentAt, null);
    assert.equal((await t.get(held.id)).firstSentAt, null);
  });
});
