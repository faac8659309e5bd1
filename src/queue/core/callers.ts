import type { Clock, Timer } from '../../system/clock.ts';
import type { Settled } from '../types/calls.ts';

interface Waiter {
  promise: Promise<Settled>;
  resolve(settled: Settled): void;
  reject(error: unknown): void;
}

/** Long enough that it never fires; the timer only keeps the process alive. */
const FOREVER_MS = 2 ** 31 - 1;

/**
 * The callers of this process that wait for a request to end. While one waits the process stays alive: the promise of
 * an answer is work.
 */
export class Callers {
  readonly #waiting = new Map<string, Waiter[]>();
  readonly #clock: Clock;
  #alive: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(id: string): boolean {
    return this.#waiting.has(id);
  }

  ids(): string[] {
    return [...this.#waiting.keys()];
  }

  wait(id: string): Promise<Settled> {
    const waiter = {} as Waiter; // filled on the next two lines, before anyone else sees it
    waiter.promise = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }));
    this.#add(id, [waiter]);
    return waiter.promise;
  }

  /** The caller who was given this promise waits no longer. True when nobody waits for the request any more. */
  leave(id: string, promise: Promise<Settled>): boolean {
    const waiters = this.#remove(id) ?? [];
    const others = waiters.filter((waiter) => waiter.promise !== promise);
    if (others.length > 0) this.#add(id, others);
    return others.length === 0;
  }

  /** Those who waited for `from` wait for `to`: their request joined another one. */
  rename(from: string, to: string): void {
    const waiters = this.#remove(from);
    if (waiters !== undefined) this.#add(to, waiters);
  }

  tell(id: string, settled: Settled): boolean {
    const waiters = this.#remove(id);
    for (const waiter of waiters ?? []) waiter.resolve(settled);
    return waiters !== undefined;
  }

  fail(id: string, error: unknown): void {
    for (const waiter of this.#remove(id) ?? []) waiter.reject(error);
  }

  failAll(errorOf: (id: string) => unknown): void {
    for (const id of this.ids()) this.fail(id, errorOf(id));
  }

  #add(id: string, waiters: Waiter[]): void {
    const present = this.#waiting.get(id);
    if (present === undefined) this.#waiting.set(id, waiters);
    else present.push(...waiters);
    this.#alive ??= this.#clock.schedule(FOREVER_MS, () => undefined, { keepAlive: true });
  }

  #remove(id: string): Waiter[] | undefined {
    const waiters = this.#waiting.get(id);
    if (waiters === undefined) return undefined;
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) {
      // Not at once: in a busy queue the next caller comes within the same turn, and timers are not free.
      queueMicrotask(() => this.#release());
    }
    return waiters;
  }

  #release(): void {
    if (this.#waiting.size > 0) return;
    this.#alive?.cancel();
    this.#alive = undefined;
  }
}
