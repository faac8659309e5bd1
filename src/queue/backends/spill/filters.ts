import { isAnyOf } from '../../types/matchesFilter.ts';
import type { RequestFilter } from '../../types/request.ts';
import type { Reason, RequestState } from '../../types/states.ts';
import { SPILLED_REASON, SPILLED_STATE } from './Entry.ts';

/** States of the spill's own records behind what is shown as {@link SPILLED_STATE}. */
const BEHIND = ['ready', 'scheduled', 'blocked', 'held'] as const;
/** Ends that a request may meet in the spill and is shown with. */
const ENDS = ['dead', 'cancelled'] as const;

/**
 * A filter of the requests as they are shown, as filters of the spill's own records: one of those that wait, one of those that
 * ended. Undefined where none can match.
 */
export function filtersOf(filter: RequestFilter): {
  readonly waiting: RequestFilter | undefined;
  readonly ended: RequestFilter | undefined;
} {
  const { state, reason } = filter;
  const isWaiting = isAnyOf<RequestState>(SPILLED_STATE, state) && isAnyOf<Reason>(SPILLED_REASON, reason);
  const ends = ENDS.filter((end) => isAnyOf<RequestState>(end, state));
  return {
    waiting: isWaiting ? { ...filter, state: BEHIND, reason: undefined } : undefined,
    ended: ends.length > 0 ? { ...filter, state: ends } : undefined,
  };
}

/** One filter that leaves out nothing of either; whether a record matches has still to be asked with {@link matches}. */
export function widened(filter: RequestFilter): RequestFilter | undefined {
  const { waiting, ended } = filtersOf(filter);
  if (waiting === undefined || ended === undefined) return waiting ?? ended;
  return { ...waiting, state: [...BEHIND, ...ENDS] };
}

/** Whether a record as it is shown is in a state, and there for a reason, that the filter asks for. */
export function matches(
  record: { readonly state: RequestState; readonly reason: Reason },
  { state, reason }: RequestFilter,
): boolean {
  return isAnyOf(record.state, state) && isAnyOf(record.reason, reason);
}
