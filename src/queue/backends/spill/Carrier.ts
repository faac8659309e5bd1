import type { Clock } from '../../../system/clock.ts';
import type { Backend } from '../../types/backend.ts';
import type { ExpireResult } from '../../types/housekeeping.ts';
import type { MovedRequest } from '../../types/moved.ts';
import type { EndedRequest, NewRequest } from '../../types/request.ts';
import { isTerminal } from '../../types/states.ts';
import type { EnqueueResult, Move, RequestPatch } from '../../types/store.ts';
import type { Entry } from './Entry.ts';
import { ATTEMPTED, SPILLED_SEQ, unwrap, unwrapBare, unwrapHeld } from './Entry.ts';
import type { Primary } from './Primary.ts';
import type { Spill } from './Spill.ts';

/** They were counted when they were accepted; a limit turns newcomers away. */
const NO_LIMITS = { maxSize: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };
/** Ended records are not deleted sooner, */
const SURELY_KEPT_MS = 3_600_000;
/** unless there are too many of them. */
const FEW = 1_000;

/** What came of a page: all of it is in the store; something in it changed meanwhile; some of it is to be tried again later. */
export type Carried = 'all' | 'changed' | 'some';

/**
 * Hands requests of the spill to the store. Every step can be done again after a crash: what is handed over is noted before,
 * deleted here only after, and known there by its id; how a request ends that the store does not take is written down here first.
 */
export class Carrier {
  readonly #primary: Primary;
  readonly #spill: Spill;
  readonly #clock: Clock;
  readonly #ended: EndedRequest[] = [];
  readonly #moved: MovedRequest[] = [];

  constructor(primary: Primary, spill: Spill, clock: Clock) {
    this.#primary = primary;
    this.#spill = spill;
    this.#clock = clock;
  }

