import type { Priority, PriorityName } from '../types/calls.ts';

/** The named levels; `normal` is what a request has that names none. */
const PRIORITY_NAMES: Readonly<Record<PriorityName, number>> = Object.freeze({
  critical: 10,
  high: 8,
  normal: 5,
  low: 3,
  bulk: 1,
});

/** The level 1–10 of a priority; `normal` for undefined. Undefined when it is neither a name nor a whole number of 1–10. */
export function priorityNumber(p: Priority | undefined): number | undefined {
  if (p === undefined) return PRIORITY_NAMES.normal;
  if (typeof p === 'number') return Number.isInteger(p) && p >= 1 && p <= 10 ? p : undefined;
  return Object.hasOwn(PRIORITY_NAMES, p) ? PRIORITY_NAMES[p] : undefined;
}
