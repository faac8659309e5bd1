import type { Timer } from '../../system/clock.ts';
import type { RequestFilter } from '../types/request.ts';
import { closedError } from './closedError.ts';
import type { Context } from './context.ts';
import type { Emitter } from './emitter.ts';
import { isIdle } from './idle.ts';

/** Those who wait for the queue to be idle look again when something ended, and at least this often. */
const POLL_MS = 100;

interface Waiting {
  readonly filter: RequestFilter;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Answers `idle()`: asks the store after something ended or was set aside, and every so often for what others did. */
export class IdleWatch {
  readonly #context: Context;
  readonly #waiting = new Set<Waiting>();
  #timer: Timer | undefined;
  #isLooking = false;

  constructor(context: Context, emitter: Emitter) {
    this.#context = context;
    emitter.on('request:settled', () => this.#soon());
    emitter.on('request:held', () => this.#soon());
  }

  wait(filter: RequestFilter): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.add({ filter, resolve, reject });
      this.#soon();
    });
  }

  /** The queue closes: nothing will become idle any more. */
  stop(): void {
    this.#timer?.cancel();
    for (const { reject } of this.#waiting) reject(closedError(this.#context.config.name));
    this.#waiting.clear();
  }

  #soon(): void {
    if (this.#waiting.size === 0 || this.#timer !== undefined || this.#isLooking) return;
    this.#timer = this.#context.clock.schedule(0, () => void this.#look(), { keepAlive: true });
  }

  async #look(): Promise<void> {
    this.#timer = undefined;
    this.#isLooking = true;
    for (const waiting of [...this.#waiting]) {
      try {
        if (!(await isIdle(this.#context.backend.requests, waiting.filter))) continue;
        this.#waiting.delete(waiting);
        waiting.resolve();
      } catch (error) {
        this.#waiting.delete(waiting);
        waiting.reject(error);
      }
    }
    this.#isLooking = false;
    if (this.#waiting.size === 0) return this.#context.emitter.emit('queue:idle', {});
    this.#timer = this.#context.clock.schedule(POLL_MS, () => void this.#look(), { keepAlive: true });
  }
}
