import type { QueuedFetch } from '../../queue/types/fetch.ts';

/** What an adapter needs: a queue, or `queue.with(options)` for options that all its calls share. */
export interface QueueLike {
  readonly fetch: QueuedFetch;
}
