import { HoldfastError } from '../../../errors.ts';
import type { Backend, BackendCapabilities, History, OpenOptions, SharedState } from '../../types/backend.ts';
import type { Binding } from '../../types/binding.ts';
import type { ScheduleStore } from '../../types/schedule.ts';
import type { RequestStore } from '../../types/store.ts';
import { claim, claimUnknown, renew } from './claim.ts';
import { enqueue } from './enqueue.ts';
import { count, find, nextDueAt } from './find.ts';
import { MemoryHistory } from './MemoryHistory.ts';
import { MemorySharedState } from './MemorySharedState.ts';
import { MemoryStorage } from './MemoryStorage.ts';
import { purge } from './purge.ts';
import { expire, live, recover } from './recover.ts';
import { amend, settle } from './settle.ts';
import { snapshot } from './snapshot.ts';

const CAPABILITIES: BackendCapabilities = Object.freeze({
  kind: 'memory',
  durability: 'none',
  shared: false,
  acceptsTime: true,
});

/**
 * A handle on a store in memory. Every verb is done when it returns; its promise is resolved already. What is stored
 * ends with the process; within it, a `storage` given to several handles is shared by them and outlives any of them.
 * Accepted requests are kept by reference, not copied: whoever hands one over must not change it afterwards.
 */
export class MemoryBackend implements Backend {
  readonly capabilities = CAPABILITIES;
  readonly requests: RequestStore;
  readonly schedules: ScheduleStore;
  readonly shared: SharedState;
  readonly history: History;
  readonly #storage: MemoryStorage;
  #opened: OpenOptions | null = null;
  #isClosed = false;

  constructor(options: { readonly store?: MemoryStorage | undefined } = {}) {
    this.#storage = options.store ?? new MemoryStorage();
    this.requests = this.#makeRequests();
    this.schedules = this.#makeSchedules();
    this.shared = this.#makeShared();
    this.history = this.#makeHistory();
  }

  open(options: OpenOptions): Promise<void> {
    if (this.#isClosed) return Promise.reject(unavailable('was closed'));
    if (this.#opened !== null) return Promise.resolve();
    this.#opened = options;
    this.#storage.handles += 1;
    live(this.#storage, options.identity, options);
    return Promise.resolve();
  }

  keepAlive({ worker, leaseNow }: { readonly worker: string; readonly leaseNow: number }): Promise<void> {
    return this.#step(({ identity, leaseMs }) => {
      const row = this.#storage.workers.get(worker);
      if (row !== undefined) row.until = leaseNow + row.leaseMs;
      else if (worker === identity.worker) live(this.#storage, identity, { leaseNow, leaseMs });
    });
  }

  close(): Promise<void> {
    if (this.#opened !== null && !this.#isClosed) {
      this.#storage.handles -= 1;
      this.#storage.workers.delete(this.#opened.identity.worker);
      for (const [listener, owner] of this.#storage.listeners) {
        if (owner === this) this.#storage.listeners.delete(listener);
      }
    }
    this.#isClosed = true;
    return Promise.resolve();
  }

  /** Runs one verb to its end and wraps its answer, without a turn of the event loop. */
  #step<T>(verb: (opened: OpenOptions) => T): Promise<T> {
    if (this.#isClosed) return Promise.reject(unavailable('is closed'));
    if (this.#opened === null) return Promise.reject(unavailable('is not open'));
    const { revision, schedules } = this.#storage;
    const scheduled = schedules.revision;
    try {
      return Promise.resolve(verb(this.#opened));
    } catch (error) {
      return Promise.reject(error);
    } finally {
      const isChanged = this.#storage.revision !== revision || schedules.revision !== scheduled;
      if (isChanged && this.#storage.handles > 1) this.#tellOthers();
    }
  }

  #tellOthers(): void {
    for (const [listener, owner] of this.#storage.listeners) if (owner !== this) queueMicrotask(listener);
  }

  #makeRequests(): RequestStore {
    const storage = this.#storage;
    return {
      enqueue: (batch) => this.#step(() => enqueue(storage, batch)),
      claim: (query) => this.#step(() => claim(storage, query)),
      claimUnknown: (query) => this.#step(() => claimUnknown(storage, query)),
      renew: (query) => this.#step(() => renew(storage, query)),
      settle: (batch) => this.#step(() => settle(storage, batch)),
      amend: (batch) => this.#step(() => amend(storage, batch)),
      recover: (query) => this.#step((opened) => recover(storage, query, opened)),
      expire: (query) => this.#step(() => expire(storage, query)),
      get: ({ ids }) =>
        this.#step(() =>
          ids.map((id) => {
            const entry = storage.entries.get(id);
            return entry === undefined ? undefined : snapshot(entry);
          }),
        ),
      find: (query) => this.#step(() => find(storage, query)),
      count: ({ filter }) => this.#step(() => count(storage, filter)),
      purge: (query) => this.#step(() => purge(storage, query)),
      nextDueAt: (query) => this.#step(() => nextDueAt(storage, query)),
      bindings: ({ localIds }) =>
        this.#step(() => localIds.map((localId): Binding | undefined => storage.bindings.get(localId))),
      watch: (listener) => this.#watch(listener),
    };
  }

  #watch(listener: () => void): () => void {
    if (this.#opened === null || this.#isClosed) throw unavailable('is not open');
    const own = (): void => {
      if (this.#storage.listeners.has(own)) listener();
    };
    this.#storage.listeners.set(own, this);
    return () => void this.#storage.listeners.delete(own);
  }

  #makeSchedules(): ScheduleStore {
    const verbs = this.#storage.schedules;
    return {
      set: (query) => this.#step(() => verbs.set(query)),
      get: (query) => this.#step(() => verbs.get(query)),
      list: (query) => this.#step(() => verbs.list(query)),
      delete: (query) => this.#step(() => verbs.delete(query)),
      due: (query) => this.#step(() => verbs.due(query)),
      nextDueAt: () => this.#step(() => verbs.nextDueAt()),
    };
  }

  #makeShared(): SharedState {
    const verbs = new MemorySharedState(this.#storage);
    return {
      get: (query) => this.#step(() => verbs.get(query)),
      set: (query) => this.#step(() => verbs.set(query)),
      delete: (query) => this.#step(() => verbs.delete(query)),
      list: (query) => this.#step(() => verbs.list(query)),
      acquire: (query) => this.#step(() => verbs.acquire(query)),
      release: (query) => this.#step(() => verbs.release(query)),
      take: (query) => this.#step(() => verbs.take(query)),
    };
  }

  #makeHistory(): History {
    const verbs = new MemoryHistory(this.#storage);
    return {
      append: (query) => this.#step(() => verbs.append(query)),
      query: (query) => this.#step(() => verbs.query(query)),
      trim: (query) => this.#step(() => verbs.trim(query)),
    };
  }
}

function unavailable(why: string): HoldfastError<'BACKEND_UNAVAILABLE'> {
  return new HoldfastError('BACKEND_UNAVAILABLE', `The memory store ${why}; open a backend before using it.`, {});
}
