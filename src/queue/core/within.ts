import type { Clock } from '../../system/clock.ts';

/**
 * `work`, or a rejection after `ms`: a user's code that never settles must not keep what waits for it. The process does not
 * stay for it: callers who wait keep it, and what nobody waits for must not outlive `close`.
 */
export function within<T>(clock: Clock, ms: number, what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.schedule(ms, () => reject(new Error(`${what} did not answer within ${ms} ms`)));
    work.then(resolve, reject).finally(() => timer.cancel());
  });
}
