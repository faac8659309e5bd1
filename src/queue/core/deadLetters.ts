import { HoldfastError } from '../../errors.ts';
import type { Accepted } from '../types/calls.ts';
import type { StoredRequest } from '../types/request.ts';
import type { BulkOptions, BulkOutcome, BulkParts, BulkResult } from './bulk.ts';
import { forEachMatching, meant } from './bulk.ts';
import { closedError } from './closedError.ts';
import type { Context } from './context.ts';
import type { DeadLetterFilter } from './letterFilter.ts';
import { letterFilter } from './letterFilter.ts';
import type { DeadLetterGroups, GroupOptions } from './letterGroups.ts';
import { LetterGroups, MAX_GROUPS } from './letterGroups.ts';
import type { DeadLetterStats } from './letterStats.ts';
import { LetterStats } from './letterStats.ts';
import { notFound } from './lookup.ts';
import { invalidRequest } from './target.ts';

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

const GROUPS = 50;
/** Records that one page of a list may have. */
const MAX_PAGE = 10_000;

/** Writes that ended unsuccessfully and are kept for inspection and replay. */
export class DeadLetters {
  readonly #context: Context;
  /** Being replayed by this process: the store knows of it only once the new request is accepted. */
  readonly #replaying = new Set<string>();
  readonly #accept: (requests: readonly StoredRequest[]) => Promise<Accepted[]>;
  readonly #closing = new AbortController();

  /** `accept` accepts dead letters anew, all or none. */
  constructor(context: Context, accept: (requests: readonly StoredRequest[]) => Promise<Accepted[]>) {
    this.#context = context;
    this.#accept = accept;
  }

  /** Dead letters, oldest first; without those whose caller was told, unless asked. The other verbs do theirs to the same ones. */
  async list(filter: DeadLetterFilter = {}, options: ListOptions = {}): Promise<Page> {
    const { stored, isMeant } = letterFilter(filter);
    const { limit = 100 } = options;
    assertLimit(limit, MAX_PAGE);
    const found: StoredRequest[] = [];
    let after = options.after ?? null;
    for (;;) {
      const page = await this.#context.backend.requests.find({ filter: stored, order: 'accepted', after, limit });
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
   * What failed in the same way, counted together: by zone, method, path without ids, reason, status, and what the server said without what differs from case to
   * case. The largest group first. Its `signature` is a field of filters.
   *
   * @throws REQUEST_INVALID
   */
  async groups(filter: DeadLetterFilter = {}, options: GroupOptions = {}): Promise<DeadLetterGroups> {
    const wanted = letterFilter(filter);
    const { limit = GROUPS } = options;
    assertLimit(limit, MAX_GROUPS);
    const groups = new LetterGroups();
    for await (const request of meant(this.#context.backend.requests, wanted)) groups.add(request);
    return groups.read(limit);
  }

  /** How many there are, of which kinds: exact, by looking at each. @throws REQUEST_INVALID */
  async stats(filter: DeadLetterFilter = {}): Promise<DeadLetterStats> {
    const { stored, matches, isMeant } = letterFilter(filter);
    const stats = new LetterStats();
    // Where nothing died at all, the counters know.
    const isNone = Object.values(filter).every((value) => value === undefined) && (await this.total()) === 0;
    if (isNone) return stats.read();
    for await (const request of meant(this.#context.backend.requests, { stored, isMeant: matches })) {
      stats.add(request, isMeant(request));
    }
    return stats.read();
  }

  /**
   * All requests that ended dead and are kept, told or not, reads among them: from the counters of the store, at a cost that does not grow with
   * their number.
   */
  async total(zone?: string): Promise<number> {
    const rows = await this.#context.backend.requests.count({});
    return rows
      .filter((row) => row.state === 'dead' && (zone === undefined || row.zone === zone))
      .reduce((sum, { count }) => sum + count, 0);
  }

  /**
   * Accepts each matching dead letter again as a new request, with a new place in its lane; with the same key and
   * bytes, so that a server that applied it after all recognises it. The old one is marked `replayedAs`. The id of the new one follows from that
   * of the old one: repeated after a crash, or made by two processes at once, a replay is accepted once. One that cannot be accepted keeps back
   * none of the others; where the queue is full it ends with what was done, and repeated later it goes on with the rest.
   *
   * @throws BULK_REFUSED for an empty filter or another count than expected, REQUEST_INVALID
   */
  async replay(filter: DeadLetterFilter, options: BulkOptions = {}): Promise<BulkOutcome> {
    const wanted = letterFilter(filter);
    const isReplayable = (one: StoredRequest): boolean => one.replayedAs === null && wanted.isMeant(one);
    return forEachMatching(this.#parts, { ...wanted, isMeant: isReplayable }, options, async ({ id }) => {
      // The page it stood on may be old: it may have been purged, or replayed by somebody else.
      const [present] = await this.#context.backend.requests.get({ ids: [id] });
      if (present === undefined || !isReplayable(present)) return false;
      return (await this.#replayAll([present])).length === 1;
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
    const abandoned = {
      stored: { bundle: id, state: 'dead' as const },
      isMeant: ({ replayedAs }: StoredRequest) => replayedAs === null,
    };
    for await (const request of meant(requests, abandoned)) bundle.push(request);
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

  /**
   * Deletes matching dead letters for good; not one whose replay is being accepted, nor one that a live request waits for.
   *
   * @throws BULK_REFUSED for an empty filter or another count than expected, REQUEST_INVALID
   */
  async purge(filter: DeadLetterFilter, options: BulkOptions = {}): Promise<BulkOutcome> {
    const { backend, clock, config, logger } = this.#context;
    const outcome = await forEachMatching(this.#parts, letterFilter(filter), options, async ({ id, zone }) => {
      if (this.#replaying.has(id)) return false;
      const { ids } = await backend.requests.purge({
        now: clock.now(),
        limit: 1,
        keepAfter: Number.POSITIVE_INFINITY,
        ids: [id],
        retention: config.retention,
      });
      if (ids.length === 1) return true;
      const [present] = await backend.requests.get({ ids: [id] });
      if (present === undefined) return false;
      throw new HoldfastError('ILLEGAL_MOVE', `request ${id} is kept: another one waits for it`, { id, zone });
    });
    if (outcome.done > 0) logger.info('dead letters were purged', { done: outcome.done, matched: outcome.matched });
    return outcome;
  }

  /** The queue closes: bulk verbs under way begin nothing more, and say so. */
  stop(): void {
    this.#closing.abort(closedError(this.#context.config.name));
  }

  get #parts(): BulkParts {
    const { backend, clock, logger } = this.#context;
    return { store: backend.requests, clock, logger, closing: this.#closing.signal };
  }
}

function assertLimit(limit: number, most: number): void {
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= most) return;
  throw invalidRequest([{ path: 'options.limit', expected: `a whole number from 1 to ${most}`, got: String(limit) }]);
}
