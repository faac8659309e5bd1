import { Redis } from 'ioredis';
import { afterEach, expect, it } from 'vitest';
import { Packer, Unpacker } from '../../src/queue/backends/redis/msgpack.ts';
import { loadScripts } from '../../src/queue/backends/redis/script.ts';
import { describeRedis } from './support/describeRedis.ts';
import { RedisServer } from './support/RedisServer.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

/** Appends to a stream as the handle `h` would, by hand: the number of the call, and the connection and call it names. */
async function handle(): Promise<(number: number, connection: number, previous: number) => Promise<number | string>> {
  const server = await RedisServer.start();
  open.push(() => server.dispose());
  const redis = new Redis({ port: server.port });
  open.push(() => redis.disconnect());
  const script = loadScripts().get('append');
  if (script === undefined) throw new Error('no script for this verb');
  await redis.script('LOAD', script.text);
  const keys = script.keys.map((name) => `holdfast:{fence}:${name}`);
  const packer = new Packer();
  return async (number, connection, previous) => {
    const entries = [['stream', 1, `"${number}"`]];
    const argument = packer.pack(['append', number, false, 1_000, 'h', 'news', entries]);
    const place = `${connection} ${previous}`;
    try {
      const answer = await redis.callBuffer('evalsha', script.sha, keys.length, ...keys, argument, place);
      return new Unpacker(answer as Buffer).list((one) => one.number())[0] ?? 0; // the script answers a string
    } catch (error) {
      return (error as Error).message.split(' ', 1)[0] ?? '';
    }
  };
}

describeRedis('a call by its number and connection', () => {
  it('takes effect once, however often it is made', async () => {
    const append = await handle();
    expect([await append(1, 1, 0), await append(1, 1, 0), await append(1, 2, 0), await append(2, 2, 0)]).toEqual([
      1, 1, 1, 2,
    ]);
  });

  it('waits for the call before it', async () => {
    const append = await handle();
    expect([await append(2, 1, 1), await append(1, 1, 0), await append(2, 1, 1)]).toEqual(['GAP', 1, 2]);
  });

  it('does nothing when it comes late, on a connection that was given up', async () => {
    const append = await handle();
    expect([await append(1, 1, 0), await append(2, 2, 0), await append(3, 1, 0), await append(3, 2, 0)]).toEqual([
      1,
      2,
      'STALE',
      3,
    ]);
  });
});
