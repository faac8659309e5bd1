import { HoldfastError } from '../../errors.ts';
import type { Accepted } from '../types/calls.ts';
import type { RequestFilter, StoredRequest } from '../types/request.ts';
import type { BulkOptions, BulkResult } from './bulk.ts';
import { forEachMatching } from './bulk.ts';
import type { Context } from './context.ts';
import { assertFilter } from './filter.ts';
import { notFound } from './lookup.ts';

export interface DeadLetterFilter extends Omit<RequestFilter, 'state'> {
  /** Also those whose waiting caller was given the answer, and may have acted on it. @default only those named by `ids` */
  readonly includeTold?: boolean | undefined;
}

export interface ListOptions {
  /** @default 100 */
  readonly limit?: number | undefined;
  /** Cursor of the page before. @default the beginning */
  readonly after?: number | null | undefined;
}

export interface Page {
  readonly requests: readonly StoredRequest[];
  /** Cursor of the next page, null at the end. */
  readonly next: number | null;
}

const DEAD_WRITES = { state: 'dead' } as const;
const PAGE = 256;

/** Writes that ended unsuccessfully and are kept for inspection and replay. */
export class DeadLetters {
  readonly #context: Context;
  /** Being replayed by this process: the store knows of it only once the new request is accepted. */
  readonly #replaying = new Set<string>();
  readonly #accept: (requests: readonly StoredRequest[]) => Promise<Accepted[]>;

  /** `accept` accepts dead letters anew, all or none. */
  constructor(context: Context, accept: (requests: readonly StoredRequest[]) => Promise<Accepted[]>) {
    this.#context = context;
    this.#accept = accept;
  }

  /** Dead letters, oldest first; without those whose caller was told, unless asked. The other verbs do theirs to the same ones. */
  async list(filter: DeadLetterFilter = {}, options: ListOptions = {}): Promise<Page> {
    const { rest, isMeant } = readFilter(filter);
    assertFilter(rest);
    const limit = options.limit ?? 100;
    const found: StoredRequest[] = [];
    let after = options.after ?? null;
    for (;;) {
      const page = await this.#context.backend.requests.find({
        filter: { ...rest, ...DEAD_WRITES },
        order: 'accepted',
        after,
        limit,
      });
      for (const request of page.requests) {
        if (!isMeant(request)) continue;
        found.push(request);
        if (found.length === limit) return { requests: found, next: request.seq };
      }
      if (page.next === null) return { requests: found, next: null };
      after = page.next;
    }
  }

  /**
   * Accepts each matching dead letter again as a new request, with a new place in its lane; with the same key and
   * bytes, so that a server that applied it after all recognises it. The old one is marked `replayedAs`.
   *
   * @throws BULK_REFUSED for an empty filter or another count than expected
   */
  replay(filter: DeadLetterFilter, options: BulkOptions = {}): Promise<BulkResult> {
    const { backend, clock } = this.#context;
    const { rest, isMeant } = readFilter(filter);
    const isReplayable = (request: StoredRequest): boolean => isMeant(request) && request.replayedAs === null;
    return forEachMatching(backend.requests, clock, rest, DEAD_WRITES, isReplayable, options, async (request) => {
      return (await this.#replayAll([request])).length === 1;
    });
  }

  /**
   * Accepts a request that failed, and all that was abandoned with it, again: together or not at all, in the same order, waiting for each other as before.
   * `id` is that of the one that failed.
   *
   * @throws REQUEST_NOT_FOUND, ILLEGAL_MOVE where it is not dead or was replayed already
   */
  async replayBundle(id: string): Promise<BulkResult> {
    const { requests } = this.#context.backend;
    const [root] = await requests.get({ ids: [id] });
    if (root === undefined) throw notFound(id);
    if (root.state !== 'dead' || root.replayedAs !== null) {
      const what = root.state === 'dead' ? 'was replayed already' : `is ${root.state}, not dead`;
      throw new HoldfastError('ILLEGAL_MOVE', `request ${id} ${what}`, { id, zone: root.zone });
    }
    const bundle = [root];
    for (let after: number | null = null; ; ) {
      const page = await requests.find({
        filter: { bundle: id, ...DEAD_WRITES },
        order: 'accepted',
        after,
        limit: PAGE,
      });
      bundle.push(...page.requests.filter(({ replayedAs }) => replayedAs === null));
      if (page.next === null) break;
      after = page.next;
    }
    const done = await this.#replayAll(bundle);
    return { matched: bundle.length, done: done.length };
  }

  async #replayAll(requests: readonly StoredRequest[]): Promise<readonly Accepted[]> {
    if (requests.some(({ id }) => this.#replaying.has(id))) return [];
    const { backend, clock } = this.#context;
    for (const { id } of requests) this.#replaying.add(id);
    try {
      const accepted = await this.#accept(requests);
      const changes = requests.map(({ id }, index) => ({
        id,
        from: ['dead'] as const,
        patch: { replayedAs: accepted[index]?.id },
      }));
      await backend.requests.amend({ now: clock.now(), changes });
      return accepted;
    } finally {
      for (const { id } of requests) this.#replaying.delete(id);
    }
  }

  /** Deletes matching dead letters for good. @throws BULK_REFUSED for an empty filter or another count than expected */
  async purge(filter: DeadLetterFilter, options: BulkOptions = {}): Promise<BulkResult> {
    const { backend, clock } = this.#context;
    const { rest, isMeant } = readFilter(filter);
    return forEachMatching(backend.requests, clock, rest, DEAD_WRITES, isMeant, options, async (request) => {
      const { ids } = await backend.requests.purge({
        now: clock.now(),
        limit: 1,
        keepAfter: Number.POSITIVE_INFINITY,
        ids: [request.id],
        retention: this.#context.config.retention,
      });
      return ids.length === 1;
    });
  }
}

/** What the store can match, and what it cannot. */
function readFilter({ includeTold, ...rest }: DeadLetterFilter) {
  const withTold = includeTold ?? rest.ids !== undefined;
  const isMeant = (request: StoredRequest): boolean =>
    request.state === 'dead' && request.effect !== 'read' && (withTold || !request.told);
  return { rest, isMeant };
}
