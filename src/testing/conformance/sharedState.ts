import assert from 'node:assert/strict';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';

const acquire = (t: Trial, holder: string, permits: number, ttl = 100, key = 's') =>
  t.backend.shared.acquire({ key, holder, permits, now: t.now, expiresAt: t.now + ttl });

const take = (t: Trial, cost = 1, key = 'b') =>
  t.backend.shared.take({ key, cost, ratePerSecond: 10, burst: 5, now: t.now });

export const sharedStateGroup = group('shared state', (test, handles) => {
  test('a bucket takes back what was not used, and holds no more than it can', async (t) => {
    assert.equal(await take(t, 5), 0);
    assert.equal(await take(t, -2.5), 0);
    assert.equal(await take(t, 2), 0);
    assert.notEqual(await take(t, 1), 0);
    assert.equal(await take(t, -50), 0);
    assert.equal(await take(t, 5), 0);
    assert.notEqual(await take(t, 1), 0);
  });

  test('a value comes back with its version', async (t) => {
    const { shared } = t.backend;
    assert.equal(await shared.get({ key: 'k', now: t.now }), undefined);
    const value = { a: [1, 'ä', null, { b: false }] };
    const version = await shared.set({ key: 'k', value, expiresAt: null, now: t.now });
    assert.deepEqual(await shared.get({ key: 'k', now: t.now }), { value, version, expiresAt: null });
  });

  test('null is a value', async (t) => {
    const { shared } = t.backend;
    await shared.set({ key: 'k', value: null, expiresAt: null, now: t.now });
    assert.equal((await shared.get({ key: 'k', now: t.now }))?.value, null);
  });

  test('a value lapses at its instant and counts as absent', async (t) => {
    const { shared } = t.backend;
    const expiresAt = t.now + 10;
    await shared.set({ key: 'k', value: 1, expiresAt, now: t.now });
    assert.equal((await shared.get({ key: 'k', now: t.now + 9 }))?.expiresAt, expiresAt);
    t.now += 10;
    assert.equal(await shared.get({ key: 'k', now: t.now }), undefined);
    assert.deepEqual(await shared.list({ prefix: '', now: t.now, limit: 9 }), []);
    assert.notEqual(await shared.set({ key: 'k', value: 2, expiresAt: null, now: t.now, ifVersion: 0 }), undefined);
  });

  test('set with a version wins only against that version', async (t) => {
    const { shared } = t.backend;
    const write = (value: number, ifVersion?: number) =>
      shared.set({ key: 'k', value, expiresAt: null, now: t.now, ...(ifVersion !== undefined && { ifVersion }) });
    assert.equal(await write(1, 5), undefined);
    const first = await write(1, 0);
    assert.ok(first !== undefined && first > 0);
    assert.equal(await write(2, 0), undefined);
    const second = await write(2, first);
    assert.ok(second !== undefined && second > first);
    assert.equal(await write(3, first), undefined);
    assert.equal((await shared.get({ key: 'k', now: t.now }))?.value, 2);
  });

  test('a version never comes again, also after a delete', async (t) => {
    const { shared } = t.backend;
    const first = await shared.set({ key: 'k', value: 1, expiresAt: null, now: t.now });
    assert.equal(await shared.delete({ key: 'k' }), true);
    assert.equal(await shared.delete({ key: 'k' }), false);
    const second = await shared.set({ key: 'k', value: 1, expiresAt: t.now + 1, now: t.now });
    t.now += 1;
    const third = await shared.set({ key: 'k', value: 1, expiresAt: null, now: t.now });
    assert.equal(new Set([first, second, third]).size, 3);
  });

  test('list gives what stands under a prefix, by key', async (t) => {
    const { shared } = t.backend;
    for (const key of ['zone/b', 'zone/a', 'zone', 'other/a', 'zone/a_', 'zone/%']) {
      await shared.set({ key, value: key, expiresAt: null, now: t.now });
    }
    const keys = async (prefix: string, limit: number) =>
      (await shared.list({ prefix, now: t.now, limit })).map(({ key }) => key);
    assert.deepEqual(await keys('zone/', 9), ['zone/%', 'zone/a', 'zone/a_', 'zone/b']);
    assert.deepEqual(await keys('zone/', 2), ['zone/%', 'zone/a']);
    assert.deepEqual(await keys('zone/a_', 9), ['zone/a_']);
    assert.equal((await keys('', 99)).length, 6);
  });

  test('a semaphore gives as many places as it has', async (t) => {
    assert.deepEqual(
      [await acquire(t, 'a', 2), await acquire(t, 'b', 2), await acquire(t, 'c', 2)],
      [true, true, false],
    );
    assert.equal(await acquire(t, 'c', 2, 100, 'other'), true);
    assert.equal(await t.backend.shared.release({ key: 's', holder: 'a' }), true);
    assert.equal(await t.backend.shared.release({ key: 's', holder: 'a' }), false);
    assert.equal(await acquire(t, 'c', 2), true);
  });

  test('who has a place keeps and extends it', async (t) => {
    await acquire(t, 'a', 1, 100);
    t.now += 90;
    assert.equal(await acquire(t, 'a', 1, 100), true);
    t.now += 90;
    assert.equal(await acquire(t, 'b', 1), false);
    t.now += 10;
    assert.equal(await acquire(t, 'b', 1), true);
  });

  test('a bucket gives its burst, then its rate', async (t) => {
    for (let n = 0; n < 5; n += 1) assert.equal(await take(t), 0);
    assert.equal(await take(t), 100);
    t.now += 99;
    assert.equal(await take(t), 1);
    t.now += 1;
    assert.equal(await take(t), 0);
    assert.equal(await take(t), 100);
    assert.equal(await take(t, 1, 'other'), 0);
  });

  test('a bucket fills up to its burst and no further', async (t) => {
    await take(t);
    t.now += 3_600_000;
    assert.equal(await take(t, 5), 0);
    assert.equal(await take(t), 100);
  });

  test('a cost counts whole, and a refused one takes nothing', async (t) => {
    assert.equal(await take(t, 3), 0);
    assert.equal(await take(t, 4), 200);
    assert.equal(await take(t, 2), 0);
    assert.equal(await take(t, 0), 0);
  });

  test('what never fits waits for ever', async (t) => {
    assert.equal(await take(t, 6), Number.POSITIVE_INFINITY);
  });

  test('a clock that stepped back does not stall a bucket', async (t) => {
    for (let n = 0; n < 5; n += 1) await take(t);
    t.now -= 3_600_000;
    const wait = await take(t);
    assert.ok(wait <= 100, `waits ${wait} ms`);
    t.now += wait;
    assert.equal(await take(t), 0);
  });

  handles('one of two handles wins', async (t) => {
    const other = await t.open('worker-2');
    const both = [t.backend, other];
    const write = { key: 'k', expiresAt: null, now: t.now, ifVersion: 0 };
    const versions = await Promise.all(both.map(({ shared }, value) => shared.set({ ...write, value })));
    assert.equal(versions.filter((version) => version !== undefined).length, 1);
    const lease = { key: 'l', permits: 1, now: t.now, expiresAt: t.now + 9 };
    const places = await Promise.all(both.map(({ shared }, n) => shared.acquire({ ...lease, holder: `h${n}` })));
    assert.deepEqual([...places].sort(), [false, true]);
  });
});
