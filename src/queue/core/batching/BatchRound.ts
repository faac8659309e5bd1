import { refusalOf } from '../../strategies/batching/refusal.ts';
import { isEndedByUs } from '../../strategies/transportErrors.ts';
import type { BatchAnswer, BatchCall, BatchMember, BatchOutcome } from '../../types/batch.ts';
import type { TransportCall, TransportResult } from '../../types/transport.ts';
import type { Sent, Transmit } from '../called.ts';
import type { Context } from '../context.ts';
import type { Channel, Tickets } from '../gates/Channel.ts';
import type { CallEnd } from '../gates/Feedback.ts';
import type { SentRequest } from '../sentRequest.ts';
import { messageOf } from '../tell.ts';
import type { Batching } from './Batching.ts';
import { failure, missing, notServed } from './failures.ts';
import { isAsClaimed, memberOf, togetherBy, wholeCall } from './member.ts';
import type { Shown } from './shown.ts';
import { shownBy } from './shown.ts';
import type { Waiting } from './Waiting.ts';

const TOO_LARGE: ReadonlySet<number> = new Set([413, 414, 431]);
/** Where no more than one in so many had to go alone, it was they that were too large, not their number. */
const ONE_IN = 4;
/** Halving leaves one alone also where the server takes no more than so many of any. */
const PAIR = 2;
/** An answer that has more pages is cut off there. */
const MAX_PAGES = 100;
/** A redirect is followed by a call of `fetch` that goes alone, where it changed nothing yet. */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const UNDONE_REDIRECTS: ReadonlySet<number> = new Set([307, 308]);

/** What a round tells, once for each call. */
export interface RoundEvents {
  /** It begins while another call was made under the same permit: it gets tickets of its own. */
  met(via: Channel, tickets: Tickets, shown: CallEnd): void;
  observed(shown: Shown, error: (Error & { readonly code?: string | undefined }) | null): void;
}

/**
 * The calls of one group, one after the other under its permit: one for all that may share it, halves of what the server did not take
 * whole, and those that go alone. Every member gets an answer of its own, whatever happens.
 */
export class BatchRound {
  readonly #context: Context;
  readonly #via: Channel;
  readonly #batching: Batching;
  readonly #transmit: Transmit;
  readonly #events: RoundEvents;
  readonly #isCanary: boolean;
  readonly #claimed: ReadonlySet<SentRequest>;
  /** Of the permit, until its first call. */
  #tickets: Tickets | undefined;
  #calls = 0;
  #sentAlone = 0;
  /** Batches of more than a pair that the server took. */
  #taken = 0;

  constructor(
    context: Context,
    of: {
      readonly via: Channel;
      readonly batching: Batching;
      /** As they were when they were put together. */
      readonly claimed: ReadonlySet<SentRequest>;
      readonly tickets: Tickets;
      readonly isCanary: boolean;
      readonly transmit: Transmit;
    },
    events: RoundEvents,
  ) {
    this.#context = context;
    this.#via = of.via;
    this.#batching = of.batching;
    this.#claimed = of.claimed;
    this.#tickets = of.tickets;
    this.#isCanary = of.isCanary;
    this.#transmit = of.transmit;
    this.#events = events;
  }

  /** Tickets of a permit that no call was made with. */
  get unused(): Tickets | undefined {
    return this.#tickets;
  }

