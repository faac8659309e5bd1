import type { Clock } from '../../system/clock.ts';

/** Lets something happen at most so often. A moment that was missed is not made up for. */
export class Pace {
  readonly #clock: Clock;
  readonly #everyMs: number;
  /** Monotonic ms. */
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#everyMs = 1_000 / perSecond;
  }

  /** Resolves when the next may happen, or one of the signals is aborted. Keeps the process alive meanwhile. */
  async next(...signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    const isAborted = (): boolean => signals.some((signal) => signal?.aborted === true);
    for (;;) {
      const waitMs = this.#dueAt - this.#clock.monotonicNow();
      if (waitMs <= 0 || isAborted()) break;
      await this.#pause(waitMs, signals);
    }
    this.#dueAt = this.#clock.monotonicNow() + this.#everyMs;
  }

  /** The clock shortens what is too long for one timer. */
  #pause(ms: number, signals: readonly (AbortSignal | undefined)[]): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        timer.cancel();
        for (const signal of signals) signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#clock.schedule(ms, end, { keepAlive: true });
      for (const signal of signals) signal?.addEventListener('abort', end, { once: true });
    });
  }
}
