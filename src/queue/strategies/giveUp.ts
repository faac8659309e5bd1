import type { Attempt, Progress } from '../types/request.ts';
import type { DecisionInput } from './decision.ts';
import { isUnresolvable } from './transportErrors.ts';

/** Tries of a zone that never answered before its address or certificate is taken for wrong. */
const UNREACHABLE_TRIES = 3;

/** True once the request failed too often by its own fault, or for too long. Time offline is not failing. */
export function isExhausted(input: DecisionInput, progress: Progress): boolean {
  if (progress.faults >= input.policy.maxAttempts) return true;
  const isAwaitedRead = input.request.effect === 'read' && input.hasCaller;
  const limitMs = isAwaitedRead ? input.policy.readGiveUpAfterMs : input.policy.giveUpAfterMs;
  return progress.failingSince !== null && input.now - progress.failingSince >= limitMs;
}

/** True once its deadline or time-to-live has passed. */
export function isExpired(input: DecisionInput): boolean {
  return input.request.expiresAt !== null && input.now >= input.request.expiresAt;
}

/**
 * True when the address or certificate is most likely wrong: the zone never answered, failed so three times in a row, and other
 * zones answer, so that it is not the network.
 */
export function isWrongAddress(input: DecisionInput, progress: Progress): boolean {
  if (input.result.phase !== 'notSent' || input.zone.everAnswered || !input.zone.othersAnswer) return false;
  const last = progress.attempts.slice(-UNREACHABLE_TRIES);
  return last.length === UNREACHABLE_TRIES && last.every(failedByAddress);
}

function failedByAddress(attempt: Attempt): boolean {
  return attempt.phase === 'notSent' && isUnresolvable(attempt.error);
}
