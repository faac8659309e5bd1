import { describe, expect, it } from 'vitest';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import type { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import type { ReceivedRequest, ServerAnswer } from '../../src/testing/serverSteps.ts';
import { applyThenReset, slow } from '../../src/testing/serverSteps.ts';
import { folder, onFile, realServer } from '../core/harness.ts';
import type { Item, ItemAnswer } from './support/protocol.ts';
import { BATCH_PATH, itemsOf, listProtocol } from './support/protocol.ts';
import { paths, ZONE } from './support/world.ts';

interface Served {
  readonly server: ScriptedServer;
  /** How often each was applied, by its path. */
  readonly applied: Map<string, number>;
  /** How many requests each call held. */
  readonly sizes: number[];
}

/** A server that takes single requests and lists of them, and counts what it did. */
async function served(
  answerItem: (item: Item) => Omit<ItemAnswer, 'id'> = ({ path }) => ({ status: 200, body: path }),
  answerCall: (items: readonly Item[]) => ServerAnswer | undefined = () => undefined,
): Promise<Served> {
  const applied = new Map<string, number>();
  const sizes: number[] = [];
  const serve = (item: Item): ItemAnswer => {
    const given = { ...answerItem(item), id: item.id };
    if (given.status < 300) applied.set(item.path, (applied.get(item.path) ?? 0) + 1);
    return given;
  };
  const respond = (request: ReceivedRequest): ServerAnswer => {
    if (request.path !== BATCH_PATH) {
      sizes.push(1);
      const { status, body } = serve({ ...request, id: '' });
      return { status, body: JSON.stringify(body) };
    }
    const items = itemsOf(request.body);
    sizes.push(items.length);
    return answerCall(items) ?? { status: 207, body: JSON.stringify(items.map(serve)) };
  };
  return { server: await realServer({ respond }), applied, sizes };
}

async function queueFor({ server }: Served, config: QueueOptions = {}): Promise<QueueManager> {
  const zones = { [ZONE]: { origins: [server.origin], batch: listProtocol() } };
  return onFile(`${await folder()}/queue.db`, {
    batchingEnabled: true,
    retry: { baseDelayMs: 5, maxDelayMs: 20 },
    ...config,
    zones,
  });
}

async function endsOf(queue: QueueManager, origin: string, all: readonly string[], method = 'POST') {
  const accepted = await queue.enqueueMany(
    all.map((path) => ({ request: { method, url: `${origin}${path}`, body: {} } })),
  );
  return Promise.all(accepted.map((one) => one.settled()));
}

describe('over real sockets', () => {
  it('a server that takes 20 ms for a call serves the same in an eighth of the calls', async () => {
    const callsOf = async (batchingEnabled: boolean): Promise<number> => {
      const of = await served();
      of.server.script.always(slow(20));
      const queue = await queueFor(of, { batchingEnabled });
      const ends = await endsOf(queue, of.server.origin, paths(80));
      const answers = ends.map(({ response }) => JSON.parse(new TextDecoder().decode(response?.body)));
      expect(answers).toEqual(paths(80));
      expect([...of.applied.values()].every((times) => times === 1)).toBe(true);
      return of.server.ledger.entries.length;
    };
    expect(await callsOf(false)).toBe(80);
    expect(await callsOf(true)).toBeLessThanOrEqual(80 / 8);
  });

  it('a call that is too large ends as many answers as it had requests, each applied once', async () => {
    const of = await served(undefined, (items) => (items.length > 3 ? { status: 413 } : undefined));
    const ends = await endsOf(await queueFor(of), of.server.origin, paths(20));
    expect(ends.every(({ state }) => state === 'succeeded')).toBe(true);
    expect([of.applied.size, Math.max(...of.applied.values())]).toEqual([20, 1]);
  });

  it('a mixed answer ends each request by its own part of it', async () => {
    const statuses = [200, 404, 409, 201, 422];
    const of = await served(({ path }) => ({ status: statuses[Number(path.split('/')[2]) % 5] ?? 200, body: path }));
    const ends = await endsOf(await queueFor(of), of.server.origin, paths(20));
    expect(ends.map(({ response }) => response?.status)).toEqual(
      paths(20).map((_, index) => statuses[(index + 1) % 5]),
    );
    expect(of.sizes).toEqual([20]);
  });

  it('a connection that breaks leaves writes in doubt, and repeats what may be repeated', async () => {
    const of = await served();
    of.server.script.next(applyThenReset);
    const queue = await queueFor(of);
    const posts = await queue.enqueueMany(
      paths(5).map((path) => ({ request: { method: 'POST', url: `${of.server.origin}${path}`, body: {} } })),
    );
    await queue.idle();
    const records = await Promise.all(posts.map(({ id }) => queue.get(id)));
    expect(new Set(records.map((record) => `${record?.state} ${record?.reason}`))).toEqual(new Set(['held unknown']));
    expect([...of.applied.values()]).toEqual([1, 1, 1, 1, 1]);
    of.server.script.next(applyThenReset);
    const ends = await endsOf(queue, of.server.origin, paths(5, '/puts'), 'PUT');
    expect(ends.every(({ state }) => state === 'succeeded')).toBe(true);
  });
});
