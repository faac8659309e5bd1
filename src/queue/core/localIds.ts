import { HoldfastError } from '../../errors.ts';
import { makeLocalId, parseLocalId } from '../strategies/localId.ts';
import type { Binding } from '../types/binding.ts';
import type { LocalId } from '../types/calls.ts';
import { REQUEST_STATES } from '../types/states.ts';
import type { Change } from '../types/store.ts';
import type { Context } from './context.ts';
import { notFound } from './lookup.ts';
import { invalidRequest } from './target.ts';
import type { Teller } from './tell.ts';
import type { Zones } from './zones.ts';

const PAGE = 256;

/** Makes local ids, tells what they stand for, and lets a person say so where the server did not. */
export class LocalIds {
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

  make(type: string): LocalId {
    const localId = makeLocalId(type, this.#context.ids.next());
    if (localId === undefined) {
      const expected = 'a letter, then up to 39 letters, digits, "_" and "-"';
      throw invalidRequest([{ path: 'type', expected, got: String(type) }]);
    }
    return localId as LocalId; // made just now
  }

  async serverId(localId: string): Promise<string | number | undefined> {
    this.#parse(localId);
    const [binding] = await this.#context.backend.requests.bindings({ localIds: [localId] });
    return binding?.serverId;
  }

  async bind(localId: string, serverId: string | number): Promise<void> {
    const { type, requestId } = this.#parse(localId);
    if (serverId === '' || (typeof serverId !== 'string' && !Number.isSafeInteger(serverId))) {
      throw invalidRequest([{ path: 'serverId', expected: 'a text or a whole number', got: String(serverId) }]);
    }
    const { backend, clock, emitter } = this.#context;
    const now = clock.now();
    const [record] = await backend.requests.get({ ids: [requestId] });
    if (record === undefined) throw notFound(requestId);
    const { zone } = record;
    const binding: Binding = { localId, serverId, type, zone, requestId, boundAt: now };
    const changes = [{ id: requestId, from: REQUEST_STATES, bind: [binding] }];
    const [result] = await backend.requests.amend({ now, changes });
    if (result?.status !== 'amended') {
      const message = `request ${requestId} is being sent: its answer may tell what ${localId} is`;
      throw new HoldfastError('ILLEGAL_MOVE', message, { id: requestId, zone });
    }
    emitter.emit('id:bound', { requestId, zone, localId, serverId, type });
    await this.#release(localId);
  }

  /** What was held for want of that id goes on. */
  async #release(localId: string): Promise<void> {
    const { backend, clock, emitter } = this.#context;
    const filter = { state: 'held', reason: 'dependency' } as const;
    for (let after: number | null = null; ; ) {
      const page = await backend.requests.find({ filter, order: 'accepted', after, limit: PAGE });
      const waiting = page.requests.filter(({ refs }) => refs.some((ref) => ref.localId === localId));
      const to = { state: 'ready', reason: 'released' } as const;
      const changes = waiting.map(({ id }): Change => ({ id, from: ['held'], reason: 'dependency', to }));
      const results = changes.length === 0 ? [] : await backend.requests.amend({ now: clock.now(), changes });
      for (const [index, result] of results.entries()) {
        const request = waiting[index];
        if (result.status !== 'amended' || request === undefined) continue;
        emitter.emit('request:released', { requestId: request.id, zone: request.zone, state: result.state });
        this.#zones.named(request.zone)?.hint();
        this.#teller.moved(result.moved);
      }
      if (page.next === null) break;
      after = page.next;
    }
    this.#wake();
  }

  #parse(localId: string) {
    const parts = parseLocalId(localId);
    if (parts !== undefined) return parts;
    throw invalidRequest([{ path: 'localId', expected: 'a local id that queue.localId() gave', got: String(localId) }]);
  }
}
