import type { RequestFilter, StoredRequest } from './request.ts';

/** Whether a record matches: the same question as a store answers by `find`, for records that are at hand already. */
export function matchesFilter(request: StoredRequest, filter: RequestFilter): boolean {
  return (
    (filter.ids === undefined || filter.ids.includes(request.id)) &&
    (filter.key === undefined || filter.key === request.key) &&
    isAnyOf(request.state, filter.state) &&
    isAnyOf(request.reason, filter.reason) &&
    (filter.zone === undefined || filter.zone === request.zone) &&
    (filter.lane === undefined || filter.lane === request.lane) &&
    (filter.principal === undefined || filter.principal === request.principal) &&
    (filter.bundle === undefined || filter.bundle === request.bundle) &&
    (filter.acceptedBefore === undefined || request.acceptedAt < filter.acceptedBefore) &&
    (filter.acceptedAfter === undefined || request.acceptedAt >= filter.acceptedAfter) &&
    (filter.tags ?? []).every((tag) => request.tags.includes(tag))
  );
}

/** Whether a value is the one, or among those, that a field of a filter asks for. */
export function isAnyOf<T extends string>(value: T, allowed: T | readonly T[] | undefined): boolean {
  if (allowed === undefined) return true;
  return typeof allowed === 'string' ? allowed === value : allowed.includes(value);
}
