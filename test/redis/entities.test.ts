import { afterEach, expect, it } from 'vitest';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { Binding } from '../../src/queue/types/binding.ts';
import type { StoredRequest } from '../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../src/queue/types/request.ts';
import type { Move, Settlement } from '../../src/queue/types/store.ts';
import { describeRedis } from './support/describeRedis.ts';
import { enqueue, newRequest, openStore } from './support/openStore.ts';
import { RedisServer } from './support/RedisServer.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const SUCCEEDED = { state: 'succeeded', reason: 'applied' } as const;
const REJECTED = { state: 'dead', reason: 'rejected' } as const;
const RETENTION = { succeededMs: 1e12, deadMs: 1, maxRecords: 1e9, maxBytes: 1e15 };

async function store(): Promise<{ readonly server: RedisServer; readonly backend: Backend }> {
  const server = await RedisServer.start();
  open.push(() => server.dispose());
  const backend = await openStore({ port: server.port });
  open.push(() => backend.close());
  return { server, backend };
}

/** How many commands a verb makes the server run. */
async function commands(server: RedisServer, verb: () => Promise<unknown>): Promise<number> {
  await server.ask('CONFIG', 'RESETSTAT');
  await verb();
  const stats = String(await server.ask('INFO', 'commandstats'));
  const calls = [...stats.matchAll(/^cmdstat_(?!evalsha|info|config|publish)[^:]*:calls=(\d+)/gm)];
  return calls.reduce((sum, [, n]) => sum + Number(n), 0);
}

async function claim(backend: Backend): Promise<StoredRequest> {
  const channels = [{ channel: 'api', senders: [''], calls: 1, perCall: 1 }];
  const { claimed } = await backend.requests.claim({ worker: 'w', now: Date.now(), leaseUntil: 0, channels });
  return claimed[0] as StoredRequest;
}

async function settle(backend: Backend, { id, lease }: StoredRequest, next: Move, more: Partial<Settlement> = {}) {
  const settlement = { id, token: lease?.token ?? 0, next, progress: NO_PROGRESS, ...more };
  const [result] = await backend.requests.settle({ now: Date.now(), settlements: [settlement] });
  return result?.status === 'settled' ? result : undefined;
}

function purge(backend: Backend, now: number, retention = RETENTION): Promise<{ readonly more: boolean }> {
  return backend.requests.purge({ now, limit: 10_000, keepAfter: Number.MAX_SAFE_INTEGER, retention });
}

describeRedis('bindings', () => {
  const bindings = (requestId: string, from: number, to: number): Binding[] =>
    Array.from({ length: to - from }, (_, n) => {
      return { localId: `l${from + n}`, serverId: n, type: 'note', zone: 'api', requestId, boundAt: from + n };
    });

  it('that are kept cost a purge no more, however many they are, and hide none that is to go', async () => {
    const { server, backend } = await store();
    const [live, gone] = [newRequest({ channel: 'other' }), newRequest({ channel: 'other' })];
    await enqueue(backend, live);
    const bind = async (more: readonly Binding[]): Promise<unknown> =>
      backend.requests.amend({ now: 1, changes: [{ id: live.id, from: ['ready'], bind: more }] });
    await bind(bindings(live.id, 0, 499));
    const few = await commands(server, () => purge(backend, 1e9));
    await bind(bindings(live.id, 499, 2_600));
    await bind(bindings(gone.id, 2_600, 2_601));
    expect(await commands(server, () => purge(backend, 6e8))).toBeLessThanOrEqual(few + 3);
    for (let now = 1e9; now < 1e9 + 6; now += 1) await purge(backend, now);
    const found = await backend.requests.bindings({ localIds: ['l0', 'l1', 'l2599', 'l2600'] });
    expect(found.map((one) => one?.localId)).toEqual(['l0', 'l1', 'l2599', undefined]);
  });

  it('are forgotten in several steps where they are many', async () => {
    const { server, backend } = await store();
    const [live, gone] = [newRequest({ channel: 'other' }), newRequest()];
    await enqueue(backend, live);
    const bind = bindings(gone.id, 0, 1_200);
    await backend.requests.amend({ now: 1, changes: [{ id: live.id, from: ['ready'], bind }] });
    let steps = 1;
    while ((await purge(backend, 1e9)).more) steps += 1;
    expect(steps).toBe(3);
    expect(await server.ask('KEYS', '*:bindings')).toEqual([]);
    expect(await server.ask('KEYS', '*:ages')).toEqual([]);
  });
});

describeRedis('lanes with two names', () => {
  it('leave nothing behind when they empty', async () => {
    const { server, backend } = await store();
    await enqueue(backend, newRequest({ lane: 'local' }), newRequest({ lane: 'local' }));
    const create = await claim(backend);
    const binding = { localId: 'l', serverId: 7, type: 'note', zone: 'api', requestId: create.id, boundAt: 1 };
    const alias = { local: 'local', server: 'server' };
    await settle(backend, create, SUCCEEDED, { bind: [{ ...binding, alias }] });
    await enqueue(backend, newRequest({ lane: 'server' }));
    for (let n = 0; n < 2; n += 1) {
      const next = await claim(backend);
      expect(next.lane).toBe('local');
      await settle(backend, next, SUCCEEDED);
    }
    expect(await server.ask('KEYS', '*:lanes')).toEqual([]);
    expect(await server.ask('KEYS', '*:waiting')).toEqual([]);
  });

  it('are made in one step with other changes of the request that binds', async () => {
    const { backend } = await store();
    const [head, next] = [newRequest({ lane: 'local' }), newRequest({ lane: 'local' })];
    await enqueue(backend, head, next);
    const binding = { localId: 'l', serverId: 7, type: 'note', zone: 'api', requestId: head.id, boundAt: 1 };
    const bind = [{ ...binding, alias: { local: 'local', server: 'server' } }];
    await backend.requests.amend({
      now: 1,
      changes: [{ id: head.id, from: ['ready'], bind, patch: { expiresAt: 5 } }],
    });
    const { ended, moved } = await backend.requests.expire({ now: 5, limit: 9 });
    expect([...ended, ...moved].map(({ id }) => id)).toEqual([head.id, next.id]);
  });
});

describeRedis('a failure that cascades', () => {
  const cascadeOf = async (victims: number): Promise<number> => {
    const { server, backend } = await store();
    const lane = Array.from({ length: victims + 1 }, () => newRequest({ lane: 'l', onFailure: 'cascade' }));
    await enqueue(backend, ...lane);
    const head = await claim(backend);
    let ended: number | undefined;
    const made = await commands(server, async () => {
      ended = (await settle(backend, head, REJECTED))?.ended.length;
    });
    expect(ended).toBe(victims);
    expect(await server.ask('KEYS', '*:lanes')).toEqual([]);
    return made;
  };

  it('ends a long lane at once, with no more commands than a short one but where arguments are many', async () => {
    const few = await cascadeOf(10);
    expect(await cascadeOf(1_500)).toBeLessThanOrEqual(few + 5);
  });
});
