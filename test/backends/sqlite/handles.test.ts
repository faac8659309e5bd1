import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { Observer } from '../../../src/queue/backends/sqlite/Observer.ts';
import type { StoredWorker } from '../../../src/queue/backends/sqlite/protocol.ts';
import { LIMITS, NOW, newRequest, opening, useStore } from './support.ts';

const store = useStore();
const batchOf = (...requests: ReturnType<typeof newRequest>[]) => ({
  requests,
  atomic: false,
  now: NOW,
  limits: LIMITS,
  claim: null,
});

describe('two handles on one file', () => {
  it('tell each other of commits, and nobody of their own', async () => {
    const [one, two] = [store.handle(), store.handle()];
    await one.open(opening('w1'));
    await two.open(opening('w2'));
    await one.requests.count({}); // it has seen the other come
    let own = 0;
    const stop = one.requests.watch(() => {
      own += 1;
    });
    const told = new Promise<void>((resolve) => two.requests.watch(() => resolve()));
    await one.requests.enqueue(batchOf(newRequest()));
    await told;
    expect(own).toBe(0);
    expect((await two.requests.count({})).map(({ state, count }) => [state, count])).toEqual([['ready', 1]]);
    stop();
  });

  it('give out each request once and count as one', async () => {
    const [one, two] = [store.handle(), store.handle()];
    await one.open(opening('w1'));
    await two.open(opening('w2'));
    const requests = Array.from({ length: 60 }, () => newRequest());
    await Promise.all(requests.map((request, n) => (n % 2 === 0 ? one : two).requests.enqueue(batchOf(request))));
    const claims = Array.from({ length: 30 }, (_, n) =>
      (n % 2 === 0 ? one : two).requests.claim({
        worker: n % 2 === 0 ? 'w1' : 'w2',
        now: NOW,
        leaseUntil: 9000,
        channels: [{ channel: 'api', senders: [''], calls: 2, perCall: 1 }],
      }),
    );
    const ids = (await Promise.all(claims)).flatMap(({ claimed }) => claimed.map(({ id }) => id));
    expect(new Set(ids).size).toBe(60);
    expect(ids.length).toBe(60);
    for (const handle of [one, two]) {
      expect((await handle.requests.count({})).map(({ state, count }) => [state, count])).toEqual([['sending', 60]]);
    }
  });
});

describe('a group of calls', () => {
  it('fails only the one with a value that cannot be stored', async () => {
    const handle = store.handle();
    await handle.open(opening('w'));
    const results = await Promise.allSettled([
      handle.requests.enqueue(batchOf(newRequest())),
      handle.requests.enqueue(batchOf(newRequest({ priority: Number.NaN }))),
      handle.requests.enqueue(batchOf(newRequest())),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'REQUEST_INVALID' } });
    expect((await handle.requests.count({}))[0]?.count).toBe(2);
  });
});

describe('what a handle remembers of lanes that stand for others', () => {
  const [local, server] = ['note:local', 'note:7'];
  const ENDED = { state: 'cancelled', reason: 'caller' } as const;
  const binding = { localId: 'local', serverId: 7, type: 'note', zone: 'api', boundAt: NOW, alias: { local, server } };
  const laneOf = async (handle: ReturnType<typeof store.handle>): Promise<string | null | undefined> => {
    const probe = newRequest({ lane: server });
    await handle.requests.enqueue(batchOf(probe));
    const lane = (await handle.requests.get({ ids: [probe.id] }))[0]?.lane;
    await handle.requests.amend({ now: NOW, changes: [{ id: probe.id, from: ['ready', 'blocked'], to: ENDED }] });
    return lane;
  };
  it('is what any of them bound, and ended', async () => {
    const [one, two] = [store.handle(), store.handle()];
    await one.open(opening('w1'));
    await two.open(opening('w2'));
    const [create, update] = [newRequest({ lane: local }), newRequest({ lane: local })];
    await one.requests.enqueue(batchOf(create, update));
    const bind = [{ ...binding, requestId: create.id }];
    await one.requests.amend({ now: NOW, changes: [{ id: create.id, from: ['ready'], to: ENDED, bind }] });
    expect([await laneOf(two), await laneOf(one)]).toEqual([local, local]);
    await two.requests.amend({ now: NOW, changes: [{ id: update.id, from: ['ready'], to: ENDED }] });
    expect([await laneOf(one), await laneOf(two)]).toEqual([server, server]);
  });

  it('outlives its end, and is what is stored where a transaction was undone', async () => {
    const first = store.handle();
    await first.open(opening('w'));
    const [create, update] = [newRequest({ lane: local }), newRequest({ lane: local })];
    await first.requests.enqueue(batchOf(create, update));
    const bind = [{ ...binding, requestId: create.id }];
    const results = await Promise.allSettled([
      first.requests.amend({ now: NOW, changes: [{ id: create.id, from: ['ready'], bind }] }),
      first.requests.enqueue(batchOf(newRequest({ priority: Number.NaN }))),
      laneOf(first),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[2]).toMatchObject({ value: local });
    await first.close();
    const second = store.handle();
    await second.open(opening('w'));
    expect(await laneOf(second)).toBe(local);
  });
});

describe('the process', () => {
  const program = (body: string): string => `
    import { SQLiteBackend } from ${JSON.stringify(new URL('../../../dist/queue/backends/sqlite/SQLiteBackend.js', import.meta.url).href)};
    const backend = new SQLiteBackend({ path: ${JSON.stringify(store.path())} });
    await backend.open(${JSON.stringify(opening('w'))});
    ${body}`;
  const run = (body: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', program(body)], { encoding: 'utf8', timeout: 10_000 });

  it('is not kept alive by an open store, watched or not', () => {
    const { status, signal, stderr } = run('backend.requests.watch(() => {}); await backend.requests.count({});');
    expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  });

  it('is kept alive until pending calls are answered', () => {
    const { stdout } = run('backend.requests.count({}).then((counts) => console.log(JSON.stringify(counts)));');
    expect(stdout.trim()).toBe('[]');
  });
});

describe('who is dead', () => {
  const self = opening('w').identity;
  const worker = (fields: Partial<StoredWorker>): StoredWorker => ({
    ...self,
    worker: 'other',
    aliveUntil: 5000,
    leaseMs: 1000,
    ...fields,
  });

  it('is told by the clock of the boot, or by the process being gone', () => {
    const observer = new Observer(self, 1000, ({ pid }) => pid === 99);
    expect(observer.dead([worker({})], 4999)).toEqual([]);
    expect(observer.dead([worker({})], 5000)).toEqual([['other', 5000]]);
    expect(observer.dead([worker({ pid: 99 })], 100)).toEqual([['other', 5000]]);
    expect(observer.dead([worker({ pid: 99, pidNamespace: 'elsewhere' })], 100)).toEqual([]);
  });

  it('is told of another boot by its silence alone, for as long as its lease', () => {
    const observer = new Observer(self, 1000, () => true);
    const other = worker({ bootId: 'another' });
    expect(observer.dead([other], 90_000)).toEqual([]);
    expect(observer.dead([other], 90_999)).toEqual([]);
    expect(observer.dead([{ ...other, aliveUntil: 5100 }], 91_500)).toEqual([]);
    expect(observer.dead([{ ...other, aliveUntil: 5100 }], 92_500)).toEqual([['other', 5100]]);
  });

  it('is known at once of a boot that ran longer than this one has', () => {
    const observer = new Observer(self, 1000, () => false);
    expect(observer.dead([worker({ bootId: 'another', aliveUntil: 9_000_000 })], 5000)).toEqual([['other', 9_000_000]]);
  });
});
