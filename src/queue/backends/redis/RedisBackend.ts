import { HoldfastError } from '../../../errors.ts';
import type { Clock, Timer } from '../../../system/clock.ts';
import type {
  Backend,
  BackendCapabilities,
  History,
  OpenOptions,
  SharedState,
  WorkerIdentity,
} from '../../types/backend.ts';
import type { RedisOptions } from '../../types/redis.ts';
import type { ScheduleStore } from '../../types/schedule.ts';
import type { RequestStore } from '../../types/store.ts';
import type { LoadedScript } from './call.ts';
import { committer, WAIT_TIMEOUT_MS } from './commit.ts';
import { historyOver, sharedStateOver } from './companions.ts';
import type { Connection } from './connection.ts';
import { connect } from './ioredis.ts';
import type { Packable, Unpacker } from './msgpack.ts';
import { News } from './News.ts';
import { RedisLink } from './RedisLink.ts';
import { requestsOver } from './requests.ts';
import { schedulesOver } from './schedules.ts';
import type { Script, Verb } from './script.ts';
import { loadScripts } from './script.ts';
import { askServer, checkServer, durabilityOf } from './server.ts';

const COMMAND_TIMEOUT_MS = 5_000;
/** How long closing waits for answers, and for giving up the lease of life. */
const CLOSE_MS = 2_000;

export interface RedisBackendOptions extends RedisOptions {
  /** Of the queue: processes that give the same name (and `keyPrefix`) share it. @default 'queue' */
  readonly name?: string | undefined;
}

/** What is handed in; `time` only by tests. */
export interface RedisBackendParts {
  readonly clock: Clock;
  /** `given`: leases, semaphores and buckets are judged by the times that verbs are given, for tests that step through time. @default 'server' */
  readonly time?: 'server' | 'given' | undefined;
}

type Phase = 'new' | 'open' | 'closed';

/**
 * A store on a Redis or Valkey server that processes on many machines may share. Each verb is one run of a script, which is atomic;
 * calls do not wait for each other's answers, are made again when the connection was lost, and take effect once. Leases,
 * semaphores and buckets are judged by the server's clock. Needs ioredis.
 */
