import { expect, it, onTestFinished, vi } from 'vitest';
import type { QueueOptions, ZoneOptions } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { ScriptedServer } from '../../src/testing/ScriptedServer.ts';
import type { ServerStep } from '../../src/testing/serverSteps.ts';
import { applyThenReset, hang, park, partialBody, partialHead, refuse } from '../../src/testing/serverSteps.ts';
import { headerIn, realServer, tokenProvider } from '../core/harness.ts';
import type { Child } from '../processes/support/child.ts';
import { DIST, startChild } from '../processes/support/child.ts';
import type { FaultStore, StoreAt } from '../replay/faults/support/stores.ts';
import { describeStores } from '../replay/faults/support/stores.ts';
import type { Item, ItemAnswer } from './support/protocol.ts';
import { BATCH_PATH, itemsOf, listProtocol } from './support/protocol.ts';
import { paths, ZONE } from './support/world.ts';

const CHILD = new URL('./support/sharedChild.mjs', import.meta.url);
const OPTIONS = { retry: { baseDelayMs: 5, maxDelayMs: 50 }, leaseMs: 2_000 } as const;
const TIMEOUT = { timeout: 120_000 } as const;

interface Site {
  readonly server: ScriptedServer;
  readonly at: StoreAt;
  /** What was applied, in its order: `METHOD path body`. */
  readonly applied: string[];
  readonly sizes: number[];
}

async function siteOn(
  store: FaultStore,
  answerItem: (item: Item) => Omit<ItemAnswer, 'id'> = () => ({ status: 200 }),
  most = 100,
): Promise<Site> {
  const applied: string[] = [];
  const sizes: number[] = [];
  const serve = (item: Item): ItemAnswer => {
    const given = { ...answerItem(item), id: item.id };
    if (given.status < 300) applied.push(`${item.method} ${item.path} ${item.body ?? ''}`.trim());
    return given;
  };
  const server = await realServer({
    respond: (request) => {
      if (request.path !== BATCH_PATH) {
        const { status, headers } = serve({ ...request, id: '' });
        return { status, headers };
      }
      const items = itemsOf(request.body);
      sizes.push(items.length);
      if (items.length > most) return { status: 413 };
      return { status: 207, body: JSON.stringify(items.map(serve)) };
    },
  });
  return { server, at: await store.make(), applied, sizes };
}

async function queueAt(
  { server, at }: Site,
  config: QueueOptions = {},
  zone: Partial<ZoneOptions> = {},
): Promise<QueueManager> {
  const zones = { [ZONE]: { origins: [server.origin], batch: listProtocol(), maxConcurrency: 2, ...zone } };
  const queue = new QueueManager({ config: { batchingEnabled: true, ...OPTIONS, ...config, zones, backend: at } });
  onTestFinished(() => queue.close());
  await queue.start();
  return queue;
}

async function childAt({ server, at }: Site): Promise<Child> {
  const child = startChild(CHILD, [
    JSON.stringify({ dist: DIST, backend: at, origin: server.origin, options: OPTIONS }),
  ]);
  onTestFinished(async () => void (await child.kill()));
  await child.line('open');
  return child;
}

function enqueue(queue: QueueManager, { server }: Site, method: string, all: readonly string[], lane?: string) {
  return queue.enqueueMany(
    all.map((path, n) => ({
      request: { method, url: `${server.origin}${path}`, body: method === 'GET' ? undefined : { n } },
      ...(lane !== undefined && { options: { lane } }),
    })),
  );
}

/** How often the most often applied was, and how many were. */
function often(applied: readonly string[]): { readonly most: number; readonly all: number } {
  const times = new Map<string, number>();
  for (const one of applied) times.set(one, (times.get(one) ?? 0) + 1);
  return { most: Math.max(0, ...times.values()), all: times.size };
}

/** Resolves once it is so. */
async function until(condition: () => boolean): Promise<void> {
  await vi.waitUntil(condition, { timeout: 60_000, interval: 10 });
}

