import { systemClock } from '../../../src/system/clock.ts';

/** Settles as `promise` does, or rejects after `ms` with what was waited for. */
export function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const late = (): void => reject(new Error(`waited ${ms} ms in vain for ${what}`));
    const timer = systemClock.schedule(ms, late, { keepAlive: true });
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
