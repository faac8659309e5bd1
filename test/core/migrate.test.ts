import { describe, expect, it } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { migrateQueue } from '../../src/queue/core/migration/migrateQueue.ts';
import { ids } from '../../src/testing/conformance/Trial.ts';
import type { Kind } from './support/migration.ts';
import { allOf, carried, drain, fillAllStates, pairs, recordsOf, TRIED } from './support/migration.ts';

const pair = pairs();

describe('a move of what waits', () => {
  const kinds: [Kind, Kind][] = [
    ['memory', 'memory'],
    ['memory', 'sqlite'],
    ['sqlite', 'memory'],
    ['sqlite', 'sqlite'],
  ];

  it.each(kinds)('from %s to %s keeps all that is known of each', async (fromKind, toKind) => {
    const { from, to, move } = await pair(fromKind, toKind);
    const moved = await fillAllStates(from);
    const before = await recordsOf(from, moved);
    expect(await move({ limit: 3 })).toEqual({ moved: 10, schedules: 0, refusedCount: 0, refused: [] });
    expect(await recordsOf(to, moved)).toEqual(before);
    expect(ids(await allOf(to))).toEqual(moved);
    expect(await from.counts()).toEqual({ superseded: 10 });
    for (const id of moved) await from.stands(id, 'superseded', 'moved');
    expect(await from.claim(9, { senders: ['', 'client:crm', 'principal:ann'] })).toEqual([]);
  });

  it('keeps the order in which requests are to be had', async () => {
    const [one, other] = [await pair('sqlite', 'sqlite'), await pair('sqlite', 'sqlite')];
    for (const t of [one.from, other.from]) {
      for (let n = 0; n < 40; n += 1) {
        const lane = n % 3 === 0 ? null : `l${n % 4}`;
        await t.accept({ rank: { form: 'value', value: (n * 7) % 11 }, lane });
      }
    }
    await one.move({ limit: 7 });
    expect(await drain(one.to)).toEqual(await drain(other.from));
  });

  it('goes behind what waits there, in a lane too', async () => {
    const { from, to, move } = await pair();
    const there = await to.accept({ lane: 'l', id: to.id(500) });
    const moved = await from.accept({ lane: 'l' });
    await move();
    expect(await drain(to)).toEqual([there.id, moved.id]);
  });

  it('goes on where it stood: due times are met, tokens and callers count on', async () => {
    const { from, to, move } = await pair('memory', 'sqlite');
    const progress = TRIED;
    const { id } = await from.accept({
      carried: carried({ reason: 'retry', dueAt: from.now + 50, token: 3, progress }),
    });
    await move();
    expect(await to.claim()).toEqual([]);
    to.now += 50;
    expect((await to.lease(id)).token).toBe(4);
  });

  it('can go back to where it came from, any number of times', async () => {
    const { from, to, move, clock } = await pair('sqlite', 'sqlite');
    const moved = await fillAllStates(from);
    const before = await recordsOf(from, moved);
    for (let n = 0; n < 2; n += 1) {
      expect((await move()).moved).toBe(10);
      expect((await migrateQueue(to.backend, from.backend, { clock })).moved).toBe(10);
      expect(await recordsOf(from, moved)).toEqual(before);
      expect(await to.counts()).toEqual({ superseded: 10 });
    }
  });

  it('keeps the key taken where it was', async () => {
    const { from, to, move } = await pair();
    const { id } = await from.accept({ key: 'k', digest: 'd' });
    await move();
    const [again] = await from.enqueue([from.request({ key: 'k', digest: 'd' })]);
    expect(again).toMatchObject({ status: 'joined', id, state: 'superseded' });
    expect(await to.counts()).toEqual({ ready: 1 });
  });

  it.each(kinds)(
    'from %s to %s keeps what its failure does to others, and abandons nobody on its way',
    async (...kind) => {
      const { from, to, move } = await pair(...kind);
      const intent = { resource: 'notes', localId: 'l', yields: '/id', onUnknown: 'drop' } as const;
      const create = await from.accept({ lane: 'l', onFailure: 'cascade', intent });
      const others = [await from.accept({ lane: 'l', onFailure: 'halt' }), await from.accept({ after: [create.id] })];
      expect(await move()).toMatchObject({ moved: 3, refusedCount: 0 });
      expect(await from.counts()).toEqual({ superseded: 3 });
      expect(await to.counts()).toEqual({ ready: 1, blocked: 2 });
      expect(await to.get(create.id)).toMatchObject({ onFailure: 'cascade', intent });
      expect((await to.get(others[0]?.id ?? '')).onFailure).toBe('halt');
      expect('intent' in (await to.get(others[1]?.id ?? ''))).toBe(false);
      await to.settle(await to.lease(create.id), { state: 'dead', reason: 'rejected' });
      for (const { id } of others) expect((await to.get(id)).bundle).toBe(create.id);
    },
  );

  it('drops what has ended from what a request comes after', async () => {
    const { from, to, move } = await pair();
    const done = await from.done();
    const failed = await from.take();
    const [first, second] = [await from.accept({ after: [done] }), await from.accept({ after: [failed.id] })];
    await from.settle(failed, { state: 'dead', reason: 'rejected' });
    await from.stands(second.id, 'held', 'dependency');
    const third = await from.accept({ after: [first.id, done] });
    await move();
    expect((await to.get(first.id)).after).toEqual([]);
    expect((await to.get(third.id)).after).toEqual([first.id]);
    await to.stands(second.id, 'held', 'dependency');
    expect(await drain(to)).toEqual([first.id, third.id]);
  });

  it('tells how far it has come', async () => {
    const { from, move } = await pair();
    await fillAllStates(from);
    const told: string[] = [];
    await move({ limit: 4, onProgress: ({ phase, requests }) => told.push(`${phase} ${requests}`) });
    const steps = ['setAside 4', 'setAside 8', 'setAside 10', 'copy 4', 'copy 8', 'copy 10'];
    expect(told).toEqual([...steps, 'handOver 4', 'handOver 8', 'handOver 10']);
  });

  it('of nothing is nothing', async () => {
    const { to, move } = await pair();
    expect(await move()).toEqual({ moved: 0, schedules: 0, refusedCount: 0, refused: [] });
    expect(await to.counts()).toEqual({});
  });

  it('repairs first what dead workers left', async () => {
    const { from, to, move } = await pair('sqlite', 'memory');
    const dead = await from.open('worker-2');
    const asked = { sender: 'process:worker-2', principal: 'basic:ann', auth: 'live' } as const;
    const waiting = await from.accept(asked);
    const read = await from.accept({ ...asked, ephemeral: true, effect: 'read', harmless: true });
    const [harmless, doubtful] = [
      await from.take({ harmless: true }, dead, 'worker-2'),
      await from.take({}, dead, 'worker-2'),
    ];
    await from.abandon(dead);
    from.leaseNow += 60_001;
    const { moved, refused } = await move();
    expect(moved).toBe(2);
    expect(refused).toEqual([{ id: doubtful.id, zone: 'api', state: 'unknown', why: 'unknown', detail: null }]);
    await to.stands(waiting.id, 'held', 'auth');
    expect((await to.get(waiting.id)).sender).toBe('principal:basic:ann');
    await to.stands(harmless.id, 'ready', 'leaseLost');
    expect((await to.get(harmless.id)).progress.unresolved).toBe(true);
    await from.stands(read.id, 'dead', 'expired');
  });

  it('takes along what is accepted meanwhile, behind what it took before', async () => {
    const { from, to, move } = await pair('sqlite', 'sqlite');
    const first = await from.accept({ lane: 'l' });
    const late: Promise<unknown>[] = [];
    await move({
      limit: 1,
      onProgress: ({ phase }) => {
        if (phase !== 'handOver' && late.length < 5) late.push(from.accept({ lane: 'l' }));
      },
    });
    const others = (await Promise.all(late)) as { readonly id: string }[];
    expect(others.length).toBe(5);
    expect(await drain(to)).toEqual([first.id, ...ids(others)]);
    expect(await from.counts()).toEqual({ superseded: 6 });
  });

  it('gives the other store what tells principals and their credentials', async () => {
    const { from, to, move } = await pair();
    const key = { key: 'principal:digestKey', now: from.now };
    await from.backend.shared.set({ ...key, value: 'YQ==', expiresAt: null });
    const pairing = `pairing:${JSON.stringify(['ann', 'key:1'])}`;
    for (const name of [pairing, `pairing:${JSON.stringify(['bob', 'key:1'])}`]) {
      await from.backend.shared.set({ key: name, value: true, expiresAt: from.now + 9, now: from.now });
    }
    await from.accept({ auth: 'zone', principal: 'ann' });
    await from.accept({ auth: 'live', principal: 'key:abc', sender: 'principal:key:abc' });
    expect((await move()).moved).toBe(2);
    expect((await to.backend.shared.get(key))?.value).toBe('YQ==');
    const shared = await to.backend.shared.list({ prefix: 'pairing:', now: to.now, limit: 9 });
    expect(shared.map(({ key: name, expiresAt }) => [name, expiresAt])).toEqual([[pairing, from.now + 9]]);
  });
});

describe('a backend given to a move', () => {
  it('is opened if it was not, and stays open', async () => {
    const { from, clock } = await pair();
    await from.accept();
    const unopened = new MemoryBackend();
    expect((await migrateQueue(from.backend, unopened, { clock })).moved).toBe(1);
    expect((await unopened.requests.count({})).length).toBe(1);
    await unopened.close();
  });
});
