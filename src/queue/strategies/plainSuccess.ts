import type { Attempt } from '../types/request.ts';
import { isAuthentic } from './authentic.ts';
import type { Decision, DecisionInput } from './decision.ts';
import { storedResult } from './storedResult.ts';

const APPLIED = Object.freeze({ state: 'succeeded', reason: 'applied' } as const);

/**
 * The decision for nearly every attempt: the first one, answered in full with a 2xx, and no rule of the user's. Nothing but a
 * short cut: `decide` comes to the same through its tables, which a test holds against it. Undefined when it is not that case.
 */
export function plainSuccess(input: DecisionInput): Decision | undefined {
  const { request, result, now } = input;
  if (result.phase !== 'answered' || result.bodyError !== undefined || input.classify !== undefined) return undefined;
  const { origins = [], expect } = input.zone;
  if (!isAuthentic(request, result.response, { origin: input.origin, origins, expect })) return undefined;
  const { response } = result;
  const { progress } = request;
  if (response.status < 200 || response.status > 299 || progress.attempts.length > 0 || progress.unresolved)
    return undefined;
  const attempt: Attempt = {
    n: input.token,
    at: now,
    phase: 'answered',
    outcome: 'applied',
    status: response.status,
    error: null,
    origin: input.origin,
    ...(input.profile !== undefined && { profile: input.profile }),
  };
  return {
    move: APPLIED,
    progress: {
      faults: progress.faults,
      delayMs: progress.delayMs,
      unresolved: false,
      failingSince: progress.failingSince ?? now,
      servedBefore: progress.servedBefore,
      probes: 0,
      attempts: [attempt],
    },
    notSent: false,
    result:
      request.effect === 'read' && !request.durable
        ? undefined
        : storedResult(response, false, input.policy.maxStoredResultBytes),
    final: true,
    outcome: 'applied',
    connectivity: 'reachable',
    served: true,
    pauseZoneUntil: null,
    refreshAuth: false,
    policyError: undefined,
  };
}
