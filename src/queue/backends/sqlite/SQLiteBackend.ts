import { HoldfastError } from '../../../errors.ts';
import type { Backend, BackendCapabilities, History, OpenOptions, SharedState } from '../../types/backend.ts';
import type { ScheduleStore } from '../../types/schedule.ts';
import type { RequestStore } from '../../types/store.ts';
import { historyOver } from './history.ts';
import { Observer } from './Observer.ts';
import type { Call } from './protocol.ts';
import { requestsOver } from './requests.ts';
import { schedulesOver } from './schedules.ts';
import { sharedStateOver } from './shared.ts';
import { WorkerLink } from './WorkerLink.ts';

export interface SQLiteBackendOptions {
  /** Of the database file; missing folders are made. `:memory:` keeps it in memory, for this handle alone. */
  readonly path: string;
  /** `full`: what is accepted survives power loss; `normal`: it survives a killed process. @default 'full' */
  readonly durability?: 'full' | 'normal' | undefined;
  /** How long a verb waits while other processes hold the database. @default 10_000 */
  readonly busyTimeoutMs?: number | undefined;
}

type Phase = 'new' | 'open' | 'closed';

/**
 * A store in one SQLite file that several processes may share. A thread of its own does the work, so that the caller's
 * event loop never waits for the disk; calls made while a commit is under way share the next one. Needs better-sqlite3.
 */
export class SQLiteBackend implements Backend {
  readonly capabilities: BackendCapabilities;
  readonly requests: RequestStore;
  readonly schedules: ScheduleStore;
  readonly shared: SharedState;
  readonly history: History;
  readonly #path: string;
  readonly #durability: 'full' | 'normal';
  readonly #busyTimeoutMs: number;
  readonly #listeners = new Set<() => void>();
  #phase: Phase = 'new';
  #link: WorkerLink | undefined;
  #observer: Observer | undefined;
  #opened: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: SQLiteBackendOptions) {
    this.#path = options.path;
    this.#durability = options.durability ?? 'full';
    this.#busyTimeoutMs = options.busyTimeoutMs ?? 10_000;
    this.capabilities = Object.freeze({
      kind: 'sqlite',
      durability: this.#path === ':memory:' ? 'none' : this.#durability === 'full' ? 'disk' : 'process',
      shared: true,
      acceptsTime: true,
    });
    const call: Call = (verb, takes, decode) => {
      if (this.#phase !== 'open' || this.#link === undefined) return Promise.reject(this.#unavailable());
      return this.#link.call(verb, takes, decode);
    };
    this.requests = requestsOver(call, {
      watch: (listener) => this.#watch(listener),
      observer: () => this.#observer,
    });
    this.schedules = schedulesOver(call);
    this.shared = sharedStateOver(call);
    this.history = historyOver(call);
  }

  open(options: OpenOptions): Promise<void> {
    if (this.#phase === 'closed') return Promise.reject(this.#unavailable());
    this.#opened ??= this.#open(options);
    return this.#opened;
  }

  async #open({ identity, leaseNow, leaseMs, isGone }: OpenOptions): Promise<void> {
    const link = new WorkerLink(() => this.#tell());
    this.#link = link;
    this.#observer = new Observer(identity, leaseMs, isGone);
    this.#phase = 'open'; // verbs called from here on queue up behind the opening
    try {
      const path = this.#path;
      const durability = this.#durability;
      const busyTimeoutMs = this.#busyTimeoutMs;
      await link.control({ open: { path, durability, busyTimeoutMs, identity, leaseNow, leaseMs } });
    } catch (error) {
      this.#phase = 'new';
      this.#link = undefined;
      this.#opened = undefined;
      await link.end();
      throw error;
    }
  }

  keepAlive({ worker, leaseNow }: { readonly worker: string; readonly leaseNow: number }): Promise<void> {
    const observer = this.#observer;
    if (this.#phase !== 'open' || this.#link === undefined || observer === undefined) {
      return Promise.reject(this.#unavailable());
    }
    const { identity, leaseMs } = observer;
    const isOwn = worker === identity.worker;
    return this.#link.call(
      'keepAlive',
      { worker, identity: isOwn ? identity : null, leaseNow, leaseMs },
      () => undefined,
    );
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const link = this.#link;
    const opening = this.#opened;
    const worker = this.#observer?.identity.worker;
    this.#phase = 'closed';
    this.#listeners.clear();
    if (link === undefined || opening === undefined || worker === undefined) return;
    try {
      await opening;
    } catch {
      return; // whoever opened it was told; its thread has ended
    }
    try {
      // A row that cannot be removed (a full disk) lapses by itself: others see no sign of life.
      await link.call('leave', worker, () => undefined).catch(() => undefined);
      await link.control({ close: true });
    } finally {
      await link.end();
    }
  }

  #watch(listener: () => void): () => void {
    const link = this.#link;
    if (this.#phase !== 'open' || link === undefined) throw this.#unavailable();
    const own = (): void => listener();
    this.#listeners.add(own);
    if (this.#listeners.size === 1) link.watch(true);
    return () => {
      if (this.#listeners.delete(own) && this.#listeners.size === 0 && this.#phase === 'open') link.watch(false);
    };
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #unavailable(): HoldfastError<'BACKEND_UNAVAILABLE'> {
    const why = this.#phase === 'closed' ? 'was closed' : 'is not open';
    return new HoldfastError('BACKEND_UNAVAILABLE', `The SQLite store ${this.#path} ${why}.`, { path: this.#path });
  }
}