describeStores('a batch', (store) => {
  it('is never of two processes, and each request is sent by one of them', TIMEOUT, async () => {
    const site = await siteOn(store);
    const [child, queue] = [await childAt(site), await queueAt(site)];
    const accepted = await enqueue(queue, site, 'POST', paths(400));
    const ends = await Promise.all(accepted.map((one) => one.settled()));
    expect(ends.filter(({ state }) => state === 'succeeded')).toHaveLength(400);
    expect(often(site.applied)).toEqual({ most: 1, all: 400 });
    child.tell({});
    expect((await child.ended).lines.at(-1)).toBe('closed');
  });

  it('of a process that is killed is left to the other: in doubt, or sent again', TIMEOUT, async () => {
    const site = await siteOn(store);
    site.server.script.always(({ path }) => (path === BATCH_PATH ? park : undefined));
    const child = await childAt(site);
    const queue = await queueAt(site, { dispatch: false });
    const posts = await enqueue(queue, site, 'POST', paths(10));
    const puts = await enqueue(queue, site, 'PUT', paths(10, '/puts'));
    await until(() => site.server.parked > 0);
    await child.kill();
    site.server.script.clear();
    const other = await queueAt(site);
    await other.idle();
    const states = async (of: typeof posts) =>
      new Set((await Promise.all(of.map(({ id }) => other.get(id)))).map((one) => one?.state));
    expect(await states(puts)).toEqual(new Set(['succeeded']));
    for (const state of await states(posts)) expect(['held', 'succeeded']).toContain(state);
    const { most } = often(site.applied.filter((one) => one.startsWith('POST')));
    expect(most).toBe(1);
    expect(often(site.applied).all).toBe(20);
    expect((await other.counts()).sending).toBe(0);
  });

  it.each<readonly [string, ServerStep]>([
    ['a cut before the answer', applyThenReset],
    ['half a head', partialHead],
    ['half a body', partialBody],
  ])('with %s leaves writes in doubt, and repeats what may be', TIMEOUT, async (_, step) => {
    const site = await siteOn(store);
    const queue = await queueAt(site);
    site.server.script.next(step);
    const posts = await enqueue(queue, site, 'POST', paths(6));
    await queue.idle();
    expect((await Promise.all(posts.map(({ id }) => queue.get(id)))).map((one) => one?.state)).toEqual(
      Array(6).fill('held'),
    );
    expect(often(site.applied)).toEqual({ most: 1, all: 6 });
    site.server.script.next(step);
    const reads = await enqueue(queue, site, 'GET', paths(6, '/reads'));
    const ends = await Promise.all(reads.map((one) => one.settled()));
    expect(ends.every(({ state }) => state === 'succeeded')).toBe(true);
  });

  it('that is too large is halved, and a mixed answer ends each by its part', TIMEOUT, async () => {
    const site = await siteOn(store, ({ path }) => ({ status: path.endsWith('3') ? 404 : 201 }), 6);
    const queue = await queueAt(site);
    const accepted = await enqueue(queue, site, 'POST', paths(20));
    const ends = await Promise.all(accepted.map((one) => one.settled()));
    expect(ends.map(({ response }) => response?.status)).toEqual(
      paths(20).map((path) => (path.endsWith('3') ? 404 : 201)),
    );
    expect(often(site.applied)).toEqual({ most: 1, all: 18 });
  });

  it('of which a part says when to come again sends that part then, and the lane stays in order', TIMEOUT, async () => {
    let left = 2;
    const site = await siteOn(store, ({ path }) => {
      if (path !== '/lane/1' || left === 0) return { status: 200 };
      left -= 1;
      return { status: 429, headers: [['retry-after', '1']] };
    });
    const queue = await queueAt(site);
    const lane = await enqueue(queue, site, 'PUT', ['/lane/1', '/lane/2', '/lane/3'], 'one');
    const rest = await enqueue(queue, site, 'PUT', paths(8));
    const ends = await Promise.all([...lane, ...rest].map((one) => one.settled()));
    expect(ends.every(({ state }) => state === 'succeeded')).toBe(true);
    expect(site.applied.filter((one) => one.includes('/lane')).map((one) => one.split(' ')[1])).toEqual([
      '/lane/1',
      '/lane/2',
      '/lane/3',
    ]);
    expect(site.applied.slice(0, 8).every((one) => one.includes('/things'))).toBe(true);
  });

  it('that hangs ends with the time of its call, and is in doubt only where it was a write', TIMEOUT, async () => {
    const site = await siteOn(store);
    const queue = await queueAt(site, { attemptTimeoutMs: 300 });
    site.server.script.next(hang);
    const [post, put, get] = (
      await Promise.all([
        enqueue(queue, site, 'POST', ['/a']),
        enqueue(queue, site, 'PUT', ['/b']),
        enqueue(queue, site, 'GET', ['/c']),
      ])
    ).flat();
    await queue.idle();
    const states = await Promise.all([post, put, get].map((one) => queue.get(one?.id ?? '')));
    expect(states.map((one) => one?.state)).toEqual(['held', 'succeeded', 'succeeded']);
  });

  it('on the wire while its queue closes is settled first, or left to the next', TIMEOUT, async () => {
    const site = await siteOn(store);
    site.server.script.next(park);
    const queue = await queueAt(site, { closeTimeoutMs: 500 });
    await enqueue(queue, site, 'PUT', paths(30));
    await until(() => site.server.parked > 0);
    await queue.close();
    site.server.release();
    site.server.script.clear();
    const next = await queueAt(site);
    await next.idle();
    expect(await next.counts()).toMatchObject({ succeeded: 30, sending: 0 });
    expect(often(site.applied).all).toBe(30);
  });

  it('that is refused for its credential goes again together, in each process with one renewal', TIMEOUT, async () => {
    const site = await siteOn(store);
    const seen: string[] = [];
    site.server.script.always((request) => {
      if (request.path !== BATCH_PATH) return undefined;
      const token = headerIn(request, 'authorization') ?? 'none';
      seen.push(token);
      return token === 'Bearer new' ? undefined : refuse({ status: 401 });
    });
    let renewals = 0;
    const open = (): Promise<QueueManager> => {
      const provider = tokenProvider('old', 'me');
      const refresh = async (): Promise<boolean> => {
        renewals += 1;
        provider.token = 'new';
        return true;
      };
      return queueAt(site, {}, { auth: { credential: () => provider.credential(), refresh } });
    };
    const [first, second] = [await open(), await open()];
    const accepted = [
      ...(await enqueue(first, site, 'POST', paths(30, '/first'))),
      ...(await enqueue(second, site, 'POST', paths(30, '/second'))),
    ];
    const ends = await Promise.all(accepted.map((one) => one.settled()));
    expect(ends.every(({ state }) => state === 'succeeded')).toBe(true);
    expect(often(site.applied)).toEqual({ most: 1, all: 60 });
    expect(renewals).toBeLessThanOrEqual(2);
    // Besides the two calls at once of each process, what goes out while its renewal waits for the store is refused too.
    expect(seen.filter((token) => token === 'Bearer old').length).toBeLessThanOrEqual(10);
  });

  it('is of requests that wait for ids only once these are known', TIMEOUT, async () => {
    const site = await siteOn(store);
    const queue = await queueAt(site);
    const base = site.server.origin;
    const made = await queue.enqueueMany([
      { request: { method: 'PUT', url: `${base}/parent`, body: { n: 0 } } },
      ...paths(6, '/child').map((path) => ({
        request: { method: 'PUT', url: `${base}${path}`, body: { n: 1 } },
        options: { after: [0] },
      })),
    ]);
    const ends = await Promise.all(made.map((one) => one.settled()));
    expect(ends.every(({ state }) => state === 'succeeded')).toBe(true);
    expect(site.applied[0]).toContain('/parent');
    expect(often(site.applied)).toEqual({ most: 1, all: 7 });
  });

  it('may be called off at every stage by its members, and what was sent is told as it was', TIMEOUT, async () => {
    const site = await siteOn(store);
    const queue = await queueAt(site);
    site.server.script.next(park, park);
    const accepted = await enqueue(queue, site, 'PUT', paths(60));
    await until(() => site.server.parked === 2);
    // Some are on the wire, some wait for a permit.
    const cancelled = await Promise.all(accepted.map((one) => one.cancel()));
    site.server.release();
    await queue.idle();
    const records = await Promise.all(accepted.map(({ id }) => queue.get(id)));
    for (const [index, record] of records.entries()) {
      const wasApplied = site.applied.some((one) => one.startsWith(`PUT /things/${index + 1} `));
      expect([index, record?.state]).toEqual([index, wasApplied ? 'succeeded' : 'cancelled']);
    }
    expect(cancelled).toHaveLength(60);
    expect(queue.zones.get(ZONE).concurrency.inUse).toBe(0);
  });
});
