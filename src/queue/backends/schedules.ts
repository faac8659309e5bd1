import type { Problem } from '../../errors.ts';
import { HoldfastError } from '../../errors.ts';
import type { Firing } from '../types/request.ts';
import type { ScheduleStore } from '../types/schedule.ts';
import type { EnqueueResult } from '../types/store.ts';

const SURROGATE = /\p{Surrogate}/u;

/** A version that no schedule has. */
const NEVER = -1;

/** @throws REQUEST_INVALID where a schedule cannot be stored so */
export function checkSchedule({ name, dueAt, ifVersion }: Parameters<ScheduleStore['set']>[0]): void {
  const problems: Problem[] = [];
  if (name === '' || SURROGATE.test(name)) {
    problems.push({ path: 'name', expected: 'a text that is not empty, without half characters', got: name });
  }
  if (!isTime(dueAt)) problems.push({ path: 'dueAt', expected: 'epoch milliseconds or null', got: String(dueAt) });
  if (ifVersion !== undefined && !(Number.isSafeInteger(ifVersion) && ifVersion >= 0)) {
    problems.push({ path: 'ifVersion', expected: 'a version, or 0 for none', got: String(ifVersion) });
  }
  if (problems.length === 0) return;
  throw new HoldfastError('REQUEST_INVALID', `the schedule ${JSON.stringify(name)} cannot be stored`, { problems });
}

/** The version a firing must find. What cannot be stored finds none: it is refused alone, and the schedule stays as it is. */
export function versionOf({ version, dueAt }: Firing): number {
  return Number.isSafeInteger(version) && isTime(dueAt) ? version : NEVER;
}

/** Why a firing is not accepted. `found` is the version of its schedule, 0 where there is none. */
export function notFired(name: string, found: number): Extract<EnqueueResult, { status: 'refused' }> {
  const state = found === 0 ? 'does not exist' : `is at version ${found}`;
  return { status: 'refused', why: 'fired', detail: `the schedule ${JSON.stringify(name)} ${state}` };
}

function isTime(dueAt: number | null): boolean {
  return dueAt === null || Number.isFinite(dueAt);
}
