import type { RetryPolicy } from '../strategies/decision.ts';
import type { ResolvedConfiguration } from './config/types.ts';

/** The retry options of the configuration, as decisions need them. */
export function retryPolicy(config: ResolvedConfiguration): RetryPolicy {
  return {
    maxAttempts: config.maxAttempts,
    baseDelayMs: config.retry.baseDelayMs,
    maxDelayMs: config.retry.maxDelayMs,
    callerMaxDelayMs: config.retry.callerMaxDelayMs,
    delay: config.retry.delay,
    giveUpAfterMs: config.giveUpAfterMs,
    readGiveUpAfterMs: config.readGiveUpAfterMs,
    resendWindowMs: config.resendWindowMs,
    maxStoredResultBytes: config.maxStoredResultBytes,
  };
}
