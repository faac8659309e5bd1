import type { Clock, Timer } from '../system/clock.ts';

/** 2025-01-01T00:00:00Z: an instant no test depends on by accident. */
const DEFAULT_START = 1_735_689_600_000;
/** Turns of the event loop granted to work that a timer set off. A turn costs microseconds when nothing happens. */
const DEFAULT_TURNS = 24;

export interface FakeClockOptions {
  /** Epoch ms at the beginning. @default 2025-01-01T00:00:00Z */
  readonly now?: number | undefined;
  /** Monotonic ms at the beginning. @default 1,000,000 */
  readonly monotonicNow?: number | undefined;
  /** Turns of the event loop that {@link FakeClock.settle} waits. @default 24 */
  readonly turns?: number | undefined;
}

interface PendingTimer {
  readonly due: number;
  readonly callback: () => void;
  readonly keepAlive: boolean;
}

/**
 * Time that moves only when told to. Wall and monotonic time advance together; {@link setWall} moves the wall alone, as
 * an operator or NTP does. Timers run by monotonic time, in the order they are due, ties in the order they were set.
 */
export class FakeClock implements Clock {
  readonly #turns: number;
  readonly #timers: PendingTimer[] = [];
  #wall: number;
  #monotonic: number;

  constructor(options: FakeClockOptions = {}) {
    this.#wall = options.now ?? DEFAULT_START;
    this.#monotonic = options.monotonicNow ?? 1_000_000;
    this.#turns = options.turns ?? DEFAULT_TURNS;
  }

  now(): number {
    return this.#wall;
  }

  monotonicNow(): number {
    return this.#monotonic;
  }

  schedule(ms: number, callback: () => void, options?: { readonly keepAlive?: boolean }): Timer {
    const timer = { due: this.#monotonic + Math.max(ms, 0), callback, keepAlive: options?.keepAlive === true };
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1] as PendingTimer).due > timer.due) at -= 1; // in range: at > 0
    this.#timers.splice(at, 0, timer);
    return {
      cancel: () => {
        const index = this.#timers.indexOf(timer);
        if (index >= 0) this.#timers.splice(index, 1);
      },
    };
  }

  /** Timers that have neither run nor been called off. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Those of them that would keep a process from exiting. */
  get keepingAlive(): number {
    return this.#timers.filter((timer) => timer.keepAlive).length;
  }

  /** Ms until the next timer is due; undefined when there is none. */
  get nextInMs(): number | undefined {
    const [first] = this.#timers;
    return first === undefined ? undefined : first.due - this.#monotonic;
  }

  /** Lets `ms` pass: runs what becomes due, in order, and lets the work each timer sets off settle before the next. */
  async advance(ms: number): Promise<void> {
    const until = this.#monotonic + ms;
    await this.settle();
    while (this.#runNext(until)) await this.settle();
    this.#moveTo(until);
    await this.settle();
  }

  /**
   * Goes from timer to timer until `condition` holds, for at most `withinMs`. Resolves with whether it came to hold, so
   * that a test can say `expect(await clock.advanceUntil(…)).toBe(true)`.
   */
  async advanceUntil(condition: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
    const until = this.#monotonic + withinMs;
    await this.settle();
    while (!(await condition())) {
      if (!this.#runNext(until)) {
        this.#moveTo(until);
        await this.settle();
        return condition();
      }
      await this.settle();
    }
    return true;
  }

  /** Sets the wall to `epochMs`, forward or back. Monotonic time and timers do not notice. */
  setWall(epochMs: number): void {
    this.#wall = epochMs;
  }

  /** Waits, without time passing, until work made of promises and immediates has had its turns. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < this.#turns; turn += 1) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  #runNext(until: number): boolean {
    const [first] = this.#timers;
    if (first === undefined || first.due > until) return false;
    this.#timers.shift();
    this.#moveTo(first.due);
    first.callback();
    return true;
  }

  #moveTo(monotonic: number): void {
    if (monotonic <= this.#monotonic) return;
    this.#wall += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }
}
