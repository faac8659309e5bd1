import { HoldfastError } from '../../errors.ts';
import type { Accepted } from '../types/calls.ts';
import type { StoredRequest } from '../types/request.ts';
import type { RequestStore } from '../types/store.ts';
import type { Attempts } from './attempts.ts';
import type { Callers } from './callers.ts';
import type { Teller } from './tell.ts';

/** Looks single requests up: for their callers, and for whoever asks by id. */
export class Lookup {
  readonly #store: RequestStore;
  readonly #callers: Callers;
  readonly #attempts: Attempts;
  readonly #teller: Teller;

  constructor(
    store: RequestStore,
    parts: { readonly callers: Callers; readonly attempts: Attempts; readonly teller: Teller },
  ) {
    this.#store = store;
    this.#callers = parts.callers;
    this.#attempts = parts.attempts;
    this.#teller = parts.teller;
  }

  /** The record of a request. @throws REQUEST_NOT_FOUND */
  async record(id: string): Promise<StoredRequest> {
    const [record] = await this.#store.get({ ids: [id] });
    if (record === undefined) throw notFound(id);
    return record;
  }

  /** Its acceptance. @throws REQUEST_NOT_FOUND */
  async acceptance(id: string): Promise<Accepted> {
    const { seq } = await this.record(id);
    return { id, seq, deduplicated: false };
  }

  /** Tells the callers of a request what the store knows of it. */
  async tellCallers(id: string): Promise<void> {
    const [record] = await this.#store.get({ ids: [id] });
    if (record !== undefined) this.#teller.tellRecord(record);
    else if (!this.#attempts.flights.has(id)) this.#callers.fail(id, notFound(id));
  }
}

export function notFound(id: string): HoldfastError {
  return new HoldfastError('REQUEST_NOT_FOUND', `no request ${id} is stored (any more)`, { id });
}
