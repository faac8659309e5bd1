import type { FetchCaller } from '../types/fetch.ts';
import type { LiveCall } from '../types/transport.ts';
import type { Callers } from './callers.ts';
import type { SentRequest } from './sentRequest.ts';

/** Callers of `fetch` in this process, who take the answer of their request as it comes in. */
export class FetchCallers {
  readonly #byRequest = new Map<string, FetchCaller>();
  readonly #callers: Callers;
  readonly #keepBytes: number;

  constructor(callers: Callers, keepBytes: number) {
    this.#callers = callers;
    this.#keepBytes = keepBytes;
  }

  add(id: string, caller: FetchCaller): void {
    this.#byRequest.set(id, caller);
  }

  of(id: string): FetchCaller | undefined {
    return this.#byRequest.get(id);
  }

  /** It ended, was refused, or shares another request, whose own caller takes the answer. */
  forget(id: string): void {
    if (this.#byRequest.size > 0) this.#byRequest.delete(id);
  }

  /** How the answer of a request may be taken from the wire. What is kept of it is awaited first, so that others can share it. */
  liveCall({ id, effect, durable, key }: SentRequest): LiveCall | undefined {
    const caller = this.#byRequest.get(id);
    if (caller === undefined) return undefined;
    const isKept = !caller.streams && (effect !== 'read' || durable);
    return {
      keepBytes: isKept ? this.#keepBytes : 0,
      isAwaited: () => this.#callers.countOf(id, true) > 0,
      isShared: () => this.#callers.countOf(id) > 1,
      isKeyed: key !== null,
      isRepeatable: effect === 'read',
      isAbortable: caller.isAbortable,
      dispatcher: caller.dispatcher,
    };
  }
}
