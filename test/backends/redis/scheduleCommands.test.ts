import { afterEach, expect, it } from 'vitest';
import { describeRedis } from '../../redis/support/describeRedis.ts';
import { enqueue, newRequest, openStore } from '../../redis/support/openStore.ts';
import { RedisServer } from '../../redis/support/RedisServer.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** A store of so many schedules, the n-th due at n, that tells which commands a verb makes the server run. */
async function counting(stored: number) {
  const server = await RedisServer.start();
  open.push(() => server.dispose());
  const backend = await openStore({ port: server.port });
  open.push(() => backend.close());
  const { schedules } = backend;
  const numbers = Array.from({ length: stored }, (_, n) => n + 1);
  await Promise.all(numbers.map((n) => schedules.set({ name: `s${n}`, dueAt: n, data: n })));
  const commands = async (verb: () => Promise<unknown>): Promise<Record<string, number>> => {
    await server.ask('CONFIG', 'RESETSTAT');
    await verb();
    const stats = String(await server.ask('INFO', 'commandstats'));
    const calls = stats.matchAll(/^cmdstat_(?!evalsha|info|config|publish|hello|client|select)([^:]*):calls=(\d+)/gm);
    return Object.fromEntries([...calls].map(([, name, n]) => [name, Number(n)]));
  };
  return { backend, schedules, commands };
}

/** What every call of a script begins with. */
const ALWAYS = { get: 1 };

describeRedis('the commands of schedules on Redis', () => {
  it('are one for the next due time, and two for what is due, however many there are', async () => {
    const { schedules, commands } = await counting(3000);
    expect(await schedules.nextDueAt()).toBe(1);
    expect(await commands(() => schedules.nextDueAt())).toEqual({ ...ALWAYS, zrangebylex: 1 });
    expect((await schedules.due({ now: 9999, limit: 2 })).map(({ name }) => name)).toEqual(['s1', 's2']);
    expect(await commands(() => schedules.due({ now: 9999, limit: 2 }))).toEqual({
      ...ALWAYS,
      zrangebylex: 1,
      hmget: 1,
    });
    expect(await commands(() => schedules.list({ after: 's5', limit: 2 }))).toEqual({
      ...ALWAYS,
      zrangebylex: 1,
      hmget: 1,
    });
  });

  it('are a few more for a request that fires, and none for another', async () => {
    const { backend, commands } = await counting(3);
    const total = async (request: ReturnType<typeof newRequest>): Promise<number> =>
      Object.values(await commands(() => enqueue(backend, request))).reduce((sum, n) => sum + n, 0);
    await total(newRequest());
    const plain = await total(newRequest());
    expect(await total(newRequest())).toBe(plain);
    const fires = { name: 's1', version: 1, dueAt: 9, data: null };
    // The schedule is read and written; its due time leaves its place for another.
    expect(await total(newRequest({ fires }))).toBe(plain + 4);
  });
});
