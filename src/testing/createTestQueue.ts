import { HoldfastError } from '../errors.ts';
import { MemoryBackend } from '../queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../queue/backends/memory/MemoryStorage.ts';
import type { QueueOptions } from '../queue/core/config/options.ts';
import { QueueManager } from '../queue/core/QueueManager.ts';
import type { Gauges } from '../system/gauges.ts';
import type { Random } from '../system/random.ts';
import { FakeClock } from './FakeClock.ts';
import { FakeNetwork } from './FakeNetwork.ts';
import type { FakeServer } from './FakeServer.ts';
import type { FaultPoint } from './faultPoints.ts';
import { withFaultPoints } from './faultPoints.ts';
import { Life } from './Life.ts';
import { seededRandom } from './seededRandom.ts';

/** Origin of the server that every test queue finds on its network. */
export const TEST_ORIGIN = 'https://api.test';

export interface TestQueueOptions {
  /** Picks every id, key and jitter: the same seed gives the same run. @default 1 */
  readonly seed?: number | string | undefined;
  /** Options of the queue; its backend is always the memory of this test. @default {} */
  readonly config?: Omit<QueueOptions, 'backend'> | undefined;
  /** @default a clock of its own */
  readonly clock?: FakeClock | undefined;
  /** How busy its process seems to be. @default not at all */
  readonly gauges?: Gauges | undefined;
}

const ignore = (): void => undefined;
const IDLE: Gauges = Object.freeze({ start: ignore, eventLoopDelayMs: () => 0, heapUsed: () => 0, stop: ignore });

/** A started queue in a world that the test moves: time, network and death. */
export class TestQueue implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly network: FakeNetwork;
  /** At {@link TEST_ORIGIN}. */
  readonly server: FakeServer;
  readonly random: Random;
  readonly #config: TestQueueOptions['config'];
  readonly #gauges: Gauges;
  readonly #storage = new MemoryStorage();
  readonly #gone = new Set<string>();
  readonly #stops = new Map<FaultPoint, { left: number; stopped: () => void }>();
  #life: { readonly life: Life; readonly queue: QueueManager } | undefined;

  private constructor(options: TestQueueOptions) {
    this.clock = options.clock ?? new FakeClock();
    this.network = new FakeNetwork({ clock: this.clock });
    this.server = this.network.serve(TEST_ORIGIN);
    this.random = seededRandom(options.seed ?? 1);
    this.#config = options.config;
    this.#gauges = options.gauges ?? IDLE;
  }

  static async start(options: TestQueueOptions = {}): Promise<TestQueue> {
    const test = new TestQueue(options);
    await test.#begin();
    return test;
  }

  /** The queue of the present life; another one after {@link crash}. */
  get queue(): QueueManager {
    return this.#present().queue;
  }

  /**
   * Ends the present life as SIGKILL would: no timer fires, no answer arrives, nothing more is stored. Then starts a new
   * queue on what was committed, and resolves with it.
   */
  async crash(): Promise<QueueManager> {
    this.#end();
    await this.clock.settle();
    await this.#begin();
    return this.queue;
  }

  /**
   * Arms a stop: when the present life passes `point` for the `nth` time from now, it goes no further, as if killed
   * there. Resolves at that moment; {@link crash} then starts the next life.
   */
  stopAt(point: FaultPoint, nth = 1): Promise<void> {
    return new Promise((stopped) => this.#stops.set(point, { left: nth, stopped }));
  }

  /** Closes the queue and the network. */
  async close(): Promise<void> {
    const present = this.#life;
    this.#life = undefined;
    if (present !== undefined && !present.life.over) await present.queue.close();
    await this.network.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #begin(): Promise<void> {
    const points = withFaultPoints(
      { backend: new MemoryBackend({ store: this.#storage }), transport: this.network },
      (point) => this.#pass(point),
      { lastByte: 'called' },
    );
    const life = new Life({ clock: this.clock, ...points }, this.#gone);
    const { clock, backend, transport } = life;
    const system = { clock, random: this.random, gauges: this.#gauges };
    const queue = new QueueManager({ config: this.#config, ...system, backend, transport });
    this.#life = { life, queue };
    await queue.start();
  }

  #end(): void {
    const { life } = this.#present();
    life.end();
    if (life.worker !== undefined) this.#gone.add(life.worker);
    this.#stops.clear();
  }

  #pass(point: FaultPoint): void | Promise<void> {
    const stop = this.#stops.get(point);
    if (stop === undefined) return;
    stop.left -= 1;
    if (stop.left > 0) return;
    this.#end();
    stop.stopped();
    return new Promise<void>(() => undefined);
  }

  #present(): { readonly life: Life; readonly queue: QueueManager } {
    if (this.#life === undefined) {
      throw new HoldfastError('QUEUE_CLOSED', 'This test queue was closed.', { accepted: false });
    }
    return this.#life;
  }
}

/**
 * A queue on a fake clock, a fake network and memory, started.
 *
 * @example
 * const test = await createTestQueue({ seed: 7 });
 * test.network.online = false;
 * await test.queue.enqueue({ method: 'POST', url: `${TEST_ORIGIN}/notes`, body: { text: 'hi' } });
 * await test.crash();
 * test.network.online = true;
 * await test.clock.advanceUntil(() => test.server.ledger.applied('/notes') === 1, 60_000);
 */
export function createTestQueue(options?: TestQueueOptions): Promise<TestQueue> {
  return TestQueue.start(options);
}
