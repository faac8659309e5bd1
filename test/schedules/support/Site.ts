import { onTestFinished } from 'vitest';
import { MemoryBackend } from '../../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../../src/queue/backends/memory/MemoryStorage.ts';
import type { QueueOptions } from '../../../src/queue/core/config/options.ts';
import { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { ScheduleRecord } from '../../../src/queue/core/schedules/record.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { Json } from '../../../src/queue/types/request.ts';
import type { StoredSchedule } from '../../../src/queue/types/schedule.ts';
import type { BackendHooks } from '../../../src/testing/backendHooks.ts';
import { hookBackend } from '../../../src/testing/backendHooks.ts';
import { TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../../src/testing/FakeNetwork.ts';
import { Life } from '../../../src/testing/Life.ts';
import { backendAt, describeStores } from '../../replay/faults/support/stores.ts';
import { Traffic } from '../../replay/faults/support/Traffic.ts';

/** A step of a store at which a process can die: before it, or once it is done and nobody knows. */
export interface Point {
  readonly when: 'before' | 'after';
  readonly verb: string;
}

/** A queue that can die. */
export interface Member {
  readonly queue: QueueManager;
  readonly life: Life;
  /** What its store was asked. */
  readonly verbs: readonly string[];
  /** From now on it dies there. */
  diesAt(point: Point): void;
  /** From now on its store does not answer there. */
  hangs(point: Point): void;
}

/** The same tests on memory, SQLite files and a Redis server, each shared by several queues on one fake clock. */
export function describeSites(name: string, define: (open: () => Promise<Site>) => void): void {
  describeStores(name, (store) =>
    define(async () => {
      const at = await store.make();
      return new Site(() => backendAt(at));
    }),
  );
}

/** A site in memory. */
export function memorySite(): Site {
  const store = new MemoryStorage();
  return new Site(() => new MemoryBackend({ store }));
}

/** Time that stands still while the stores work, however long they take. */
class StoresClock extends FakeClock {
  readonly traffic = new Traffic();

  override async settle(): Promise<void> {
    await super.settle();
    await this.traffic.calm();
  }
}

/** A store, a clock and a server, and the queues that share them. */
export class Site {
  readonly clock = new StoresClock();
  readonly network = new FakeNetwork({ clock: this.clock });
  readonly server = this.network.serve(TEST_ORIGIN);
  readonly #backend: () => Backend;
  readonly #gone = new Set<string>();
  #observer: Promise<Backend> | undefined;

  constructor(backend: () => Backend) {
    this.#backend = backend;
    onTestFinished(() => this.network.close());
  }

  async open(config: Omit<QueueOptions, 'backend'> = {}): Promise<Member> {
    const real = this.clock.traffic.watch(this.#backend());
    onTestFinished(() => real.close());
    let stopping: (Point & { readonly dies: boolean }) | undefined;
    const pass = (when: Point['when'], verb: string): void | Promise<void> => {
      if (stopping === undefined || stopping.when !== when || stopping.verb !== verb) return;
      if (stopping.dies) this.end(life);
      return new Promise<void>(() => undefined);
    };
    const verbs: string[] = [];
    const hooks: BackendHooks = {
      before: (verb) => {
        verbs.push(verb);
        return pass('before', verb);
      },
      after: (verb) => pass('after', verb),
    };
    const life = new Life(
      { clock: this.clock, backend: hookBackend(real, hooks), transport: this.network },
      this.#gone,
    );
    const { clock, backend, transport } = life;
    const queue = new QueueManager({ config, clock, backend, transport });
    onTestFinished(async () => {
      if (!life.over) await queue.close();
    });
    await queue.start();
    const diesAt = (point: Point): void => {
      stopping = { ...point, dies: true };
    };
    const hangs = (point: Point): void => {
      stopping = { ...point, dies: false };
    };
    return { queue, life, verbs, diesAt, hangs };
  }

  end(life: Life): void {
    life.end();
    if (life.worker !== undefined) this.#gone.add(life.worker);
  }

  /** What is stored of a schedule. */
  async record(name: string): Promise<ScheduleRecord> {
    return (await this.#stored(name))?.data as unknown as ScheduleRecord; // as our own layout
  }

  /** Writes a schedule as nobody else would. */
  async write(name: string, schedule: { readonly dueAt: number | null; readonly data: Json }): Promise<void> {
    this.#observer ??= this.#observe();
    await (await this.#observer).schedules.set({ name, ...schedule });
  }

  async #stored(name: string): Promise<StoredSchedule | undefined> {
    this.#observer ??= this.#observe();
    const { schedules } = await this.#observer;
    return (await schedules.get({ names: [name] }))[0];
  }

  /** Somebody who looks on, and outlives all others. */
  async #observe(): Promise<Backend> {
    const backend = this.#backend();
    onTestFinished(() => backend.close());
    const identity = { worker: 'observer', bootId: '', pidNamespace: '', pid: 0, processStart: '' };
    await backend.open({ identity, now: this.clock.now(), leaseNow: 0, leaseMs: 30_000, isGone: () => false });
    return backend;
  }
}
