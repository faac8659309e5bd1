import type { ErrorCode } from '../../errors.ts';

/** Why nothing at all can be accepted: a matter of the queue or its store, not of one request. */
export const OF_THE_QUEUE: ReadonlySet<string> = new Set<ErrorCode>([
  'QUEUE_FULL',
  'QUEUE_CLOSED',
  'STORAGE_FULL',
  'BACKEND_UNAVAILABLE',
  'BACKEND_REFUSED',
  'BACKEND_CORRUPT',
  'BACKEND_NEWER',
]);
