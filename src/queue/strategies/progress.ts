import type { Attempt, Progress } from '../types/request.ts';
import type { DecisionInput } from './decision.ts';
import type { IdempotencyDialect } from './dialects.ts';
import { errorCode } from './transportErrors.ts';
import type { Verdict } from './verdict.ts';

/** Attempts remembered with a request. */
const MAX_ATTEMPTS_KEPT = 20;

/** The request's memory after this attempt, before anything is decided: attempts, faults, doubt. */
export function progressAfter(input: DecisionInput, verdict: Verdict): Progress {
  const { request, result, now, zone } = input;
  const before = request.progress;
  const isNewDoubt = verdict.outcome === 'unknown' && request.effect !== 'read' && !before.unresolved;
  const isZoneFault = verdict.fault === 'zone';
  return {
    ...before,
    faults: before.faults + (counts(input, verdict) ? 1 : 0),
    unresolved: before.unresolved || isNewDoubt,
    ...(isNewDoubt ? { unresolvedSince: now } : {}),
    ...(verdict.isKeySpent === true ? { isKeySpent: true as const } : {}),
    failingSince: result.phase === 'notSent' ? null : failingSince(input),
    servedBefore: isZoneFault ? Math.max(zone.served, before.servedBefore ?? 0) : before.servedBefore,
    attempts: [...before.attempts, attemptOf(input, verdict)].slice(-MAX_ATTEMPTS_KEPT),
  };
}

/** `progress` once it is known what became of the request: nothing is in doubt any more. */
export function resolved(progress: Progress): Progress {
  const { unresolvedSince: _, ...rest } = progress;
  return { ...rest, unresolved: false, probes: 0 };
}

/** `progress` for other content, which is another request to the server: with a key of its own from `now` on. */
export function nextGeneration({ isKeySpent: _, ...progress }: Progress, now: number): Progress {
  return { ...progress, generation: (progress.generation ?? 1) + 1, keyedAt: now };
}

/**
 * `progress` of what is sent again once nothing is in doubt any more. Where the server would only repeat what it said to its key, or refuse it
 * for the time of its first send that it bears, it has another one.
 */
export function sentAfresh(progress: Progress, now: number, dialect: IdempotencyDialect | undefined): Progress {
  const bearsTime = dialect !== undefined && dialect.firstSentHeader !== null;
  return progress.isKeySpent === true || bearsTime ? nextGeneration(progress, now) : progress;
}

/**
 * Whether the attempt counts against `maxAttempts`. A fault of the zone counts only if the zone served
 * another request since the last one, so that a request that is the cause of it still ends, and an outage costs nothing.
 */
function counts(input: DecisionInput, verdict: Verdict): boolean {
  if (verdict.fault !== 'zone') return verdict.fault === 'request';
  const { servedBefore } = input.request.progress;
  return servedBefore !== null && input.zone.served > servedBefore;
}

/** An outage since then starts the time anew: what was not tried did not fail. */
function failingSince(input: DecisionInput): number {
  const since = input.request.progress.failingSince;
  if (since === null) return input.now;
  return Math.max(since, Math.min(input.zone.onlineAt ?? since, input.now));
}

function attemptOf(input: DecisionInput, verdict: Verdict): Attempt {
  const { result } = input;
  const isAnswered = result.phase === 'answered';
  const error = isAnswered ? result.bodyError : result.error;
  return {
    n: input.token,
    at: input.now,
    phase: result.phase,
    outcome: verdict.outcome,
    status: isAnswered ? result.response.status : null,
    error: error === undefined ? null : errorCode(error),
    origin: input.origin,
    ...(input.profile !== undefined && { profile: input.profile }),
  };
}
