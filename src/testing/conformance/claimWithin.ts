import assert from 'node:assert/strict';
import type { NewRequest, StoredRequest } from '../../queue/types/request.ts';
import type { ClaimQuery } from '../../queue/types/store.ts';
import { group } from './group.ts';
import type { Held, Trial } from './Trial.ts';
import { ids, LEASE_MS } from './Trial.ts';

type Channel = ClaimQuery['channels'][number];
type Within = NonNullable<Channel['within']>;

const ranked = (value: number) => ({ rank: { form: 'value', value } }) as const;
const zoneOf = (sending: number): Within => [{ zone: 'api', sending }];

function channel(within: Within, fields: Partial<Channel> = {}): Channel {
  return { channel: 'api', senders: [''], calls: 100, perCall: 1, within, ...fields };
}

function claim(t: Trial, ...channels: readonly Channel[]): Promise<StoredRequest[]> {
  return t.claim(0, { channels });
}

async function fill(t: Trial, count: number, fields: Partial<NewRequest> = {}): Promise<void> {
  await t.enqueue(Array.from({ length: count }, () => t.request(fields)));
}

function heldOf({ id, lease }: StoredRequest): Held {
  assert.ok(lease, 'a claimed request has a lease');
  return { id, token: lease.token };
}

export const claimWithinGroup = group('claim within limits of what is sending', (test, handles) => {
  test('leases the best that a zone has room for', async (t) => {
    const [c, a, b] = [await t.accept(ranked(3)), await t.accept(ranked(1)), await t.accept(ranked(2))];
    assert.deepEqual(ids(await claim(t, channel(zoneOf(2)))), ids([a, b]));
    assert.deepEqual(await claim(t, channel(zoneOf(2))), []);
    assert.deepEqual(ids(await claim(t, channel(zoneOf(3)))), [c.id]);
  });

  test('counts what is leased in channels and for senders it was not asked for, and by other workers', async (t) => {
    await fill(t, 1, { channel: 'other' });
    await fill(t, 1, { sender: 'client:a' });
    await t.claim(1, { channel: 'other', worker: 'worker-2' });
    await t.claim(1, { senders: ['client:a'] });
    await fill(t, 5);
    assert.deepEqual(await claim(t, channel(zoneOf(2))), []);
    assert.equal((await claim(t, channel(zoneOf(4)))).length, 2);
  });

  test('a limit of a channel counts that channel of that zone alone', async (t) => {
    await fill(t, 2, { channel: 'other' });
    await fill(t, 2, { zone: 'b' });
    await t.claim(2, { channel: 'other' });
    await t.claim(2);
    await fill(t, 4);
    assert.equal((await claim(t, channel([{ zone: 'api', channel: 'api', sending: 3 }]))).length, 3);
  });

  test('a limit of a channel counts what is leased in those that are named with it', async (t) => {
    for (const name of ['api!low', 'api!bulk', 'other']) {
      await fill(t, 5, { channel: name });
      await t.claim(1, { channel: name });
    }
    await fill(t, 5);
    const limit = (sending: number): Within => [
      { zone: 'api', channel: 'api', with: ['api!low', 'api!bulk', 'none'], sending },
    ];
    assert.deepEqual(await claim(t, channel(limit(2))), []);
    assert.deepEqual(await claim(t, channel(limit(2), { channel: 'api!low' })), []);
    assert.equal((await claim(t, channel(limit(2), { channel: 'other' }))).length, 4);
    const parts = ['api!bulk', 'api'].map((name) => ({ channel: name, calls: 9 }));
    assert.equal((await claim(t, channel(limit(5), { parts }))).length, 3);
    assert.deepEqual(await claim(t, channel(limit(5), { parts })), []);
    assert.equal((await claim(t, channel(limit(6), { channel: 'api!low', probe: 'harmless', calls: 1 }))).length, 1);
    assert.deepEqual(await claim(t, channel(limit(6))), []);
  });

  test('limits of other zones and channels are nothing to it', async (t) => {
    await fill(t, 3);
    const within = [
      { zone: 'b', sending: 0 },
      { zone: 'b', channel: 'api', sending: 0 },
      { zone: 'api', channel: 'other', sending: 0 },
    ];
    assert.equal((await claim(t, channel(within))).length, 3);
  });

  test('of several limits the tightest holds', async (t) => {
    await fill(t, 3, { channel: 'other' });
    await t.claim(3, { channel: 'other' });
    await fill(t, 9);
    const within = [
      { zone: 'api', sending: 8 },
      { zone: 'api', channel: 'api', sending: 2 },
      { zone: 'api', sending: 4 },
    ];
    assert.equal((await claim(t, channel(within))).length, 1);
  });

  test('what was leased for earlier channels of the same claim counts', async (t) => {
    for (const name of ['a', 'b', 'c']) await fill(t, 3, { channel: name });
    const claimed = await claim(
      t,
      channel([...zoneOf(4), { zone: 'api', channel: 'a', sending: 2 }], { channel: 'a' }),
      channel(zoneOf(4), { channel: 'b', calls: 1 }),
      channel(zoneOf(4), { channel: 'c' }),
    );
    assert.deepEqual(
      claimed.map((one) => one.channel),
      ['a', 'a', 'b', 'c'],
    );
  });

  test('what is over the limit already is left to end', async (t) => {
    await fill(t, 6);
    const claimed = await t.claim(4);
    for (const [left, done] of [
      [3, 0],
      [2, 0],
      [1, 1],
    ] as const) {
      await t.succeed(heldOf(claimed[left] as StoredRequest)); // four were claimed
      assert.equal((await claim(t, channel(zoneOf(2)))).length, done);
    }
  });

  test('whatever ends a lease makes room', async (t) => {
    await fill(t, 9);
    const all = channel(zoneOf(1));
    const one = async (): Promise<Held> => {
      const claimed = await claim(t, all);
      assert.equal(claimed.length, 1);
      assert.deepEqual(await claim(t, all), []);
      return heldOf(claimed[0] as StoredRequest); // one was claimed
    };
    await t.succeed(await one());
    await t.settle(await one(), { state: 'scheduled', reason: 'retry', dueAt: t.now + 9 });
    await t.settle(await one(), { state: 'unknown', reason: 'unanswered', dueAt: t.now + 9 });
    await t.settle(await one(), { state: 'held', reason: 'auth' });
    await t.settle(await one(), { state: 'dead', reason: 'rejected' });
    await one();
    t.leaseNow += LEASE_MS;
    await t.backend.keepAlive({ worker: t.worker, leaseNow: t.leaseNow });
    await t.recover();
    await one();
  });

  test('a channel of several zones is done at the first request that has no room', async (t) => {
    const [a, b, c, d] = [
      await t.accept({ zone: 'a', ...ranked(1) }),
      await t.accept({ zone: 'b', ...ranked(2) }),
      await t.accept({ zone: 'a', ...ranked(3) }),
      await t.accept({ zone: 'b', ...ranked(4) }),
    ];
    const limits = (sending: number): Within => [
      { zone: 'a', sending },
      { zone: 'b', sending: 9 },
    ];
    assert.deepEqual(ids(await claim(t, channel(limits(1)))), ids([a, b]));
    await t.stands(d.id, 'ready');
    assert.deepEqual(ids(await claim(t, channel(limits(2)))), ids([c, d]));
  });

  test('as many go as there is room for, whatever was past its deadline before them', async (t) => {
    for (let n = 0; n < 4; n += 1) await t.accept({ expiresAt: t.now + 1, ...ranked(2 * n) });
    for (let n = 0; n < 4; n += 1) await t.accept(ranked(2 * n + 1));
    t.now += 1;
    assert.equal((await claim(t, channel(zoneOf(3)))).length, 3);
    assert.deepEqual(await t.counts(), { sending: 3, dead: 3, ready: 2 });
  });

  test('without room nothing is ended', async (t) => {
    await t.take();
    const late = await t.accept({ expiresAt: t.now + 1 });
    t.now += 1;
    assert.deepEqual(await claim(t, channel(zoneOf(1))), []);
    await t.stands(late.id, 'ready');
    assert.deepEqual(await claim(t, channel(zoneOf(2))), []);
    await t.stands(late.id, 'dead');
  });

  test('no limit in the list is no limit', async (t) => {
    await fill(t, 3);
    assert.equal((await claim(t, channel([]))).length, 3);
  });

  handles('holds over all handles', async (t) => {
    const other = await t.open('worker-2');
    await fill(t, 40);
    await fill(t, 40, { channel: 'other' });
    const rounds = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        t.claim(
          0,
          {
            worker: n % 2 ? 'worker-2' : t.worker,
            channels: [channel(zoneOf(7), { channel: n % 4 < 2 ? 'api' : 'other', calls: 2 })],
          },
          n % 2 ? other : t.backend,
        ),
      ),
    );
    assert.equal(rounds.flat().length, 7);
  });

  handles('counts what was leased before it was opened', async (t) => {
    await fill(t, 5);
    await t.claim(2);
    const other = await t.open('worker-2');
    assert.equal((await t.claim(0, { channels: [channel(zoneOf(3))] }, other)).length, 1);
    assert.deepEqual(await claim(t, channel(zoneOf(3))), []);
  });
});

