import { HoldfastError } from '../../errors.ts';
import type { Clock } from '../../system/clock.ts';
import type { RequestFilter, StoredRequest } from '../types/request.ts';
import type { RequestStore } from '../types/store.ts';
import { assertFilter, isEmptyFilter } from './filter.ts';

/** How a verb is applied to many requests. */
export interface BulkOptions {
  /** Only say how many it would be. @default false */
  readonly dryRun?: boolean | undefined;
  /** Refused (`BULK_REFUSED`) when another number matches: nothing is done then. */
  readonly expect?: number | undefined;
  /** At most so many per second. @default unlimited */
  readonly ratePerSecond?: number | undefined;
  /** Stops between two requests. */
  readonly signal?: AbortSignal | undefined;
}

export interface BulkResult {
  /** Requests that matched when it began. */
  readonly matched: number;
  /** Requests it was done to. */
  readonly done: number;
}

const PAGE = 100;

/**
 * Applies `act` to every request that matches and is meant, oldest first, page by page. Those that come to match meanwhile are left
 * alone. An empty filter is refused.
 */
export async function forEachMatching(
  store: RequestStore,
  clock: Clock,
  filter: RequestFilter,
  fixed: RequestFilter,
  isMeant: (request: StoredRequest) => boolean,
  options: BulkOptions,
  act: (request: StoredRequest) => Promise<boolean>,
): Promise<BulkResult> {
  assertFilter(filter);
  if (isEmptyFilter(filter)) {
    throw new HoldfastError('BULK_REFUSED', 'a bulk verb needs a filter; name at least one field', {});
  }
  const combined = { ...filter, ...fixed };
  let matched = 0;
  for await (const _ of matching(store, combined, isMeant)) matched += 1;
  if (options.expect !== undefined && options.expect !== matched) {
    const message = `${matched} requests match, ${options.expect} were expected; nothing was done`;
    throw new HoldfastError('BULK_REFUSED', message, { matched, expect: options.expect });
  }
  if (options.dryRun === true) return { matched, done: 0 };

  let seen = 0;
  let done = 0;
  if (matched === 0) return { matched, done };
  for await (const request of matching(store, combined, isMeant)) {
    options.signal?.throwIfAborted();
    if (await act(request)) done += 1;
    seen += 1;
    if (seen === matched) break;
    if (options.ratePerSecond !== undefined) await pause(clock, 1000 / options.ratePerSecond, options.signal);
  }
  return { matched, done };
}

async function* matching(
  store: RequestStore,
  filter: RequestFilter,
  isMeant: (request: StoredRequest) => boolean,
): AsyncGenerator<StoredRequest> {
  for (let after: number | null = null; ; ) {
    const page = await store.find({ filter, order: 'accepted', after, limit: PAGE });
    for (const request of page.requests) if (isMeant(request)) yield request;
    if (page.next === null) return;
    after = page.next;
  }
}

function pause(clock: Clock, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.schedule(
      ms,
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      { keepAlive: true },
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
