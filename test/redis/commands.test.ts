import { afterEach, expect, it } from 'vitest';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { StoredRequest } from '../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../src/queue/types/request.ts';
import { describeRedis } from './support/describeRedis.ts';
import { enqueue, newRequest, openStore } from './support/openStore.ts';
import { RedisServer } from './support/RedisServer.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const TEN = 10;
const channels = [{ channel: 'api', senders: [''], calls: TEN, perCall: 1 }];

async function claim(backend: Backend): Promise<readonly StoredRequest[]> {
  return (await backend.requests.claim({ worker: 'w', now: Date.now(), leaseUntil: 0, channels })).claimed;
}

async function settle(backend: Backend, claimed: readonly StoredRequest[]): Promise<void> {
  await backend.requests.settle({
    now: Date.now(),
    settlements: claimed.map(({ id, lease }) => ({
      id,
      token: lease?.token ?? 0,
      next: { state: 'succeeded', reason: 'applied' },
      progress: NO_PROGRESS,
    })),
  });
}

/** How many commands each verb makes the server run, for ten requests, with so many of each kind stored before. */
async function commandsWith(stored: number): Promise<Record<string, number>> {
  const server = await RedisServer.start();
  open.push(() => server.dispose());
  const backend = await openStore({ port: server.port });
  open.push(() => backend.close());
  // Nothing of the long lane is claimed: its head is not due.
  await enqueue(backend, newRequest({ lane: 'one', notBefore: Date.now() + 3_600_000 }));
  for (let made = 0; made < stored; made += 500) {
    const some = Array.from({ length: 500 }, (_, n) =>
      newRequest({ fingerprint: hex(made + n), lane: `lane-${made + n}` }),
    );
    const late = some.map(() => newRequest({ notBefore: Date.now() + 3_600_000, expiresAt: Date.now() + 7_200_000 }));
    const behind = some.map(() => newRequest({ lane: 'one' }));
    await enqueue(backend, ...some, ...late, ...behind);
    for (let ended = 0; ended < 100; ended += TEN) await settle(backend, await claim(backend));
  }
  const count = async (verb: () => Promise<unknown>): Promise<number> => {
    await server.ask('CONFIG', 'RESETSTAT');
    await verb();
    const stats = String(await server.ask('INFO', 'commandstats'));
    const calls = [...stats.matchAll(/^cmdstat_(?!evalsha|info|config|publish)[^:]*:calls=(\d+)/gm)];
    return calls.reduce((sum, [, n]) => sum + Number(n), 0);
  };
  const fresh = (): ReturnType<typeof newRequest>[] => Array.from({ length: TEN }, () => newRequest());
  const retention = { succeededMs: 3_600_000, deadMs: 3_600_000, maxRecords: 1_000_000, maxBytes: 1e12 };
  let claimed: readonly StoredRequest[] = [];
  const now = Date.now();
  return {
    enqueue: await count(() => enqueue(backend, ...fresh())),
    claim: await count(async () => {
      claimed = await claim(backend);
    }),
    renew: await count(() =>
      backend.requests.renew({
        worker: 'w',
        leaseUntil: 0,
        leases: claimed.map(({ id, lease }) => ({ id, token: lease?.token ?? 0 })),
      }),
    ),
    settle: await count(() => settle(backend, claimed)),
    get: await count(() => backend.requests.get({ ids: claimed.map(({ id }) => id) })),
    expire: await count(() => backend.requests.expire({ now, limit: TEN })),
    purge: await count(() =>
      backend.requests.purge({ now, limit: TEN, keepAfter: Number.MAX_SAFE_INTEGER, retention }),
    ),
    nextDueAt: await count(() => backend.requests.nextDueAt({ channels, after: null })),
    count: await count(() => backend.requests.count({})),
    find: await count(() =>
      backend.requests.find({ filter: { state: 'held' }, order: 'accepted', after: null, limit: TEN }),
    ),
  };
}

function hex(n: number): string {
  return n.toString(16).padStart(16, '0');
}

describeRedis('the commands of a verb', () => {
  it('do not grow with what is stored', async () => {
    const few = await commandsWith(500);
    const many = await commandsWith(10_000);
    for (const [verb, commands] of Object.entries(many)) {
      expect(commands, verb).toBeLessThan(30);
      // Requests that have changed since they were accepted, and those that have not, are read by a command each.
      expect(commands, verb).toBeLessThanOrEqual((few[verb] ?? 0) + 1);
    }
  });
});
