import { isHarmless } from '../strategies/effect.ts';
import { isTerminal } from '../types/states.ts';
import type { AmendResult, Change } from '../types/store.ts';
import type { Attempts } from './attempts.ts';
import type { Context } from './context.ts';
import type { Detached } from './detached.ts';
import { isFollowed } from './detached.ts';
import { notFound } from './lookup.ts';
import type { Shares } from './shares.ts';
import type { Teller } from './tell.ts';

const CANCELLED = { state: 'cancelled', reason: 'caller' } as const;
const NOT_UNDER_WAY = ['ready', 'scheduled', 'blocked', 'held'] as const;

/** What became of a caller's wish to take a request back: `left` when others share it, who keep it going. */
export type Withdrawn = 'cancelled' | 'left' | 'tooLate';

/** When a caller went away, and whether it was waiting for the end. */
export interface Departure {
  /** Epoch ms. */
  readonly at: number;
  readonly wasWaiting: boolean;
}

/** What withdrawal asks of the rest. */
export interface WithdrawalEvents {
  wake(): void;
  /** It may be over soon: whoever asks for the same from now on gets a request of its own. */
  closed(id: string): void;
}

/** Takes requests back, as far as they still can be. */
export class Withdrawal {
  readonly #context: Context;
  readonly #attempts: Attempts;
  readonly #teller: Teller;
  readonly #shares: Shares;
  readonly #detached: Detached;
  readonly #events: WithdrawalEvents;

  constructor(
    context: Context,
    parts: {
      readonly attempts: Attempts;
      readonly teller: Teller;
      readonly shares: Shares;
      readonly detached: Detached;
    },
    events: WithdrawalEvents,
  ) {
    this.#context = context;
    this.#attempts = parts.attempts;
    this.#teller = parts.teller;
    this.#shares = parts.shares;
    this.#detached = parts.detached;
    this.#events = events;
  }

  /**
   * One caller takes its request back: cancels it if it was never sent and nobody else shares it, else counts the caller off.
   * Ask once per caller. @throws REQUEST_NOT_FOUND
   */
  async leave(id: string): Promise<Withdrawn> {
    if (this.#shares.leave(id)) return 'left';
    const cancel = { id, from: NOT_UNDER_WAY, neverSent: true, callers: 1, to: CANCELLED };
    const leave = { id, from: NOT_UNDER_WAY, neverSent: true, patch: { callers: -1 } };
    // One step, so that it is one or the other: what is cancelled cannot be left.
    const [cancelled, left] = await this.#amend(id, [cancel, leave]);
    if (cancelled?.status === 'amended') return 'cancelled';
    if (left?.status === 'amended') return 'left';
    const standIn = await this.#standInOf(id, left);
    return standIn === undefined ? 'tooLate' : this.leave(standIn);
  }

  /** Cancels a request that was never sent for someone who is none of its callers. @throws REQUEST_NOT_FOUND */
  async cancel(id: string, force: boolean): Promise<boolean> {
    if (!force && this.#shares.isShared(id)) return false;
    const callers = force ? undefined : 1;
    const [result] = await this.#amend(id, [{ id, from: NOT_UNDER_WAY, neverSent: true, callers, to: CANCELLED }]);
    if (result?.status === 'amended') return true;
    const standIn = await this.#standInOf(id, result);
    return standIn !== undefined && this.cancel(standIn, force);
  }

  /** What took the place of a request before it was sent, and has its callers. */
  async #standInOf(id: string, refused: AmendResult | undefined): Promise<string | undefined> {
    if (refused?.status !== 'refused' || refused.state !== 'superseded') return undefined;
    const [record] = await this.#context.backend.requests.get({ ids: [id] });
    return record?.reason === 'squashed' ? (record.replayedAs ?? undefined) : undefined;
  }

  /** A caller is gone: cancel what was never sent, close the wire of a read, let a sent write go on and be joined. */
  async abandon(id: string, reason: unknown, departure: Departure): Promise<Withdrawn> {
    if (this.#shares.leave(id)) return 'left';
    const secret = this.#detached.secretOf(id);
    if (this.#attempts.flights.abort(id, reason)) {
      this.#events.closed(id);
      return 'tooLate';
    }
    // At once, as the same call may come at once.
    const sent = this.#attempts.flights.underWay(id);
    if (sent !== undefined && !isHarmless(sent.effect, false)) this.#detached.add(sent, secret);
    const withdrawn = await this.leave(id);
    if (withdrawn !== 'tooLate') {
      this.#detached.drop(id);
      return withdrawn;
    }
    const { requests } = this.#context.backend;
    const [record] = await requests.get({ ids: [id] });
    // An idempotent write is simply made again.
    if (record === undefined || isHarmless(record.effect, false)) {
      this.#detached.drop(id);
      return withdrawn;
    }
    // It did not go away from what had ended before: the same call is a new intent then, unless the end was never told.
    const { at, wasWaiting } = departure;
    if (record.endedAt !== null && record.endedAt < at && !wasWaiting) {
      this.#detached.drop(id);
      return withdrawn;
    }
    if (sent === undefined) this.#detached.add(record, secret);
    if (isTerminal(record.state)) this.#detached.settled(id);
    if (await isFollowed(requests, record)) this.#detached.drop(id);
    return withdrawn;
  }

  async #amend(id: string, changes: readonly Change[]): Promise<readonly AmendResult[]> {
    const { backend, clock } = this.#context;
    this.#events.closed(id);
    const results = await backend.requests.amend({ now: clock.now(), changes });
    for (const result of results) {
      if (result.status === 'notFound') throw notFound(id);
      if (result.status !== 'amended') continue;
      this.#teller.allEnded(result.ended);
      this.#teller.moved(result.moved);
      this.#events.wake();
    }
    return results;
  }
}
