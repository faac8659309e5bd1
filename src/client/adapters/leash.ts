import { systemClock } from '../../system/clock.ts';

/** An abort signal as SDKs hand it on: the platform's, or one of their own making. */
export interface SignalLike {
  readonly aborted: boolean;
  readonly reason?: unknown;
  readonly addEventListener?: unknown;
  readonly removeEventListener?: unknown;
  onabort?: unknown;
}

/** What ends a call from the caller's side. */
export interface Leash {
  /** Undefined where nothing can end it. */
  readonly signal: AbortSignal | undefined;
  /** The reason of the abort, where it was the time limit. */
  readonly late: Error | undefined;
  /** The answer has begun: the time limit is met. */
  arrived(): void;
  /** Nothing is waited for any more. */
  release(): void;
}

/** As most SDKs have one of their own, which is known by its name. */
export class AbortError extends Error {
  override readonly name = 'AbortError';
}

type Listen = (type: 'abort', listener: (event?: unknown) => void) => void;

/** Joins signals and a time limit, at which the call is aborted with what `makeLate` makes. No limit: 0 or undefined. */
export function leash(
  given: readonly (SignalLike | null | undefined)[],
  timeoutMs: number | undefined,
  makeLate: () => Error,
): Leash {
  const own = new AbortController();
  const signals = [own.signal];
  const undo: (() => void)[] = [];
  for (const signal of given) {
    if (signal === null || signal === undefined) continue;
    if (signal instanceof AbortSignal) signals.push(signal);
    else undo.push(follow(signal, own));
  }
  let late: Error | undefined;
  const expire = (): void => {
    late = makeLate();
    own.abort(late);
  };
  // Somebody waits for it: the process stays.
  const isLimited = timeoutMs !== undefined && timeoutMs > 0;
  const timer = isLimited ? systemClock.schedule(timeoutMs, expire, { keepAlive: true }) : undefined;
  const isFree = signals.length === 1 && undo.length === 0 && timer === undefined;
  return {
    signal: isFree ? undefined : AbortSignal.any(signals),
    get late() {
      return late;
    },
    arrived: () => timer?.cancel(),
    release() {
      timer?.cancel();
      for (const step of undo) step();
    },
  };
}

/** Aborts with a signal that is not the platform's. */
function follow(signal: SignalLike, own: AbortController): () => void {
  const onAbort = (): void => own.abort(signal.reason);
  if (signal.aborted) onAbort();
  if (typeof signal.addEventListener !== 'function') {
    signal.onabort = onAbort;
    return () => undefined;
  }
  (signal.addEventListener as Listen)('abort', onAbort);
  return () => {
    if (typeof signal.removeEventListener === 'function') (signal.removeEventListener as Listen)('abort', onAbort);
  };
}
