import { systemClock } from '../../../../src/system/clock.ts';

/** Turns of the event loop without anything under way, after which nothing more is to be expected. */
const CALM_TURNS = 12;
/** Turns with something under way, after which stores and sockets are left the machine for a while. */
const BUSY_TURNS = 50;

/** Counts the calls under way of things it watches, so that fake time stands still while real stores and sockets work. */
export class Traffic {
  #calls = 0;

  /** The same thing, whose calls are counted while they are under way; what it has as a property is watched too. */
  watch<T extends object>(target: T): T {
    return new Proxy(target, {
      get: (of, name) => {
        const value: unknown = Reflect.get(of, name, of);
        if (typeof value === 'function') return this.#counted(of, value as (...args: unknown[]) => unknown);
        return typeof value === 'object' && value !== null && name !== 'capabilities' ? this.watch(value) : value;
      },
    });
  }

  /** Resolves when no call is under way, or no more than hang by intention. */
  async calm(hanging: () => number = () => 0): Promise<void> {
    let busy = 0;
    for (let calm = 0; calm < CALM_TURNS; ) {
      if (busy < BUSY_TURNS) await new Promise<void>((resolve) => setImmediate(resolve));
      else await new Promise<void>((resolve) => systemClock.schedule(1, resolve, { keepAlive: true }));
      const isBusy = this.#calls > hanging();
      calm = isBusy ? 0 : calm + 1;
      busy = isBusy ? busy + 1 : 0;
    }
  }

  #counted(of: object, call: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
    return (...args) => {
      const result = call.apply(of, args);
      if (!(result instanceof Promise)) return result;
      this.#calls += 1;
      const end = (): void => {
        this.#calls -= 1;
      };
      result.then(end, end);
      return result;
    };
  }
}
