export type BreakerStatus = 'closed' | 'open' | 'halfOpen' | 'recovering' | 'isolated' | 'disabled';

/**
 * Why a breaker changed:
 * - `failureRate`, `consecutiveFailures`, `slowCalls`, `serverHint`, `advised`: it opened, by its window, by a run of failures, by what
 *   the server asked for, or because another process is open
 * - `probeFailed`, `probeSucceeded`: what the probes said
 * - `relapsed`: it opened again while recovering
 * - `due`, `recovered`: its time was over
 * - `isolated`, `released`, `disabled`, `enabled`, `reset`: somebody decided
 * - `frozen`: the machine's own network was at fault, not the zone
 * - `restored`: what was stored says so
 */
export type BreakerReason =
  | 'failureRate'
  | 'consecutiveFailures'
  | 'slowCalls'
  | 'serverHint'
  | 'advised'
  | 'probeFailed'
  | 'probeSucceeded'
  | 'relapsed'
  | 'due'
  | 'recovered'
  | 'isolated'
  | 'released'
  | 'disabled'
  | 'enabled'
  | 'reset'
  | 'frozen'
  | 'restored';

/** One change of a breaker's status, with what it was decided on. `open` to `open` means that it stays open for longer. */
export interface BreakerChange {
  /** When it happened (monotonic ms): before it was noticed, where only time had to pass. */
  readonly at: number;
  readonly from: BreakerStatus;
  readonly to: BreakerStatus;
  readonly reason: BreakerReason;
  /** Share of failures in the window, in [0, 1]. */
  readonly failureRate: number;
  /** From this failure rate on it would open. */
  readonly threshold: number;
  /** The usual failure rate of the zone. */
  readonly baseline: number;
  /** Calls in the window. */
  readonly calls: number;
  /** For how long it is open from `at` on; null unless `to` is `open`. */
  readonly openMs: number | null;
  /** Openings without five calm minutes between them. */
  readonly tries: number;
}
