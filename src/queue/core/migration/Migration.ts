import { matchesFilter } from '../../types/matchesFilter.ts';
import type { StoredRequest } from '../../types/request.ts';
import type { RequestState } from '../../types/states.ts';
import { isTerminal } from '../../types/states.ts';
import { readSender } from '../senders.ts';
import { Copies } from './Copies.ts';
import { fencing, lift, MOVABLE, readFence, unfenced } from './fence.ts';
import { Groups } from './Groups.ts';
import { pagesOf } from './pages.ts';
import type { MigrationParts } from './parts.ts';
import type { WhyRefused } from './result.ts';
import { isKeyed, sharePairings } from './trust.ts';

const LIVE = [...MOVABLE, 'sending', 'unknown'] as const;
/** Times a request is looked at again that changed while it was to be set aside. */
const MAX_TRIES = 3;
/** Rounds for those accepted meanwhile: who goes on accepting is not followed for ever. */
const MAX_ROUNDS = 20;

/**
 * Moves waiting requests from one store to another in four passes over what is stored, page by page:
 *
 * 1. set aside: a fence round each that may go, so that nobody takes it up
 * 2. copy: each into the other store, in order, behind the same fence
 * 3. give back: what goes with something that has to stay, its copy taken back first
 * 4. hand over: each ends here (`superseded`, `moved`); then the fence of its copy is taken away
 *
 * So at no time can a request be taken up in both stores, and at each a store has it. Every step can be done again: what is fenced
 * here, and which copies stand behind the fence there, tells how far a call came that died. Up to the fourth pass all can be undone; the
 * journal says when that begins, after which a later call only goes on.
 */
export class Migration {
  readonly #parts: MigrationParts;
  readonly #groups = new Groups();
  readonly #copies: Copies;
  /** Of requests that a provider's credential is needed for. */
  readonly #principals = new Set<string>();
  /** Place of the last request looked at: what comes later was accepted meanwhile. */
  #last = 0;

  constructor(parts: MigrationParts) {
    this.#parts = parts;
    this.#copies = new Copies(parts, this.#groups);
  }

