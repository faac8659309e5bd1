import type { Problem } from '../../../errors.ts';
import { HoldfastError } from '../../../errors.ts';
import { problemWords } from '../../../problemWords.ts';

/** SCHEDULE_INVALID that says everything at once. */
export function invalidSchedule(name: unknown, problems: readonly Problem[]): HoldfastError<'SCHEDULE_INVALID'> {
  const message = `the schedule ${JSON.stringify(String(name))} is invalid: ${problemWords(problems)}`;
  return new HoldfastError('SCHEDULE_INVALID', message, { problems });
}

/** Nothing of that name is stored. */
export function unknownSchedule(name: string): HoldfastError<'SCHEDULE_NOT_FOUND'> {
  return new HoldfastError('SCHEDULE_NOT_FOUND', `there is no schedule ${JSON.stringify(name)}`, { name });
}

/** Others wrote it again and again meanwhile. */
export function changedSchedule(name: string): HoldfastError<'SCHEDULE_CHANGED'> {
  const message = `the schedule ${JSON.stringify(name)} was changed by others each time this was tried; try again`;
  return new HoldfastError('SCHEDULE_CHANGED', message, { name });
}

/** What a newer version of this package wrote, or by a time zone that is not known here, is left alone. */
export function newerSchedule(name: string): HoldfastError<'BACKEND_NEWER'> {
  const message = `the schedule ${JSON.stringify(name)} was written by a newer version of this package, or of its time zones`;
  return new HoldfastError('BACKEND_NEWER', message, { name });
}

/** Another store is about to have it. */
export function movingSchedule(name: string): HoldfastError<'SCHEDULE_CHANGED'> {
  const message = `the schedule ${JSON.stringify(name)} is being moved to another store; change it there`;
  return new HoldfastError('SCHEDULE_CHANGED', message, { name });
}
