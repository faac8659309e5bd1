import { describe, onTestFinished } from 'vitest';
import type { BackendOption, QueueOptions } from '../../../src/queue/core/config/options.ts';
import { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { RequestOptions } from '../../../src/queue/types/calls.ts';
import type { Transport } from '../../../src/queue/types/transport.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';
import { FakeNetwork } from '../../../src/testing/FakeNetwork.ts';
import type { FakeServer } from '../../../src/testing/FakeServer.ts';
import { at } from '../../core/harness.ts';
import { describeStores } from '../../replay/faults/support/stores.ts';

/** The same tests on SQLite files and a Redis server, and, where the store need not outlive its queue, on memory. */
export function describeBackends(name: string, define: (makeStore: () => Promise<BackendOption>) => void): void {
  describe(`${name} in memory`, () => define(async () => ({ kind: 'memory' })));
  describeStores(name, (store) => define(() => store.make()));
}

export interface World {
  readonly server: FakeServer;
  /** Starts a queue on the store; it is closed with the test. */
  start(config?: Omit<QueueOptions, 'backend'>): Promise<QueueManager>;
  /** The same, once what waits has the order of its strategy. */
  startRanked(config: Omit<QueueOptions, 'backend'>): Promise<QueueManager>;
}

/** A store and a server that outlive queues; time is that of the machine. */
export async function worldOn(backend: BackendOption): Promise<World> {
  const network = new FakeNetwork({ clock: systemClock });
  const server = network.serve(TEST_ORIGIN);
  const transport: Transport = {
    isPunctual: true,
    send: (call) => network.send(call),
    close: () => Promise.resolve(),
  };
  const made = (config: Omit<QueueOptions, 'backend'>): QueueManager => {
    const queue = new QueueManager({ config: { ...config, backend }, transport });
    onTestFinished(() => queue.close());
    return queue;
  };
  return {
    server,
    async start(config = {}) {
      const queue = made(config);
      await queue.start();
      return queue;
    },
    async startRanked(config) {
      const queue = made(config);
      const isRanked = new Promise<unknown>((resolve) => queue.on('queue:reranked', resolve));
      await queue.start();
      await isRanked;
      return queue;
    },
  };
}

/** Accepts requests named by their place, in order. */
export async function acceptAll(queue: QueueManager, options: readonly RequestOptions[], from = 0): Promise<void> {
  await queue.enqueueMany(
    options.map((one, n) => ({
      request: { method: 'POST', url: at(`/things/${from + n}`), body: 'x' },
      options: one,
    })),
  );
}

/** Places of requests in the order in which they came to the server. */
export function sentTo(server: FakeServer): number[] {
  return server.ledger.entries.map(({ request }) => Number(request.path.split('/').at(-1)));
}