  /** The first three passes. What an error stops is given back, unless that fails too: then a later call goes on. */
  async prepare(): Promise<void> {
    try {
      if (this.#parts.journal.found !== null) await this.#startOver();
      let after: number | null = null;
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        const last = await this.#setAside(after);
        if (last === after) break;
        await this.#copy(after);
        after = last;
        this.#last = last ?? 0;
      }
      if (this.#groups.hasRefusals) await this.#giveBack((request) => !this.#goes(request));
      const { from, to, clock } = this.#parts;
      await sharePairings(from, to, this.#principals, clock);
    } catch (error) {
      await this.#undo();
      throw error;
    }
  }

  /** The fourth pass. `isAgain`: one was interrupted; what the other store has lost since is copied again first. */
  async handOver(isAgain: boolean): Promise<void> {
    const { to, report } = this.#parts;
    for await (const page of this.#pages(LIVE, null)) {
      const own = page.filter((request) => this.#isOwn(request));
      if (isAgain) await this.#copies.copy(own);
      await this.#tie(own);
      const gone = new Set(await this.#end(page.filter((request) => this.#mayEnd(request))));
      await lift(to.requests, [...gone], this.#now);
      await this.#giveBackAll(own.filter((request) => !gone.has(request)));
      report.moved(gone.size);
      report.step('handOver', gone.size);
    }
  }

  /** One that somebody took up after all keeps back what comes behind it. */
  #mayEnd(request: StoredRequest): boolean {
    if (this.#isOwn(request)) return this.#goes(request);
    if (request.lane === null || request.seq > this.#last || !this.#goes(request)) return false;
    this.#parts.report.refused(request, 'busy');
    this.#groups.refuse(Groups.keyOf(request), { id: request.id, why: 'busy', isTold: true });
    return false;
  }

  /**
   * Sees to copies that are left behind the fence: those whose requests ended here by an interrupted fourth pass are freed, those whose
   * requests somebody took up here after all are taken back.
   */
  async release(): Promise<void> {
    const { from, to, report } = this.#parts;
    for await (const copies of this.#copies.pages()) {
      const records = await from.requests.get({ ids: ids(copies) });
      // One that is gone was purged since, so it had ended; and nothing else ends what is fenced, but for its deadline and its caller.
      const gone = copies.filter((_, index) => records[index] === undefined || isMoved(records[index]));
      await lift(to.requests, gone, this.#now);
      await this.#copies.withdraw(ids(copies.filter((copy) => !gone.includes(copy))));
      report.moved(gone.length);
      report.step('release', gone.length);
    }
  }

  /** Takes back what an interrupted call copied: between those, what it did not copy would have no place in the order. */
  async #startOver(): Promise<void> {
    for await (const copies of this.#copies.pages()) await this.#copies.withdraw(ids(copies));
  }

  /** Fences what may go of those accepted after `after`; the place of the last one seen. */
  async #setAside(after: number | null): Promise<number | null> {
    let last = after;
    for await (const page of this.#pages(LIVE, after)) {
      this.#parts.signal?.throwIfAborted();
      const bound = await this.#boundReferences(page);
      const free: StoredRequest[] = [];
      for (const request of page) {
        const why = this.#objectionTo(request, bound);
        if (why !== undefined) this.#stays(request, why);
        else if (!this.#isOwn(request) && this.#mayGo(request)) free.push(request);
      }
      await this.#fence(free);
      await this.#tie(page);
      last = page.at(-1)?.seq ?? last;
      this.#parts.report.step('setAside', free.length);
    }
    return last;
  }

  #objectionTo(request: StoredRequest, bound: ReadonlySet<string>): WhyRefused | 'filter' | undefined {
    const { filter, store, sharesKeys } = this.#parts;
    const plain = unfenced(request);
    if (!matchesFilter(plain, filter)) return 'filter';
    if (request.state === 'sending' || request.state === 'unknown') return request.state;
    const behind = readFence(request.sender);
    if (behind !== undefined && behind.store !== store) return 'moving';
    if (readSender(plain.sender).kind === 'process') return 'process';
    if (request.refs.some(({ localId }) => bound.has(localId))) return 'reference';
    if (!sharesKeys && isKeyed(request)) return 'principal';
    if (request.auth === 'zone') this.#principals.add(request.principal);
    return undefined;
  }

  /** It stays, and with it what goes with it. What is fenced is given back later, and told then. */
  #stays(request: StoredRequest, why: WhyRefused | 'filter'): void {
    const isOwn = this.#isOwn(request);
    if (why !== 'filter' && !isOwn) this.#parts.report.refused(request, why);
    if (!isOwn && request.lane === null && request.after.length === 0) return; // whoever comes after it finds it unfenced
    this.#groups.refuse(Groups.keyOf(request), { id: request.id, why, isTold: !isOwn || why === 'filter' });
  }

  #mayGo(request: StoredRequest): boolean {
    const refusal = this.#groups.refusalOf(Groups.keyOf(request));
    if (refusal !== undefined) this.#parts.report.refused(request, 'order', refusal.id);
    return refusal === undefined;
  }

  async #fence(requests: readonly StoredRequest[]): Promise<void> {
    const { store } = this.#parts;
    const verbs = this.#parts.from.requests;
    let left = requests;
    for (let tries = 1; left.length > 0; tries += 1) {
      const results = await verbs.amend({ now: this.#now, changes: left.map((request) => fencing(request, store)) });
      const refused = left.filter((_, index) => results[index]?.status === 'refused');
      if (refused.length === 0) return;
      const records = await verbs.get({ ids: refused.map(({ id }) => id) });
      left = records.filter((record) => record !== undefined).filter(({ state }) => !isTerminal(state));
      const isOver = tries === MAX_TRIES;
      for (const request of left) {
        const { state } = request;
        if (state === 'sending' || state === 'unknown') this.#stays(request, state);
        else if (isOver) this.#stays(request, 'busy');
      }
      left = isOver ? [] : left.filter(({ state }) => state !== 'sending' && state !== 'unknown');
    }
  }

  /** Unites those that wait for each other; one that is not fenced keeps back the others. */
  async #tie(page: readonly StoredRequest[]): Promise<void> {
    const tied = page.filter(({ after }) => after.length > 0);
    if (tied.length === 0) return;
    const ids = [...new Set(tied.flatMap(({ id, after }) => [id, ...after]))];
    const records = await this.#parts.from.requests.get({ ids });
    const live = new Map(records.flatMap((one) => (one === undefined || isTerminal(one.state) ? [] : [[one.id, one]])));
    for (const { id, after } of tied) {
      const group = [id, ...after].map((one) => live.get(one)).filter((one) => one !== undefined);
      if (group[0]?.id !== id) continue; // it has ended
      for (const one of group) {
        this.#groups.unite(Groups.keyOf(group[0]), Groups.keyOf(one));
        if (!this.#isOwn(one)) this.#groups.refuse(Groups.keyOf(one), { id: one.id, why: 'order', isTold: true });
      }
    }
  }

  /** Local ids that have their server id: what refers to them could not look it up elsewhere. */
  async #boundReferences(page: readonly StoredRequest[]): Promise<ReadonlySet<string>> {
    const localIds = [...new Set(page.flatMap(({ refs }) => refs.map(({ localId }) => localId)))];
    if (localIds.length === 0) return new Set();
    const bindings = await this.#parts.from.requests.bindings({ localIds });
    return new Set(localIds.filter((_, index) => bindings[index] !== undefined));
  }

  async #copy(after: number | null): Promise<void> {
    for await (const page of this.#pages(MOVABLE, after)) {
      this.#parts.signal?.throwIfAborted();
      const goes = page.filter((request) => this.#isOwn(request) && this.#goes(request));
      await this.#copies.copy(goes);
      this.#parts.report.step('copy', goes.length);
    }
  }

  async #giveBack(isMeant: (request: StoredRequest) => boolean): Promise<void> {
    for await (const page of this.#pages(MOVABLE, null)) {
      const back = page.filter((request) => this.#isOwn(request) && isMeant(request));
      await this.#giveBackAll(back);
      this.#parts.report.step('giveBack', back.length);
    }
  }

  async #giveBackAll(requests: readonly StoredRequest[]): Promise<void> {
    const { from, report, filter } = this.#parts;
    await this.#copies.withdraw(ids(requests));
    await lift(from.requests, requests, this.#now);
    for (const request of requests) {
      const plain = unfenced(request);
      const refusal = this.#groups.refusalOf(Groups.keyOf(request));
      if (refusal === undefined || !matchesFilter(plain, filter)) continue;
      if (refusal.id !== request.id) report.refused(plain, 'order', refusal.id);
      else if (!refusal.isTold && refusal.why !== 'filter') report.refused(plain, refusal.why);
    }
  }

  async #undo(): Promise<void> {
    try {
      await this.#giveBack(() => true);
      await this.#parts.journal.end();
    } catch {
      // What stopped the move may stop this too. The journal stays: whoever calls next finds what is fenced, and goes on.
    }
  }

  /** Ends requests here; those that did end. */
  async #end(requests: readonly StoredRequest[]): Promise<StoredRequest[]> {
    if (requests.length === 0) return [];
    const to = { state: 'superseded', reason: 'moved' } as const;
    const results = await this.#parts.from.requests.amend({
      now: this.#now,
      changes: requests.map(({ id }) => ({ id, from: MOVABLE, to })),
    });
    const gone: StoredRequest[] = [];
    for (const [index, request] of requests.entries()) {
      const result = results[index];
      if (result?.status === 'amended') gone.push(request);
      else if (result?.status === 'refused' && !isTerminal(result.state)) {
        // Somebody took the fence away. What comes behind it is still here.
        this.#groups.refuse(Groups.keyOf(request), { id: request.id, why: 'busy', isTold: false });
      }
    }
    return gone;
  }

  async *#pages(states: readonly RequestState[], after: number | null): AsyncGenerator<readonly StoredRequest[]> {
    for await (const page of pagesOf(this.#parts.from.requests, states, after, this.#parts.pageSize)) {
      await this.#parts.journal.keep();
      yield page;
    }
  }

  #goes(request: StoredRequest): boolean {
    return this.#groups.refusalOf(Groups.keyOf(request)) === undefined;
  }

  #isOwn({ sender }: StoredRequest): boolean {
    return readFence(sender)?.store === this.#parts.store;
  }

  get #now(): number {
    return this.#parts.clock.now();
  }
}

function ids(requests: readonly StoredRequest[]): string[] {
  return requests.map(({ id }) => id);
}

/** Ended here because it goes on elsewhere. */
function isMoved(record: StoredRequest | undefined): boolean {
  return record?.state === 'superseded' && record.reason === 'moved';
}
