import type { NewRequest, StoredRequest } from '../../types/request.ts';
import { isTerminal } from '../../types/states.ts';
import type { EnqueueResult } from '../../types/store.ts';
import { carriedOver } from './carry.ts';
import { MOVABLE, readFence, unfenced } from './fence.ts';
import { Groups } from './Groups.ts';
import { pagesOf } from './pages.ts';
import type { MigrationParts } from './parts.ts';
import type { WhyRefused } from './result.ts';

const EVERYTHING = Number.MAX_SAFE_INTEGER;
const NO_RETENTION = { succeededMs: 0, deadMs: 0, maxRecords: 0, maxBytes: 0 };

type CopiesParts = Pick<
  MigrationParts,
  'from' | 'to' | 'limits' | 'store' | 'journal' | 'clock' | 'report' | 'pageSize'
>;

/** The copies of fenced requests in the store they are moved to, fenced too until they are handed over. */
export class Copies {
  readonly #parts: CopiesParts;
  readonly #groups: Groups;
  /** Whether there may be any: while there are none, the other store need not be asked. */
  #mayExist: boolean;

  constructor(parts: CopiesParts, groups: Groups) {
    this.#parts = parts;
    this.#groups = groups;
    this.#mayExist = parts.journal.found !== null;
  }

  /** Makes those that are not there. A request that the other store refuses stays, with what goes with it. */
  async copy(requests: readonly StoredRequest[]): Promise<void> {
    if (requests.length === 0) return;
    const { to, clock, limits, store } = this.#parts;
    const missing = await this.#missing(requests);
    if (missing.length === 0) return;
    this.#mayExist = true;
    const after = await this.#awaited(missing);
    const batch = missing.map(
      (request): NewRequest =>
        carriedOver(
          request,
          store,
          request.after.filter((id) => after.has(id)),
        ),
    );
    const results = await to.requests.enqueue({
      requests: batch,
      atomic: false,
      now: clock.now(),
      limits,
      claim: null,
    });
    for (const [index, request] of missing.entries()) {
      const result = results[index] as EnqueueResult; // one each
      if (result.status === 'refused') this.#refuse(request, whyOf(result), result.detail);
    }
  }

  /** All there are. Their number is asked for first: mostly there is none, and much else. */
  async *pages(): AsyncGenerator<readonly StoredRequest[]> {
    const { to, store, journal, pageSize } = this.#parts;
    const rows = await to.requests.count({});
    if (!rows.some(({ sender, count }) => count > 0 && readFence(sender)?.store === store)) return;
    for await (const page of pagesOf(to.requests, MOVABLE, null, pageSize)) {
      await journal.keep();
      const copies = page.filter((request) => this.#isOwn(request));
      if (copies.length > 0) yield copies;
    }
  }

  /** Takes copies back, those that come after others first. */
  async withdraw(ids: readonly string[]): Promise<void> {
    if (ids.length === 0 || !this.#mayExist) return;
    const present = await this.#parts.to.requests.get({ ids });
    const copies = present
      .filter((copy) => copy !== undefined && this.#isOwn(copy))
      .map((copy) => (copy as StoredRequest).id);
    await this.#remove(copies);
  }

  /** Those of which the other store has no copy. What else it has of them is removed if it is left over, or in the way. */
  async #missing(requests: readonly StoredRequest[]): Promise<StoredRequest[]> {
    const present = await this.#parts.to.requests.get({ ids: requests.map(({ id }) => id) });
    const missing: StoredRequest[] = [];
    const leftOver: string[] = [];
    for (const [index, request] of requests.entries()) {
      const found = present[index];
      if (found !== undefined && this.#isOwn(found)) continue;
      if (found === undefined) missing.push(request);
      else if (isLeftOver(found)) {
        leftOver.push(found.id);
        missing.push(request);
      } else this.#refuse(request, 'present', null);
    }
    await this.#remove(leftOver);
    return missing;
  }

  /** Of what requests come after, that which they still wait for, here or, handed over already, there. */
  async #awaited(requests: readonly StoredRequest[]): Promise<ReadonlySet<string>> {
    const ids = [...new Set(requests.flatMap(({ after }) => after))];
    if (ids.length === 0) return new Set();
    const records = await this.#parts.from.requests.get({ ids });
    return new Set(
      records.flatMap((record) =>
        record === undefined || (isTerminal(record.state) && record.reason !== 'moved') ? [] : [record.id],
      ),
    );
  }

  async #remove(ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { to, clock } = this.#parts;
    const now = clock.now();
    const end = { state: 'superseded', reason: 'moved' } as const;
    await to.requests.amend({ now, changes: ids.toReversed().map((id) => ({ id, from: MOVABLE, to: end })) });
    await to.requests.purge({ now, limit: ids.length, keepAfter: EVERYTHING, ids, retention: NO_RETENTION });
  }

  #refuse(request: StoredRequest, why: WhyRefused, detail: string | null): void {
    const key = Groups.keyOf(request);
    if (this.#groups.refusalOf(key) !== undefined) return; // told when it is given back
    this.#parts.report.refused(unfenced(request), why, detail);
    this.#groups.refuse(key, { id: request.id, why, isTold: true });
  }

  #isOwn({ sender, state }: StoredRequest): boolean {
    return !isTerminal(state) && readFence(sender)?.store === this.#parts.store;
  }
}

function whyOf({ why }: Extract<EnqueueResult, { status: 'refused' }>): WhyRefused {
  // Copies are no atomic batch, take nobody's place and fire nothing.
  return why === 'keyConflict' || why === 'dependency' ? why : 'full';
}

/** Of a move back, or one that was abandoned: a request that waits here can have no other life there. */
function isLeftOver({ sender, state, reason }: StoredRequest): boolean {
  return isTerminal(state) ? reason === 'moved' : readFence(sender) !== undefined;
}
