import assert from 'node:assert/strict';
import type { Intent } from '../../queue/types/request.ts';
import { NO_PROGRESS } from '../../queue/types/request.ts';
import { group } from './group.ts';

const ODD = `a'b"c%_\\; --\u0000\u0001 äß € \u{10ffff} \u{1f469}\u200d\u{1f692} \ufeff \u2028`;

const INTENTS: readonly Intent[] = [
  { resource: 'notes' },
  { localId: 'local-1', yields: '/id' },
  { onUnknown: 'resend' },
  { resource: '', localId: '', yields: '' },
  { resource: ODD, localId: ODD, yields: `/${ODD}/~0~1/0`, onUnknown: 'drop' },
  {},
];

export const intentGroup = group('intents', (test) => {
  test('what was declared comes back as it was given, and what was not stays away', async (t) => {
    for (const intent of INTENTS) {
      const { id } = await t.accept({ intent });
      assert.deepEqual((await t.get(id)).intent, intent);
    }
    const { id } = await t.accept();
    assert.equal('intent' in (await t.get(id)), false);
  });

  test('a claim, a listing and a look at an unknown request give it too', async (t) => {
    const intent: Intent = { resource: 'notes', localId: 'l', yields: '/data/id', onUnknown: 'hold' };
    const { id } = await t.accept({ intent });
    const [claimed] = await t.claim();
    assert.deepEqual(claimed?.intent, intent);
    await t.settle({ id, token: claimed?.lease?.token ?? 0 }, { state: 'unknown', reason: 'unanswered' });
    const channels = [{ channel: 'api', senders: [''] }];
    const look = { worker: t.worker, now: t.now, until: t.now + 5, limit: 1, channels };
    assert.deepEqual((await t.requests.claimUnknown(look))[0]?.intent, intent);
    const page = await t.requests.find({ filter: {}, order: 'accepted', after: null, limit: 1 });
    assert.deepEqual(page.requests[0]?.intent, intent);
  });

  test('it stays through patches, joins and the end', async (t) => {
    const intent: Intent = { resource: 'notes', localId: 'l' };
    const held = await t.take({ intent, key: 'k' });
    await t.enqueue([t.request({ key: 'k', priority: 9, intent: { resource: 'other' } })]);
    await t.settle(held, { state: 'ready', reason: 'retry' });
    await t.amend({ id: held.id, from: ['ready'], patch: { base: 1, priority: 2, sender: 'client:a', told: true } });
    assert.deepEqual((await t.get(held.id)).intent, intent);
    await t.succeed(await t.lease(held.id, { senders: ['client:a'] }), { patch: { base: 2 } });
    assert.deepEqual((await t.get(held.id)).intent, intent);
  });

  test('the notes of the engine come back whole', async (t) => {
    const held = await t.take();
    const progress = { ...NO_PROGRESS, generation: 3, rounds: 2 };
    await t.settle(held, { state: 'ready', reason: 'retry' }, { progress });
    assert.deepEqual((await t.get(held.id)).progress, progress);
    await t.amend({ id: held.id, from: ['ready'], patch: { progress: NO_PROGRESS } });
    const found = await t.get(held.id);
    for (const name of ['generation', 'rounds']) assert.equal(name in found.progress, false, name);
  });
});
