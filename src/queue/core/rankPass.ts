import type { RankForm, StoredRequest } from '../types/request.ts';
import type { Change } from '../types/store.ts';
import type { Context } from './context.ts';
import { untiered } from './gates/channelName.ts';
import type { RankMark } from './rankMark.ts';

/** Requests looked at per step, so that none holds the store for long. */
const STEP = 256;
/** Of those that were being sent, so many are looked up per look, and so many remembered. */
const LATE_LOOKUPS = 64;
const MOST_LATE = 1_000;
/** By then every process has heard of the strategy, and what was admitted under the one before is stored. */
export const HEARD_MS = 15_000;
const LIVE = ['ready', 'scheduled', 'blocked', 'sending', 'unknown', 'held'] as const;
/** Of those nobody is sending. */
const FROM = ['ready', 'scheduled', 'blocked', 'unknown', 'held'] as const;

/** What a step did. */
export interface PassedStep {
  readonly next: RankMark;
  /** Requests that were given another rank by it. */
  readonly amended: number;
  /** Whether there is more to do now. */
  readonly isMore: boolean;
}

/** Gives what waits its rank by the strategy of the moment, in the order of acceptance, one bounded step at a time. */
export class RankPass {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** The step after those of which `mark` tells. Done twice, it changes nothing more. */
  async step(mark: RankMark): Promise<PassedStep> {
    const { backend, clock } = this.#context;
    const page = await backend.requests.find({
      filter: { state: LIVE },
      order: 'accepted',
      after: mark.after,
      limit: STEP,
    });
    const isMore = page.next !== null;
    const returned = isMore ? { late: mark.late, amended: 0 } : await this.#amendReturned(mark.late);
    const late = new Set(returned.late);
    const amended = returned.amended + (await this.#amend(page.requests, late));
    const now = clock.now();
    const isHeard = now - mark.at >= HEARD_MS || now < mark.at - HEARD_MS;
    const next = {
      ...mark,
      after: page.requests.at(-1)?.seq ?? mark.after,
      late: [...late].slice(0, MOST_LATE),
      requests: mark.requests + amended,
      isThrough: mark.isThrough || !isMore,
      isDone: !isMore && late.size === 0 && isHeard,
    };
    return { next, amended, isMore };
  }

  /** Gives those their rank that were being sent and are not any more; says how many, and which still are. */
  async #amendReturned(
    ids: readonly string[],
  ): Promise<{ readonly late: readonly string[]; readonly amended: number }> {
    const { requests } = this.#context.backend;
    const some = ids.slice(0, LATE_LOOKUPS);
    const late = ids.slice(LATE_LOOKUPS);
    const changes: Change[] = [];
    for (const request of some.length === 0 ? [] : await requests.get({ ids: some })) {
      if (request?.state === 'sending') late.push(request.id);
      else if (request !== undefined) changes.push(...(await this.#changesOf(request)));
    }
    return { late, amended: await this.#change(changes, (id) => late.push(id)) };
  }

  /** What those behind it lend to the head of a lane is gone when it is given a rank of its own. */
  async #changesOf(request: StoredRequest): Promise<Change[]> {
    const { id, lane } = request;
    const rank = this.#rankOf(request);
    if (isRanked(request, rank)) return [];
    const own: Change = { id, from: FROM, patch: { rank } };
    if (lane === null || rank.form === 'flow') return [own];
    const filter = { lane, state: 'blocked' } as const;
    const behind = await this.#context.backend.requests.find({ filter, order: 'accepted', after: null, limit: STEP });
    const lent = behind.requests.filter(({ rankGroup }) => rankGroup === undefined).map((one) => one.rank);
    if (lent.length === 0) return [own];
    return [own, { id, from: FROM, patch: { raise: { form: 'value', value: Math.min(...lent) } } }];
  }

  /** Says how many were given another rank; those that are being sent are added to `late`. */
  async #amend(requests: readonly StoredRequest[], late: Set<string>): Promise<number> {
    const changes: Change[] = [];
    for (const request of requests) {
      const rank = this.#rankOf(request);
      const isSending = request.state === 'sending';
      // All of a lane in their order: the head keeps what it was lent only until it is given a rank itself.
      const mayLend = request.lane !== null && rank.form !== 'flow' && !isSending;
      if (isRanked(request, rank) && !mayLend) continue;
      if (isSending) late.add(request.id);
      else changes.push({ id: request.id, from: FROM, patch: { rank } });
    }
    return this.#change(changes, (id) => late.add(id));
  }

  async #change(changes: readonly Change[], sending: (id: string) => void): Promise<number> {
    if (changes.length === 0) return 0;
    const { backend, clock } = this.#context;
    const amended = new Set<string>();
    for (const [index, result] of (await backend.requests.amend({ now: clock.now(), changes })).entries()) {
      const { id } = changes[index] as Change; // same length
      if (result.status === 'amended') amended.add(id);
      else if (result.status === 'refused' && result.state === 'sending') sending(id);
    }
    return amended.size;
  }

  /** What was accepted while the clock was ahead waits no longer for that. */
  #rankOf(request: StoredRequest): RankForm {
    const { clock, ranking } = this.#context;
    const acceptedAt = Math.min(request.acceptedAt, clock.now());
    return ranking.rank({ ...request, acceptedAt }, untiered(request.channel));
  }
}

/** Whether it has that rank already, as what was accepted since has, or was given it before a crash. A flow is charged but once. */
function isRanked(request: StoredRequest, form: RankForm): boolean {
  switch (form.form) {
    case 'flow':
      return request.rankGroup === form.group;
    case 'value':
      return request.rankGroup === undefined && request.rank === form.value;
    case 'negatedSeq':
      return request.rankGroup === undefined && request.rank === -request.seq;
    default:
      return form satisfies never;
  }
}
