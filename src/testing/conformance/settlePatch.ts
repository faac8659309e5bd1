import assert from 'node:assert/strict';
import type { Body } from '../../queue/types/request.ts';
import { group } from './group.ts';

const RETRY = { state: 'scheduled', reason: 'retry', dueAt: 1_700_000_000_100 } as const;

function content(body: Body) {
  return { method: 'PATCH', path: '/notes/7?b=2', headers: [['if-match', '"2"']] as const, body };
}

export const settlePatchGroup = group('settle with a patch', (test) => {
  test('replaces content and base of the request itself, together with any move', async (t) => {
    for (const next of [
      { state: 'ready', reason: 'retry' },
      RETRY,
      { state: 'unknown', reason: 'unanswered' },
      { state: 'held', reason: 'conflict' },
      { state: 'succeeded', reason: 'applied' },
      { state: 'dead', reason: 'rejected' },
      { state: 'superseded', reason: 'remoteWins' },
    ] as const) {
      const held = await t.take({ base: { v: 1 }, rank: { form: 'value', value: -1 } });
      const settled = await t.settle(held, next, { patch: { content: content('new'), base: { v: [2, null] } } });
      assert.equal(settled.status, 'settled');
      const found = await t.get(held.id);
      assert.deepEqual([found.state, found.content, found.base], [next.state, content('new'), { v: [2, null] }]);
      if (next.state === 'ready') await t.move(held.id, { state: 'cancelled', reason: 'caller' });
    }
  });

  test('the settlement of a look at an unknown request patches it as well', async (t) => {
    const held = await t.take();
    await t.settle(held, { state: 'unknown', reason: 'unanswered' });
    const channels = [{ channel: 'api', senders: [''] }];
    const look = { worker: t.worker, now: t.now, until: t.now + 5, limit: 1, channels };
    const [taken] = await t.requests.claimUnknown(look);
    const token = taken?.lease?.token ?? 0;
    await t.settle({ id: held.id, token }, { state: 'ready', reason: 'retry' }, { patch: { base: 'theirs' } });
    const { base, content: kept } = await t.get(held.id);
    assert.deepEqual([base, kept.body], ['theirs', 'hello']);
  });

  test('a body may be text, bytes or none', async (t) => {
    const held = await t.take();
    let { token } = held;
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    for (const body of ['', 'ä\u0000\u{1f600}', every, new Uint8Array(), null]) {
      await t.settle(
        { id: held.id, token },
        { state: 'ready', reason: 'retry' },
        { patch: { content: content(body) } },
      );
      const [claimed] = await t.claim();
      const found = claimed?.content.body ?? null;
      assert.equal(found instanceof Uint8Array, body instanceof Uint8Array);
      assert.deepEqual(found instanceof Uint8Array ? [...found] : found, body instanceof Uint8Array ? [...body] : body);
      token = claimed?.lease?.token ?? 0;
    }
  });

  test('how it is sent by fetch is part of the content that is replaced', async (t) => {
    const fetch = { redirect: 'manual' } as const;
    const held = await t.take({ content: { ...content('a'), fetch } });
    await t.settle(held, { state: 'ready', reason: 'retry' }, { patch: { content: content('b') } });
    assert.equal('fetch' in (await t.get(held.id)).content, false);
    const again = await t.lease(held.id);
    await t.settle(again, { state: 'ready', reason: 'retry' }, { patch: { content: { ...content('c'), fetch } } });
    assert.deepEqual((await t.get(held.id)).content, { ...content('c'), fetch });
  });

  test('leaves what it does not name, and null is a base', async (t) => {
    const held = await t.take({ base: { v: 1 } });
    await t.settle(held, { state: 'ready', reason: 'retry' }, { patch: { base: null } });
    const before = await t.get(held.id);
    assert.deepEqual([before.base, before.content.body], [null, 'hello']);
    const again = await t.lease(held.id);
    await t.settle(again, { state: 'ready', reason: 'retry' }, { patch: { content: content(null), base: undefined } });
    const { base, content: found, priority, rank, key } = await t.get(held.id);
    assert.deepEqual([base, found], [null, content(null)]);
    assert.deepEqual([priority, rank, key], [before.priority, before.rank, before.key]);
    await t.settle(await t.lease(held.id), { state: 'ready', reason: 'retry' }, { patch: {} });
    assert.deepEqual((await t.get(held.id)).content, content(null));
  });

  test('changes neither what it is accounted with nor its deadline', async (t) => {
    const held = await t.take({ bytes: 10, expiresAt: t.now + 5 });
    const patch = { content: content('x'.repeat(1000)) };
    await t.settle(held, { state: 'ready', reason: 'retry' }, { patch });
    const { bytes, expiresAt } = await t.get(held.id);
    assert.deepEqual([bytes, expiresAt], [10, t.now + 5]);
    assert.deepEqual(
      (await t.requests.count({})).map((row) => row.bytes),
      [10],
    );
    const limits = { maxSize: 9, maxBytes: 20 };
    assert.equal((await t.enqueue([t.request({ bytes: 10 })], { limits }))[0]?.status, 'accepted');
    t.now += 5;
    assert.equal((await t.requests.expire({ now: t.now, limit: 9 })).ended.length, 1);
  });

  test('a stale settlement patches nothing, nor does one of another request', async (t) => {
    const held = await t.take();
    const other = await t.take();
    const patch = { content: content('new'), base: 1 };
    const stale = await t.settle({ ...held, token: held.token + 1 }, RETRY, { patch });
    assert.equal(stale.status, 'stale');
    const illegal = await t.settle(held, { state: 'sending', reason: 'retry' }, { patch });
    assert.equal(illegal.status, 'stale');
    await t.succeed(other, { patch });
    const { content: found, base } = await t.get(held.id);
    assert.deepEqual([found.body, base], ['hello', null]);
  });

  test('what a settlement changes of others does not touch its own patch', async (t) => {
    const held = await t.take({ lane: 'l' });
    const next = await t.accept({ lane: 'l' });
    await t.settle(
      held,
      { state: 'ready', reason: 'retry' },
      {
        patch: { base: 'own' },
        amend: [
          { id: next.id, from: ['blocked'], patch: { base: 'handed on' } },
          { id: held.id, from: ['sending'], patch: { base: 'never' } },
        ],
      },
    );
    assert.deepEqual([(await t.get(held.id)).base, (await t.get(next.id)).base], ['own', 'handed on']);
  });
});
