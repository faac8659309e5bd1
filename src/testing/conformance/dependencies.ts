import assert from 'node:assert/strict';
import { group } from './group.ts';
import { ids } from './Trial.ts';

export const dependencyGroup = group('dependencies', (test) => {
  test('a request waits until all it comes after have succeeded', async (t) => {
    const first = await t.take();
    const second = await t.take();
    const { id, state } = await t.accept({ after: [first.id, second.id] });
    assert.equal(state, 'blocked');
    await t.stands(id, 'blocked', 'dependency');
    const half = await t.succeed(first);
    assert.deepEqual(half.status === 'settled' && half.moved, []);
    const whole = await t.succeed(second);
    assert.deepEqual(whole.status === 'settled' && whole.moved, [
      { id, zone: 'api', channel: 'api', state: 'ready', reason: 'accepted', dueAt: null },
    ]);
  });

  test('one that succeeded before is no reason to wait', async (t) => {
    const id = await t.done();
    assert.equal((await t.accept({ after: [id] })).state, 'ready');
  });

  test('one that is unknown or did not succeed refuses', async (t) => {
    const dead = await t.take();
    await t.settle(dead, { state: 'dead', reason: 'rejected' });
    const results = await t.enqueue([t.request({ after: [dead.id] }), t.request({ after: [t.id(900)] })]);
    assert.deepEqual(
      results.map((result) => result.status === 'refused' && result.why),
      ['dependency', 'dependency'],
    );
  });

  test('later items of a batch may come after earlier ones, not the other way round', async (t) => {
    const [a, b] = [t.request(), t.request()];
    const results = await t.enqueue([a, { ...b, after: [a.id] }]);
    assert.deepEqual(
      results.map((result) => result.status === 'accepted' && result.state),
      ['ready', 'blocked'],
    );
    const [c, d] = [t.request(), t.request()];
    const [refused] = await t.enqueue([{ ...c, after: [d.id] }, d]);
    assert.equal(refused?.status === 'refused' && refused.why, 'dependency');
  });

  test('a request whose predecessor ends otherwise is held', async (t) => {
    const first = await t.take();
    const { id } = await t.accept({ after: [first.id] });
    const result = await t.settle(first, { state: 'dead', reason: 'rejected' });
    assert.deepEqual(result.status === 'settled' && result.moved, [
      { id, zone: 'api', channel: 'api', state: 'held', reason: 'dependency', dueAt: null },
    ]);
    await t.stands(id, 'held', 'dependency');
  });

  test('a cancelled, superseded or expired predecessor holds as well', async (t) => {
    const a = await t.accept();
    const b = await t.accept();
    const c = await t.accept({ expiresAt: t.now + 1 });
    const after = [];
    for (const { id } of [a, b, c]) after.push((await t.accept({ after: [id] })).id);
    assert.deepEqual(ids((await t.move(a.id, { state: 'cancelled', reason: 'caller' })).moved), [after[0]]);
    await t.move(b.id, { state: 'superseded', reason: 'squashed' });
    const { moved } = await t.requests.expire({ now: t.now + 1, limit: 10 });
    assert.deepEqual(ids(moved), [after[2]]);
    for (const id of after) await t.stands(id, 'held', 'dependency');
  });

  test('a retry, an unknown or a held predecessor keeps waiting requests waiting', async (t) => {
    const first = await t.take();
    const { id } = await t.accept({ after: [first.id] });
    await t.settle(first, { state: 'unknown', reason: 'unanswered' });
    await t.move(first.id, { state: 'held', reason: 'unknown' });
    await t.stands(id, 'blocked', 'dependency');
    await t.move(first.id, { state: 'succeeded', reason: 'markedApplied' });
    await t.stands(id, 'ready', 'accepted');
  });

  test('one held for a dead predecessor goes on when it is released', async (t) => {
    const [first, second] = [await t.take(), await t.take()];
    const { id } = await t.accept({ after: [first.id, second.id] });
    await t.settle(first, { state: 'dead', reason: 'rejected' });
    assert.equal((await t.move(id, { state: 'ready', reason: 'released' })).state, 'blocked');
    await t.succeed(second);
    await t.stands(id, 'ready', 'accepted');
  });

  test('one set aside stays so when its predecessor succeeds, and is held for it when it does not', async (t) => {
    const [first, second] = [await t.take(), await t.take()];
    const a = await t.accept({ after: [first.id] });
    const b = await t.accept({ after: [second.id] });
    for (const { id } of [a, b]) await t.move(id, { state: 'held', reason: 'operator' });
    await t.succeed(first);
    await t.settle(second, { state: 'dead', reason: 'rejected' });
    await t.stands(a.id, 'held', 'operator');
    await t.stands(b.id, 'held', 'dependency');
    assert.equal((await t.move(a.id, { state: 'ready', reason: 'released' })).state, 'ready');
  });

  test('lane and predecessor both stand before a request', async (t) => {
    const lane = await t.take({ lane: 'l' });
    const first = await t.take();
    const { id } = await t.accept({ lane: 'l', after: [first.id] });
    await t.stands(id, 'blocked', 'lane');
    const freed = await t.succeed(lane);
    assert.deepEqual(freed.status === 'settled' && freed.moved, []);
    await t.stands(id, 'blocked', 'dependency');
    await t.succeed(first);
    await t.stands(id, 'ready', 'accepted');
  });

  test('a chain goes link by link', async (t) => {
    const a = await t.accept();
    const b = await t.accept({ after: [a.id] });
    const c = await t.accept({ after: [b.id] });
    for (const { id } of [a, b, c]) await t.succeed(await t.lease(id));
    assert.deepEqual(await t.counts(), { succeeded: 3 });
  });

  test('a request that names its predecessor twice waits for it once', async (t) => {
    const first = await t.take();
    const { id } = await t.accept({ after: [first.id, first.id] });
    await t.succeed(first);
    await t.stands(id, 'ready');
    assert.deepEqual((await t.get(id)).after, [first.id, first.id]);
  });
});
