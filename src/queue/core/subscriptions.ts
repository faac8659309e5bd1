import { AsyncLocalStorage } from 'node:async_hooks';
import type { Timer } from '../../system/clock.ts';
import type { SettledFilter, SettledNotice } from '../types/events.ts';
import { matchesFilter } from '../types/matchesFilter.ts';
import type { StoredRequest } from '../types/request.ts';
import { isTerminal } from '../types/states.ts';
import type { Context } from './context.ts';
import { assertFilter } from './filter.ts';
import { invalidRequest } from './target.ts';
import { messageOf } from './tell.ts';

export interface SubscribeOptions {
  /**
   * Name under which progress is kept in the store: the same name goes on where it stopped, in any process. Within one
   * process a name has one subscriber at a time.
   */
  readonly durable: string;
}

export type SettledHandler = (notice: SettledNotice) => void | Promise<void>;

const PREFIX = 'subscription:';
const PAGE = 50;
/** A handler that keeps failing is tried again after 1 s, doubled up to this. */
const MAX_RETRY_MS = 60_000;
/** How often a subscriber looks for what other processes settled. */
const POLL_MS = 1_000;

/**
 * Durable subscribers: each is told of every request that ended, in the order of ending, one at a time, at least once. Its
 * place is stored after the handler returned. Of processes that use the same name, one delivers at a time; a handler that takes
 * longer than a lease may be overtaken by the same notice elsewhere.
 */
export class Subscriptions {
  readonly #context: Context;
  readonly #active = new Map<string, Subscription>();

  constructor(context: Context) {
    this.#context = context;
  }

  add(filter: SettledFilter, handler: SettledHandler, options: SubscribeOptions): () => Promise<void> {
    assertFilter(filter);
    const name: unknown = options?.durable;
    if (typeof name !== 'string' || name === '') {
      throw invalidRequest([{ path: 'durable', expected: 'a non-empty name', got: String(name) }]);
    }
    if (this.#active.has(name)) {
      throw invalidRequest([{ path: 'durable', expected: 'a name whose subscriber here has ended', got: name }]);
    }
    const subscription = new Subscription(this.#context, filter, handler, name, () => this.#active.delete(name));
    this.#active.set(name, subscription);
    subscription.poke();
    return () => subscription.stop();
  }

  /** Something ended. */
  poke(): void {
    for (const subscription of this.#active.values()) subscription.poke();
  }

  /** The oldest place of a subscriber seen within the retention of dead letters: what comes after it must be kept. */
  async keepAfter(): Promise<number> {
    const { backend, clock, config } = this.#context;
    const now = clock.now();
    const stored = await backend.shared.list({ prefix: PREFIX, now, limit: 1_000 });
    let keep = Number.POSITIVE_INFINITY;
    for (const { value } of stored) {
      const { cursor, at } = value as { readonly cursor: number; readonly at: number }; // as written below
      if (now - at < config.retention.deadMs) keep = Math.min(keep, cursor);
    }
    return keep;
  }

  /** Tells nothing more; resolves when the handlers under way have returned. */
  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#active.values(), (subscription) => subscription.stop()));
  }
}

/** How far a subscriber has come. */
interface Place {
  readonly cursor: number;
  /** When it was stored last, epoch ms. */
  readonly at: number;
  /** 0: it has none yet. */
  readonly version: number;
}

class Subscription {
  readonly #context: Context;
  readonly #filter: SettledFilter;
  readonly #handler: SettledHandler;
  readonly #key: string;
  readonly #onEnd: () => void;
  /** Set for what its handler does: that cannot wait for the handler. */
  readonly #inside = new AsyncLocalStorage<true>();
  #ended: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #isStopped = false;
  #timer: Timer | undefined;
  #failures = 0;

  constructor(context: Context, filter: SettledFilter, handler: SettledHandler, name: string, onEnd: () => void) {
    this.#context = context;
    this.#filter = filter;
    this.#handler = handler;
    this.#key = `${PREFIX}${name}`;
    this.#onEnd = onEnd;
  }

  poke(): void {
    if (this.#isStopped) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#timer?.cancel();
    this.#running = this.#deliver()
      .then(
        () => {
          this.#failures = 0;
        },
        (error: unknown) => {
          this.#failures += 1;
          this.#context.logger.warn('a subscriber failed and will be told again', {
            subscription: this.#key,
            error: messageOf(error),
          });
        },
      )
      .finally(() => {
        this.#running = undefined;
        this.#next();
      });
  }

