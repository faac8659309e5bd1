import type { RequestHandle } from '../../types/calls.ts';

/** The handle of a call that was never accepted. Nothing rejects unless it is asked for. */
export function refusedHandle(error: unknown): RequestHandle {
  return {
    accepted: () => Promise.reject(error),
    settled: () => Promise.reject(error),
    cancel: () => Promise.resolve(false),
  };
}
