/** Turns of the event loop without anything under way, after which nothing more is to be expected. */
const CALM_TURNS = 12;

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
    for (let calm = 0; calm < CALM_TURNS; ) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      calm = this.#calls > hanging() ? 0 : calm + 1;
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