export const enqueueWithinGroup = group('enqueue within limits of what is sending', (test) => {
  const claimOf = (t: Trial, within: Within, ...channels: readonly string[]) => ({
    worker: t.worker,
    leaseUntil: t.leaseNow + LEASE_MS,
    allowance: channels.map((name) => ({ channel: name, calls: 9, within })),
  });

  test('leases at once what there is room for, and stores the rest', async (t) => {
    await fill(t, 1, { channel: 'other' });
    await t.claim(1, { channel: 'other' });
    const results = await t.enqueue([t.request(), t.request(), t.request()], {
      claim: claimOf(t, zoneOf(3), 'api'),
    });
    assert.deepEqual(
      results.map((result) => result.status === 'accepted' && result.state),
      ['sending', 'sending', 'ready'],
    );
    assert.deepEqual(await claim(t, channel(zoneOf(3))), []);
  });

  test('counts what the batch leased for other channels and senders', async (t) => {
    const places = [{ channel: 'a' }, { channel: 'b' }, { sender: 'client:a', channel: 'a' }, { channel: 'c' }];
    const results = await t.enqueue(
      places.map((place) => t.request(place)),
      { claim: claimOf(t, [...zoneOf(3), { zone: 'api', channel: 'a', sending: 1 }], 'a', 'b', 'c') },
    );
    assert.deepEqual(
      results.map((result) => result.status === 'accepted' && result.state),
      ['sending', 'sending', 'ready', 'sending'],
    );
    const [more] = await t.enqueue([t.request({ channel: 'b' })], { claim: claimOf(t, zoneOf(3), 'b') });
    assert.equal(more?.status === 'accepted' && more.token, null);
  });

  test('leases at once whatever limits of other zones and channels say', async (t) => {
    const within = [
      { zone: 'b', sending: 0 },
      { zone: 'api', channel: 'other', sending: 0 },
    ];
    assert.equal((await t.accept({}, { claim: claimOf(t, within, 'api') })).state, 'sending');
  });

  test('a batch that was refused takes no room', async (t) => {
    const claimed = claimOf(t, zoneOf(2), 'api');
    const unknown = t.request({ after: [t.id(900)] });
    await t.enqueue([t.request(), t.request(), unknown], { atomic: true, claim: claimed });
    assert.deepEqual(await t.counts(), {});
    await fill(t, 3);
    assert.equal((await claim(t, channel(zoneOf(2)))).length, 2);
  });
});
