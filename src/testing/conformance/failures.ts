import assert from 'node:assert/strict';
import { DEATHS } from './deaths.ts';
import { group } from './group.ts';
import { ids } from './Trial.ts';

const RELEASED = { state: 'ready', reason: 'released' } as const;
const REJECTED = { state: 'dead', reason: 'rejected' } as const;

export const failureGroup = group('failures', (test) => {
  for (const [verb, doom] of Object.entries(DEATHS)) {
    test(`one that ends by ${verb} lets its lane go on, unless it says otherwise`, async (t) => {
      for (const onFailure of [undefined, 'continue'] as const) {
        const lane = `lane-${onFailure}`;
        const failing = await doom(t, { lane, ...(onFailure !== undefined && { onFailure }) });
        const next = await t.accept({ lane });
        const waiting = await t.accept({ after: [failing.id] });
        const { ended, moved } = await failing.fail();
        assert.deepEqual(ended, []);
        assert.deepEqual(ids(moved).sort(), ids([next, waiting]).sort());
        await t.stands(failing.id, 'dead');
        await t.stands(next.id, 'ready', 'accepted');
        await t.stands(waiting.id, 'held', 'dependency');
      }
    });

    test(`one with halt that ends by ${verb} holds the next of its lane`, async (t) => {
      const failing = await doom(t, { lane: 'l', onFailure: 'halt' });
      const next = await t.accept({ lane: 'l' });
      const last = await t.accept({ lane: 'l' });
      const waiting = await t.accept({ after: [failing.id] });
      const { ended, moved } = await failing.fail();
      const { id } = next;
      assert.deepEqual(ended, []);
      assert.deepEqual(
        moved.find((one) => one.id === id),
        { id, zone: 'api', channel: 'api', state: 'held', reason: 'dependency', dueAt: null },
      );
      assert.deepEqual(ids(moved).sort(), ids([next, waiting]).sort());
      await t.stands(id, 'held', 'dependency');
      await t.stands(last.id, 'blocked', 'lane');
      await t.stands(waiting.id, 'held', 'dependency');
      assert.deepEqual(await t.claim(), []);
    });
  }

  test('one held by halt goes on when it is released, and its lane after it', async (t) => {
    const head = await t.take({ lane: 'l', onFailure: 'halt' });
    const next = await t.accept({ lane: 'l' });
    const last = await t.accept({ lane: 'l' });
    await t.settle(head, REJECTED);
    assert.equal((await t.move(next.id, RELEASED)).state, 'ready');
    await t.succeed(await t.lease(next.id));
    await t.stands(last.id, 'ready', 'accepted');
  });

  test('halt is asked of each that fails, not of the lane', async (t) => {
    const head = await t.take({ lane: 'l', onFailure: 'halt' });
    const next = await t.accept({ lane: 'l' });
    const last = await t.accept({ lane: 'l' });
    await t.settle(head, REJECTED);
    await t.move(next.id, { state: 'dead', reason: 'discarded' });
    await t.stands(last.id, 'ready', 'accepted');
  });

  test('halt holds what would become scheduled too, and it is due at its own time once released', async (t) => {
    const head = await t.take({ lane: 'l', onFailure: 'halt' });
    const next = await t.accept({ lane: 'l', notBefore: t.now + 50 });
    const settled = await t.settle(head, REJECTED);
    assert.equal(settled.status === 'settled' && settled.moved[0]?.state, 'held');
    assert.equal((await t.get(next.id)).dueAt, null);
    assert.equal((await t.move(next.id, RELEASED)).state, 'scheduled');
    assert.equal((await t.get(next.id)).dueAt, t.now + 50);
  });

  test('halt leaves one that is held already as it is', async (t) => {
    const head = await t.take({ lane: 'l', onFailure: 'halt' });
    const next = await t.accept({ lane: 'l' });
    await t.move(next.id, { state: 'held', reason: 'operator' });
    const settled = await t.settle(head, REJECTED);
    assert.deepEqual(settled.status === 'settled' && settled.moved, []);
    await t.stands(next.id, 'held', 'operator');
  });

  test('halt leaves one waiting that waits for another request as well', async (t) => {
    const other = await t.take();
    const head = await t.take({ lane: 'l', onFailure: 'halt' });
    const next = await t.accept({ lane: 'l', after: [other.id] });
    const settled = await t.settle(head, REJECTED);
    assert.deepEqual(settled.status === 'settled' && settled.moved, []);
    await t.stands(next.id, 'blocked', 'dependency');
    await t.succeed(other);
    await t.stands(next.id, 'ready', 'accepted');
  });

  test('one that is held by halt has lent nothing and takes the best rank behind it', async (t) => {
    const head = await t.take({ lane: 'l', onFailure: 'halt' });
    const next = await t.accept({ lane: 'l', rank: { form: 'value', value: 8 } });
    await t.accept({ lane: 'l', rank: { form: 'value', value: 3 } });
    await t.settle(head, REJECTED);
    assert.equal((await t.get(next.id)).rank, 3);
  });

  test('halt in the middle of a lane holds nobody', async (t) => {
    const head = await t.take({ lane: 'l' });
    const middle = await t.accept({ lane: 'l', onFailure: 'halt' });
    const last = await t.accept({ lane: 'l' });
    assert.deepEqual((await t.move(middle.id, { state: 'dead', reason: 'discarded' })).moved, []);
    await t.stands(last.id, 'blocked', 'lane');
    await t.succeed(head);
    await t.stands(last.id, 'ready');
  });

  test('halt is for those that end dead: the lane of one that ends otherwise goes on', async (t) => {
    for (const to of [
      { state: 'cancelled', reason: 'caller' },
      { state: 'superseded', reason: 'squashed' },
    ] as const) {
      const head = await t.accept({ lane: to.state, onFailure: 'halt' });
      const next = await t.accept({ lane: to.state });
      const waiting = await t.accept({ after: [head.id] });
      await t.move(head.id, to);
      await t.stands(next.id, 'ready', 'accepted');
      await t.stands(waiting.id, 'held', 'dependency');
    }
    const head = await t.take({ lane: 'l', onFailure: 'halt', channel: 'other' });
    const next = await t.accept({ lane: 'l' });
    await t.succeed(head);
    await t.stands(next.id, 'ready', 'accepted');
  });

  test('a request keeps what its failure does to others, through all that happens to it', async (t) => {
    for (const onFailure of ['continue', 'halt', 'cascade'] as const) {
      const held = await t.take({ onFailure, key: onFailure, priority: 2 });
      assert.equal((await t.get(held.id)).onFailure, onFailure);
      await t.enqueue([t.request({ key: onFailure, priority: 9, onFailure: 'continue' })]);
      await t.settle(held, { state: 'ready', reason: 'retry' });
      await t.amend({ id: held.id, from: ['ready'], patch: { sender: 'client:a', priority: 3, base: 1 } });
      assert.equal((await t.get(held.id)).onFailure, onFailure);
      await t.move(held.id, { state: 'dead', reason: 'discarded' });
      assert.equal((await t.get(held.id)).onFailure, onFailure);
    }
  });

  test('a request that says nothing of its failure or intent, or ended by itself, has no such fields', async (t) => {
    const plain = t.request();
    const bare = t.request({ onFailure: undefined, intent: undefined });
    await t.enqueue([plain, bare]);
    const dead = await t.accept();
    await t.move(dead.id, { state: 'dead', reason: 'abandoned' });
    for (const id of [plain.id, bare.id, dead.id]) {
      const found = await t.get(id);
      for (const name of ['onFailure', 'intent', 'bundle', 'replaces']) assert.equal(name in found, false, name);
    }
  });
});
