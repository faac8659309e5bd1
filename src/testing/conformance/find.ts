import assert from 'node:assert/strict';
import type { RequestFilter } from '../../queue/types/request.ts';
import type { RequestState } from '../../queue/types/states.ts';
import { REQUEST_STATES } from '../../queue/types/states.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';
import { ids } from './Trial.ts';

async function all(
  t: Trial,
  filter: RequestFilter,
  order: 'accepted' | 'ended' = 'accepted',
  limit = 2,
): Promise<string[]> {
  const found: string[] = [];
  let after: number | null = null;
  do {
    const page = await t.requests.find({ filter, order, after, limit });
    assert.ok(page.requests.length <= limit);
    found.push(...ids(page.requests));
    after = page.next;
  } while (after !== null);
  return found;
}

export const findGroup = group('find', (test) => {
  test('gives every match once, in the order of acceptance, page by page', async (t) => {
    const accepted = [];
    for (let n = 0; n < 7; n += 1) accepted.push(await t.accept({ rank: { form: 'value', value: -n } }));
    for (const limit of [1, 2, 3, 7, 8]) assert.deepEqual(await all(t, {}, 'accepted', limit), ids(accepted));
    assert.deepEqual(await t.requests.find({ filter: {}, order: 'accepted', after: null, limit: 8 }), {
      requests: await t.requests.get({ ids: ids(accepted) }),
      next: null,
    });
  });

  test('goes on strictly after the cursor, also when the record there is gone', async (t) => {
    const a = await t.done();
    const b = await t.accept();
    const { next } = await t.requests.find({ filter: {}, order: 'accepted', after: null, limit: 1 });
    const retention = { succeededMs: 0, deadMs: 0, maxRecords: 0, maxBytes: 0 };
    const { ids: purged } = await t.requests.purge({
      now: t.now,
      limit: 9,
      keepAfter: Number.MAX_SAFE_INTEGER,
      retention,
    });
    assert.deepEqual(purged, [a]);
    const page = await t.requests.find({ filter: {}, order: 'accepted', after: next, limit: 9 });
    assert.deepEqual(ids(page.requests), [b.id]);
  });

  test('gives ended ones in the order of ending', async (t) => {
    const [a, b, c] = [await t.take(), await t.take(), await t.take()];
    await t.accept();
    for (const held of [c, a, b]) await t.succeed(held);
    assert.deepEqual(await all(t, {}, 'ended'), ids([c, a, b]));
    const { endedSeq } = await t.get(c.id);
    const page = await t.requests.find({ filter: {}, order: 'ended', after: endedSeq, limit: 1 });
    assert.deepEqual(ids(page.requests), [a.id]);
  });

  test('filters by every field, combined', async (t) => {
    const [a, b, c] = [
      await t.accept({ zone: 'eu', lane: 'l', principal: 'ann', tags: ['x', 'y'], key: 'k1', acceptedAt: 100 }),
      await t.accept({ zone: 'eu', lane: 'l', principal: 'bob', tags: ['x'], acceptedAt: 200 }),
      await t.accept({
        zone: 'us',
        principal: 'bob',
        tags: ['y', 'z'],
        key: 'k2',
        acceptedAt: 300,
        notBefore: t.now + 9,
      }),
    ].map(({ id }) => id);
    const cases: [RequestFilter, (string | undefined)[]][] = [
      [{}, [a, b, c]],
      [{ ids: [c ?? '', t.id(900), a ?? '', a ?? ''] }, [a, c]],
      [{ ids: [] }, []],
      [{ key: 'k2' }, [c]],
      [{ key: 'none' }, []],
      [{ state: 'blocked' }, [b]],
      [{ state: ['ready', 'scheduled'] }, [a, c]],
      [{ state: [] }, []],
      [{ reason: 'lane' }, [b]],
      [{ reason: ['accepted', 'notBefore'] }, [a, c]],
      [{ zone: 'eu' }, [a, b]],
      [{ lane: 'l' }, [a, b]],
      [{ principal: 'bob' }, [b, c]],
      [{ tags: ['y'] }, [a, c]],
      [{ tags: ['y', 'x'] }, [a]],
      [{ tags: [] }, [a, b, c]],
      [{ acceptedBefore: 200 }, [a]],
      [{ acceptedAfter: 200 }, [b, c]],
      [{ acceptedAfter: 100, acceptedBefore: 300 }, [a, b]],
      [{ zone: 'eu', principal: 'bob', state: 'blocked', tags: ['x'], lane: 'l' }, [b]],
      [{ ids: [a ?? ''], principal: 'bob' }, []],
      [{ key: 'k1', state: 'scheduled' }, []],
      [{ key: 'k2', state: Array<RequestState>(REQUEST_STATES.length).fill('ready') }, []],
      [{ zone: undefined, tags: undefined }, [a, b, c]],
    ];
    for (const [filter, expected] of cases) {
      assert.deepEqual(await all(t, filter), expected, JSON.stringify(filter));
      const rows = await t.requests.count({ filter });
      assert.equal(
        rows.reduce((sum, { count }) => sum + count, 0),
        expected.length,
        `count ${JSON.stringify(filter)}`,
      );
    }
  });

  test('takes text as text, whatever stands in it', async (t) => {
    const odd = `a'b"c%_\\; --\u0000\u{1f600}`;
    const { id } = await t.accept({
      zone: odd,
      channel: odd,
      lane: odd,
      principal: odd,
      key: odd,
      tags: [odd],
      sender: `client:${odd}`,
    });
    await t.accept({ zone: 'aXb', tags: ['a', 'b'] });
    const filter = { zone: odd, lane: odd, principal: odd, key: odd, tags: [odd] };
    assert.deepEqual(await all(t, filter), [id]);
    assert.deepEqual(await all(t, { tags: [odd.slice(0, 2)] }), []);
    assert.deepEqual(ids(await t.claim(1, { channel: odd, senders: [`client:${odd}`] })), [id]);
  });

  test('get answers in the order asked, undefined where there is none', async (t) => {
    const [a, b] = [await t.accept(), await t.accept()];
    const found = await t.requests.get({ ids: [b.id, t.id(900), a.id, b.id] });
    assert.deepEqual(
      found.map((one) => one?.id),
      [b.id, undefined, a.id, b.id],
    );
  });
});
