import type { FetchFront, FetchOptions, QueuedFetch, QueuedRequestInit } from '../types/fetch.ts';
import { behind, standBefore } from './behind.ts';

/** What makes connections, as undici's clients want it: `fetch(url, { dispatcher })`, `setGlobalDispatcher`. */
export interface QueueDispatcher {
  dispatch(hop: object, handler: object): boolean;
  /** Nothing: it is the queue that is closed. */
  close(): Promise<void>;
  destroy(): Promise<void>;
}

const GLOBAL_DISPATCHER = Symbol.for('undici.globalDispatcher.1');

/** A `fetch` that belongs to nobody: it may be called without `this`, and looks like the platform's. */
export function frontFetch(take: () => FetchFront, bound: FetchOptions | undefined): QueuedFetch {
  const native = behind(globalThis.fetch);
  function fetch(input: string | URL | Request, init: QueuedRequestInit | undefined = undefined): Promise<Response> {
    try {
      return take().fetch(input, init, bound);
    } catch (cause) {
      return Promise.reject(new TypeError('fetch failed', { cause }));
    }
  }
  return standBefore(fetch, native);
}

/** A dispatcher whose hops go through the queue, each a request. */
export function frontDispatcher(take: () => FetchFront, bound: FetchOptions | undefined): QueueDispatcher {
  const front: QueueDispatcher = {
    dispatch: (hop, handler) => take().dispatch(hop, handler, bound),
    close: () => Promise.resolve(),
    destroy: () => Promise.resolve(),
  };
  void globalThis.Response; // with the first of fetch's classes Node installs its dispatcher
  const native = (globalThis as unknown as Record<symbol, object | undefined>)[GLOBAL_DISPATCHER];
  return native === undefined ? front : standBefore(front, native);
}
