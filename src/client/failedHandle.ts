import type { HoldfastError } from '../errors.ts';
import type { RequestHandle } from '../queue/types/calls.ts';

/** The handle of a call that could not be given to the queue. Nothing rejects unless it is asked for. */
export function failedHandle(error: HoldfastError): RequestHandle {
  return {
    accepted: () => Promise.reject(error),
    settled: () => Promise.reject(error),
    cancel: () => Promise.resolve(false),
  };
}