  /** Ids of what was decided here and {@link take} has not told yet. */
  get news(): string[] {
    return [...this.#ended, ...this.#moved].map(({ id }) => id);
  }

  /** What was decided here since the last time, at most `limit`: nobody else tells the callers. */
  take(limit: number): ExpireResult {
    const ended = this.#ended.splice(0, limit);
    return { ended, moved: this.#moved.splice(0, limit - ended.length) };
  }

  /** Moves the oldest entries. */
  async carry(page: readonly Entry[]): Promise<Carried> {
    // Who was in doubt before this look may have been in the store, and deleted there.
    const lost = await this.#lost(page.filter(({ standing }) => standing === 'attempted'));
    const entries = await this.#spill.attempt(page);
    if (entries === undefined) return 'changed';
    const outcomes: Carried[] = [];
    for (const entry of entries) {
      if (entry.standing === 'decided') await this.#place(entry);
      else if (lost.has(entry)) outcomes.push(await this.#decide(entry, { state: 'held', reason: 'unknown' }));
    }
    const rest = entries.filter((entry) => entry.standing !== 'decided' && !lost.has(entry));
    const results = await this.#enqueue(rest.map((entry) => unwrap(entry, true)));
    const arrived = rest.filter((_, index) => results[index]?.status === 'accepted');
    outcomes.push(await this.#remove(arrived));
    for (const entry of rest) if (!arrived.includes(entry)) outcomes.push(await this.#settle(entry));
    return outcomes.find((outcome) => outcome === 'some') ?? outcomes.find((outcome) => outcome !== 'all') ?? 'all';
  }

  /**
   * One that the store did not take with the others, asked for once more by itself: those before it are there now. It was accepted, so it
   * ends in a way that its callers can be told.
   */
  async #settle(entry: Entry): Promise<Carried> {
    const [result] = await this.#enqueue([unwrap(entry, false)]);
    if (result === undefined) return 'some';
    if (result.status === 'accepted') return this.#remove([entry]);
    if (result.status === 'joined') {
      // Another of the same key, or the same within its window, was accepted meanwhile: one is to be sent.
      return this.#decide(entry, { state: 'superseded', reason: 'squashed' }, { replayedAs: result.id });
    }
    switch (result.why) {
      case 'keyConflict':
        return this.#decide(entry, { state: 'dead', reason: 'discarded' });
      case 'dependency':
        return this.#decide(entry, { state: 'held', reason: 'dependency' });
      case 'full':
      case 'neighbour':
      case 'replaced': // nothing in the spill replaces or fires anything
      case 'fired':
      case 'away':
        return 'some';
    }
  }

  async #remove(entries: readonly Entry[]): Promise<Carried> {
    return (await this.#spill.remove(entries)) ? 'all' : 'changed';
  }

  /**
   * Those that the store does not have although they may have been there: handed over so long ago that they may have ended, and
   * been deleted, since. What is not harmless is not sent a second time; a person decides.
   */
  async #lost(attempted: readonly Entry[]): Promise<ReadonlySet<Entry>> {
    const delicate = attempted.filter(({ record }) => !record.harmless);
    if (delicate.length === 0) return new Set();
    const keptSince = await this.#primary.run((store) => this.#keptSince(store));
    const doubtful = delicate.filter(({ record }) => record.acceptedAt < keptSince);
    if (doubtful.length === 0) return new Set();
    const ids = doubtful.map(({ record }) => record.id);
    const found = await this.#primary.run(({ requests }) => requests.get({ ids }));
    return new Set(doubtful.filter((_, index) => found[index] === undefined));
  }

  /** Epoch ms since when the store has surely deleted nothing. */
  async #keptSince({ requests }: Backend): Promise<number> {
    const rows = await requests.count({});
    const ended = rows.reduce((sum, { state, count }) => (isTerminal(state) ? sum + count : sum), 0);
    const byAge = ended < FEW ? this.#clock.now() - SURELY_KEPT_MS : Number.POSITIVE_INFINITY;
    const query = { filter: { state: 'succeeded' }, order: 'ended', after: null, limit: 1 } as const;
    const [oldest] = (await requests.find(query)).requests;
    // Records are deleted oldest first: while one is kept that ended before, none of the later ones is gone.
    return Math.min(byAge, oldest?.endedAt ?? Number.POSITIVE_INFINITY);
  }

  async #decide(entry: Entry, to: Move, patch?: RequestPatch): Promise<Carried> {
    const decided = await this.#spill.decide(entry, to, patch);
    if (decided === undefined) return 'changed';
    const { id, zone } = entry.record;
    const { state, reason } = to;
    if (isTerminal(state)) {
      this.#ended.push({ id, zone, state, reason, endedSeq: SPILLED_SEQ + (decided.record.endedSeq ?? 0) });
    }
    await this.#place(decided);
    return 'all';
  }

  /** Gives the store a request that ended here or is to be held. Held from the first: nobody sends it before it has ended. */
  async #place(entry: Entry): Promise<void> {
    const { id, zone, channel, state, reason, replayedAs } = entry.record;
    const isEnd = isTerminal(state);
    // What is held because another failed keeps what it has, unless it is held for that.
    const [whole] = isEnd || reason !== 'dependency' ? [] : await this.#enqueue([unwrapHeld(entry, reason)]);
    if (whole?.status !== 'accepted') await this.#enqueue([unwrapBare(entry, isEnd ? ATTEMPTED : reason)]);
    if (isEnd) {
      const patch = replayedAs === null ? undefined : { replayedAs };
      const change = { id, from: ['held'], reason: ATTEMPTED, to: { state, reason }, patch } as const;
      const now = this.#clock.now();
      await this.#primary.run(({ requests }) => requests.amend({ now, changes: [change] }));
    }
    await this.#spill.remove([entry]);
    if (!isEnd) this.#moved.push({ id, zone, channel, state, reason, dueAt: null });
  }

  async #enqueue(requests: readonly NewRequest[]): Promise<EnqueueResult[]> {
    if (requests.length === 0) return [];
    const batch = { requests, atomic: false, now: this.#clock.now(), limits: NO_LIMITS, claim: null };
    return this.#primary.run((store) => store.requests.enqueue(batch));
  }
}
