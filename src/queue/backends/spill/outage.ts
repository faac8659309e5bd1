import { holdfastError } from '../../../errors.ts';

/** The store takes nothing for now: it cannot be reached or has no room. Any other error is an answer. */
export function isOutage(error: unknown): boolean {
  return holdfastError(error, 'BACKEND_UNAVAILABLE', 'STORAGE_FULL') !== undefined;
}

/** Whether a verb that failed so may have taken effect all the same: its answer may be what was lost. */
export function mayHaveArrived(error: unknown): boolean {
  const unavailable = holdfastError(error, 'BACKEND_UNAVAILABLE');
  if (unavailable === undefined) return false;
  const { mayBeDone } = unavailable.details;
  return mayBeDone !== false;
}
