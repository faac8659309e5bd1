import type { Baseline } from './Baseline.ts';
import type { WindowCounts } from './CallWindow.ts';
import type { BreakerPolicy } from './policy.ts';

/** Two-sided 95 %. */
const Z = 1.96;
const Z2 = Z * Z;

const HOUR_MS = 3_600_000;
/** No zone is taken to fail less often than this: a run would be too telling in one that never failed. */
const LEAST_BASELINE = 0.02;
/** A run opens where chance alone would bring it less often than this. */
const CHANCE_RUNS_PER_HOUR = 0.2;

const SLOW_CALLS = 20;
const SLOW_SHARE = 0.9;
const DEGRADED_SHARE = 0.6;

/** The lower end of the Wilson interval: with 95 % confidence at least this share fails. `calls` is above 0. */
export function leastFailureRate(failures: number, calls: number): number {
  const rate = failures / calls;
  const spread = Z * Math.sqrt((rate * (1 - rate)) / calls + Z2 / (4 * calls * calls));
  return (rate + Z2 / (2 * calls) - spread) / (1 + Z2 / calls);
}

/** Rule (a): enough calls, above the threshold, and more than the baseline by more than chance. */
export function failsTooOften({ calls, failures }: WindowCounts, baseline: Baseline, minimumCalls: number): boolean {
  if (calls < minimumCalls || failures < baseline.threshold * calls) return false;
  return leastFailureRate(failures, calls) > Math.max(0.1, 1.5 * baseline.rate);
}

/** Rule (b): a run of failures that chance would bring less than once in five hours at this zone's rates of calls and failures. */
export function failsInARow(run: number, calls: number, baseline: number, policy: BreakerPolicy): boolean {
  if (run < policy.consecutiveFailures) return false;
  const callsPerHour = (calls / policy.windowMs) * HOUR_MS;
  return Math.max(baseline, LEAST_BASELINE) ** run * callsPerHour < CHANCE_RUNS_PER_HOUR;
}

/** Rule (c): nearly all calls are slow. */
export function isTooSlow({ calls, slow }: WindowCounts): boolean {
  return calls >= SLOW_CALLS && slow >= SLOW_SHARE * calls;
}

/** Most calls are slow: to be told, not to be acted on. */
export function isDegraded({ calls, slow }: WindowCounts): boolean {
  return calls >= SLOW_CALLS && slow >= DEGRADED_SHARE * calls;
}