  /** Tells nothing more; resolves when a handler under way has returned, at once where that handler asks. */
  stop(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#inside.getStore() === true ? Promise.resolve() : this.#ended;
  }

  async #end(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
    this.#onEnd();
  }

  #next(): void {
    if (this.#isStopped) return;
    if (this.#again && this.#failures === 0) {
      this.#again = false;
      return this.poke();
    }
    const delayMs = this.#failures === 0 ? POLL_MS : Math.min(MAX_RETRY_MS, 1_000 * 2 ** (this.#failures - 1));
    this.#timer = this.#context.clock.schedule(delayMs, () => this.poke());
  }

  /** Who has nothing to tell takes no lease: one that died with it would keep the others silent until it lapses. */
  async #deliver(): Promise<void> {
    if (!(await this.#hasNews())) return;
    try {
      for (let page = PAGE; page === PAGE && !this.#isStopped; ) {
        if (!(await this.#isMine())) return;
        const place = await this.#place();
        const found = await this.#endedAfter(place, PAGE);
        await this.#tell(found, place);
        page = found.length;
      }
    } finally {
      await this.#giveBack();
    }
  }

  async #hasNews(): Promise<boolean> {
    const place = await this.#place();
    const found = await this.#endedAfter(place, 1);
    if (found.length === 0) await this.#save(place, place.cursor);
    return found.length > 0;
  }

  /** All that ended, not what matches alone: the place moves on over the rest, which need not be kept for it. */
  async #endedAfter({ cursor }: Place, limit: number): Promise<readonly StoredRequest[]> {
    const { requests } = this.#context.backend;
    return (await requests.find({ filter: {}, order: 'ended', after: cursor, limit })).requests;
  }

  async #tell(requests: readonly StoredRequest[], place: Place): Promise<void> {
    let { cursor } = place;
    try {
      for (const request of requests) {
        if (this.#isStopped) break;
        const notice = matchesFilter(request, this.#filter) ? noticeOf(request) : undefined;
        if (notice !== undefined) {
          // Again for each: what the handler took of the lease is not known beforehand, and another may have told the rest meanwhile.
          if (!(await this.#isMine()) || (await this.#place()).version !== place.version) break;
          await this.#inside.run(true, () => this.#handler(notice));
        }
        cursor = request.endedSeq ?? cursor;
      }
    } finally {
      await this.#save(place, cursor);
    }
  }

  async #place(): Promise<Place> {
    const { backend, clock } = this.#context;
    const stored = await backend.shared.get({ key: this.#key, now: clock.now() });
    if (stored === undefined) return { cursor: 0, at: 0, version: 0 };
    return { ...(stored.value as { readonly cursor: number; readonly at: number }), version: stored.version }; // as written below
  }

  async #isMine(): Promise<boolean> {
    const { backend, clock, config, worker } = this.#context;
    const now = clock.now();
    return backend.shared.acquire({
      key: `${this.#key}:lease`,
      holder: worker,
      permits: 1,
      now,
      expiresAt: now + config.leaseMs,
    });
  }

  async #giveBack(): Promise<void> {
    const { backend, logger, worker } = this.#context;
    try {
      await backend.shared.release({ key: `${this.#key}:lease`, holder: worker });
    } catch (error) {
      logger.warn('the lease of a subscriber was not given back and lapses', {
        subscription: this.#key,
        error: messageOf(error),
      });
    }
  }

  /** Stores the place, unless another process did meanwhile; now and then also where it is unchanged, as a sign of life. */
  async #save(place: Place, cursor: number): Promise<void> {
    const { backend, clock, config } = this.#context;
    const now = clock.now();
    const isRecent = place.version > 0 && now - place.at < config.retention.deadMs / 4;
    if (cursor === place.cursor && isRecent) return;
    const value = { cursor, at: now };
    await backend.shared.set({ key: this.#key, value, expiresAt: null, now, ifVersion: place.version });
  }
}

function noticeOf(request: StoredRequest): SettledNotice | undefined {
  if (!isTerminal(request.state) || request.endedAt === null) return undefined;
  return {
    requestId: request.id,
    zone: request.zone,
    state: request.state,
    reason: request.reason,
    status: request.result?.status ?? request.progress.attempts.at(-1)?.status ?? null,
    tags: request.tags,
    endedAt: request.endedAt,
  };
}
