import { atLeastHintMs, jitteredDelayMs } from './backoff.ts';
import type { DecisionInput } from './decision.ts';
import { retryAfterMs } from './retryAfter.ts';

/** When to try again, and what that was drawn from. */
export interface RetryTime {
  /** From now. */
  readonly waitMs: number;
  /** The delay without the server's hint: what the next one grows from. */
  readonly delayMs: number;
  readonly policyError: unknown;
}

/**
 * How long the request waits before its next attempt. While a caller waits the cap is lower. Where nothing was sent the
 * delay does not grow: the connectivity gate keeps a dead zone from being tried, and all of its requests may go soon after it
 * is back.
 */
export function retryTime(input: DecisionInput, faults: number): RetryTime {
  const { policy, random, request, result } = input;
  const hintMs = hintOf(input);
  const before = request.progress.delayMs;
  const grows = result.phase !== 'notSent';
  const maxDelayMs = input.hasCaller ? policy.callerMaxDelayMs : policy.maxDelayMs;
  const { baseDelayMs } = policy;
  const own = ownDelayMs(input, faults, hintMs);
  const drawn = own.delayMs ?? jitteredDelayMs({ previousMs: grows ? before : 0, baseDelayMs, maxDelayMs, random });
  return {
    waitMs: Math.ceil(atLeastHintMs(drawn, hintMs, random)),
    delayMs: grows ? drawn : before,
    policyError: own.error,
  };
}

/** What the server asked for in this answer, in ms; null when it did not, or did not answer. */
export function hintOf(input: DecisionInput): number | null {
  return input.result.phase === 'answered' ? retryAfterMs(input.result.response.headers, input.now) : null;
}

/** The user's delay. One that throws or is no time must not cost the attempt its settlement: the built-in one is used. */
function ownDelayMs(input: DecisionInput, faults: number, hintMs: number | null) {
  const { delay } = input.policy;
  if (delay === undefined) return { delayMs: undefined, error: undefined };
  const status = input.result.phase === 'answered' ? input.result.response.status : null;
  try {
    const delayMs = delay({ faults, previousMs: input.request.progress.delayMs, hintMs, status });
    if (Number.isFinite(delayMs) && delayMs >= 0) return { delayMs, error: undefined };
    return { delayMs: undefined, error: new RangeError(`retry.delay returned ${String(delayMs)}, not a number of ms`) };
  } catch (error) {
    return { delayMs: undefined, error };
  }
}
