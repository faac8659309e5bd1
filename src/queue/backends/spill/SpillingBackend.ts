import { HoldfastError } from '../../../errors.ts';
import type { Clock } from '../../../system/clock.ts';
import type {
  Backend,
  BackendCapabilities,
  Durability,
  History,
  OpenOptions,
  SharedState,
} from '../../types/backend.ts';
import type { ScheduleStore } from '../../types/schedule.ts';
import type { RequestStore } from '../../types/store.ts';
import { Carrier } from './Carrier.ts';
import { historyOver, schedulesOver, sharedOver } from './companions.ts';
import { Entrance } from './Entrance.ts';
import { Mover } from './Mover.ts';
import { Primary } from './Primary.ts';
import { SpillingRequests } from './requests.ts';
import { Spill } from './Spill.ts';

export interface SpillingBackendOptions {
  /** The store. Its verbs reject with `BACKEND_UNAVAILABLE` or `STORAGE_FULL` during an outage. */
  readonly primary: Backend;
  /** Where requests wait meanwhile: a durable backend that nothing else uses. Processes with the same store may share it. */
  readonly spill: Backend;
  /** Names the store, so that the spill of one is never moved to another. */
  readonly of: string;
  readonly clock: Clock;
  /** How long after a failure the store is tried again. Ms. @default 500 */
  readonly retryMs?: number | undefined;
}

type Listener = Parameters<RequestStore['watch']>[0];

const RETRY_MS = 500;
/** From the weakest to the strongest. */
const DURABILITIES: readonly Durability[] = ['none', 'process', 'disk', 'replicated'];

/**
 * A store that goes on accepting while it is away. What `enqueue` cannot bring there is put into the spill, durably, with its id, and
 * moved when the store is back: in the order of the calls per process and lane, each request once, across crashes. Until
 * then it is not sent, has a place after all others (from 2^52 on), and is looked up, listed, counted, called off and
 * bounded like the rest. Every other verb is the store's and rejects while it is away. `open` resolves also then, if the store
 * can only not be reached; it is opened in the background.
 */
export class SpillingBackend implements Backend {
  readonly requests: RequestStore;
  readonly schedules: ScheduleStore;
  readonly shared: SharedState;
  readonly history: History;
  readonly #primary: Primary;
  readonly #spill: Spill;
  readonly #entrance: Entrance;
  readonly #mover: Mover;
  readonly #listeners = new Set<Listener>();
  #unwatch: (() => void) | undefined;
  #phase: 'new' | 'open' | 'closed' = 'new';
  #opened: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor({ primary, spill, of, clock, retryMs = RETRY_MS }: SpillingBackendOptions) {
    this.#primary = new Primary(primary, clock, retryMs, () => this.#wasOpened());
    this.#spill = new Spill(spill, of, clock);
    const parts = { primary: this.#primary, spill: this.#spill, clock };
    const entrance = new Entrance(parts, () => this.#mover.later());
    const carrier = new Carrier(this.#primary, this.#spill, clock);
    this.#entrance = entrance;
    this.#mover = new Mover({ ...parts, entrance, carrier }, retryMs, (ended) => this.#tell(ended));
    const mover = this.#mover;
    const watch: RequestStore['watch'] = (listener) => this.#watch(listener);
    this.requests = new SpillingRequests({ ...parts, entrance, carrier, mover, watch, refusal: () => this.#refusal() });
    this.schedules = schedulesOver(this.#primary);
    this.shared = sharedOver(this.#primary, this.#spill);
    this.history = historyOver(this.#primary);
  }

  /** The store's, with the durability of the weaker of the two. */
  get capabilities(): BackendCapabilities {
    const { capabilities } = this.#primary.backend;
    const { durability } = this.#spill.backend.capabilities;
    const weaker = DURABILITIES.indexOf(durability) < DURABILITIES.indexOf(capabilities.durability);
    return Object.freeze({ ...capabilities, ...(weaker && { durability }), opensOffline: true });
  }

  /** @throws what the store rejects with unless it can only not be reached; what the spill rejects with; CONFIG_INVALID */
  open(options: OpenOptions): Promise<void> {
    if (this.#phase === 'closed') return Promise.reject(this.#refusal());
    this.#opened ??= this.#open(options).catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #open(options: OpenOptions): Promise<void> {
    await this.#primary.open(options);
    try {
      await this.#spill.open(options);
      if (!(await this.#spill.isEmpty())) this.#entrance.spill();
    } catch (error) {
      await this.close();
      throw error;
    }
    const refusal = this.#phase === 'closed' ? this.#refusal() : undefined;
    if (refusal !== undefined) throw refusal;
    this.#phase = 'open';
    this.#mover.start(options.identity.worker);
  }

  async keepAlive(query: { readonly worker: string; readonly leaseNow: number }): Promise<void> {
    await this.#primary.run((store) => store.keepAlive(query));
    // The one verb that is called again and again and has nothing else to tell.
    if (this.#mover.trouble !== undefined) throw this.#mover.trouble;
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** What is in the spill stays there; what waits to be let in goes there too. */
  async #close(): Promise<void> {
    this.#phase = 'closed';
    this.#unwatch?.();
    this.#listeners.clear();
    const stopped = this.#mover.stop();
    this.#entrance.spill();
    try {
      await this.#primary.close();
    } finally {
      await stopped;
      await this.#entrance.drained();
      await this.#spill.backend.close();
    }
  }

  /** Why nothing is accepted, if nothing is. */
  #refusal(): HoldfastError | undefined {
    if (this.#phase === 'open') return undefined;
    const why = this.#phase === 'closed' ? 'was closed' : 'is not open';
    const { kind } = this.#primary.backend.capabilities;
    return new HoldfastError('BACKEND_UNAVAILABLE', `The ${kind} store with a spill ${why}.`, { mayBeDone: false });
  }

  #wasOpened(): void {
    if (this.#listeners.size > 0) this.#follow();
    this.#mover.now();
    this.#tell(undefined);
  }

  /** Calls back also when requests were moved: they may be ready now, or have ended on the way. */
  #watch(listener: Listener): () => void {
    const own: Listener = (ended) => listener(ended);
    this.#listeners.add(own);
    if (this.#listeners.size === 1 && this.#primary.isOpen) this.#follow();
    return () => {
      if (!this.#listeners.delete(own) || this.#listeners.size > 0) return;
      this.#unwatch?.();
      this.#unwatch = undefined;
    };
  }

  #follow(): void {
    this.#unwatch = this.#primary.backend.requests.watch((ended) => this.#tell(ended));
  }

  #tell(ended: readonly string[] | undefined): void {
    for (const listener of [...this.#listeners]) listener(ended);
  }
}
