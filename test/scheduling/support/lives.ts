import { onTestFinished } from 'vitest';
import { MemoryBackend } from '../../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../../src/queue/backends/memory/MemoryStorage.ts';
import type { QueueOptions } from '../../../src/queue/core/config/options.ts';
import { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { Logger } from '../../../src/queue/types/logger.ts';
import type { Json } from '../../../src/queue/types/request.ts';
import type { AmendBatch, FindQuery } from '../../../src/queue/types/store.ts';
import { hookBackend } from '../../../src/testing/backendHooks.ts';
import { TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../../src/testing/FakeNetwork.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';

/** One store in memory, a clock and a server, that outlive queues, as a machine does; what queues ask of the store is noted. */
export class Lives {
  readonly clock = new FakeClock();
  readonly network = new FakeNetwork({ clock: this.clock });
  readonly server = this.network.serve(TEST_ORIGIN);
  readonly storage = new MemoryStorage();
  /** Requests per step of ranks given anew. */
  readonly steps: number[] = [];
  /** Reads and writes of the strategy: `get`, `set`. */
  readonly marks: string[] = [];
  readonly warnings: string[] = [];
  /** Fails what it names from now on. */
  failing: 'find' | 'amend' | 'set' | undefined;
  /** At the end of which step of ranks given anew a process dies: its answer never comes. */
  diesAt: number | undefined;
  /** Before which step of ranks given anew a process stands still, and until when. */
  stalls: { readonly at: number; readonly until: Promise<void> } | undefined;
  /** Behaves as a store of several processes. */
  isShared = false;
  /** Queues, by the order of their start from 1 on, that look at the strategy no more. */
  readonly deaf = new Set<number>();
  #started = 0;

  async start(config: Omit<QueueOptions, 'backend'> = {}): Promise<QueueManager> {
    this.#started += 1;
    const silent = (): void => undefined;
    const logger: Logger = {
      debug: silent,
      info: silent,
      error: silent,
      warn: (message) => void this.warnings.push(message),
    };
    const queue = new QueueManager({
      config: { logger, maxConcurrency: 1, ...config },
      clock: this.clock,
      random: seededRandom(this.#started),
      backend: this.#backend(),
      transport: { isPunctual: true, send: (call) => this.network.send(call), close: () => Promise.resolve() },
    });
    await queue.start();
    onTestFinished(() => this.close(queue));
    return queue;
  }

  /** Writes something else where the strategy is kept. */
  async plant(value: Json): Promise<void> {
    const backend = new MemoryBackend({ store: this.storage });
    const identity = { worker: 'w', bootId: 'b', pidNamespace: 'p', pid: 1, processStart: '1' };
    await backend.open({ identity, now: this.clock.now(), leaseNow: 0, leaseMs: 1e9, isGone: () => true });
    await backend.shared.set({ key: 'strategy', value, expiresAt: null, now: this.clock.now() });
    await backend.close();
  }

  async close(queue: QueueManager): Promise<void> {
    let isClosed = false;
    const closing = queue.close().finally(() => {
      isClosed = true;
    });
    while (!isClosed) await this.clock.advance(1_000);
    await closing;
  }

  #backend(): Backend {
    const n = this.#started;
    const failed = (verb: string): void => {
      if (verb === this.failing) throw new Error('the disk is on fire');
    };
    const backend = hookBackend(new MemoryBackend({ store: this.storage }), {
      before: (verb, query) => {
        if (verb === 'find' && (query as FindQuery).limit === 256) failed(verb);
        if (verb !== 'amend') return;
        const { changes } = query as AmendBatch;
        if (changes.some(({ patch }) => patch?.rank === undefined)) return;
        failed(verb);
        this.steps.push(changes.length);
        return this.steps.length === this.stalls?.at ? this.stalls.until : undefined;
      },
      after: (verb, query) => {
        const isStep =
          verb === 'amend' && (query as AmendBatch).changes.every(({ patch }) => patch?.rank !== undefined);
        if (!isStep || this.diesAt !== this.steps.length) return;
        this.diesAt = undefined;
        return new Promise<void>(() => undefined);
      },
    });
    const { shared, capabilities } = backend;
    return {
      ...backend,
      capabilities: { ...capabilities, shared: this.isShared },
      shared: {
        ...shared,
        get: (query) => {
          if (query.key !== 'strategy') return shared.get(query);
          this.marks.push('get');
          return this.deaf.has(n) ? Promise.resolve(undefined) : shared.get(query);
        },
        set: (query) => {
          if (query.key !== 'strategy') return shared.set(query);
          if (this.failing === 'set') return Promise.reject(new Error('the disk is on fire'));
          this.marks.push('set');
          return shared.set(query);
        },
        list: (query) => shared.list(query),
        delete: (query) => shared.delete(query),
        acquire: (query) => shared.acquire(query),
        release: (query) => shared.release(query),
        take: (query) => shared.take(query),
      },
    };
  }
}
