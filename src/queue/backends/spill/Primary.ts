import { HoldfastError } from '../../../errors.ts';
import type { Clock, Timer } from '../../../system/clock.ts';
import type { Backend, OpenOptions } from '../../types/backend.ts';
import { isOutage } from './outage.ts';

/** An error that no waiting mends is looked at again at longer intervals. */
const SLOWER = 20;

/** The store behind a spill: opened in the background where it cannot be reached at first. */
export class Primary {
  readonly backend: Backend;
  readonly #clock: Clock;
  readonly #retryMs: number;
  readonly #opened: () => void;
  #options: OpenOptions | undefined;
  #isOpen = false;
  /** Why it is not open. */
  #error: unknown;
  #timer: Timer | undefined;
  #opening: Promise<void> | undefined;
  #isClosed = false;

  /** `opened` is called when it is open after it was not at first. */
  constructor(backend: Backend, clock: Clock, retryMs: number, opened: () => void) {
    this.backend = backend;
    this.#clock = clock;
    this.#retryMs = retryMs;
    this.#opened = opened;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Rejects where trying again would not help; otherwise it is tried again until it is open. */
  async open(options: OpenOptions): Promise<void> {
    this.#options = options;
    try {
      await this.backend.open(options);
      this.#isOpen = true;
    } catch (error) {
      if (!isOutage(error)) throw error;
      this.#error = error;
      this.#retryAfter(this.#retryMs);
    }
  }

  /** Runs a verb, or rejects with why the store is not open. */
  async run<T>(verb: (backend: Backend) => Promise<T>): Promise<T> {
    if (!this.#isOpen) throw this.#unreachable();
    return verb(this.backend);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.backend.close();
    await this.#opening;
  }

  #retryAfter(ms: number): void {
    if (this.#isClosed) return;
    this.#timer = this.#clock.schedule(ms, () => {
      this.#opening = this.#reopen();
    });
  }

  async #reopen(): Promise<void> {
    const options = this.#options as OpenOptions; // set by `open`, which comes first
    const clock = this.#clock;
    try {
      await this.backend.open({ ...options, now: clock.now(), leaseNow: clock.monotonicNow() });
    } catch (error) {
      this.#error = error;
      this.#retryAfter(isOutage(error) ? this.#retryMs : this.#retryMs * SLOWER);
      return;
    }
    if (this.#isClosed) return;
    this.#isOpen = true;
    this.#error = undefined;
    this.#opened();
  }

  #unreachable(): unknown {
    if (this.#error !== undefined && !isOutage(this.#error)) return this.#error;
    const kind = this.backend.capabilities.kind;
    const message = `the ${kind} store could not be reached yet; it is tried again`;
    return new HoldfastError('BACKEND_UNAVAILABLE', message, { mayBeDone: false }, { cause: this.#error });
  }
}
