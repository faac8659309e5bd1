import assert from 'node:assert/strict';
import { holdfastError } from '../../errors.ts';
import type { Json } from '../../queue/types/request.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';

type Store = Trial['backend']['schedules'];

/** Writes schedules that are due at these times, by name. */
async function write(schedules: Store, due: Readonly<Record<string, number | null>>): Promise<void> {
  for (const [name, dueAt] of Object.entries(due)) await schedules.set({ name, dueAt, data: name });
}

async function listed(schedules: Store, after: string | null = null, limit = 100): Promise<string[]> {
  return (await schedules.list({ after, limit })).map(({ name }) => name);
}

async function dueAt(schedules: Store, now: number, limit = 100): Promise<string[]> {
  return (await schedules.due({ now, limit })).map(({ name }) => name);
}

/** In the order of their UTF-8 bytes, which is neither that of code units nor that of any language. */
const NAMES = ['!', 'A', 'Z', 'a', 'a\u0000b', 'a b', 'aa', 'nightly:report', 'ä', 'ﬁ', '\uffee', '🌙', '🌚'];

export const scheduleGroup = group('schedules', (test, handles) => {
  test('a schedule comes back as it was written', async (t) => {
    const { schedules } = t.backend;
    const data = { a: [1.5, 'ä', null, { b: false }], empty: {}, text: '{"not":"json' };
    assert.deepEqual(await schedules.get({ names: ['s'] }), [undefined]);
    assert.equal(await schedules.set({ name: 's', dueAt: t.now, data }), 1);
    await schedules.set({ name: 'paused', dueAt: null, data: null });
    assert.deepEqual(await schedules.get({ names: ['paused', 'none', 's', 's'] }), [
      { name: 'paused', version: 1, dueAt: null, data: null },
      undefined,
      { name: 's', version: 1, dueAt: t.now, data },
      { name: 's', version: 1, dueAt: t.now, data },
    ]);
    assert.deepEqual(await schedules.get({ names: [] }), []);
  });

  test('what is due is read on from any place, whether something is there or not', async (t) => {
    const { schedules } = t.backend;
    await write(schedules, Object.fromEntries(NAMES.map((name, n) => [name, n < 9 ? 5 : 7 + n])));
    const from = async (due: number, name: string, limit = 100) =>
      (await schedules.due({ now: 17, limit, after: { dueAt: due, name } })).map((one) => one.name);
    const all = NAMES.slice(0, 11);
    for (const [n, name] of all.entries()) assert.deepEqual(await from(n < 9 ? 5 : 7 + n, name), all.slice(n + 1));
    assert.deepEqual(await from(5, 'a\u0000', 2), ['a\u0000b', 'a b']);
    assert.deepEqual(await from(5, 'b', 1), ['nightly:report']);
    assert.deepEqual(await from(-1, '🌚', 3), all.slice(0, 3));
    assert.deepEqual(await from(6.5, 'a'), all.slice(9));
    assert.deepEqual(await from(17, '🌚'), []);
  });

  test('what is given and taken is a copy', async (t) => {
    const { schedules } = t.backend;
    const data = { list: ['a'] };
    await schedules.set({ name: 's', dueAt: 1, data });
    data.list.push('b');
    const [found] = await schedules.get({ names: ['s'] });
    assert.deepEqual(found?.data, { list: ['a'] });
    (found as unknown as { data: { list: string[] } }).data.list.push('c'); // as written above
    assert.deepEqual((await schedules.due({ now: 1, limit: 1 }))[0]?.data, { list: ['a'] });
  });

  test('a write without a version always counts, with one only against that one', async (t) => {
    const { schedules } = t.backend;
    const set = (data: Json, ifVersion?: number) => schedules.set({ name: 's', dueAt: null, data, ifVersion });
    assert.equal(await set('a', 1), undefined);
    assert.equal(await set('a', 0), 1);
    assert.equal(await set('b', 0), undefined);
    assert.equal(await set('b'), 2);
    assert.equal(await set('c', 1), undefined);
    assert.equal(await set('c', 2), 3);
    assert.deepEqual(await schedules.get({ names: ['s'] }), [{ name: 's', version: 3, dueAt: null, data: 'c' }]);
  });

  test('delete wants the version it is given, if any', async (t) => {
    const { schedules } = t.backend;
    await write(schedules, { a: 5, b: 6 });
    await schedules.set({ name: 'a', dueAt: 4, data: 1 });
    assert.equal(await schedules.delete({ name: 'a', ifVersion: 1 }), false);
    assert.equal(await schedules.delete({ name: 'c' }), false);
    assert.equal(await schedules.delete({ name: 'a', ifVersion: 2 }), true);
    assert.equal(await schedules.delete({ name: 'a' }), false);
    assert.deepEqual(await listed(schedules), ['b']);
    assert.deepEqual(await dueAt(schedules, 9), ['b']);
    assert.equal(await schedules.delete({ name: 'b' }), true);
    assert.equal(await schedules.nextDueAt(), null);
  });

  test('no version of a name is met again after it was deleted', async (t) => {
    const { schedules } = t.backend;
    await write(schedules, { s: 1, other: 1 });
    const second = await schedules.set({ name: 's', dueAt: 1, data: 1, ifVersion: 1 });
    await schedules.delete({ name: 'other' });
    await schedules.delete({ name: 's' });
    const again = await schedules.set({ name: 's', dueAt: 1, data: 1, ifVersion: 0 });
    assert.ok(again !== undefined && second !== undefined && again > second, `${again} after ${second}`);
    assert.equal(await schedules.set({ name: 's', dueAt: 1, data: 1, ifVersion: again }), again + 1);
  });

  test('a list is in the order of the bytes of the names, in pages', async (t) => {
    const { schedules } = t.backend;
    for (const [n, name] of NAMES.toReversed().entries()) await write(schedules, { [name]: n % 3 === 0 ? null : n });
    assert.deepEqual(await listed(schedules), NAMES);
    assert.deepEqual(await listed(schedules, null, 3), NAMES.slice(0, 3));
    assert.deepEqual(await listed(schedules, NAMES[2], 4), NAMES.slice(3, 7));
    assert.deepEqual(await listed(schedules, 'aa!'), NAMES.slice(7));
    assert.deepEqual(await listed(schedules, NAMES.at(-1)), []);
    assert.deepEqual(await listed(schedules, null, 0), []);
    for (const name of NAMES) assert.equal((await schedules.get({ names: [name] }))[0]?.data, name);
  });

  test('what is due comes earliest first, then by name', async (t) => {
    const { schedules } = t.backend;
    await write(schedules, {
      later: 30,
      paused: null,
      b: 20,
      '🌙': 20,
      '\uffee': 20,
      a: 20,
      first: 10.5,
      old: -5,
      zero: 0,
    });
    assert.deepEqual(await dueAt(schedules, 20), ['old', 'zero', 'first', 'a', 'b', '\uffee', '🌙']);
    assert.deepEqual(await dueAt(schedules, 20, 3), ['old', 'zero', 'first']);
    assert.deepEqual(await dueAt(schedules, 20, 0), []);
    assert.deepEqual(await dueAt(schedules, 10), ['old', 'zero']);
    assert.deepEqual(await dueAt(schedules, -6), []);
    assert.deepEqual(
      (await schedules.due({ now: 10.5, limit: 9 })).map((one) => one.dueAt),
      [-5, 0, 10.5],
    );
    assert.equal(await schedules.nextDueAt(), -5);
  });

  test('a due time that is changed is found at its new place alone', async (t) => {
    const { schedules } = t.backend;
    await write(schedules, { a: 10, b: 20 });
    await write(schedules, { a: 30 });
    assert.equal(await schedules.nextDueAt(), 20);
    assert.deepEqual(await dueAt(schedules, 99), ['b', 'a']);
    await write(schedules, { b: null });
    assert.equal(await schedules.nextDueAt(), 30);
    await write(schedules, { b: 5 });
    assert.deepEqual(await dueAt(schedules, 99), ['b', 'a']);
    assert.deepEqual(await dueAt(schedules, 5), ['b']);
  });

  test('times are exact', async (t) => {
    const { schedules } = t.backend;
    const times = [1_700_000_000_000.125, 8_640_000_000_000_000, 2 ** 53 - 1, 1_700_000_000_001];
    for (const [n, at] of times.entries()) await schedules.set({ name: `s${n}`, dueAt: at, data: at });
    const found = await schedules.due({ now: Number.POSITIVE_INFINITY, limit: 9 });
    const ordered = times.toSorted((a, b) => a - b);
    assert.deepEqual(
      found.map((one) => one.dueAt),
      ordered,
    );
    assert.deepEqual(
      found.map(({ data }) => data),
      ordered,
    );
    assert.equal(await schedules.nextDueAt(), ordered[0]);
  });

  test('hundreds keep their orders', async (t) => {
    const { schedules } = t.backend;
    const names = Array.from({ length: 700 }, (_, n) => `n${String((n * 421) % 700).padStart(3, '0')}`);
    await Promise.all(names.map((name, n) => schedules.set({ name, dueAt: (n * 7) % 90, data: n })));
    await Promise.all(names.filter((_, n) => n % 3 === 0).map((name) => schedules.delete({ name })));
    const left = names.filter((_, n) => n % 3 !== 0);
    assert.deepEqual(await listed(schedules, null, 1000), left.toSorted());
    const found = await schedules.due({ now: 99, limit: 1000 });
    assert.deepEqual(
      found.map(({ name }) => name),
      found.toSorted((a, b) => Number(a.dueAt) - Number(b.dueAt) || (a.name < b.name ? -1 : 1)).map(({ name }) => name),
    );
    assert.equal(found.length, left.length);
  });

  test('data may be large', async (t) => {
    const { schedules } = t.backend;
    const data = { body: 'x'.repeat(3_000_000), more: 'ü'.repeat(100_000) };
    await schedules.set({ name: 'large', dueAt: 1, data });
    assert.deepEqual((await schedules.due({ now: 1, limit: 1 }))[0]?.data, data);
  });

  test('what cannot be stored is refused by a typed error, and changes nothing', async (t) => {
    const { schedules } = t.backend;
    const good = { name: 's', dueAt: 5, data: 1 };
    await schedules.set(good);
    const bad = [
      { name: '' },
      { name: 'half \ud83c' },
      { dueAt: Number.NaN },
      { dueAt: Infinity },
      { ifVersion: 1.5 },
      { ifVersion: -1 },
    ];
    for (const fields of bad) {
      const error = await schedules.set({ ...good, ...fields }).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.ok(holdfastError(error, 'REQUEST_INVALID'), `${JSON.stringify(fields)}: ${String(error)}`);
    }
    assert.deepEqual(await listed(schedules), ['s']);
    assert.equal((await schedules.get({ names: ['s'] }))[0]?.version, 1);
    assert.equal(await schedules.nextDueAt(), 5);
  });

  handles('schedules outlive a handle that dies', async (t) => {
    const dying = await t.open('worker-2');
    await write(dying.schedules, { a: 10, b: 20 });
    await dying.schedules.delete({ name: 'b' });
    await t.abandon(dying);
    const { schedules } = await t.open('worker-3');
    assert.deepEqual(await listed(schedules), ['a']);
    assert.equal(await schedules.nextDueAt(), 10);
    assert.equal(await schedules.set({ name: 'b', dueAt: null, data: 1 }), 2);
  });

  handles('of two handles that write upon the same version one wins', async (t) => {
    const other = await t.open('worker-2');
    const stores = [t.backend.schedules, other.schedules];
    await write(t.backend.schedules, { s: 1 });
    for (let version = 1; version <= 10; version += 1) {
      const set = (store: Store, n: number) => store.set({ name: 's', dueAt: n, data: n, ifVersion: version });
      const versions = await Promise.all(stores.map(set));
      assert.deepEqual(
        versions.filter((found) => found !== undefined),
        [version + 1],
      );
    }
  });

  handles('watch tells of what another handle set or deleted', async (t) => {
    const other = await t.open('worker-2');
    const { schedules } = t.backend;
    const changes = [() => schedules.set({ name: 's', dueAt: 1, data: 1 }), () => schedules.delete({ name: 's' })];
    for (const change of changes) {
      const told = new Promise<void>((resolve) => {
        const undo = other.requests.watch(() => {
          undo();
          resolve();
        });
      });
      await change();
      await told;
    }
  });
});
