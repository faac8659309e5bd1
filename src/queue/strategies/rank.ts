import type { RankForm } from '../types/request.ts';
import type { PriorityStrategy } from '../types/scheduling.ts';

/** Requests without a deadline are ordered as if they had one so long after acceptance, so that they do not starve. */
const ASSUMED_DEADLINE_MS = 3_600_000;

/**
 * The rank of a request in its channel: lowest first, ties by order of acceptance. With `priority` a
 * waiting request overtakes newer ones of one level more for each `ageingMs` it waited, so nothing starves. Strategies that send in
 * turns rank by flows instead.
 */
export function rankOf(
  strategy: Exclude<PriorityStrategy, 'weighted' | 'adaptive'>,
  r: { readonly acceptedAt: number; readonly priority: number; readonly expiresAt: number | null },
  ageingMs: number,
): RankForm {
  switch (strategy) {
    case 'fifo':
      return { form: 'value', value: 0 };
    case 'lifo':
      return { form: 'negatedSeq' };
    case 'priority':
      return { form: 'value', value: r.acceptedAt - r.priority * ageingMs };
    case 'deadline':
      return { form: 'value', value: r.expiresAt ?? r.acceptedAt + ASSUMED_DEADLINE_MS };
    default:
      return strategy satisfies never;
  }
}
