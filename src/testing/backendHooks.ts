import type { Backend, OpenOptions } from '../queue/types/backend.ts';
import type { ScheduleStore } from '../queue/types/schedule.ts';
import type { RequestStore } from '../queue/types/store.ts';

/** The verbs of a store, and of its schedules, that answer with a promise. */
export type StoreVerb = Exclude<keyof RequestStore, 'watch'> | `schedules.${keyof ScheduleStore}`;

/** What a wrapper may do around each verb. A hook that never returns stops the verb there, as a dead process would. */
export interface BackendHooks {
  /** Before the verb is given to the store. */
  readonly before?: ((verb: StoreVerb, query: unknown) => void | Promise<void>) | undefined;
  /** After the verb was given to the store, before its answer. */
  readonly during?: ((verb: StoreVerb, query: unknown) => void) | undefined;
  /** After the verb has committed, before its caller learns it. */
  readonly after?: ((verb: StoreVerb, query: unknown, result: unknown) => void | Promise<void>) | undefined;
  /** Changes the options of `open`. */
  readonly open?: ((options: OpenOptions) => OpenOptions) | undefined;
}

/** A backend that behaves as `backend` and calls `hooks` around each verb of its requests and schedules. */
export function hookBackend(backend: Backend, hooks: BackendHooks): Backend {
  const { requests, schedules } = backend;

  async function around<R>(verb: StoreVerb, query: unknown, call: () => Promise<R>): Promise<R> {
    const stop = hooks.before?.(verb, query);
    if (stop !== undefined) await stop;
    const answer = call();
    hooks.during?.(verb, query);
    const result = await answer;
    await hooks.after?.(verb, query, result);
    return result;
  }

  const store: RequestStore = {
    enqueue: (query) => around('enqueue', query, () => requests.enqueue(query)),
    claim: (query) => around('claim', query, () => requests.claim(query)),
    claimUnknown: (query) => around('claimUnknown', query, () => requests.claimUnknown(query)),
    renew: (query) => around('renew', query, () => requests.renew(query)),
    settle: (query) => around('settle', query, () => requests.settle(query)),
    amend: (query) => around('amend', query, () => requests.amend(query)),
    recover: (query) => around('recover', query, () => requests.recover(query)),
    expire: (query) => around('expire', query, () => requests.expire(query)),
    get: (query) => around('get', query, () => requests.get(query)),
    find: (query) => around('find', query, () => requests.find(query)),
    count: (query) => around('count', query, () => requests.count(query)),
    purge: (query) => around('purge', query, () => requests.purge(query)),
    nextDueAt: (query) => around('nextDueAt', query, () => requests.nextDueAt(query)),
    bindings: (query) => around('bindings', query, () => requests.bindings(query)),
    watch: (listener) => requests.watch(listener),
  };

  const scheduleStore: ScheduleStore = {
    set: (query) => around('schedules.set', query, () => schedules.set(query)),
    get: (query) => around('schedules.get', query, () => schedules.get(query)),
    list: (query) => around('schedules.list', query, () => schedules.list(query)),
    delete: (query) => around('schedules.delete', query, () => schedules.delete(query)),
    due: (query) => around('schedules.due', query, () => schedules.due(query)),
    nextDueAt: () => around('schedules.nextDueAt', undefined, () => schedules.nextDueAt()),
  };

  return {
    capabilities: backend.capabilities,
    requests: store,
    schedules: scheduleStore,
    shared: backend.shared,
    history: backend.history,
    open: (options) => backend.open(hooks.open?.(options) ?? options),
    keepAlive: (query) => backend.keepAlive(query),
    close: () => backend.close(),
  };
}
