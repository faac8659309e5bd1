import { holdfastError } from '../../errors.ts';
import type { Backend } from '../types/backend.ts';
import type { Emitter } from './emitter.ts';
import { messageOf } from './tell.ts';

/** Who uses the store: a full disk fails the one and not the other. */
export type StoreUser = 'claim' | 'settle' | 'keep';

/** Whether the store works, as seen by what each user of it tried last. Tells each change once. */
export class BackendHealth {
  readonly #emitter: Emitter;
  readonly #failing = new Set<StoreUser>();

  constructor(emitter: Emitter) {
    this.#emitter = emitter;
  }

  get isFailing(): boolean {
    return this.#failing.size > 0;
  }

  worked(user: StoreUser): void {
    if (!this.#failing.delete(user) || this.#failing.size > 0) return;
    this.#emitter.emit('backend:recovered', {});
  }

  failed(error: unknown, user: StoreUser): void {
    const isKnown = this.#failing.size > 0;
    this.#failing.add(user);
    if (isKnown) return;
    const code = holdfastError(error)?.code ?? 'BACKEND_UNAVAILABLE';
    this.#emitter.emit('backend:failed', { code, message: messageOf(error) });
  }
}

/** Whether it failed only because the store is away for now, which this backend takes in its stride. */
export function isAway({ capabilities }: Backend, error: unknown): boolean {
  if (capabilities.opensOffline !== true) return false;
  return holdfastError(error, 'BACKEND_UNAVAILABLE', 'STORAGE_FULL') !== undefined;
}
