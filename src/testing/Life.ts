import type { Backend } from '../queue/types/backend.ts';
import type { Transport } from '../queue/types/transport.ts';
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
    this.transport = {
      send: async (call) => {
        if (this.#over) return never();
        const result = await parts.transport.send(call);
        return this.#over ? never() : result;
      },
      // The network outlives the queues on it: whoever made it closes it.
      close: async () => undefined,
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