export class RedisBackend implements Backend {
  readonly requests: RequestStore;
  readonly schedules: ScheduleStore;
  readonly shared: SharedState;
  readonly history: History;
  readonly #options: RedisBackendOptions;
  readonly #clock: Clock;
  readonly #isTimeGiven: boolean;
  #capabilities: BackendCapabilities;
  #phase: Phase = 'new';
  #connection: Connection | undefined;
  #link: RedisLink | undefined;
  #news: News | undefined;
  #opening: OpenOptions | undefined;
  #opened: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: RedisBackendOptions, { clock, time }: RedisBackendParts) {
    this.#options = options;
    this.#clock = clock;
    this.#isTimeGiven = time === 'given';
    this.#capabilities = this.#capable('none');
    const link = (): RedisLink => this.#usable();
    this.requests = requestsOver({
      link,
      watch: (listener) => this.#watch(listener),
      identity: () => this.#identity(),
      gone: (workers) => this.#gone(workers),
    });
    this.schedules = schedulesOver(link);
    this.shared = sharedStateOver(link);
    this.history = historyOver(link);
  }

  /** The durability is the server's, known once the store is open. */
  get capabilities(): BackendCapabilities {
    return this.#capabilities;
  }

  open(options: OpenOptions): Promise<void> {
    if (this.#phase === 'closed') return Promise.reject(this.#unavailable());
    this.#opened ??= this.#open(options);
    return this.#opened;
  }

  async #open(options: OpenOptions): Promise<void> {
    const prefix = `${this.#options.keyPrefix ?? 'holdfast'}:{${this.#options.name ?? 'queue'}}:`;
    const connection = connect(this.#options, prefix);
    const news = `${prefix}news`;
    const link = new RedisLink(connection, this.#clock, {
      scripts: scriptsOf(prefix),
      news,
      commandTimeoutMs: this.#options.commandTimeoutMs ?? COMMAND_TIMEOUT_MS,
      leaseMs: () => (this.#isTimeGiven ? null : options.leaseMs),
      commit: committer(connection, this.#options),
      commitMs: this.#options.waitTimeoutMs ?? WAIT_TIMEOUT_MS,
      back: () => [options.identity.worker, this.#signOfLife(options)],
    });
    this.#connection = connection;
    this.#link = link;
    this.#opening = options;
    this.#phase = 'open';
    link.open();
    try {
      await link.call('look', false, { writes: false }); // it answers at all
      const facts = await askServer(connection);
      checkServer(facts, this.#options, connection.where);
      this.#capabilities = this.#capable(durabilityOf(facts, this.#options));
      await this.#begin(link, options);
      this.#news = new News(connection, link, this.#clock, news);
    } catch (error) {
      if (this.#phase === 'open') this.#phase = 'new';
      this.#opened = undefined;
      link.close();
      throw error;
    }
  }

  async #begin(link: RedisLink, { identity, leaseNow }: OpenOptions): Promise<void> {
    const answer = await link.call('begin', false, { writes: false });
    answer.array();
    link.handle = `${answer.number()}:${identity.worker}`;
    await this.#live(link, identity.worker, leaseNow, true);
  }

  async #live(link: RedisLink, worker: string, leaseNow: number, isOwn: boolean): Promise<void> {
    const own = isOwn && this.#opening !== undefined && this.#signOfLife(this.#opening);
    await link.call('live', [worker, own], { writes: true, leaseNow });
  }

  #signOfLife({ identity, leaseMs }: OpenOptions): Packable {
    return [identity.bootId, identity.pidNamespace, identity.pid, identity.processStart, leaseMs];
  }

  async keepAlive({ worker, leaseNow }: { readonly worker: string; readonly leaseNow: number }): Promise<void> {
    const link = this.#usable();
    await this.#live(link, worker, leaseNow, worker === this.#identity().worker);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const link = this.#link;
    const isOpen = this.#phase === 'open';
    this.#phase = 'closed';
    this.#news?.stop();
    if (link === undefined || !isOpen) return;
    try {
      await this.#opened;
      // What cannot be answered or given up in time is left: a lease of life lapses by itself.
      await this.#within(CLOSE_MS, link.settled());
      await this.#within(CLOSE_MS, link.call('leave', [this.#identity().worker], { writes: true }));
    } catch {
      return; // whoever opened it was told
    } finally {
      link.close();
    }
  }

  /** Waits for a step, but no longer than so many ms, and whatever comes of it. */
  async #within(ms: number, step: Promise<unknown>): Promise<void> {
    let timer: Timer | undefined;
    const late = new Promise<void>((resolve) => {
      timer = this.#clock.schedule(ms, resolve, { keepAlive: true });
    });
    await Promise.race([step.catch(() => undefined), late]);
    timer?.cancel();
  }

  #watch(listener: (ended?: readonly string[]) => void): () => void {
    this.#usable();
    const news = this.#news;
    if (news === undefined) throw this.#unavailable();
    return news.watch(listener);
  }

  #identity(): WorkerIdentity {
    if (this.#opening === undefined) throw this.#unavailable();
    return this.#opening.identity;
  }

  /** The workers of this machine whose process surely no longer runs. */
  #gone(workers: Unpacker): string[] {
    const own = this.#identity();
    const gone: string[] = [];
    for (const other of workers.list(readWorker)) {
      const isHere = other.bootId === own.bootId && other.pidNamespace === own.pidNamespace;
      if (isHere && other.worker !== own.worker && this.#opening?.isGone(other) === true) gone.push(other.worker);
    }
    return gone;
  }

  #usable(): RedisLink {
    if (this.#phase !== 'open' || this.#link === undefined) throw this.#unavailable();
    return this.#link;
  }

  #capable(durability: BackendCapabilities['durability']): BackendCapabilities {
    return Object.freeze({ kind: 'redis', durability, shared: true, acceptsTime: this.#isTimeGiven });
  }

  #unavailable(): HoldfastError<'BACKEND_UNAVAILABLE'> {
    const why = this.#phase === 'closed' ? 'was closed' : 'is not open';
    return new HoldfastError('BACKEND_UNAVAILABLE', `The Redis store ${this.#options.name ?? 'queue'} ${why}.`, {
      server: this.#connection?.where ?? '',
    });
  }
}

/** The scripts, given the keys of one queue. */
function scriptsOf(prefix: string): Map<Verb, LoadedScript> {
  const given = new Map<Script, LoadedScript>();
  const give = (script: Script): LoadedScript => {
    const known = given.get(script) ?? { ...script, keys: script.keys.map((name) => prefix + name) };
    given.set(script, known);
    return known;
  };
  return new Map([...loadScripts()].map(([verb, script]) => [verb, give(script)]));
}

function readWorker(from: Unpacker): WorkerIdentity {
  from.array();
  const worker = from.text();
  from.array();
  const identity = {
    worker,
    bootId: from.text(),
    pidNamespace: from.text(),
    pid: from.number(),
    processStart: from.text(),
  };
  for (let rest = 0; rest < 3; rest += 1) from.skip();
  return identity;
}
