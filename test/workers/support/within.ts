import { systemClock } from '../../../src/system/clock.ts';

/** Settles as `promise` does, or rejects after `ms` with what was waited for. */
export function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const late = (): void => reject(new Error(`waited ${ms} ms in vain for ${what}`));
    const timer = systemClock.schedule(ms, late, { keepAlive: true });
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}

/**
 * Settles as `promise` does, or rejects once nothing has moved for `ms`, as `quietMs` tells: how long all of it takes depends on the machine, that it
 * goes on does not.
 */
export function whileMoving<T>(promise: Promise<T>, quietMs: () => number, ms: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const look = (): void => {
      const leftMs = ms - quietMs();
      if (leftMs <= 0) reject(new Error(`nothing moved for ${ms} ms, in vain waited for ${what}`));
      else timer = systemClock.schedule(leftMs, look, { keepAlive: true });
    };
    let timer = systemClock.schedule(ms, look, { keepAlive: true });
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}
