import { onTestFinished } from 'vitest';
import { MemoryBackend } from '../../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../../src/queue/backends/memory/MemoryStorage.ts';
import type { QueueOptions, ZoneOptions } from '../../../src/queue/core/config/options.ts';
import { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { RequestInput } from '../../../src/queue/types/calls.ts';
import type { Transport } from '../../../src/queue/types/transport.ts';
import type { BackendHooks } from '../../../src/testing/backendHooks.ts';
import { hookBackend } from '../../../src/testing/backendHooks.ts';
import type { TestQueue } from '../../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../../src/testing/FakeNetwork.ts';
import type { FakeServer, NetworkStep } from '../../../src/testing/FakeServer.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';
import type { ReceivedRequest } from '../../../src/testing/serverSteps.ts';
import { at, world } from '../../core/harness.ts';

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
/** The zone of the test server. */
export const ZONE = 'api';

type Config = Omit<QueueOptions, 'backend'>;
export type ZoneGates = Omit<ZoneOptions, 'origins'>;

export function zones(zone: ZoneGates = {}): { readonly [ZONE]: ZoneOptions } {
  return { [ZONE]: { origins: [TEST_ORIGIN], ...zone } };
}

/** A queue whose one zone has these gates. */
export function gated(zone: ZoneGates = {}, config: Config = {}, seed = 1): Promise<TestQueue> {
  return world({ ...config, zones: { ...config.zones, ...zones(zone) } }, seed);
}

/** What a rig is made of; what is absent is made new. */
export interface RigOptions {
  readonly config?: Config | undefined;
  readonly storage?: MemoryStorage | undefined;
  readonly clock?: FakeClock | undefined;
  readonly network?: FakeNetwork | undefined;
  readonly transport?: ((network: FakeNetwork) => Transport) | undefined;
  readonly hooks?: BackendHooks | undefined;
  /** Behaves as a store of several processes. */
  readonly isShared?: boolean | undefined;
  /** Told of what is taken of shared buckets. */
  readonly take?: ((cost: number) => void) | undefined;
  readonly seed?: number | undefined;
}

/** A queue whose store, transport and life can be told apart from it: what a {@link TestQueue} keeps to itself. */
export interface Rig {
  readonly queue: QueueManager;
  readonly clock: FakeClock;
  readonly network: FakeNetwork;
  readonly server: FakeServer;
  readonly storage: MemoryStorage;
  /** Ends it in an orderly way, so that another can go on with its storage. */
  close(): Promise<void>;
}

const SERVERS = new WeakMap<FakeNetwork, FakeServer>();

export async function rig(options: RigOptions = {}): Promise<Rig> {
  const { storage = new MemoryStorage(), clock = new FakeClock() } = options;
  const network = options.network ?? new FakeNetwork({ clock });
  const server = SERVERS.get(network) ?? network.serve(TEST_ORIGIN);
  SERVERS.set(network, server);
  const queue = new QueueManager({
    config: options.config,
    clock,
    random: seededRandom(options.seed ?? 1),
    backend: backendOf(storage, options),
    transport: options.transport?.(network) ?? lasting(network),
  });
  await queue.start();
  const close = async (): Promise<void> => {
    let isClosed = false;
    const closing = queue.close().finally(() => {
      isClosed = true;
    });
    while (!isClosed) await clock.advance(5_000);
    await closing;
  };
  onTestFinished(close);
  return { queue, clock, network, server, storage, close };
}

function backendOf(storage: MemoryStorage, { hooks = {}, isShared, take }: RigOptions): Backend {
  const backend = hookBackend(new MemoryBackend({ store: storage }), hooks);
  const { capabilities, shared } = backend;
  if (isShared !== true) return backend;
  const told: Backend['shared'] = {
    ...shared,
    take: (query) => {
      take?.(query.cost);
      return shared.take(query);
    },
  };
  return { ...backend, capabilities: { ...capabilities, shared: true }, shared: told };
}

/** The network outlives the queues on it. */
function lasting(network: FakeNetwork): Transport {
  return { isPunctual: true, send: (call) => network.send(call), close: () => Promise.resolve() };
}

/** A request that came to the server. */
export interface Arrival {
  /** Monotonic ms. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
}

/** Notes every request that comes to the server from now on; `step` says what becomes of it. */
export function noteArrivals(
  { server, clock }: Pick<Rig, 'server' | 'clock'>,
  step: (request: ReceivedRequest) => NetworkStep | undefined = () => undefined,
): Arrival[] {
  const arrivals: Arrival[] = [];
  server.script.always((request) => {
    arrivals.push({ at: clock.monotonicNow(), method: request.method, path: request.path });
    return step(request);
  });
  return arrivals;
}

/** The most arrivals within any half-open span of `perMs`. */
export function mostWithin(arrivals: readonly Arrival[], perMs: number): number {
  let most = 0;
  let first = 0;
  for (const [index, { at: end }] of arrivals.entries()) {
    while (end - (arrivals[first] as Arrival).at >= perMs) first += 1; // first <= index
    most = Math.max(most, index - first + 1);
  }
  return most;
}

export function put(path: string, body: unknown = {}): RequestInput {
  return { method: 'PUT', url: at(path), body };
}

export function get(path: string): RequestInput {
  return { method: 'GET', url: at(path) };
}

export function post(path: string, body: unknown = {}): RequestInput {
  return { method: 'POST', url: at(path), body };
}

/** That many writes, each to a thing of its own, accepted in turn; their ids. */
export async function enqueueEach(queue: QueueManager, count: number, prefix = '/things'): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 1; n <= count; n += 1) ids.push((await queue.enqueue(put(`${prefix}/${n}`))).id);
  return ids;
}

/** The state of the zone's gates. */
export function gatesOf(queue: QueueManager) {
  return queue.zones.get(ZONE);
}

export function breakerOf(queue: QueueManager, endpoint?: string): string | undefined {
  const state = gatesOf(queue);
  const gates =
    endpoint === undefined
      ? state
      : state.endpoints.find(({ scope }) => decodeURIComponent(scope) === `${ZONE}#${endpoint}`);
  return gates?.breaker?.status;
}
