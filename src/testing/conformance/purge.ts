import assert from 'node:assert/strict';
import type { PurgeQuery } from '../../queue/types/housekeeping.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';

const KEEP = { succeededMs: 1e9, deadMs: 1e9, maxRecords: 1e6, maxBytes: 1e12 };

function purge(t: Trial, retention: Partial<PurgeQuery['retention']>, query: Partial<PurgeQuery> = {}) {
  const keepAfter = Number.MAX_SAFE_INTEGER;
  return t.requests.purge({ now: t.now, limit: 100, keepAfter, retention: { ...KEEP, ...retention }, ...query });
}

async function dead(t: Trial): Promise<string> {
  const held = await t.take();
  await t.settle(held, { state: 'dead', reason: 'rejected' });
  return held.id;
}

export const purgeGroup = group('purge', (test) => {
  test('keeps what is within retention and everything that lives', async (t) => {
    await t.done();
    await dead(t);
    await t.accept();
    assert.deepEqual(await purge(t, {}), { ids: [], more: false });
  });

  test('drops ended ones by age, dead ones by theirs', async (t) => {
    const cancelled = (await t.accept()).id;
    await t.move(cancelled, { state: 'cancelled', reason: 'caller' });
    const superseded = (await t.accept()).id;
    await t.move(superseded, { state: 'superseded', reason: 'squashed' });
    const done = await t.done();
    const letter = await dead(t);
    t.now += 1000;
    const young = await t.done();
    assert.deepEqual((await purge(t, { succeededMs: 1000 })).ids, []);
    t.now += 1;
    assert.deepEqual((await purge(t, { succeededMs: 1000 })).ids, [cancelled, superseded, done]);
    assert.deepEqual((await purge(t, { deadMs: 1000 })).ids, [letter]);
    assert.deepEqual(await t.counts(), { succeeded: 1 });
    const found = await t.requests.get({ ids: [done, letter, young] });
    assert.deepEqual(
      found.map((one) => one?.id),
      [undefined, undefined, young],
    );
  });

  test('drops what exceeds the number of records: succeeded before dead, oldest first', async (t) => {
    const [a, b, c, d] = [await dead(t), await t.done(), await t.done(), await dead(t)];
    assert.deepEqual((await purge(t, { maxRecords: 3 })).ids, [b]);
    assert.deepEqual((await purge(t, { maxRecords: 1 })).ids, [c, a]);
    assert.deepEqual((await purge(t, { maxRecords: 0 })).ids, [d]);
  });

  test('drops what exceeds the bytes of ended records, results included', async (t) => {
    const result = { status: 200, headers: [], body: new Uint8Array(50) };
    const a = await t.done({ bytes: 10 }, { result });
    const b = await t.done({ bytes: 40 });
    assert.deepEqual((await purge(t, { maxBytes: 100 })).ids, []);
    assert.deepEqual((await purge(t, { maxBytes: 99 })).ids, [a]);
    assert.deepEqual((await purge(t, { maxBytes: 39 })).ids, [b]);
  });

  test('drops at most the limit and says that there may be more', async (t) => {
    const [a, b, c] = [await t.done(), await t.done(), await t.done()];
    assert.deepEqual(await purge(t, { maxRecords: 0 }, { limit: 2 }), { ids: [a, b], more: true });
    assert.deepEqual(await purge(t, { maxRecords: 0 }, { limit: 2 }), { ids: [c], more: false });
  });

  test('never drops what a subscriber has not been told of', async (t) => {
    const a = await t.done();
    await t.done();
    const { endedSeq } = await t.get(a);
    assert.deepEqual((await purge(t, { maxRecords: 0 }, { keepAfter: endedSeq ?? 0 })).ids, [a]);
  });

  test('never drops what a live request comes after', async (t) => {
    const first = await t.done();
    const live = await t.accept({ after: [first] });
    assert.deepEqual((await purge(t, { maxRecords: 0 })).ids, []);
    await t.succeed(await t.lease(live.id));
    assert.deepEqual((await purge(t, { maxRecords: 0 })).ids, [first, live.id]);
  });

  test('a record that must be kept does not keep the ones behind it', async (t) => {
    const first = await t.done();
    await t.accept({ after: [first], channel: 'other' });
    const second = await t.done();
    assert.deepEqual((await purge(t, { maxRecords: 0 })).ids, [second]);
  });

  test('a clock that stepped back drops nothing early and keeps nothing for ever', async (t) => {
    const first = await t.done();
    t.now -= 10_000;
    const second = await t.done();
    t.now += 2000;
    assert.deepEqual((await purge(t, { succeededMs: 1000 })).ids, [second]);
    t.now += 10_000;
    assert.deepEqual((await purge(t, { succeededMs: 1000 })).ids, [first]);
  });

  test('the oldest is the one that ended first, whatever the clock said then', async (t) => {
    const first = await t.done();
    t.now -= 10_000;
    const second = await t.done();
    assert.deepEqual((await purge(t, { maxRecords: 1 })).ids, [first]);
    t.now -= 10_000;
    const third = await t.done();
    t.now += 60_000;
    assert.deepEqual((await purge(t, { succeededMs: 1000 })).ids, [second, third]);
  });

  test('drops the ids it is given, whatever retention says', async (t) => {
    const [a, b, c] = [await t.done(), await dead(t), await t.done()];
    const live = await t.accept({ after: [c], channel: 'other' });
    const wanted = [b, t.id(900), live.id, c, a, b];
    assert.deepEqual((await purge(t, {}, { ids: wanted })).ids, [b, a]);
    assert.deepEqual(await t.counts(), { succeeded: 1, ready: 1 });
    assert.deepEqual((await purge(t, { maxRecords: 0 })).ids, []);
  });

  test('drops given ids up to the limit, and none a subscriber has not been told of', async (t) => {
    const [a, b, c] = [await t.done(), await t.done(), await t.done()];
    const { endedSeq } = await t.get(b);
    const query = { ids: [c, a, b], keepAfter: endedSeq ?? 0 };
    assert.deepEqual((await purge(t, {}, { ...query, limit: 1 })).ids, [a]);
    assert.deepEqual((await purge(t, {}, query)).ids, [b]);
    assert.deepEqual((await purge(t, { maxRecords: 0 })).ids, [c]);
  });

  test('a purged id is unknown to every verb', async (t) => {
    const id = await t.done({ lane: 'l', tags: ['x'] });
    await purge(t, { maxRecords: 0 });
    assert.deepEqual(await t.requests.find({ filter: { ids: [id] }, order: 'accepted', after: null, limit: 9 }), {
      requests: [],
      next: null,
    });
    assert.deepEqual(await t.requests.find({ filter: { tags: ['x'] }, order: 'ended', after: null, limit: 9 }), {
      requests: [],
      next: null,
    });
    assert.equal((await t.amend({ id, from: ['succeeded'] })).status, 'notFound');
    assert.equal((await t.succeed({ id, token: 1 })).status, 'notFound');
    assert.deepEqual(await t.counts(), {});
    const [again] = await t.enqueue([t.request({ id })]);
    assert.equal(again?.status === 'accepted' && again.state, 'ready');
  });
});
