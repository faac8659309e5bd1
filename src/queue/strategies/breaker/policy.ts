/** How one breaker behaves, resolved. Durations are ms. */
export interface BreakerPolicy {
  /** How long a call counts. The window moves in fifteenths of it. */
  readonly windowMs: number;
  /** So many calls of the window are needed before its failure rate says anything. */
  readonly minimumCalls: number;
  /** So many failures in a row are needed before the run alone can open it. */
  readonly consecutiveFailures: number;
  /** The first open time; each opening after it doubles it. */
  readonly openMs: number;
  /** The longest open time; up to a quarter is added, so that processes do not probe in step. A server may ask for more. */
  readonly maxOpenMs: number;
  /** How long after the probes the zone is given less than all it used to get. */
  readonly rampMs: number;
  /** A probe that has not ended by then has failed. */
  readonly probeTimeoutMs: number;
  /** A call above this is slow; null: learned, 2 s or three times the usual 95th percentile, whichever is more. */
  readonly slowCallMs: number | null;
}

/** What holds where nothing else is said. */
export const BREAKER_DEFAULTS: BreakerPolicy = Object.freeze({
  windowMs: 30_000,
  minimumCalls: 10,
  consecutiveFailures: 5,
  openMs: 5_000,
  maxOpenMs: 300_000,
  rampMs: 60_000,
  probeTimeoutMs: 5_000,
  slowCallMs: null,
});
