import assert from 'node:assert/strict';
import { NO_PROGRESS } from '../../queue/types/request.ts';
import { group } from './group.ts';
import { ids } from './Trial.ts';

export const expireGroup = group('expire', (test) => {
  test('ends waiting and held requests past their deadline, soonest first', async (t) => {
    const held = await t.accept({ expiresAt: t.now + 1 });
    await t.move(held.id, { state: 'held', reason: 'operator' });
    const head = await t.accept({ lane: 'l' });
    const all = [
      held,
      await t.accept({ expiresAt: t.now + 5 }),
      await t.accept({ expiresAt: t.now + 4, notBefore: t.now + 99 }),
      await t.accept({ expiresAt: t.now + 3, lane: 'l' }),
      await t.accept({ expiresAt: t.now + 2, channel: 'other', sender: 'client:a' }),
    ];
    const fresh = await t.accept({ expiresAt: t.now + 6 });
    t.now += 5;
    const { ended } = await t.requests.expire({ now: t.now, limit: 10 });
    assert.deepEqual(ids(ended), ids([all[0], all[4], all[3], all[2], all[1]].map((one) => one ?? held)));
    for (const { state, reason } of ended) assert.deepEqual([state, reason], ['dead', 'expired']);
    await t.stands(fresh.id, 'ready');
    await t.stands(head.id, 'ready');
  });

  test('never ends what is being sent or whose outcome is unknown', async (t) => {
    const sending = await t.take({ expiresAt: t.now + 1 });
    const unknown = await t.take({ expiresAt: t.now + 1 });
    await t.settle(unknown, { state: 'unknown', reason: 'unanswered' });
    t.now += 100;
    assert.deepEqual((await t.requests.expire({ now: t.now, limit: 10 })).ended, []);
    await t.settle(sending, { state: 'scheduled', reason: 'retry', dueAt: t.now + 5 });
    assert.deepEqual(ids((await t.requests.expire({ now: t.now, limit: 10 })).ended), [sending.id]);
  });

  test('a deadline does not settle a doubt, whoever asks', async (t) => {
    const progress = { ...NO_PROGRESS, unresolved: true };
    const doubtful = await t.take({ expiresAt: t.now + 5 });
    await t.settle(doubtful, { state: 'ready', reason: 'retry' }, { progress });
    const held = await t.accept({ expiresAt: t.now + 5 });
    await t.move(held.id, { state: 'held', reason: 'unknown' }, { progress });
    t.now += 5;
    const channels = [{ channel: 'api', senders: [''] }];
    assert.equal(await t.requests.nextDueAt({ channels, after: null }), null);
    assert.deepEqual((await t.requests.expire({ now: t.now, limit: 9 })).ended, []);
    assert.deepEqual(ids(await t.claim()), [doubtful.id]);
    await t.amend({ id: held.id, from: ['held'], patch: { progress: NO_PROGRESS } });
    assert.deepEqual(ids((await t.requests.expire({ now: t.now, limit: 9 })).ended), [held.id]);
  });

  test('ends at most the limit', async (t) => {
    for (let n = 0; n < 3; n += 1) await t.accept({ expiresAt: t.now + n });
    assert.equal((await t.requests.expire({ now: t.now + 9, limit: 2 })).ended.length, 2);
    assert.equal((await t.requests.expire({ now: t.now + 9, limit: 2 })).ended.length, 1);
    assert.equal((await t.requests.expire({ now: t.now + 9, limit: 2 })).ended.length, 0);
  });
});
