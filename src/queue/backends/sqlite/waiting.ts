import { isBusy } from './errors.ts';

const SLEEPER = new Int32Array(new SharedArrayBuffer(4));
const SHORTEST_MS = 0.1;
const LONGEST_MS = 2;

/** Sleeps this thread, which has nothing else to do. Timers belong to the clock of the caller's thread. */
export function sleep(ms: number): void {
  Atomics.wait(SLEEPER, 0, 0, ms);
}

// The compiler's library for ES2023 does not know it yet; every supported Node has it.
declare global {
  interface Atomics {
    waitAsync(
      array: Int32Array,
      index: number,
      value: number,
      timeoutMs: number,
    ): { readonly async: true; readonly value: Promise<string> } | { readonly async: false; readonly value: string };
  }
}

/** Resolves after `ms` without keeping the thread's event loop alive. */
export async function pause(ms: number): Promise<void> {
  await Atomics.waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms).value;
}

/** Gives way to other connections that hold the lock: short irregular pauses, so that contenders fall out of step. */
export class Patience {
  readonly #limitMs: number;
  #state: number;

  /** `seed` should differ between contenders. */
  constructor(limitMs: number, seed: number) {
    this.#limitMs = limitMs;
    this.#state = seed >>> 0;
  }

  /**
   * Runs `attempt` again while the database is busy, for about `limitMs` in all. SQLite's own busy handler waits in
   * steps of up to 100 ms, which shows in the slowest calls.
   */
  whileBusy<T>(attempt: () => T): T {
    let waitedMs = 0;
    for (;;) {
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error) || waitedMs >= this.#limitMs) throw error;
      }
      const ms = SHORTEST_MS + (LONGEST_MS - SHORTEST_MS) * this.#next();
      sleep(ms);
      waitedMs += ms;
    }
  }

  /** In [0, 1): a linear congruential generator, plenty for spreading contenders (constants: Numerical Recipes). */
  #next(): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    return this.#state / 2 ** 32;
  }
}
