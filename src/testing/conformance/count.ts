import assert from 'node:assert/strict';
import type { CountRow } from '../../queue/types/store.ts';
import { group } from './group.ts';

const sorted = (rows: readonly CountRow[]) =>
  rows.map((row) => JSON.stringify([row.zone, row.channel, row.sender, row.state, row.count, row.bytes])).sort();

export const countGroup = group('count', (test) => {
  test('is empty for an empty store', async (t) => {
    assert.deepEqual(await t.requests.count({}), []);
  });

  test('counts exactly by zone, channel, sender and state, with bytes of what lives', async (t) => {
    await t.accept({ bytes: 5 });
    await t.accept({ bytes: 6 });
    await t.accept({ bytes: 7, sender: 'client:a' });
    await t.accept({ bytes: 8, zone: 'eu', channel: 'eu/x' });
    const held = await t.take({ bytes: 9, rank: { form: 'value', value: -1 }, sender: 'client:a' });
    await t.succeed(held);
    const expected: CountRow[] = [
      { zone: 'api', channel: 'api', sender: '', state: 'ready', count: 2, bytes: 11 },
      { zone: 'api', channel: 'api', sender: '', state: 'succeeded', count: 1, bytes: 0 },
      { zone: 'api', channel: 'api', sender: 'client:a', state: 'ready', count: 1, bytes: 7 },
      { zone: 'eu', channel: 'eu/x', sender: '', state: 'ready', count: 1, bytes: 8 },
    ];
    assert.deepEqual(sorted(await t.requests.count({})), sorted(expected));
    assert.deepEqual(sorted(await t.requests.count({ filter: {} })), sorted(expected));
    assert.deepEqual(
      sorted(await t.requests.count({ filter: { zone: 'api', state: 'ready' } })),
      sorted([expected[0], expected[2]].flatMap((row) => row ?? [])),
    );
  });

  test('stays equal to what is found through every kind of step', async (t) => {
    const check = async (): Promise<void> => {
      assert.deepEqual(sorted(await t.requests.count({})), sorted(await t.requests.count({ filter: {} })));
    };
    const lane = { lane: 'l', sender: 'process:gone' };
    const head = await t.take({ ...lane, harmless: true });
    for (let n = 0; n < 3; n += 1) await t.accept({ ...lane, expiresAt: t.now + 10 });
    await check();
    const later = await t.accept({ notBefore: t.now + 5, after: [head.id] });
    await t.enqueue([t.request({ key: 'a' }), t.request({ after: [t.id(900)] })], { atomic: true });
    await check();
    t.leaseNow += 60_000;
    await t.recover();
    await check();
    await t.move(head.id, { state: 'ready', reason: 'released' }, { sender: 'client:a' });
    await check();
    await t.succeed(await t.lease(head.id, { senders: ['client:a'] }));
    await check();
    t.now += 50;
    await t.requests.expire({ now: t.now, limit: 2 });
    await t.succeed(await t.lease(later.id));
    await check();
    const retention = { succeededMs: 0, deadMs: 0, maxRecords: 0, maxBytes: 0 };
    await t.requests.purge({ now: t.now + 1, limit: 3, keepAfter: Number.MAX_SAFE_INTEGER, retention });
    await check();
  });
});
