import type { Backend, OpenOptions } from '../../../src/queue/types/backend.ts';

type Verb = (...args: unknown[]) => Promise<unknown>;

/**
 * One backend over two handles on the same store: every other verb goes through the other one, each after the one before it
 * was answered, so that nothing may rest on what a handle remembers.
 */
export function alternate(first: Backend, second: Backend): Backend {
  const handles = [first, second] as const;
  let turn = 0;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = <Port extends object>(pick: (handle: Backend) => Port): Port =>
    new Proxy(pick(first), {
      get(target, name, receiver) {
        const verb: unknown = Reflect.get(target, name, receiver);
        if (typeof verb !== 'function' || name === 'watch') return verb;
        return (...args: unknown[]): Promise<unknown> => {
          const handle = handles[turn++ % 2] as Backend; // one of the two
          const port = pick(handle);
          const call = Reflect.get(port, name) as Verb; // the same verb of the other handle
          const answer = last.then(() => call.apply(port, args));
          last = answer.catch(() => undefined);
          return answer;
        };
      },
    });
  return {
    capabilities: first.capabilities,
    requests: inTurn((handle) => handle.requests),
    shared: inTurn((handle) => handle.shared),
    schedules: inTurn((handle) => handle.schedules),
    history: inTurn((handle) => handle.history),
    async open(options: OpenOptions) {
      await first.open(options);
      await second.open(options);
    },
    keepAlive: (query) => first.keepAlive(query),
    async close() {
      await last;
      await first.close();
      await second.close();
    },
  };
}
