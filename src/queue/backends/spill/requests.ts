import type { StoredRequest } from '../../types/request.ts';
import type { AmendBatch, AmendResult, CountRow, FindQuery, FindResult, RequestStore } from '../../types/store.ts';
import type { Carrier } from './Carrier.ts';
import type { Entrance } from './Entrance.ts';
import type { Entry } from './Entry.ts';
import { SPILLED_SEQ, shownEnd } from './Entry.ts';
import type { Mover } from './Mover.ts';
import type { Primary } from './Primary.ts';
import type { Spill } from './Spill.ts';
import { beingMoved, SpilledView } from './SpilledView.ts';

interface Parts {
  readonly primary: Primary;
  readonly spill: Spill;
  readonly entrance: Entrance;
  readonly mover: Mover;
  readonly carrier: Carrier;
  readonly watch: RequestStore['watch'];
  /** Why nothing is accepted, if nothing is. */
  readonly refusal: () => Error | undefined;
}

/**
 * The verbs of the store, and what is in the spill beside it. Of the spill itself nothing is claimed, settled or recovered. While
 * nothing is in it, every verb is the store's.
 */
export class SpillingRequests implements RequestStore {
  readonly watch: RequestStore['watch'];
  readonly #refusal: () => Error | undefined;
  readonly #primary: Primary;
  readonly #spill: Spill;
  readonly #entrance: Entrance;
  readonly #mover: Mover;
  readonly #carrier: Carrier;
  readonly #view: SpilledView;

  constructor(parts: Parts) {
    this.#primary = parts.primary;
    this.#spill = parts.spill;
    this.#entrance = parts.entrance;
    this.#mover = parts.mover;
    this.#carrier = parts.carrier;
    this.watch = parts.watch;
    this.#refusal = parts.refusal;
    this.#view = new SpilledView(parts.spill);
  }

  enqueue: RequestStore['enqueue'] = (batch) => {
    const refusal = this.#refusal();
    return refusal === undefined ? this.#entrance.enqueue(batch) : Promise.reject(refusal);
  };

  claim: RequestStore['claim'] = (query) => this.#primary.run(({ requests }) => requests.claim(query));

  claimUnknown: RequestStore['claimUnknown'] = (query) =>
    this.#primary.run(({ requests }) => requests.claimUnknown(query));

  renew: RequestStore['renew'] = (query) => this.#primary.run(({ requests }) => requests.renew(query));

  settle: RequestStore['settle'] = (batch) => this.#primary.run(({ requests }) => requests.settle(batch));

  recover: RequestStore['recover'] = (query) => this.#primary.run(({ requests }) => requests.recover(query));

  nextDueAt: RequestStore['nextDueAt'] = (query) => this.#primary.run(({ requests }) => requests.nextDueAt(query));

  bindings: RequestStore['bindings'] = (query) => this.#primary.run(({ requests }) => requests.bindings(query));

