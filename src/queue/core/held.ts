import { HoldfastError } from '../../errors.ts';
import type { IdempotencyDialect } from '../strategies/dialects.ts';
import { sentAfresh } from '../strategies/progress.ts';
import type { RequestFilter, StoredRequest } from '../types/request.ts';
import type { Change, Move } from '../types/store.ts';
import { bindingOf } from './bindings.ts';
import type { Context } from './context.ts';
import type { ListOptions, Page } from './deadLetters.ts';
import { assertFilter } from './filter.ts';
import { notFound } from './lookup.ts';
import { invalidRequest } from './target.ts';
import type { Teller } from './tell.ts';
import { messageOf } from './tell.ts';
import type { Zones } from './zones.ts';

/**
 * What a person decided about a held request:
 * - `markApplied`: it happened; it succeeds
 * - `resend`: send it (again), whatever happened before
 * - `probe`: find out now
 * - `discard`: give it up
 */
export type HeldDecision = 'markApplied' | 'resend' | 'probe' | 'discard';

const MOVES: Readonly<Record<HeldDecision, Move>> = {
  markApplied: { state: 'succeeded', reason: 'markedApplied' },
  resend: { state: 'ready', reason: 'released' },
  probe: { state: 'unknown', reason: 'unanswered', dueAt: 0 },
  discard: { state: 'dead', reason: 'discarded' },
};

/** Requests set aside until someone or something decides. */
export class Held {
  readonly #context: Context;
  readonly #zones: Zones;
  readonly #teller: Teller;
  readonly #wake: () => void;

  constructor(context: Context, zones: Zones, teller: Teller, wake: () => void) {
    this.#context = context;
    this.#zones = zones;
    this.#teller = teller;
    this.#wake = wake;
  }

  /** Held requests, oldest first. */
  async list(filter: Omit<RequestFilter, 'state'> = {}, options: ListOptions = {}): Promise<Page> {
    assertFilter(filter);
    const { limit = 100, after = null } = options;
    const held = { ...filter, state: 'held' } as const;
    return this.#context.backend.requests.find({ filter: held, order: 'accepted', after, limit });
  }

  /**
   * Carries out a decision. `by` names who decided, for the record. With `markApplied`, `serverId` tells what the server made: the local id of the request
   * stands for it from then on.
   *
   * @throws REQUEST_INVALID for an unknown decision and a `probe` of what was never sent, REQUEST_NOT_FOUND, or ILLEGAL_MOVE when it is not held (any more)
   */
  async resolve(
    held: { readonly id: string } | string,
    decision: HeldDecision,
    by: string,
    { serverId }: { readonly serverId?: string | number | undefined } = {},
  ): Promise<void> {
    if (!Object.hasOwn(MOVES, decision)) {
      const expected = `one of ${Object.keys(MOVES).join(', ')}`;
      throw invalidRequest([{ path: 'decision', expected, got: String(decision) }]);
    }
    const id = typeof held === 'string' ? held : held.id;
    const { backend, clock, emitter } = this.#context;
    const [record] = await backend.requests.get({ ids: [id] });
    if (record === undefined) throw notFound(id);
    if (decision === 'probe' && record.firstSentAt === null) {
      const expected = 'another decision: nothing of this request was sent that could be found out';
      throw invalidRequest([{ path: 'decision', expected, got: decision }]);
    }
    const now = clock.now();
    const binding = decision === 'markApplied' ? bindingOf(record, serverId, now) : undefined;
    const dialect = this.#zones.named(record.zone)?.policy.idempotency;
    const change = { ...changeFor(record, decision, now, dialect), bind: binding && [binding] };
    const [result] = await backend.requests.amend({ now, changes: [change] });
    if (result === undefined || result.status === 'notFound') throw notFound(id);
    if (result.status === 'refused') {
      const message = `request ${id} is ${result.state}, not held: "${decision}" cannot be done`;
      throw new HoldfastError('ILLEGAL_MOVE', message, { id, zone: record.zone, state: result.state });
    }
    const { zone } = record;
    if (binding !== undefined) {
      const { localId, type } = binding;
      emitter.emit('id:bound', { requestId: id, zone, localId, serverId: binding.serverId, type });
    }
    if (decision === 'markApplied' || decision === 'resend') {
      emitter.emit('request:resolved', { requestId: id, zone, how: 'operator', state: result.state });
    }
    if (decision === 'resend') emitter.emit('request:released', { requestId: id, zone, state: result.state });
    if (decision === 'probe') {
      emitter.emit('request:unknown', { requestId: id, zone, attempt: null, reason: 'unanswered' });
    }
    this.#teller.allEnded(result.ended);
    this.#teller.moved(result.moved);
    this.#zones.named(zone)?.hint();
    this.#teller.due(now);
    this.#wake();
    await this.#note(now, { id, decision, by, reason: record.reason });
  }

  /** After the deed: what was decided is carried out, whether or not its record can be kept. */
  async #note(at: number, data: Readonly<Record<'id' | 'decision' | 'by' | 'reason', string>>): Promise<void> {
    const { backend, logger } = this.#context;
    try {
      await backend.history.append({ entries: [{ stream: 'decisions', at, data }] });
    } catch (error) {
      logger.error('a decision was carried out but not recorded', { ...data, error: messageOf(error) });
    }
  }
}

function changeFor(
  record: StoredRequest,
  decision: HeldDecision,
  now: number,
  dialect: IdempotencyDialect | undefined,
): Change {
  // A decision settles what was in doubt; a probe still has to.
  const settled = { ...record.progress, unresolved: decision === 'probe', probes: 0, faults: 0 };
  const progress = decision === 'resend' ? sentAfresh(settled, now, dialect) : settled;
  return { id: record.id, from: ['held'], to: MOVES[decision], patch: { progress } };
}
