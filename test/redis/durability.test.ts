import { afterEach, expect, it, vi } from 'vitest';
import type { Backend } from '../../src/queue/types/backend.ts';
import { describeRedis } from './support/describeRedis.ts';
import { enqueue, newRequest, openStore } from './support/openStore.ts';
import type { RedisServerOptions } from './support/RedisServer.ts';
import { RedisServer } from './support/RedisServer.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

interface Loss {
  readonly accepted: number;
  readonly lost: number;
}

/** Accepts as fast as it can, kills the server in the middle of it, and looks what of the accepted is there afterwards. */
async function lossOf(settings: RedisServerOptions): Promise<Loss> {
  const server = await RedisServer.start(settings);
  open.push(() => server.dispose());
  const backend: Backend = await openStore({ port: server.port, commandTimeoutMs: 1_000 });
  open.push(() => backend.close());
  const accepted: string[] = [];
  let isOver = false;
  const producers = Array.from({ length: 20 }, async () => {
    while (!isOver) {
      const request = newRequest();
      const results = await enqueue(backend, request).catch(() => []);
      if (results[0]?.status === 'accepted') accepted.push(request.id);
    }
  });
  await vi.waitFor(() => expect(accepted.length).toBeGreaterThan(2_000), { timeout: 30_000 });
  await server.kill();
  isOver = true;
  await Promise.all(producers);
  await server.restart();
  const found = new Set<string>();
  for (let from = 0; from < accepted.length; from += 500) {
    const page = await backend.requests.get({ ids: accepted.slice(from, from + 500) });
    for (const record of page) if (record !== undefined) found.add(record.id);
  }
  return { accepted: accepted.length, lost: accepted.filter((id) => !found.has(id)).length };
}

describeRedis('a server that is killed while it accepts', () => {
  it('has everything with appendfsync always', async () => {
    expect(await lossOf({ appendonly: 'always' })).toMatchObject({ lost: 0 });
  });

  it('has everything with appendfsync everysec: only power loss takes the last second', async () => {
    expect(await lossOf({ appendonly: 'everysec' })).toMatchObject({ lost: 0 });
  });

  it('has nothing without an append-only file, which is why the store says `none` then', async () => {
    const { accepted, lost } = await lossOf({ appendonly: 'no' });
    expect(lost).toBe(accepted);
  });
});
