import type { Clock, Timer } from '../../system/clock.ts';
import type { Settled } from '../types/calls.ts';

/** Whoever waits, as far as it changes what it is told. */
export interface CallerView {
  /** It shares a request that was there before. */
  readonly isDeduplicated: boolean;
  /** Only an answer of the server is of use to it: that a probe finds out the outcome later is none. */
  readonly wantsResponse: boolean;
}

/** One wait for one request: a promise and its ends. */
class Waiter {
  readonly promise: Promise<Settled>;
  readonly #view: CallerView;
  #resolve: ((settled: Settled) => void) | undefined;
  #reject: ((error: unknown) => void) | undefined;

  constructor(view: CallerView) {
    this.#view = view;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  tell(settled: Settled): void {
    const { isDeduplicated, wantsResponse } = this.#view;
    // Of an answer that is given as it comes in there is nothing for who does not take it.
    const isNone = !wantsResponse && settled.response?.live?.isPartial === true;
    if (isNone || isDeduplicated) {
      const { response, deduplicated } = settled;
      const told = { response: isNone ? undefined : response, deduplicated: isDeduplicated || deduplicated };
      this.#resolve?.({ ...settled, ...told });
    } else this.#resolve?.(settled);
  }

  fail(error: unknown): void {
    this.#reject?.(error);
  }

  get wantsResponse(): boolean {
    return this.#view.wantsResponse;
  }
}

/** Long enough that it never fires; the timer only keeps the process alive. */
const FOREVER_MS = 2 ** 31 - 1;

/**
 * The callers of this process that wait for a request to end. While one waits the process stays alive: the promise of
 * an answer is work.
 */
export class Callers {
  /** Nearly always one waits; only then is there an array. */
  readonly #waiting = new Map<string, Waiter | Waiter[]>();
  readonly #clock: Clock;
  #alive: Timer | undefined;
  #isReleasing = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests waited for. */
  get size(): number {
    return this.#waiting.size;
  }

  has(id: string): boolean {
    return this.#waiting.has(id);
  }

  /** How many wait for it; or how many of them could use only an answer. */
  countOf(id: string, wantResponse = false): number {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return 0;
    const waiters = Array.isArray(waiting) ? waiting : [waiting];
    return wantResponse ? waiters.filter((waiter) => waiter.wantsResponse).length : waiters.length;
  }

  ids(): string[] {
    return [...this.#waiting.keys()];
  }

  wait(id: string, view: CallerView): Promise<Settled> {
    const waiter = new Waiter(view);
    this.#add(id, waiter);
    return waiter.promise;
  }

  /** The caller who was given this promise waits no longer. True when nobody waits for the request any more. */
  leave(id: string, promise: Promise<Settled>): boolean {
    const others = this.#remove(id).filter((waiter) => waiter.promise !== promise);
    for (const waiter of others) this.#add(id, waiter);
    return others.length === 0;
  }

  /** Those who waited for `from` wait for `to`: their request joined another one. */
  rename(from: string, to: string): void {
    for (const waiter of this.#remove(from)) this.#add(to, waiter);
  }

  tell(id: string, settled: Settled): void {
    const waiters = this.#remove(id);
    for (const waiter of waiters) waiter.tell(settled);
    if (!waiters.some((waiter) => waiter.wantsResponse)) settled.response?.live?.release();
  }

  fail(id: string, error: unknown): void {
    for (const waiter of this.#remove(id)) waiter.fail(error);
  }

  /** Nobody knows whether it was applied, and finding out takes time: those who could use only an answer wait no longer. */
  failInDoubt(id: string, errorOf: () => unknown): boolean {
    const waiters = this.#remove(id);
    const leaving = waiters.filter((waiter) => waiter.wantsResponse);
    for (const waiter of waiters) if (!waiter.wantsResponse) this.#add(id, waiter);
    if (leaving.length === 0) return false;
    const error = errorOf();
    for (const waiter of leaving) waiter.fail(error);
    return true;
  }

  failAll(errorOf: (id: string) => unknown): void {
    for (const id of this.ids()) this.fail(id, errorOf(id));
  }

  #add(id: string, waiter: Waiter): void {
    const present = this.#waiting.get(id);
    if (present === undefined) this.#waiting.set(id, waiter);
    else if (Array.isArray(present)) present.push(waiter);
    else this.#waiting.set(id, [present, waiter]);
    this.#alive ??= this.#clock.schedule(FOREVER_MS, () => undefined, { keepAlive: true });
  }

  #remove(id: string): readonly Waiter[] {
    const waiters = this.#waiting.get(id);
    if (waiters === undefined) return [];
    this.#waiting.delete(id);
    if (this.#waiting.size === 0 && !this.#isReleasing) {
      // Not at once: in a busy queue the next caller comes within the same turn, and timers are not free.
      this.#isReleasing = true;
      setImmediate(() => this.#release());
    }
    return Array.isArray(waiters) ? waiters : [waiters];
  }

  #release(): void {
    this.#isReleasing = false;
    if (this.#waiting.size > 0) return;
    this.#alive?.cancel();
    this.#alive = undefined;
  }
}
