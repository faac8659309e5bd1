import { HoldfastError } from '../../errors.ts';
import type { Clock } from '../../system/clock.ts';
import { systemClock } from '../../system/clock.ts';
import type { Ids } from '../../system/ids.ts';
import { createIds } from '../../system/ids.ts';
import type { Random } from '../../system/random.ts';
import { systemRandom } from '../../system/random.ts';
import type { ClientBinding, LocalId, RequestHandle, RequestInput, RequestOptions } from '../types/calls.ts';
import type { EventSource, QueueEventMap, QueueEventName, SettledFilter } from '../types/events.ts';
import type { FetchFront, FetchOptions, QueuedFetch } from '../types/fetch.ts';
import type { Logger } from '../types/logger.ts';
import type { RequestFilter, StoredRequest } from '../types/request.ts';
import { Ambient } from './ambient.ts';
import type { RequestItem } from './calls.ts';
import { Calls } from './calls.ts';
import { abortStart, closeEngine } from './close.ts';
import { closedError } from './closedError.ts';
import type { QueueCounters } from './composition.ts';
import { createCounters, createFetch } from './composition.ts';
import { resolveConfiguration } from './config/resolve.ts';
import type { ResolvedConfiguration } from './config/types.ts';
import type { Context } from './context.ts';
import type { DeadLetters } from './deadLetters.ts';
import { Engine } from './Engine.ts';
import { Emitter } from './emitter.ts';
import type { Explanation } from './explain.ts';
import { explain } from './explain.ts';
import { FetchDesk } from './fetchDesk.ts';
import { assertFilter } from './filter.ts';
import type { QueueDispatcher } from './frontFetch.ts';
import { frontDispatcher, frontFetch } from './frontFetch.ts';
import type { ZoneDesk } from './gates/ZoneDesk.ts';
import { QueuedRequest } from './handles/QueuedRequest.ts';
import { refusedHandle } from './handles/refusedHandle.ts';
import type { Schema } from './handles/schema.ts';
import type { Held } from './held.ts';
import { guardLogger } from './loggerGuard.ts';
import { openContext, waitingIn } from './opening.ts';
import type { Principals } from './principals.ts';
import type { BoundQueue, QueueParts } from './queueParts.ts';
import type { PlanOptions, ReplayPlan } from './replayPlan.ts';
import { replayPlan } from './replayPlan.ts';
import type { Counts, QueueHealth } from './report.ts';
import { countsOf, healthOf } from './report.ts';
import type { StrategyOptions } from './reranking.ts';
import type { ResourceQueue, ResourceRules } from './resources.ts';
import type { Running } from './running.ts';
import { attend } from './running.ts';
import type { Schedules } from './schedules/Schedules.ts';
import type { SettledHandler, SubscribeOptions } from './subscriptions.ts';
import { Subscriptions } from './subscriptions.ts';

/**
 * A queue of outbound HTTP calls: makes each durable, sends it when and where it can be sent, and settles it once. A thin
 * facade over the stages of {@link Engine}. `start` before use; `close` ends everything it began.
 */
