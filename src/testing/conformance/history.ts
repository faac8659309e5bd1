import assert from 'node:assert/strict';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';

const append = (t: Trial, stream: string, ...ats: number[]) =>
  t.backend.history.append({ entries: ats.map((at) => ({ stream, at, data: { at } })) });

async function times(t: Trial, stream: string, after = 0, limit = 99): Promise<number[]> {
  return (await t.backend.history.query({ stream, after, limit })).map(({ at }) => at);
}

export const historyGroup = group('history', (test) => {
  test('numbers entries ascending over all streams', async (t) => {
    const first = await append(t, 'a', 1, 2);
    const second = await append(t, 'b', 3);
    const third = await append(t, 'a', 4);
    const all = [...first, ...second, ...third];
    assert.equal(all.length, 4);
    assert.deepEqual(
      all,
      [...new Set(all)].sort((x, y) => x - y),
    );
    assert.deepEqual(await append(t, 'a'), []);
  });

  test('gives the entries of one stream after a number, ascending, at most the limit', async (t) => {
    const [, second] = await append(t, 'a', 1, 2, 3, 4);
    await append(t, 'b', 9);
    assert.deepEqual(await times(t, 'a'), [1, 2, 3, 4]);
    assert.deepEqual(await times(t, 'a', second), [3, 4]);
    assert.deepEqual(await times(t, 'a', second, 1), [3]);
    assert.deepEqual(await times(t, 'none'), []);
  });

  test('gives entries as they were appended', async (t) => {
    const data = { text: 'ä\u0000', list: [1, null, { a: true }] };
    const [seq] = await t.backend.history.append({ entries: [{ stream: 's', at: 5, data }] });
    assert.deepEqual(await t.backend.history.query({ stream: 's', after: 0, limit: 9 }), [
      { seq, stream: 's', at: 5, data },
    ]);
  });

  test('trim keeps the newest ones', async (t) => {
    await append(t, 'a', 1, 2, 3, 4);
    await append(t, 'b', 1);
    assert.equal(await t.backend.history.trim({ stream: 'a', keep: 2, before: 0 }), 2);
    assert.deepEqual(await times(t, 'a'), [3, 4]);
    assert.deepEqual(await times(t, 'b'), [1]);
  });

  test('trim drops what is older than an instant', async (t) => {
    await append(t, 'a', 1, 2, 3, 4);
    assert.equal(await t.backend.history.trim({ stream: 'a', keep: 99, before: 3 }), 2);
    assert.deepEqual(await times(t, 'a'), [3, 4]);
    assert.equal(await t.backend.history.trim({ stream: 'a', keep: 0, before: 0 }), 2);
    assert.equal(await t.backend.history.trim({ stream: 'a', keep: 0, before: 0 }), 0);
  });

  test('numbers go on after everything was trimmed', async (t) => {
    const [first] = await append(t, 'a', 1);
    await t.backend.history.trim({ stream: 'a', keep: 0, before: 0 });
    const [second] = await append(t, 'a', 2);
    assert.ok((second ?? 0) > (first ?? 0));
  });
});
