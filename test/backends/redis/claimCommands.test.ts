import { afterEach, expect, it } from 'vitest';
import type { Backend } from '../../../src/queue/types/backend.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import type { ClaimQuery } from '../../../src/queue/types/store.ts';
import { describeRedis } from '../../redis/support/describeRedis.ts';
import { enqueue, newRequest, openStore } from '../../redis/support/openStore.ts';
import { RedisServer } from '../../redis/support/RedisServer.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

type Terms = Partial<ClaimQuery['channels'][number]>;

const SENDERS = 200;
const within = [
  { zone: 'api', sending: 1000 },
  { zone: 'api', channel: 'api', sending: 900 },
];
const part = (channel: string, calls = 9) => ({ channel, calls });

/** A store with requests of many senders in several channels of one zone, whose claims tell how many commands the server ran. */
async function counting() {
  const server = await RedisServer.start();
  open.push(() => server.dispose());
  const backend = await openStore({ port: server.port });
  open.push(() => backend.close());
  const others = Array.from({ length: SENDERS }, (_, n) => newRequest({ channel: `c${n % 9}`, sender: `client:${n}` }));
  await enqueue(backend, ...others, ...Array.from({ length: 60 }, () => newRequest()));
  const count = async <T>(verb: () => Promise<T>): Promise<[commands: number, answer: T]> => {
    await server.ask('CONFIG', 'RESETSTAT');
    const answer = await verb();
    const stats = String(await server.ask('INFO', 'commandstats'));
    const calls = [...stats.matchAll(/^cmdstat_(?!evalsha|info|config|publish)[^:]*:calls=(\d+)/gm)];
    return [calls.reduce((sum, [, n]) => sum + Number(n), 0), answer];
  };
  return {
    server,
    /** Commands of a claim, and how many requests it leased. */
    async claim(...channels: Terms[]): Promise<[commands: number, leased: number]> {
      const [commands, { claimed }] = await count(() =>
        backend.requests.claim({
          worker: 'w',
          now: Date.now(),
          leaseUntil: 0,
          channels: channels.map((terms) => ({ channel: 'api', senders: [''], calls: 2, perCall: 1, ...terms })),
        }),
      );
      return [commands, claimed.length];
    },
    settle: async (): Promise<number> => (await count(() => settleOne(backend)))[0],
  };
}

async function settleOne(backend: Backend): Promise<void> {
  const query = { filter: { state: 'sending' }, order: 'accepted', after: null, limit: 1 } as const;
  const [one] = (await backend.requests.find(query)).requests;
  const next = { state: 'ready', reason: 'retry' } as const;
  const settlement = { id: one?.id ?? '', token: one?.lease?.token ?? 0, next, progress: NO_PROGRESS };
  await backend.requests.settle({ now: Date.now(), settlements: [settlement] });
}

describeRedis('the commands of a claim on Redis', () => {
  it('are as many with limits of what is sending, the first that is given some included', async () => {
    const { claim, settle } = await counting();
    const plain = await claim({});
    const settling = await settle();
    await claim({});
    expect(await claim({ within })).toEqual(plain);
    expect(await claim({ within })).toEqual(plain);
    expect(await claim({})).toEqual(plain);
    expect(await settle()).toBe(settling);
  });

  it('are as many for the only part, and for a probe among what was never tried', async () => {
    const { claim } = await counting();
    const [plain] = await claim({});
    expect(await claim({ parts: [part('api')] })).toEqual([plain, 2]);
    expect(await claim({ parts: [part('api', 1)] })).toEqual([plain, 1]);
    expect(await claim({ probe: 'harmless', calls: 1 })).toEqual([plain, 1]);
    expect(await claim({ probe: 'fresh', calls: 1 })).toEqual([plain, 1]);
  });

  it('are one more for each other part in which something is ready: its names in order', async () => {
    const { claim } = await counting();
    const senders = ['', 'client:1', 'client:2'];
    const [plain] = await claim({ senders });
    expect(await claim({ senders, parts: [part('none'), part('api'), part('nothing')] })).toEqual([plain, 2]);
    const [best] = await claim({ senders, calls: 1, probe: 'fresh' });
    const parts = [part('c1', 1), part('api', 1), part('c2', 1)];
    expect(await claim({ senders, calls: 1, probe: 'fresh', parts })).toEqual([best + 2, 1]);
    expect(await claim({ senders, parts })).toEqual([plain + 1, 2]);
  });

  it('are none for a part without calls', async () => {
    const { claim } = await counting();
    const senders = ['', 'client:1'];
    const [plain] = await claim({ senders });
    const [nothing] = await claim();
    expect(await claim({ senders, parts: [part('api'), part('c1', 0)] })).toEqual([plain, 2]);
    expect(await claim({ senders, parts: [part('api', 0), part('c1', 0)] })).toEqual([nothing, 0]);
    expect(await claim({ senders, parts: [part('api', 0)], probe: 'fresh' })).toEqual([nothing, 0]);
  });

  it('are few where there is no room', async () => {
    const { claim } = await counting();
    await claim({ within });
    const [nothing] = await claim({ channel: 'none' });
    const [full, leased] = await claim({ within: [{ zone: 'api', sending: 2 }] });
    expect(leased).toBe(0);
    // The counters of its own place.
    expect(full - nothing).toBe(1);
  });

  it('are none for channels that are not given', async () => {
    const { claim } = await counting();
    await claim({ within });
    const [nothing] = await claim();
    const [one] = await claim({ within });
    const [two] = await claim({ within }, { channel: 'c1', senders: ['client:1'], within });
    expect(nothing).toBeLessThan(one);
    expect(one).toBeLessThan(two);
  });
});

describeRedis('the sums of what is sending on Redis', () => {
  it('are made anew where somebody who does not keep them changed the store', async () => {
    const { claim, server } = await counting();
    const full = [{ zone: 'api', sending: 3 }];
    expect((await claim({ within: full }))[1]).toBe(2);
    // As a version of the script that knows nothing of them would leave it: another revision, and the sums as they were.
    const [key] = (await server.ask('KEYS', '*totals')) as string[];
    const forget = `local totals = cmsgpack.unpack(redis.call('GET', KEYS[1]))
      totals[10] = totals[10] + 1
      totals[14][2] = {}
      redis.call('SET', KEYS[1], cmsgpack.pack(totals))`;
    await server.ask('EVAL', forget, '1', key as string);
    expect((await claim({ within: full }))[1]).toBe(1);
    expect((await claim({ within: full }))[1]).toBe(0);
  });
});