export class QueueManager implements ResourceQueue, EventSource, AsyncDisposable {
  readonly name: string;
  /**
   * A WHATWG `fetch` whose calls go through the queue: same arguments, same `Response`, same rejections. Options of the queue stand in
   * `init.queue`. Belongs to nobody: it can be handed to an SDK as it is.
   */
  readonly fetch: QueuedFetch;
  readonly #config: ResolvedConfiguration;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #ids: Ids;
  readonly #logger: Logger;
  readonly #emitter: Emitter;
  readonly #parts: QueueParts;
  readonly #ambient = new Ambient();
  #running: Running | undefined;
  #counters: QueueCounters | undefined;
  #dispatcher: QueueDispatcher | undefined;
  #starting: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** @throws CONFIG_INVALID with every problem of the configuration */
  constructor(parts: QueueParts = {}) {
    this.#config = resolveConfiguration(parts.config);
    this.#parts = parts;
    this.#clock = parts.clock ?? systemClock;
    this.#random = parts.random ?? systemRandom;
    this.#ids = createIds(this.#clock, this.#random);
    this.#logger = guardLogger(this.#config.logger);
    this.#emitter = new Emitter(this.#config.name, this.#clock, this.#logger);
    this.name = this.#config.name;
    this.fetch = frontFetch(() => this.#use().fetch, undefined);
  }

  /**
   * Opens the store, repairs what earlier runs left, and begins to send; only then calls are taken. Idempotent. After a failure
   * it can be tried again, but for a backend or transport that was passed in: those are closed.
   *
   * @throws BACKEND_UNAVAILABLE, BACKEND_CORRUPT, BACKEND_NEWER, DEPENDENCY_MISSING
   */
  start(): Promise<void> {
    // What a closed queue opened, nobody could close.
    if (this.#starting === undefined && this.#closing !== undefined) return Promise.reject(closedError(this.name));
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** Accepts a request, whatever becomes of its caller. Resolves once it is stored (G1). */
  async enqueue<T = unknown>(
    input: RequestInput,
    options?: RequestOptions & { readonly schema?: Schema<T> | undefined },
  ): Promise<QueuedRequest<T>> {
    const { schema, ...rest } = options ?? {};
    const handle = this.#use().calls.enqueue(input, this.#ambient.under(rest) ?? rest);
    return new QueuedRequest<T>(await handle.accepted(), handle, schema);
  }

  /** Accepts requests in one transaction, all or none. `after` may name earlier ones by their index. */
  async enqueueMany(items: readonly RequestItem[]): Promise<QueuedRequest[]> {
    const handles = this.#use().calls.enqueueMany(items, (options) => this.#ambient.under(options));
    const accepted = await Promise.all(handles.map((handle) => handle.accepted()));
    return accepted.map((one, index) => new QueuedRequest(one, handles[index] as RequestHandle)); // same length
  }

  /** The queue's ways of speaking the platform's language, with options for all calls made through them. */
  with(options: FetchOptions): BoundQueue {
    const take = (): FetchFront => this.#use().fetch;
    return {
      fetch: frontFetch(take, options),
      dispatcher: frontDispatcher(take, options),
      run: (run) => this.#ambient.run(options, run),
    };
  }

  /** For clients over undici, and for `fetch(url, { dispatcher })`: each hop is a request. */
  get dispatcher(): QueueDispatcher {
    this.#dispatcher ??= frontDispatcher(() => this.#use().fetch, undefined);
    return this.#dispatcher;
  }

  /** Takes a call of a client. Bad input is reported by the handle. */
  call(input: RequestInput, options?: RequestOptions, client?: ClientBinding): RequestHandle {
    try {
      return this.#use().calls.call(input, this.#ambient.under(options), client);
    } catch (error) {
      return refusedHandle(error);
    }
  }

  callHandle(id: string): RequestHandle {
    return this.#use().calls.handle(id);
  }

  register(client: ClientBinding): () => void {
    const { calls, scheduler } = this.#use();
    const undo = calls.register(client);
    scheduler.lookAgain();
    return undo;
  }

  /** A handle on a stored request, after a restart or elsewhere. */
  handle<T = unknown>(id: string, options?: { readonly schema?: Schema<T> | undefined }): QueuedRequest<T> {
    return new QueuedRequest<T>({ id, deduplicated: false }, this.callHandle(id), options?.schema);
  }

  /** The record of a request, undefined when there is none (any more). */
  async get(id: string): Promise<StoredRequest | undefined> {
    const [record] = await this.#use().engine.context.backend.requests.get({ ids: [id] });
    return record;
  }

  /** Records that match, in the order of acceptance. */
  async find(filter: RequestFilter, options: { readonly limit?: number; readonly after?: number | null } = {}) {
    assertFilter(filter);
    const { limit = 100, after = null } = options;
    return this.#use().engine.context.backend.requests.find({ filter, order: 'accepted', after, limit });
  }

  /** How many requests are in each state; exact. */
  async counts(filter?: RequestFilter): Promise<Counts> {
    if (filter !== undefined) assertFilter(filter);
    return countsOf(await this.#use().engine.context.backend.requests.count({ filter }));
  }

  /** Where a request stands, why, and what can be promised about it. @throws REQUEST_NOT_FOUND */
  async explain(id: string): Promise<Explanation> {
    const { engine } = this.#use();
    return explain(await engine.lookup.record(id), engine);
  }

  /** What would be sent of all that waits, in which order, and what would keep it, as far as the store can tell: nobody else is asked. */
  replayPlan(options: PlanOptions = {}): Promise<ReplayPlan> {
    return replayPlan(this.#use().engine, options);
  }

  /** How the queue, its store and its zones are, as this process sees them. */
  health(): Promise<QueueHealth> {
    return healthOf(this.#use().engine);
  }

  /** What happened in this process since `start`. */
  stats(): ReturnType<QueueCounters['read']> {
    this.#use();
    return (this.#counters as QueueCounters).read(); // set with the engine
  }

  /** Sends nothing more to a zone, or at all; what is under way goes on. Lasts until `resume` or the end of the process. */
  pause(zone?: string): void {
    this.#use().engine.zones.pause(zone);
    this.#emitter.emit('zone:paused', { zone: zone ?? null });
  }

  /** Ends {@link pause}; named, a zone also goes on where the server asked it to wait. What is scheduled for later stays so. */
  resume(zone?: string): void {
    const { engine } = this.#use();
    engine.zones.resume(zone);
    this.#emitter.emit('zone:resumed', { zone: zone ?? null });
    engine.wake();
  }

  /**
   * Another order for what waits and comes in, in all processes that share the store, until it is set again or one starts with another
   * configuration; what is absent stays. Resolves once it is in force; what waits already follows in the background (`queue:reranked`).
   *
   * @throws CONFIG_INVALID
   */
  setStrategy(strategy: StrategyOptions): Promise<void> {
    return this.#use().engine.reranking.set(strategy);
  }

  /** Resolves when nothing that matches can move by itself: ended, held, or not due because its caller asked. */
  idle(filter: RequestFilter = {}): Promise<void> {
    assertFilter(filter);
    return this.#use().idle.wait(filter);
  }

  /**
   * A new local id: it stands for the id that the server will give to what a request makes (`localId` of that request), and may be used in the path, the
   * query or the JSON body of later ones, which wait for it.
   *
   * @throws REQUEST_INVALID for a type that is no name
   */
  localId(type: string): LocalId {
    return this.#use().localIds.make(type);
  }

  /** What a local id stands for; undefined as long as it is not known. @throws REQUEST_INVALID for what is no local id */
  serverId(localId: string): Promise<string | number | undefined> {
    return this.#use().localIds.serverId(localId);
  }

  /**
   * Says what a local id stands for, where the answer of the server did not. What is held for want of it goes on.
   *
   * @throws REQUEST_INVALID, REQUEST_NOT_FOUND where no request of that local id is stored, ILLEGAL_MOVE while it is being sent
   */
  bind(localId: string, serverId: string | number): Promise<void> {
    return this.#use().localIds.bind(localId, serverId);
  }

  /** Makes requests of that resource sendable by this process: what `ApiClient.resource` does. Returns its undo. */
  registerResource(rules: ResourceRules): () => void {
    return this.#use().engine.registerResource(rules);
  }

  /** Whose requests are stored, and who is present. */
  get principals(): Principals {
    return this.#use().principals;
  }

  /** Writes that ended unsuccessfully: what failed of the same, how many, and to try again. */
  get deadLetters(): DeadLetters {
    return this.#use().deadLetters;
  }

  /** Requests that are set aside for a decision: unknown outcomes, missing credentials, conflicts. */
  get held(): Held {
    return this.#use().held;
  }

  /** Recurring requests, by name. */
  get schedules(): Schedules {
    return this.#use().schedules;
  }

  /** The zones as this process sees them: their gates, to look at and to work by hand. */
  get zones(): ZoneDesk {
    return this.#use().engine.zoneDesk;
  }

  /**
   * Calls `listener` with each event of that name, in this process; returns what ends that. What it throws is logged.
   *
   * @throws REQUEST_INVALID for a name that no event has
   */
  on<N extends QueueEventName>(name: N, listener: (event: QueueEventMap[N]) => void): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Tells `handler` of every request that matches and ended, at least once, also across restarts; a new name begins with
   * the oldest record kept. Returns what ends it.
   */
  subscribe(filter: SettledFilter, handler: SettledHandler, options: SubscribeOptions): () => Promise<void> {
    return this.#use().subscriptions.add(filter, handler, options);
  }

  /**
   * Claims no more, waits for calls under way until the deadline, rejects waiting callers with QUEUE_CLOSED, and closes
   * the store. What is stored stays. Idempotent; concurrent callers share one promise.
   */
  close(options: { readonly deadlineMs?: number | undefined } = {}): Promise<void> {
    this.#closing ??= this.#close(options.deadlineMs ?? this.#config.closeTimeoutMs);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #start(): Promise<void> {
    const context = await openContext({
      config: this.#config,
      clock: this.#clock,
      random: this.#random,
      ids: this.#ids,
      emitter: this.#emitter,
      logger: this.#logger,
      parts: this.#parts,
    });
    try {
      await this.#run(context);
    } catch (error) {
      await Promise.allSettled([context.transport.close(), context.backend.close()]);
      throw error;
    }
  }

  async #run(context: Context): Promise<void> {
    const subscriptions = new Subscriptions(context);
    const engine = await Engine.create(context, () => subscriptions.keepAfter());
    const calls = new Calls(engine);
    const fetch = await createFetch(new FetchDesk(engine, calls, this.#ambient));
    const counters = createCounters(this.#emitter);
    let waiting: number;
    try {
      await engine.start();
      waiting = await waitingIn(context.backend);
    } catch (error) {
      counters.stop();
      await abortStart(engine);
      throw error;
    }
    this.#counters = counters;
    this.#running = attend(engine, calls, subscriptions, fetch);
    this.#emitter.on('request:settled', () => subscriptions.poke());
    this.#emitter.emit('queue:started', { worker: context.worker, waiting });
    this.#running.scheduler.start();
  }

  async #close(deadlineMs: number): Promise<void> {
    await this.#starting?.catch(() => undefined); // its own caller was told
    if (this.#running === undefined) return;
    const { engine, subscriptions, idle, deadLetters, scheduler } = this.#running;
    idle.stop();
    deadLetters.stop();
    try {
      await closeEngine(engine, subscriptions, scheduler.stop(), deadlineMs);
    } finally {
      this.#emitter.emit('queue:closed', {});
      this.#counters?.stop();
    }
  }

  #use(): Running {
    if (this.#closing !== undefined) throw closedError(this.name);
    if (this.#running === undefined) {
      throw new HoldfastError(
        'BACKEND_UNAVAILABLE',
        `queue "${this.name}" is not started: await queue.start() first`,
        {},
      );
    }
    return this.#running;
  }
}
