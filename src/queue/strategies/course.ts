import type { ConflictTrigger } from '../types/events.ts';
import type { Progress } from '../types/request.ts';
import type { Reason } from '../types/states.ts';
import type { Move } from '../types/store.ts';
import type { DecisionInput } from './decision.ts';
import { isConditional } from './effect.ts';
import { isExhausted, isExpired, isWrongAddress } from './giveUp.ts';
import { resolved } from './progress.ts';
import { mayResend } from './resend.ts';
import { retryTime } from './retry.ts';
import type { Verdict } from './verdict.ts';

/** What becomes of the request. */
export interface Course {
  readonly move: Move;
  readonly progress: Progress;
  readonly refreshAuth?: true;
  readonly conflict?: ConflictTrigger;
  readonly policyError?: unknown;
}

/** An attempt, what it means, and the request's memory with it. */
export interface Situation {
  readonly input: DecisionInput;
  readonly verdict: Verdict;
  readonly progress: Progress;
}

/** It is done, by this attempt or before it. */
export function succeed({ progress }: Situation, reason: Reason): Course {
  return { move: { state: 'succeeded', reason }, progress: resolved(progress) };
}

/**
 * The server refused it for good. After an attempt in doubt that is proof only where the first send would have met the same answer or the
 * server knows the request by its key; else the refusal may be of a second copy.
 */
export function reject(situation: Situation): Course {
  const { request, keyed } = situation.input;
  if (!request.progress.unresolved) return dead(situation, 'rejected');
  const isRepeatable = request.effect === 'absolute' || request.effect === 'delete';
  if (!keyed && !isRepeatable && !isConditional(request.content.headers)) return inDoubt(situation);
  return dead({ ...situation, progress: resolved(situation.progress) }, 'rejected');
}

/** It ends with this answer, which its caller gets; with an earlier attempt in doubt it is held instead. */
export function answer(situation: Situation): Course {
  return situation.input.request.progress.unresolved ? hold(situation, 'unknown') : dead(situation, 'rejected');
}

/** Set aside for a decision. Once released it starts afresh: what it spent before does not count. */
export function hold({ progress }: Situation, reason: Reason): Course {
  return { move: { state: 'held', reason }, progress: { ...progress, faults: 0, delayMs: 0, failingSince: null } };
}

/** It may have been applied and cannot just be sent again: found out by a probe at once, or decided as its author said. */
export function inDoubt(situation: Situation): Course {
  const { input, progress } = situation;
  if (!input.zone.hasProbe) return undecided(situation);
  const reason = input.result.phase === 'answered' ? 'serverError' : 'unanswered';
  return { move: { state: 'unknown', reason, dueAt: input.now }, progress: { ...progress, probes: 0 } };
}

/** Nobody can find out whether it was applied. What may be sent again all the same was, before it came to this. */
function undecided(situation: Situation): Course {
  return situation.input.request.intent?.onUnknown === 'drop' ? dead(situation, 'dropped') : hold(situation, 'unknown');
}

/** What the server has and what was meant differ: whoever declared how is asked. */
export function reconcile({ progress }: Situation, conflict: ConflictTrigger): Course {
  return { move: { state: 'held', reason: 'conflict' }, progress, conflict };
}

/**
 * Another attempt, unless it failed too often, its time is over, or a resend could do harm. Who gives up while an attempt is in
 * doubt is held, never dead; a deadline does not end the search for what became of it.
 */
export function retry(situation: Situation): Course {
  const { input, verdict, progress } = situation;
  const { request, now } = input;
  if (verdict.isPermanent === true || isWrongAddress(input, progress)) {
    return request.effect === 'read' ? dead(situation, 'exhausted') : hold(situation, 'unreachable');
  }
  if (isExhausted(input, progress))
    return progress.unresolved ? hold(situation, 'unknown') : dead(situation, 'exhausted');
  if (isExpired(input)) return progress.unresolved ? inDoubt(situation) : dead(situation, 'expired');
  if (verdict.atOnce) return canGoAgain(situation, now) ? again(progress) : inDoubt(situation);
  const time = retryTime(input, progress.faults);
  const dueAt = now + time.waitMs;
  const course = canGoAgain(situation, dueAt)
    ? ({
        move: { state: 'scheduled', reason: 'retry', dueAt },
        progress: { ...progress, delayMs: time.delayMs },
      } as const)
    : inDoubt(situation);
  return { ...course, policyError: time.policyError };
}

/** Whether a resend at `at` is harmless, or nothing is in doubt. What expires before it could be resent is found out now. */
export function canGoAgain({ input, progress }: Situation, at: number): boolean {
  if (!progress.unresolved) return true;
  const { request, keyed, keyTtlMs, policy } = input;
  if (request.expiresAt !== null && at >= request.expiresAt) return false;
  const withProgress = { ...request, progress };
  const { resendWindowMs } = policy;
  const { retryAnswered5xx, hasProbe } = input.zone;
  const isBlind = request.intent?.onUnknown === 'resend' && !hasProbe;
  return mayResend({ request: withProgress, keyed, keyTtlMs, resendWindowMs, retryAnswered5xx, isBlind }, at);
}

/** A read nobody waits for any more. */
export function cancel({ progress }: Situation): Course {
  return { move: { state: 'cancelled', reason: 'caller' }, progress };
}

/** Back to the head of its lane at once. */
function again(progress: Progress): Course {
  return { move: { state: 'ready', reason: 'retry' }, progress };
}

function dead({ progress }: Situation, reason: Reason): Course {
  return { move: { state: 'dead', reason }, progress };
}
