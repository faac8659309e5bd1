import type { StoredResult } from '../types/request.ts';
import type { RequestState } from '../types/states.ts';
import { isTerminal } from '../types/states.ts';
import type { Course, Situation } from './course.ts';
import { answer, cancel, canGoAgain, hold, inDoubt, reconcile, reject, retry, succeed } from './course.ts';
import type { Decision, DecisionInput } from './decision.ts';
import { speaksOfReplay } from './dialects.ts';
import { plainSuccess } from './plainSuccess.ts';
import { progressAfter, resolved } from './progress.ts';
import { hintOf } from './retry.ts';
import { storedResult } from './storedResult.ts';
import { isClosedByCaller } from './transportErrors.ts';
import { verdictOf } from './verdict.ts';

/** A refused credential that was new so short a time ago is not refreshed once more: the refusal is not about its age. */
const REFRESH_PAUSE_MS = 60_000;

/**
 * THE decision: what becomes of a request after an attempt, and what the attempt showed. Pure: the same input gives the same
 * answer. The rules, and where each is:
 * - what an attempt means: `verdict.ts`, by the answer `statusTable.ts`, without one `transportErrors.ts`
 * - what counts as a fault, and that doubt stays until resolved: `progress.ts`
 * - when a resend is harmless: `resend.ts`; how long to wait: `retry.ts`; when to stop: `giveUp.ts`
 * - what a waiting caller gets: below
 */
export function decide(given: DecisionInput): Decision {
  return plainSuccess(given) ?? decideByRules(given);
}

/** {@link decide} without its short cut. */
export function decideByRules(given: DecisionInput): Decision {
  const input = withoutIdleDoubt(given);
  const verdict = verdictOf(input);
  const situation: Situation = { input, verdict, progress: progressAfter(input, verdict) };
  const course = courseOf(situation);
  const { state } = course.move;
  const hintMs = verdict.pausesZone ? hintOf(input) : null;
  return {
    move: course.move,
    progress: course.progress,
    notSent: input.result.phase === 'notSent',
    result: resultFor(input, state),
    final: isTerminal(state) || state === 'held',
    outcome: verdict.outcome,
    connectivity: verdict.evidence,
    served: verdict.evidence === 'reachable' && verdict.fault !== 'zone',
    pauseZoneUntil: hintMs === null ? null : input.now + hintMs,
    refreshAuth: course.refreshAuth === true,
    ...(verdict.scope !== undefined && { scope: verdict.scope }),
    ...(course.conflict !== undefined && { conflict: course.conflict }),
    policyError: verdict.policyError ?? course.policyError,
  };
}

/** A read changes nothing, so nothing of it can be in doubt, whatever a lost lease left in its record. */
function withoutIdleDoubt(input: DecisionInput): DecisionInput {
  const { request } = input;
  if (request.effect !== 'read' || !request.progress.unresolved) return input;
  return { ...input, request: { ...request, progress: resolved(request.progress) } };
}

function courseOf(situation: Situation): Course {
  const { input, verdict } = situation;
  if (isAbandonedRead(input)) return cancel(situation);
  const wasInDoubt = input.request.progress.unresolved;
  if (verdict.conflict !== undefined) {
    // What was just made may not be seen everywhere yet: another look, before anybody takes it for gone.
    const isFresh = input.now < (input.zone.freshUntil ?? 0);
    if (verdict.conflict === 'gone' && isFresh) return retry(situation);
    if (input.zone.handlesConflict === true) return reconcile(situation, verdict.conflict);
  }
  switch (verdict.action) {
    case 'apply':
      return succeed(situation, wasInDoubt && isReplayed(input) ? 'appliedEarlier' : 'applied');
    case 'noop':
      return succeed(situation, wasInDoubt ? 'appliedEarlier' : 'noop');
    case 'reject':
      return reject(situation);
    case 'retry':
      return retry(situation);
    case 'retryOnce':
      return isRepeated(input) ? reject(situation) : retry(situation);
    case 'resolve':
      return resolve(situation);
    case 'refreshAuth':
      return refresh(situation);
    case 'hold':
      return holdUnlessAwaited(situation);
    default:
      return verdict.action satisfies never;
  }
}

/**
 * An answer that leaves the outcome open. Harmless resends go on; else it is the answer where a caller waits and nothing was in doubt
 * before, and a question where nobody does.
 */
function resolve(situation: Situation): Course {
  const { input, verdict } = situation;
  if (input.request.effect === 'read') return retry(situation);
  if (verdict.fault !== 'none' && canGoAgain(situation, input.now)) return retry(situation);
  if (input.hasCaller && !input.request.progress.unresolved) return answer(situation);
  return inDoubt(situation);
}

/** A 401 is tried again once per credential, with a newer one; then it is a hold for one. */
function refresh(situation: Situation): Course {
  const { input, verdict } = situation;
  const last = input.request.progress.attempts.at(-1);
  const wasJustRefreshed = last?.status === 401 && input.now - last.at < REFRESH_PAUSE_MS;
  if (!input.zone.canRefresh || input.refreshed || wasJustRefreshed) return holdUnlessAwaited(situation);
  const course = retry({ ...situation, verdict: { ...verdict, atOnce: true } });
  return course.move.state === 'ready' ? { ...course, refreshAuth: true } : course;
}

/**
 * The hold rows apply when nobody waits, or where the handler was declared; a waiting caller gets the answer, which SDKs
 * need. So does the caller of a read in any case: no one would come back for its answer.
 */
function holdUnlessAwaited(situation: Situation): Course {
  const { input, verdict } = situation;
  const reason = verdict.holdReason ?? 'operator';
  const isDeclared = reason === 'auth' && input.zone.declaredAuth;
  if (!input.hasCaller || (input.request.effect !== 'read' && isDeclared)) return hold(situation, reason);
  // Whoever may do it at all was not looked into; the others say what became of it, an earlier attempt included.
  return reason === 'auth' || reason === 'operator' ? answer(situation) : reject(situation);
}

/** The answer is that of an earlier send: that one applied it. */
function isReplayed({ dialect, result }: DecisionInput): boolean {
  return dialect !== undefined && result.phase === 'answered' && speaksOfReplay(dialect, result.response.headers);
}

/** Its caller closed the wire and nobody else waits. */
function isAbandonedRead({ request, result, hasCaller }: DecisionInput): boolean {
  return (
    request.effect === 'read' &&
    !request.durable &&
    !hasCaller &&
    result.phase !== 'answered' &&
    isClosedByCaller(result.error)
  );
}

/** The same status twice in a row: the second try that it asked for was had. Or there is to be none. */
function isRepeated({ request, result, policy }: DecisionInput): boolean {
  if (policy.maxAttempts === 1) return true;
  // The platform's fetch had that try by itself.
  if (request.content.fetch !== undefined && result.phase === 'answered' && result.response.status === 421) return true;
  return result.phase === 'answered' && request.progress.attempts.at(-1)?.status === result.response.status;
}

/** Answers are kept once they are what a caller or a person will look at: of writes, and of reads that outlive their caller. */
function resultFor({ request, result, policy }: DecisionInput, state: RequestState): StoredResult | undefined {
  if (result.phase !== 'answered' || (request.effect === 'read' && !request.durable)) return undefined;
  if (!isTerminal(state) && state !== 'held' && state !== 'unknown') return undefined;
  return storedResult(result.response, result.bodyError !== undefined, policy.maxStoredResultBytes);
}
