import type { QueueOptions, ZoneOptions } from '../../../src/queue/core/config/options.ts';
import type { BatchAdapter } from '../../../src/queue/types/batch.ts';
import type { RequestInput } from '../../../src/queue/types/calls.ts';
import type { TestQueue } from '../../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';
import type { FakeServer } from '../../../src/testing/FakeServer.ts';
import type { ReceivedRequest, ServerAnswer } from '../../../src/testing/serverSteps.ts';
import { at, world } from '../../core/harness.ts';
import type { Item, ItemAnswer } from './protocol.ts';
import { BATCH_PATH, itemsOf, listProtocol } from './protocol.ts';

export const ZONE = 'api';

type Config = Omit<QueueOptions, 'backend' | 'zones'>;

export interface BatchWorld {
  readonly test: TestQueue;
  readonly server: FakeServer;
  /** Paths of the requests of each call, in the order of calls. */
  readonly calls: string[][];
  /** How often each request was applied: `METHOD path body`. */
  readonly applied: Map<string, number>;
  /** What a request is answered with; by default 200 with its path. */
  answerItem: (item: Item) => Omit<ItemAnswer, 'id'> | undefined;
  /** What a call of several is answered with, before any of them is looked at. */
  answerCall: (items: readonly Item[], request: ReceivedRequest) => ServerAnswer | undefined;
}

export interface WorldOptions {
  readonly zone?: Partial<ZoneOptions> | undefined;
  readonly config?: Config | undefined;
  readonly adapter?: BatchAdapter | readonly BatchAdapter[] | undefined;
  readonly seed?: number | undefined;
}

/** A queue that batches, and a server that speaks {@link listProtocol} and takes single requests as well. */
export async function batchWorld({
  zone,
  config,
  adapter = listProtocol(),
  seed,
}: WorldOptions = {}): Promise<BatchWorld> {
  const options = { batchingEnabled: true, ...config };
  const zones = { [ZONE]: { origins: [TEST_ORIGIN], batch: adapter, ...zone } };
  const test = await world({ ...options, zones }, seed);
  const one: { -readonly [K in keyof BatchWorld]: BatchWorld[K] } = {
    test,
    server: test.server,
    calls: [],
    applied: new Map(),
    answerItem: () => undefined,
    answerCall: () => undefined,
  };
  one.server = test.network.serve(TEST_ORIGIN, { respond: (request) => respond(one, request) });
  return one;
}

function respond(one: BatchWorld, request: ReceivedRequest): ServerAnswer {
  const serve = (item: Item): ItemAnswer => {
    const given = { status: 200, body: item.path, ...one.answerItem(item), id: item.id };
    if (given.status < 300) {
      const what = `${item.method} ${item.path} ${item.body ?? ''}`.trim();
      one.applied.set(what, (one.applied.get(what) ?? 0) + 1);
    }
    return given;
  };
  if (!request.path.startsWith(BATCH_PATH)) {
    one.calls.push([request.path]);
    const { status, headers, body } = serve({ ...request, id: '' });
    return { status, headers, body: JSON.stringify(body) };
  }
  const items = itemsOf(request.body);
  one.calls.push(items.map(({ path }) => path));
  return one.answerCall(items, request) ?? { status: 200, body: JSON.stringify(items.map(serve)) };
}

export const get = (path: string) => ({ method: 'GET', url: at(path) });
export const post = (path: string, body: unknown = { text: path }) => ({ method: 'POST', url: at(path), body });
export const put = (path: string, body: unknown = { text: path }) => ({ method: 'PUT', url: at(path), body });

/** `/things/1` to `/things/<n>`. */
export function paths(n: number, prefix = '/things'): string[] {
  return Array.from({ length: n }, (_, index) => `${prefix}/${index + 1}`);
}

/** Accepts all of them in one step. */
export function enqueueAll(one: BatchWorld, requests: readonly RequestInput[]) {
  return one.test.queue.enqueueMany(requests.map((request) => ({ request })));
}
