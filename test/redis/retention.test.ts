import { afterEach, expect, it } from 'vitest';
import type { Reason, TerminalState } from '../../src/queue/types/states.ts';
import { describeRedis } from './support/describeRedis.ts';
import { enqueue, newRequest, openStore } from './support/openStore.ts';
import { RedisServer } from './support/RedisServer.ts';

/** What the test opened, to be given up after it in the reverse order. */
const open: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const ALL = Number.MAX_SAFE_INTEGER;

interface Store {
  /** Ends a new request at a time. */
  end(now: number, state?: TerminalState, reason?: Reason): Promise<string>;
  /** Deletes one record of the dead that are older than 30. */
  purge(now: number, keepAfter?: number): Promise<string[]>;
}

async function store(): Promise<Store> {
  const server = await RedisServer.start();
  open.push(() => server.dispose());
  const backend = await openStore({ port: server.port });
  open.push(() => backend.close());
  return {
    async end(now, state = 'dead', reason = 'discarded') {
      const request = newRequest();
      await enqueue(backend, request);
      await backend.requests.amend({ now, changes: [{ id: request.id, from: ['ready'], to: { state, reason } }] });
      return request.id;
    },
    async purge(now, keepAfter = ALL) {
      const retention = { succeededMs: 0, deadMs: 30, maxRecords: 1e9, maxBytes: 1e12 };
      return (await backend.requests.purge({ now, limit: 1, keepAfter, retention })).ids;
    },
  };
}

describeRedis('retention after a clock stepped back', () => {
  it('reaches what ended after a purge that found everything in order', async () => {
    const { end, purge } = await store();
    await end(100);
    const cancelled = await end(70, 'cancelled', 'caller');
    expect(await purge(71)).toEqual([cancelled]);
    const early = await end(70);
    expect(await purge(120)).toEqual([early]);
  });

  it('reaches what a subscriber had not been told of when everything else was in order', async () => {
    const { end, purge } = await store();
    await end(100);
    const cancelled = await end(70, 'cancelled', 'caller');
    const early = await end(70);
    expect(await purge(71, 2)).toEqual([cancelled]);
    expect(await purge(120)).toEqual([early]);
  });
});
