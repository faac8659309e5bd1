import type { ErrorCode, Problem } from '../../errors.ts';
import { HoldfastError, holdfastError } from '../../errors.ts';
import { suggestion } from '../../suggestion.ts';
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../types/logger.ts';
import type { StoredRequest } from '../types/request.ts';
import type { RequestStore } from '../types/store.ts';
import type { LetterFilter } from './letterFilter.ts';
import { Pace } from './pace.ts';
import { OF_THE_QUEUE } from './queueTrouble.ts';
import { invalidRequest } from './target.ts';
import { messageOf } from './tell.ts';

/** How a verb is applied to many requests. */
export interface BulkOptions {
  /** Only say how many it would be. @default false */
  readonly dryRun?: boolean | undefined;
  /** Refused (`BULK_REFUSED`) when another number matches: nothing is done then. @default any number */
  readonly expect?: number | undefined;
  /** At most so many per second. @default unlimited */
  readonly ratePerSecond?: number | undefined;
  /** Stops between two requests: the verb rejects with its reason. @default none */
  readonly signal?: AbortSignal | undefined;
  /** Told after each request how far it is. What it throws is logged. @default nobody */
  readonly onProgress?: ((progress: BulkProgress) => void) | undefined;
}

export interface BulkProgress {
  /** Requests that matched when it began. */
  readonly matched: number;
  readonly done: number;
  readonly failed: number;
}

export interface BulkResult {
  /** Requests that matched when it began. */
  readonly matched: number;
  /** Requests it was done to. */
  readonly done: number;
}

/** Why it was not done to one request. */
export interface BulkFailure {
  readonly id: string;
  readonly code: ErrorCode;
  readonly message: string;
}

/** What became of the requests that matched. Those neither done nor failed had changed meanwhile, or were not reached. */
export interface BulkOutcome extends BulkResult {
  readonly failed: number;
  /** The first {@link MAX_FAILURES} of them. */
  readonly failures: readonly BulkFailure[];
  /** What kept it from going on to the next (`QUEUE_FULL`, `QUEUE_CLOSED`, a store that is away), or null. Repeated later it does the rest. */
  readonly stoppedBy: { readonly code: ErrorCode; readonly message: string } | null;
}

/** Failures told one by one. */
export const MAX_FAILURES = 100;
const PAGE = 100;

/** Not the fault of one request: the next would meet it as well. */
const STOPPING: ReadonlySet<string> = new Set([...OF_THE_QUEUE, 'LOAD_SHED']);

const OPTIONS: Readonly<Record<keyof BulkOptions, { readonly expected: string; is(value: unknown): boolean }>> = {
  dryRun: { expected: 'true or false', is: (value) => typeof value === 'boolean' },
  expect: { expected: 'a whole number from 0', is: (value) => Number.isSafeInteger(value) && (value as number) >= 0 },
  ratePerSecond: { expected: 'a number above 0', is: (value) => Number.isFinite(value) && (value as number) > 0 },
  signal: { expected: 'an AbortSignal', is: (value) => value instanceof AbortSignal },
  onProgress: { expected: 'a function', is: (value) => typeof value === 'function' },
};

export interface BulkParts {
  readonly store: RequestStore;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The queue closes: nothing more is begun. Its reason is told. */
  readonly closing: AbortSignal;
}

/**
 * Applies `act` to every request that is meant, oldest first, page by page. Those that come to match meanwhile are left alone. An empty
 * filter is refused. What `act` throws is the failure of that request, or the end of the whole where the next would meet it as well.
 */
export async function forEachMatching(
  { store, clock, logger, closing }: BulkParts,
  filter: LetterFilter,
  options: BulkOptions,
  act: (request: StoredRequest) => Promise<boolean>,
): Promise<BulkOutcome> {
  assertBulkOptions(options);
  if (filter.isEmpty) {
    throw new HoldfastError('BULK_REFUSED', 'a bulk verb needs a filter; name at least one field', {});
  }
  const { signal, expect, ratePerSecond } = options;
  signal?.throwIfAborted();
  let matched = 0;
  let lastEnded = 0;
  for await (const { endedSeq } of meant(store, filter, signal)) {
    matched += 1;
    lastEnded = Math.max(lastEnded, endedSeq ?? 0);
  }
  if (expect !== undefined && expect !== matched) {
    const message = `${matched} requests match, ${expect} were expected; nothing was done`;
    throw new HoldfastError('BULK_REFUSED', message, { matched, expect });
  }
  let done = 0;
  let failed = 0;
  const failures: BulkFailure[] = [];
  const outcome = (stoppedBy: BulkOutcome['stoppedBy']): BulkOutcome => ({
    matched,
    done,
    failed,
    failures,
    stoppedBy,
  });
  if (options.dryRun === true || matched === 0) return outcome(null);

  const pace = ratePerSecond === undefined ? undefined : new Pace(clock, ratePerSecond);
  for await (const request of meant(store, filter, signal)) {
    if ((request.endedSeq ?? 0) > lastEnded) continue;
    await pace?.next(signal, closing);
    signal?.throwIfAborted();
    if (closing.aborted) return outcome(told(closing.reason));
    try {
      if (await act(request)) done += 1;
    } catch (error) {
      const { code, message } = told(error);
      if (STOPPING.has(code)) return outcome({ code, message });
      failed += 1;
      if (failures.length < MAX_FAILURES) failures.push({ id: request.id, code, message });
    }
    try {
      options.onProgress?.({ matched, done, failed });
    } catch (error) {
      logger.warn('a listener to progress failed', { error: messageOf(error) });
    }
  }
  return outcome(null);
}

/** Requests that are meant, in the order of acceptance. The event loop has its turn between two pages, whatever the store. */
export async function* meant(
  store: RequestStore,
  filter: Pick<LetterFilter, 'stored' | 'isMeant'>,
  signal?: AbortSignal,
): AsyncGenerator<StoredRequest> {
  for (let after: number | null = null; ; ) {
    const page = await store.find({ filter: filter.stored, order: 'accepted', after, limit: PAGE });
    for (const request of page.requests) if (filter.isMeant(request)) yield request;
    if (page.next === null) return;
    after = page.next;
    await new Promise<void>((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
}

function assertBulkOptions(options: BulkOptions): void {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(options)) {
    const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name as keyof BulkOptions] : undefined; // its own keys
    const path = `options.${name}`;
    if (option === undefined) {
      problems.push({ path, expected: suggestion(name, Object.keys(OPTIONS)), got: 'an unknown option' });
    } else if (value !== undefined && !option.is(value)) {
      problems.push({ path, expected: option.expected, got: String(value) });
    }
  }
  if (problems.length > 0) throw invalidRequest(problems);
}

/** What a function of the user's throws is the request's own problem. */
function told(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  return { code: holdfastError(error)?.code ?? 'REQUEST_INVALID', message: messageOf(error) };
}