  /** Those of the spill also while the store cannot be reached, if all that are asked for are there. */
  get: RequestStore['get'] = (query) => {
    if (!this.#entrance.isSpilling) return this.#primary.run(({ requests }) => requests.get(query));
    return this.#get(query.ids);
  };

  find: RequestStore['find'] = (query) => {
    const isElsewhere = !this.#entrance.isSpilling || query.order === 'ended';
    if (isElsewhere) return this.#primary.run(({ requests }) => requests.find(query));
    return this.#find(query);
  };

  count: RequestStore['count'] = async (query) => {
    // Read first: one that is moved in between is counted twice rather than not at all.
    const spilled = this.#entrance.isSpilling ? await this.#view.count(query.filter) : [];
    const stored = await this.#primary.run(({ requests }) => requests.count(query));
    return spilled.length === 0 ? stored : added([...stored, ...spilled]);
  };

  amend: RequestStore['amend'] = (batch) => {
    if (!this.#entrance.isSpilling) return this.#primary.run(({ requests }) => requests.amend(batch));
    return this.#amend(batch);
  };

  /** Tells first how requests ended, or were held, that the store did not take when they were moved, and of those in the spill. */
  expire: RequestStore['expire'] = async (query) => {
    const told = this.#carrier.take(query.limit);
    if (told.ended.length + told.moved.length > 0) return told;
    if (this.#entrance.isSpilling) {
      const { ended } = await this.#spill.backend.requests.expire(query);
      // The store may be slow to answer just now, and is asked again soon.
      if (ended.length > 0) return { ended: ended.map(shownEnd), moved: [] };
    }
    return this.#primary.run(({ requests }) => requests.expire(query));
  };

  /** What ended in the spill is kept there as in the store; subscribers are told of it once it is moved. */
  purge: RequestStore['purge'] = async (query) => {
    const spilled = this.#entrance.isSpilling
      ? await this.#spill.backend.requests.purge({ ...query, keepAfter: Number.MAX_SAFE_INTEGER })
      : { ids: [], more: false };
    const left = query.limit - spilled.ids.length;
    if (left <= 0) return spilled;
    const stored = await this.#primary.run(({ requests }) => requests.purge({ ...query, limit: left }));
    return { ids: [...spilled.ids, ...stored.ids], more: spilled.more || stored.more };
  };

  async #get(ids: readonly string[]): Promise<(StoredRequest | undefined)[]> {
    // Read first: what is moved in between is in the store by then.
    const entries = await this.#spill.look(ids);
    const isHere = (entry: Entry | undefined): boolean => entry !== undefined && entry.standing !== 'attempted';
    const asked = ids.filter((_, index) => !isHere(entries[index]));
    if (asked.length === 0) return entries.map(SpilledView.of);
    let stored: Map<string, StoredRequest | undefined>;
    try {
      const records = await this.#primary.run(({ requests }) => requests.get({ ids: asked }));
      stored = new Map(asked.map((id, index) => [id, records[index]]));
    } catch (error) {
      if (entries.some((entry) => entry === undefined)) throw error;
      stored = new Map();
    }
    return ids.map((id, index) => stored.get(id) ?? SpilledView.of(entries[index]));
  }

  /** What has no place in the store yet comes last. */
  async #find(query: FindQuery): Promise<FindResult> {
    // Read first: one that is moved in between is found twice, and told once, rather than not at all.
    const spilled = await this.#view.find(query);
    if (query.after !== null && query.after >= SPILLED_SEQ) return spilled;
    const { ids } = query.filter;
    const isAllHere = ids?.every((id) => spilled.requests.some((record) => record.id === id)) === true;
    if (isAllHere) return spilled;
    const stored = await this.#primary.run(({ requests }) => requests.find(query));
    if (stored.next !== null) return stored;
    const known = new Set(stored.requests.map(({ id }) => id));
    const more = spilled.requests.filter(({ id }) => !known.has(id));
    const room = query.limit - stored.requests.length;
    const added = more.slice(0, room);
    const isCut = added.length < more.length;
    const next = isCut ? (added.at(-1)?.seq ?? SPILLED_SEQ) : spilled.next;
    return { requests: [...stored.requests, ...added], next };
  }

  /** Changes of requests in the store and in the spill: two steps instead of one where a batch has both. */
  async #amend({ now, changes }: AmendBatch): Promise<AmendResult[]> {
    const ids = changes.map(({ id }) => id);
    let entries = await this.#spill.look(ids);
    if (entries.some((entry) => entry?.standing === 'attempted')) {
      await this.#mover.rest();
      entries = await this.#spill.look(ids);
      const open = entries.find((entry) => entry?.standing === 'attempted');
      if (open !== undefined) throw beingMoved(open.record.id);
    }
    const elsewhere = changes.filter((_, index) => entries[index] === undefined);
    const stored =
      elsewhere.length === 0
        ? []
        : await this.#primary.run(({ requests }) => requests.amend({ now, changes: elsewhere }));
    const results: AmendResult[] = [];
    for (const [index, change] of changes.entries()) {
      const entry = entries[index];
      const result = entry === undefined ? stored.shift() : await this.#view.amend(entry, change, now);
      results.push(result as AmendResult); // one per change
    }
    return results;
  }
}

/** One row for each kind of requests. */
function added(rows: readonly CountRow[]): CountRow[] {
  const sums = new Map<string, CountRow>();
  for (const row of rows) {
    const { zone, channel, sender, state } = row;
    const key = JSON.stringify([zone, channel, sender, state]);
    const { count = 0, bytes = 0 } = sums.get(key) ?? {};
    sums.set(key, { ...row, count: count + row.count, bytes: bytes + row.bytes });
  }
  return [...sums.values()];
}
