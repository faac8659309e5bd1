import type { Carried, NewRequest } from '../../types/request.ts';
import type { Entry } from './Entry.ts';

/** Of no claim in this store, so that none of its settlements takes back the first send. */
const NO_CLAIM = -1;

/** The request alone: what it brings along is in its entry, and changes there; whose place it takes and what it fires is said once. */
export function withoutPast(request: NewRequest): NewRequest {
  const { carried: _, replaces: __, fires: ___, ...rest } = request;
  return rest;
}

/** Gives the entry of a new request what became of it in another store. It is in no index yet. */
export function bring(entry: Entry, carried: Carried): void {
  entry.reason = carried.reason;
  entry.token = carried.token;
  entry.firstSentAt = carried.firstSentAt;
  entry.firstSentToken = NO_CLAIM;
  entry.progress = carried.progress;
  entry.callers = carried.callers;
  entry.result = carried.result;
  entry.told = carried.told;
}

/** Whether a request may be sent now, for all that it brings along. */
export function isFree(carried: Carried | undefined, now: number): boolean {
  return carried === undefined || (!carried.isHeld && (carried.dueAt === null || carried.dueAt <= now));
}
