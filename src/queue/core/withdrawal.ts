import { isHarmless } from '../strategies/effect.ts';
import { isTerminal } from '../types/states.ts';
import type { Attempts } from './attempts.ts';
import type { Context } from './context.ts';
import type { Detached } from './detached.ts';
import { isFollowed } from './detached.ts';
import { notFound } from './lookup.ts';
import type { Shares } from './shares.ts';
import type { Teller } from './tell.ts';

const NOT_UNDER_WAY = ['ready', 'scheduled', 'blocked', 'held'] as const;

/** Takes requests back, as far as they still can be. */
export class Withdrawal {
  readonly #context: Context;
  readonly #attempts: Attempts;
  readonly #teller: Teller;
  readonly #shares: Shares;
  readonly #detached: Detached;
  readonly #wake: () => void;

  constructor(
    context: Context,
    parts: {
      readonly attempts: Attempts;
      readonly teller: Teller;
      readonly shares: Shares;
      readonly detached: Detached;
    },
    wake: () => void,
  ) {
    this.#context = context;
    this.#attempts = parts.attempts;
    this.#teller = parts.teller;
    this.#shares = parts.shares;
    this.#detached = parts.detached;
    this.#wake = wake;
  }

  /** Cancels a request that was never sent and that nobody else shares. @throws REQUEST_NOT_FOUND */
  async cancel(id: string): Promise<boolean> {
    if (this.#shares.leave(id)) return false;
    const { backend, clock } = this.#context;
    const to = { state: 'cancelled', reason: 'caller' } as const;
    const cancel = { id, from: NOT_UNDER_WAY, neverSent: true, callers: 1, to };
    const [result] = await backend.requests.amend({ now: clock.now(), changes: [cancel] });
    if (result?.status === 'amended') {
      this.#teller.allEnded(result.ended);
      this.#teller.moved(result.moved);
      this.#wake();
      return true;
    }
    if (result?.status === 'notFound') throw notFound(id);
    const leave = { id, from: NOT_UNDER_WAY, neverSent: true, patch: { callers: -1 } };
    await backend.requests.amend({ now: clock.now(), changes: [leave] });
    return false;
  }

  /** The caller is gone: cancel what was never sent, close the wire of a read, let a sent write go on and be joined. */
  async abandon(id: string, reason: unknown): Promise<void> {
    if (this.#shares.leave(id) || this.#attempts.abort(id, reason)) return;
    if (await this.cancel(id)) return;
    const { requests } = this.#context.backend;
    const [record] = await requests.get({ ids: [id] });
    // An idempotent write is simply made again.
    if (record === undefined || isHarmless(record.effect, false)) return;
    this.#detached.add(record);
    if (isTerminal(record.state)) this.#detached.settled(id);
    if (await isFollowed(requests, record)) this.#detached.drop(id);
  }
}
