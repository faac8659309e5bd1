import type { Clock } from '../../system/clock.ts';
import type { StoredRequest } from '../types/request.ts';

interface Waiting {
  /** The attempt after which it waits. */
  readonly attempt: number;
  /** Monotonic ms. */
  readonly until: number;
}

/**
 * How long a request in doubt is left alone before anybody asks for it: one that is parked on its way can still land. The store knows when it was
 * sent by the wall; a step of that must not end the wait early, so a process goes by its monotonic clock as soon as it has looked once.
 */
export class SettleWait {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, Waiting>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ms left of the wait; by the wall it is over at `overAt`. */
  left({ id, progress }: Pick<StoredRequest, 'id' | 'progress'>, overAt: number): number {
    const now = this.#clock.monotonicNow();
    const attempt = progress.attempts.at(-1)?.n ?? 0;
    let waiting = this.#waiting.get(id);
    if (waiting?.attempt !== attempt) {
      this.#forgetOver(now);
      waiting = { attempt, until: now + overAt - this.#clock.now() };
    }
    if (waiting.until > now) this.#waiting.set(id, waiting);
    else this.#waiting.delete(id);
    return Math.max(0, waiting.until - now);
  }

  /** Those that were found out otherwise are not asked for any more. */
  #forgetOver(now: number): void {
    for (const [id, { until }] of this.#waiting) if (until <= now) this.#waiting.delete(id);
  }
}
