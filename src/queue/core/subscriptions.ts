import type { Timer } from '../../system/clock.ts';
import type { SettledFilter, SettledNotice } from '../types/events.ts';
import type { StoredRequest } from '../types/request.ts';
import { isTerminal } from '../types/states.ts';
import type { Context } from './context.ts';
import { assertFilter } from './filter.ts';
import { invalidRequest } from './target.ts';
import { messageOf } from './tell.ts';

export interface SubscribeOptions {
  /** Name under which progress is kept in the store: the same name goes on where it stopped, in any process. */
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
 * place is stored after the handler returned. Of processes that use the same name, one delivers at a time.
 */
export class Subscriptions {
  readonly #context: Context;
  readonly #active = new Set<Subscription>();

  constructor(context: Context) {
    this.#context = context;
  }

  add(filter: SettledFilter, handler: SettledHandler, options: SubscribeOptions): () => Promise<void> {
    assertFilter(filter);
    const name: unknown = options?.durable;
    if (typeof name !== 'string' || name === '') {
      throw invalidRequest([{ path: 'durable', expected: 'a non-empty name', got: String(name) }]);
    }
    const subscription = new Subscription(this.#context, filter, handler, name);
    this.#active.add(subscription);
    subscription.poke();
    return async () => {
      this.#active.delete(subscription);
      await subscription.stop();
    };
  }

  /** Something ended. */
  poke(): void {
    for (const subscription of this.#active) subscription.poke();
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

  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#active, (subscription) => subscription.stop()));
    this.#active.clear();
  }
}

class Subscription {
  readonly #context: Context;
  readonly #filter: SettledFilter;
  readonly #handler: SettledHandler;
  readonly #key: string;
  #running: Promise<void> | undefined;
  #again = false;
  #isStopped = false;
  #timer: Timer | undefined;
  #failures = 0;

  constructor(context: Context, filter: SettledFilter, handler: SettledHandler, name: string) {
    this.#context = context;
    this.#filter = filter;
    this.#handler = handler;
    this.#key = `${PREFIX}${name}`;
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

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
    const { backend, worker } = this.#context;
    await backend.shared.release({ key: `${this.#key}:lease`, holder: worker });
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

  async #deliver(): Promise<void> {
    for (let page = PAGE; page === PAGE && !this.#isStopped; ) {
      if (!(await this.#isMine())) return;
      const { backend, clock } = this.#context;
      const stored = await backend.shared.get({ key: this.#key, now: clock.now() });
      const after = (stored?.value as { readonly cursor: number } | undefined)?.cursor ?? 0;
      const found = await backend.requests.find({ filter: this.#filter, order: 'ended', after, limit: PAGE });
      let cursor = after;
      try {
        for (const request of found.requests) {
          const notice = noticeOf(request);
          if (this.#isStopped) break;
          if (notice !== undefined) await this.#handler(notice);
          cursor = request.endedSeq ?? cursor;
        }
      } finally {
        if (cursor > after || stored === undefined) await this.#save(cursor);
      }
      page = found.requests.length;
    }
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

  async #save(cursor: number): Promise<void> {
    const { backend, clock } = this.#context;
    const now = clock.now();
    await backend.shared.set({ key: this.#key, value: { cursor, at: now }, expiresAt: null, now });
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