  readonly send = async (ready: readonly Waiting[]): Promise<void> => {
    try {
      for (const together of this.#sorted(ready)) await this.#sendTogether(together);
    } catch (error) {
      const { logger } = this.#context;
      logger.error('a batch broke off', { adapter: this.#batching.adapter.name, error: messageOf(error) });
    }
    for (const waiting of ready) if (!waiting.isOver) waiting.answer(waiting.isSent ? missing() : notServed());
  };

  /** What may share a call, by what it is now. */
  #sorted(ready: readonly Waiting[]): Waiting[][] {
    if (isAsClaimed(ready, this.#claimed)) return [[...ready]];
    const sets: Waiting[][] = [];
    const byKey = new Map<string, Waiting[]>();
    for (const waiting of ready) {
      const key = togetherBy(this.#batching.adapter, waiting.arrival);
      const known = key === null ? undefined : byKey.get(key);
      if (known !== undefined) {
        known.push(waiting);
        continue;
      }
      const set = [waiting];
      sets.push(set);
      if (key !== null) byKey.set(key, set);
    }
    return sets;
  }

  async #sendTogether(given: readonly Waiting[]): Promise<void> {
    const set = this.#inTime(given);
    const [first] = set;
    if (first === undefined) return;
    if (!this.#mayGoOn) return answerAll(set, notServed());
    if (set.length === 1) return this.#sendAlone(first);
    const members = set.map(({ arrival }) => memberOf(arrival));
    const composed = this.#batching.adapter.compose(members);
    if (composed === undefined) return this.#sendSingly(set);
    await this.#sendWhole(set, members, composed);
  }

  /** Those that are still to be sent. Calls before may have taken long: whose deadline is over goes back, and ends there. */
  #inTime(given: readonly Waiting[]): Waiting[] {
    const now = this.#context.clock.now();
    return given.filter((waiting) => {
      const { expiresAt } = waiting.arrival.calling.request;
      if (expiresAt !== null && expiresAt <= now) waiting.answer(notServed());
      return !waiting.isOver;
    });
  }

  async #sendWhole(set: readonly Waiting[], members: readonly BatchMember[], composed: BatchCall): Promise<void> {
    const { size, adapter } = this.#batching;
    const sizeThen = size.size;
    const { called, shown } = await this.#call(set, composed);
    const { result, durationMs } = called;
    const status = result.phase === 'answered' ? result.response.status : null;
    this.#emit('batch:sent', { size: set.length, status, durationMs });
    if (result.phase !== 'answered') {
      if (result.phase === 'sent' && !isEndedByUs(result.error)) size.failed(sizeThen);
      return answerAll(set, result, called);
    }
    if (shown.connectivity === 'captive') return answerAll(set, this.#notTheZone(), called);
    const { response, bodyError } = result;
    if (response.status >= 200 && response.status <= 299) {
      size.answered(set.length, durationMs);
      if (set.length > PAIR) this.#taken += 1;
      if (bodyError !== undefined) return answerAll(set, missing(bodyError), called);
      const answers = await this.#pages(response, composed, set);
      return this.#answerEach(set, adapter.outcomes(answers, members), called);
    }
    const takeBack = TOO_LARGE.has(response.status) ? size.tooLarge(set.length) : undefined;
    if (response.status >= 500) size.failed(sizeThen);
    const outcomes = bodyError === undefined ? adapter.refused(response, members) : undefined;
    if (outcomes !== undefined) return this.#answerEach(set, outcomes, called);
    const refusal = refusalOf(response.status);
    if (refusal === 'all') return this.#answerAlike(set, result, called);
    if (refusal === 'singly') size.refused();
    const [sentAlone, taken] = [this.#sentAlone, this.#taken];
    await this.#sendSmaller(set, refusal === 'singly' ? 1 : Math.ceil(set.length / 2), response.status);
    const alone = this.#sentAlone - sentAlone;
    if (alone > 0 && alone * ONE_IN <= set.length && this.#taken > taken) takeBack?.();
  }

  /** What leads elsewhere leads the call there: of a read it says nothing, and that does no harm alone. */
  async #answerAlike(set: readonly Waiting[], result: TransportResult, called: Sent): Promise<void> {
    const isElsewhere = result.phase === 'answered' && result.response.status < 400;
    const alone = isElsewhere ? set.filter(({ arrival }) => arrival.calling.request.effect === 'read') : [];
    answerAll(
      set.filter((waiting) => !alone.includes(waiting)),
      result,
      called,
    );
    for (const waiting of alone) waiting.isSent = false;
    await this.#sendSingly(alone);
  }

  async #sendSmaller(set: readonly Waiting[], to: number, why: number): Promise<void> {
    this.#emit('batch:split', { from: set.length, to, why });
    // What the server did not take was not served by it: it may be said so again.
    for (const waiting of set) waiting.isSent = false;
    for (let from = 0; from < set.length; from += to) await this.#sendTogether(set.slice(from, from + to));
  }

  async #sendSingly(set: readonly Waiting[]): Promise<void> {
    for (const waiting of set) await this.#sendTogether([waiting]);
  }

  async #sendAlone(waiting: Waiting): Promise<void> {
    const { calling } = waiting.arrival;
    this.#sentAlone += 1;
    const call = waiting.arrival.alone();
    const { called } = await this.#callWith([waiting], call, true, () => this.#transmit(calling, call));
    waiting.answer(called.result, called.durationMs, called.timeoutMs);
  }

  /** The rest of an answer that comes in pages. A page that is missing leaves those missing that are on it. */
  async #pages(first: BatchAnswer, composed: BatchCall, set: readonly Waiting[]): Promise<BatchAnswer[]> {
    const { adapter } = this.#batching;
    const answers = [first];
    let answer = first;
    let call: BatchCall | undefined = composed;
    while (adapter.hasPages && answers.length < MAX_PAGES) {
      call = adapter.next(answer, call);
      const present = set.filter(({ isOver }) => !isOver);
      if (call === undefined || present.length === 0 || !this.#mayGoOn) break;
      const { called } = await this.#call(present, call);
      const { result } = called;
      if (result.phase !== 'answered' || result.bodyError !== undefined) break;
      if (result.response.status < 200 || result.response.status > 299) break;
      answer = result.response;
      answers.push(answer);
    }
    return answers;
  }

  /** Each gets what the answer says of it. Who is to go on alone does so at last. */
  async #answerEach(set: readonly Waiting[], outcomes: ReadonlyMap<string, BatchOutcome>, called: Sent): Promise<void> {
    const { durationMs, timeoutMs } = called;
    const alone: Waiting[] = [];
    const isAnyAnswered = Array.from(outcomes.values()).some(({ kind }) => kind === 'answered');
    for (const waiting of set) {
      const outcome = outcomes.get(waiting.id);
      if (outcome?.kind === 'answered') {
        const { status, headers, body } = outcome.response;
        const response = {
          status,
          headers: headers.map(([name, value]) => [name.toLowerCase(), value] as const),
          body,
        };
        if (isFollowed(waiting, response)) alone.push(waiting);
        else waiting.answer({ phase: 'answered', response, isPart: true }, durationMs, timeoutMs);
      } else if (outcome?.kind === 'notServed') {
        // Where no member was served, the same batch would come to nothing again.
        if (isAnyAnswered) waiting.answer(notServed(), durationMs, timeoutMs);
        else alone.push(waiting);
      } else waiting.answer(missing(), durationMs, timeoutMs);
    }
    for (const waiting of alone) waiting.isSent = false;
    await this.#sendSingly(alone);
  }

  #call(set: readonly Waiting[], composed: BatchCall): Promise<{ readonly called: Sent; readonly shown: Shown }> {
    const [first] = set as readonly [Waiting, ...Waiting[]]; // never empty
    const isAbortable = set.every(({ arrival }) => arrival.calling.abort !== undefined);
    const leaving = isAbortable ? new AbortController() : undefined;
    const call = wholeCall(
      composed,
      set.map(({ arrival }) => arrival),
      leaving?.signal,
    );
    const isLeft = (): void => {
      if (set.every(({ isOver }) => isOver)) leaving?.abort();
    };
    for (const { arrival } of leaving === undefined ? [] : set) {
      arrival.calling.abort?.signal.addEventListener('abort', () => queueMicrotask(isLeft), { once: true });
    }
    return this.#callWith(set, call, false, () => this.#transmit(first.arrival.calling, call));
  }

