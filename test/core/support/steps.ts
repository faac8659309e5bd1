import type { Backend } from '../../../src/queue/types/backend.ts';

/** What is called before each verb of the stores; whoever never resolves stops there, as a dead process would. */
export type Step = (verb: string) => Promise<void> | void;

type Verb = (...args: unknown[]) => unknown;

/** The same backend, with a step before each verb of its requests and of its shared state. */
export function stepwise(backend: Backend, name: string, step: Step): Backend {
  const over = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get(target, verb) {
        const call: unknown = Reflect.get(target, verb);
        if (typeof call !== 'function' || verb === 'watch') return call;
        return async (...args: unknown[]): Promise<unknown> => {
          await step(`${name}.${String(verb)}`);
          return (call as Verb).apply(target, args);
        };
      },
    });
  return {
    capabilities: backend.capabilities,
    requests: over(backend.requests),
    schedules: over(backend.schedules),
    shared: over(backend.shared),
    history: backend.history,
    open: (options) => backend.open(options),
    keepAlive: (query) => backend.keepAlive(query),
    close: () => backend.close(),
  };
}
