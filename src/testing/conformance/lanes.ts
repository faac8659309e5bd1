import assert from 'node:assert/strict';
import { group } from './group.ts';
import { ids } from './Trial.ts';

const ranked = (value: number, lane: string | null = 'l') => ({ lane, rank: { form: 'value', value } }) as const;

export const laneGroup = group('lanes', (test) => {
  test('only the first of a lane is offered; the next after it ended', async (t) => {
    const first = await t.accept({ lane: 'l' });
    const second = await t.accept({ lane: 'l' });
    await t.stands(second.id, 'blocked', 'lane');
    const held = await t.lease(first.id);
    assert.deepEqual(await t.claim(), []);
    const result = await t.succeed(held);
    assert.ok(result.status === 'settled');
    assert.deepEqual(result.moved, [
      { id: second.id, zone: 'api', channel: 'api', state: 'ready', reason: 'accepted', dueAt: null },
    ]);
    await t.lease(second.id);
  });

  test('lanes do not wait for each other', async (t) => {
    await t.take({ lane: 'a' });
    await t.take({ lane: 'b' });
    await t.take();
  });

  test('a later request never overtakes an earlier one of its lane, whatever its rank', async (t) => {
    const first = await t.accept(ranked(9));
    await t.accept(ranked(1));
    assert.deepEqual(ids(await t.claim()), [first.id]);
  });

  test('retry, unknown and held heads keep their lane', async (t) => {
    const head = await t.take({ lane: 'l' });
    const next = await t.accept({ lane: 'l' });
    await t.settle(head, { state: 'scheduled', reason: 'retry', dueAt: t.now + 10 });
    assert.deepEqual(await t.claim(), []);
    t.now += 10;
    await t.settle(await t.lease(head.id), { state: 'unknown', reason: 'unanswered', dueAt: t.now + 10 });
    assert.deepEqual(await t.claim(), []);
    await t.move(head.id, { state: 'held', reason: 'operator' });
    assert.deepEqual(await t.claim(), []);
    await t.stands(next.id, 'blocked', 'lane');
  });

  test('a head that ends by amend, expiry or cancel frees its lane', async (t) => {
    const all = [];
    for (let n = 0; n < 4; n += 1)
      all.push((await t.accept({ lane: 'l', ...(n === 1 && { expiresAt: t.now + 5 }) })).id);
    const result = await t.move(all[0] ?? '', { state: 'cancelled', reason: 'caller' });
    assert.deepEqual(ids(result.moved), [all[1]]);
    t.now += 5;
    await t.requests.expire({ now: t.now, limit: 10 });
    await t.stands(all[1] ?? '', 'dead', 'expired');
    await t.move(all[2] ?? '', { state: 'superseded', reason: 'squashed' });
    await t.stands(all[3] ?? '', 'ready', 'accepted');
  });

  test('one in the middle can end without freeing the lane', async (t) => {
    const head = await t.take({ lane: 'l' });
    const middle = await t.accept({ lane: 'l' });
    const last = await t.accept({ lane: 'l' });
    const result = await t.move(middle.id, { state: 'cancelled', reason: 'caller' });
    assert.deepEqual(result.moved, []);
    await t.stands(last.id, 'blocked');
    await t.succeed(head);
    await t.lease(last.id);
  });

  test('one that was set aside while it waited keeps its place and stops the lane when its turn comes', async (t) => {
    const head = await t.take({ lane: 'l' });
    const middle = await t.accept({ lane: 'l' });
    const last = await t.accept({ lane: 'l' });
    await t.move(middle.id, { state: 'held', reason: 'operator' });
    const result = await t.succeed(head);
    assert.ok(result.status === 'settled');
    assert.deepEqual(result.moved, []);
    await t.stands(last.id, 'blocked', 'lane');
    await t.move(middle.id, { state: 'ready', reason: 'released' });
    await t.lease(middle.id);
  });

  test('one set aside before its turn cannot become unknown', async (t) => {
    await t.take({ lane: 'l' });
    const next = await t.accept({ lane: 'l' });
    await t.move(next.id, { state: 'held', reason: 'operator' });
    const to = { state: 'unknown', reason: 'unanswered' } as const;
    assert.deepEqual(await t.amend({ id: next.id, from: ['held'], to }), { status: 'refused', state: 'held' });
  });

  test('one released before its turn goes back to waiting', async (t) => {
    await t.take({ lane: 'l' });
    const next = await t.accept({ lane: 'l' });
    await t.move(next.id, { state: 'held', reason: 'operator' });
    const released = await t.move(next.id, { state: 'ready', reason: 'released' });
    assert.equal(released.state, 'blocked');
    await t.stands(next.id, 'blocked', 'lane');
  });

  test('a blocked request whose time has not come becomes scheduled when its turn comes', async (t) => {
    const head = await t.take({ lane: 'l' });
    const next = await t.accept({ lane: 'l', notBefore: t.now + 50 });
    const result = await t.succeed(head);
    assert.equal(result.status === 'settled' && result.moved[0]?.dueAt, t.now + 50);
    await t.stands(next.id, 'scheduled', 'notBefore');
  });

  test('a blocked request told to wait until an instant does so after its turn has come', async (t) => {
    const head = await t.take({ lane: 'l' });
    const next = await t.accept({ lane: 'l' });
    const moved = await t.move(next.id, { state: 'scheduled', reason: 'retry', dueAt: t.now + 70 });
    assert.equal(moved.state, 'blocked');
    await t.succeed(head);
    assert.equal((await t.get(next.id)).dueAt, t.now + 70);
    await t.stands(next.id, 'scheduled');
  });

  test("a lane's head takes the best rank waiting in its lane", async (t) => {
    const head = await t.accept(ranked(9));
    const other = await t.accept(ranked(5, null));
    await t.accept(ranked(1));
    assert.equal((await t.get(head.id)).rank, 1);
    assert.deepEqual(ids(await t.claim()), [head.id, other.id]);
  });

  test('the next head takes the best rank still waiting behind it', async (t) => {
    const [a, b, c] = [await t.accept(ranked(9)), await t.accept(ranked(8)), await t.accept(ranked(2))];
    await t.succeed(await t.lease(a.id));
    assert.equal((await t.get(b.id)).rank, 2);
    await t.succeed(await t.lease(b.id));
    assert.equal((await t.get(c.id)).rank, 2);
  });

  test('the rank a request had does not pass to those behind it', async (t) => {
    const urgent = await t.accept(ranked(1));
    const next = await t.accept(ranked(8));
    await t.succeed(await t.lease(urgent.id));
    assert.equal((await t.get(next.id)).rank, 8);
  });

  test('a waiting request whose rank is raised lends it to the head', async (t) => {
    const head = await t.accept(ranked(9));
    const next = await t.accept(ranked(8));
    await t.amend({ id: next.id, from: ['blocked'], patch: { rank: { form: 'value', value: 3 } } });
    assert.equal((await t.get(head.id)).rank, 3);
  });

  test('a waiting request that gets another sender does not lend its rank anew', async (t) => {
    const head = await t.accept(ranked(9));
    const next = await t.accept(ranked(3));
    await t.amend({ id: head.id, from: ['ready'], patch: { rank: { form: 'value', value: 7 } } });
    await t.amend({ id: next.id, from: ['blocked'], patch: { sender: 'client:a' } });
    assert.equal((await t.get(head.id)).rank, 7);
  });

  test('one set aside does not lend its rank until it is released', async (t) => {
    const head = await t.accept(ranked(9));
    const next = await t.accept(ranked(9));
    await t.move(next.id, { state: 'held', reason: 'operator' }, { rank: { form: 'value', value: 2 } });
    await t.amend({ id: next.id, from: ['held'], patch: { rank: { form: 'value', value: 1 } } });
    // lowered to 2 while it still waited: that much was lent
    assert.equal((await t.get(head.id)).rank, 2);
    await t.move(next.id, { state: 'ready', reason: 'released' });
    assert.equal((await t.get(head.id)).rank, 1);
  });

  test('a sending head takes ranks too, for when it comes back', async (t) => {
    const head = await t.take(ranked(9));
    await t.accept(ranked(1));
    await t.settle(head, { state: 'ready', reason: 'retry' });
    const other = await t.accept(ranked(5, null));
    assert.deepEqual(ids(await t.claim()), [head.id, other.id]);
  });

  test('drains a long lane in the order of acceptance', async (t) => {
    const batch = Array.from({ length: 60 }, (_, n) => t.request(ranked((n * 7) % 60)));
    await t.enqueue(batch);
    const order: string[] = [];
    for (let n = 0; n < batch.length; n += 1) {
      const [next, ...others] = await t.claim();
      assert.ok(next?.lease);
      assert.deepEqual(others, []);
      order.push(next.id);
      await t.succeed({ id: next.id, token: next.lease.token });
    }
    assert.deepEqual(order, ids(batch));
  });
});
