const LEAST_SHARE = 0.1;

/** After an outage: from a tenth of the calls to all of them, over `rampMs`. Computed from time. */
export class Ramp {
  rampMs: number;
  #since: number | null = null;
  /** Monotonic ms before which no further call starts, where calls are spaced. */
  nextAt = 0;

  constructor(rampMs: number) {
    this.rampMs = rampMs;
  }

  start(now: number): void {
    this.#since = now;
  }

  /** 1 outside of a ramp. */
  share(now: number): number {
    if (this.#since === null) return 1;
    const passed = now - this.#since;
    if (passed >= this.rampMs) {
      this.#since = null;
      return 1;
    }
    return Math.max(LEAST_SHARE, passed / this.rampMs);
  }

  /** A call started: the next may do so `ms` later. */
  spaced(ms: number, now: number): void {
    this.nextAt = Math.max(this.nextAt, now) + ms;
  }
}