  async #callWith(
    set: readonly Waiting[],
    call: TransportCall,
    isAlone: boolean,
    transmit: () => Promise<Sent>,
  ): Promise<{ readonly called: Sent; readonly shown: Shown }> {
    const via = this.#via;
    const { clock } = this.#context;
    const now = clock.monotonicNow();
    const tickets = this.#tickets ?? via.began(now);
    this.#tickets = undefined;
    this.#calls += 1;
    if (this.#batching.adapter.isCountedEach && set.length > 1) via.repeated(now, set.length - 1);
    for (const waiting of set) waiting.isSent = true;
    const called = await transmit().catch((cause: unknown): Sent => {
      const error = failure('ATTEMPT_BROKEN', messageOf(cause), cause);
      this.#context.logger.error('a call broke off', { zone: via.zone.name, error: error.message });
      const durationMs = clock.monotonicNow() - now;
      return { result: { phase: 'sent', error }, durationMs, timeoutMs: call.timeoutMs, timeout: undefined };
    });
    const { result, durationMs } = called;
    const shown = shownBy(this.#context, via.zone, call, result, isAlone);
    const requestId = (set[0] as Waiting).id; // never empty
    this.#events.observed(shown, result.phase === 'answered' ? null : result.error);
    this.#events.met(via, tickets, { requestId, result, decision: shown, durationMs, isCanary: this.#isCanary });
    return { called, shown };
  }

  /** After the first call the server may have said that it takes no more for now. */
  get #mayGoOn(): boolean {
    return this.#calls === 0 || this.#via.zone.mayTry(this.#context.clock.monotonicNow());
  }

  /** Over https somebody who speaks for the zone answered, and may have passed it on. */
  #notTheZone(): TransportResult {
    return this.#via.zone.policy.origin.startsWith('http://') ? notServed() : missing();
  }

  #emit(
    ...[name, about]:
      | ['batch:sent', { readonly size: number; readonly status: number | null; readonly durationMs: number }]
      | ['batch:split', { readonly from: number; readonly to: number; readonly why: number }]
  ): void {
    const { emitter } = this.#context;
    const of = { zone: this.#via.zone.name, channel: this.#via.name, adapter: this.#batching.adapter.name };
    if (name === 'batch:sent') emitter.emit(name, { ...of, ...about });
    else emitter.emit(name, { ...of, ...about });
  }
}

function answerAll(set: readonly Waiting[], result: TransportResult, called?: Sent): void {
  for (const waiting of set) waiting.answer(result, called?.durationMs, called?.timeoutMs);
}

/** The platform's fetch would have followed it. */
function isFollowed({ arrival }: Waiting, { status, headers }: BatchAnswer): boolean {
  const { content, effect } = arrival.calling.request;
  if (content.fetch === undefined || !headers.some(([name]) => name.toLowerCase() === 'location')) return false;
  return (effect === 'read' ? REDIRECTS : UNDONE_REDIRECTS).has(status);
}
