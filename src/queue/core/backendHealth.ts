import { holdfastError } from '../../errors.ts';
import type { Emitter } from './emitter.ts';
import { messageOf } from './tell.ts';

/** Whether the store works, as seen by the verbs that were tried last. Tells each change once. */
export class BackendHealth {
  readonly #emitter: Emitter;
  #isFailing = false;

  constructor(emitter: Emitter) {
    this.#emitter = emitter;
  }

  get isFailing(): boolean {
    return this.#isFailing;
  }

  worked(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#emitter.emit('backend:recovered', {});
  }

  failed(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const code = holdfastError(error)?.code ?? 'BACKEND_UNAVAILABLE';
    this.#emitter.emit('backend:failed', { code, message: messageOf(error) });
  }
}
