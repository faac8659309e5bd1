/** A timer that can be called off. */
export interface Timer {
  cancel(): void;
}

/** The only source of time. Instants that are stored are wall time; durations and leases use monotonic time. */
export interface Clock {
  /** Epoch ms. May jump. */
  now(): number;
  /** Ms since an arbitrary point, the same for all processes of one boot of the machine. Never goes back. */
  monotonicNow(): number;
  /** Calls back once after `ms`. `keepAlive` (default false) keeps the process from exiting meanwhile. */
  schedule(ms: number, callback: () => void, options?: { readonly keepAlive?: boolean }): Timer;
}

/** Longer delays overflow the timers of Node and would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Between the clock of this process and that of the machine, in ms. Both count the same, so it stays; `performance.now` makes no garbage, and
 * gates ask for the time several times per call.
 */
const SINCE_BOOT_MS = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonicNow: () => SINCE_BOOT_MS + performance.now(),
  schedule(ms: number, callback: () => void, options?: { readonly keepAlive?: boolean }): Timer {
    const handle = setTimeout(callback, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS));
    if (options?.keepAlive !== true) handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
});
