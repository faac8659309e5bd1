import type { Backend } from '../queue/types/backend.ts';
import type { Transport, TransportResult } from '../queue/types/transport.ts';
import type { Clock, Timer } from '../system/clock.ts';
import { hookBackend } from './backendHooks.ts';

export interface LifeParts {
  readonly clock: Clock;
  readonly backend: Backend;
  readonly transport: Transport;
}

/**
 * One run of a queue that can end as a killed process does: {@link end} stops its timers, and nothing it asks of its
 * store or network from then on happens or is answered. What it leaves pending is collected as garbage.
 */
export class Life implements LifeParts {
  readonly clock: Clock;
  readonly backend: Backend;
  readonly transport: Transport;
  readonly #timers = new Set<Timer>();
  #worker: string | undefined;
  #over = false;

  /** `gone` holds the workers of lives that ended: the store takes them for dead at once, as it would a dead process. */
  constructor(parts: LifeParts, gone: ReadonlySet<string>) {
    this.clock = this.#mortalClock(parts.clock);
    this.backend = hookBackend(parts.backend, {
      before: () => (this.#over ? never() : undefined),
      after: () => (this.#over ? never() : undefined),
      open: (options) => {
        this.#worker = options.identity.worker;
        return { ...options, isGone: (other) => gone.has(other.worker) || options.isGone(other) };
      },
    });
    let cut: (result: TransportResult) => void = () => undefined;
    const closed = new Promise<TransportResult>((resolve) => {
      cut = resolve;
    });
    const end = new AbortController();
    this.transport = {
      send: async (call) => {
        if (this.#over) return never();
        const signal = call.signal === undefined ? end.signal : AbortSignal.any([call.signal, end.signal]);
        const result = await Promise.race([parts.transport.send({ ...call, signal }), closed]);
        return this.#over ? never() : result;
      },
      // The network outlives the queues on it, and whoever made it closes it; what this queue has under way is cut off.
      close: async () => {
        const error = Object.assign(new Error('the transport is closed'), { code: 'TRANSPORT_CLOSED' });
        cut({ phase: 'sent', error });
        end.abort();
      },
    };
  }

  get over(): boolean {
    return this.#over;
  }

  /** The worker it opened its store as; undefined before that. */
  get worker(): string | undefined {
    return this.#worker;
  }

  end(): void {
    this.#over = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #mortalClock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonicNow: () => clock.monotonicNow(),
      schedule: (ms, callback, options) => {
        if (this.#over) return { cancel: () => undefined };
        const timer = clock.schedule(
          ms,
          () => {
            this.#timers.delete(timer);
            callback();
          },
          options,
        );
        this.#timers.add(timer);
        return {
          cancel: () => {
            this.#timers.delete(timer);
            timer.cancel();
          },
        };
      },
    };
  }
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => undefined);
}
