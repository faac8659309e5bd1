import { parseWith } from '../queue/core/handles/parseWith.ts';
import { QueuedRequest } from '../queue/core/handles/QueuedRequest.ts';
import type { Schema } from '../queue/core/handles/schema.ts';
import type { RequestHandle, Settled } from '../queue/types/calls.ts';
import type { HttpResponse } from '../queue/types/request.ts';

/** A result with the answer it came in. */
export interface WithResponse<T> {
  readonly data: T;
  readonly response: HttpResponse;
  /** The answer is one of before, given as the zone takes no call (`staleReads`); its header `age` says how old it is. */
  readonly degraded?: true | undefined;
}

/**
 * A call that was given to the queue, and a promise of its parsed and validated body. It waits only once it is asked: an unread
 * call is sent all the same and causes no unhandled rejection.
 *
 * Rejects with `REQUEST_REJECTED`, `ATTEMPTS_EXHAUSTED`, `OUTCOME_UNKNOWN` and whatever else it ended or was held with,
 * `RESPONSE_INVALID`, `RESULT_GONE`, or why it was not accepted.
 */
export class Call<T = unknown> implements Promise<T> {
  readonly [Symbol.toStringTag] = 'Call';
  readonly #handle: RequestHandle;
  readonly #schema: Schema<T> | undefined;
  #result: Promise<T> | undefined;

  constructor(handle: RequestHandle, schema?: Schema<T> | undefined) {
    this.#handle = handle;
    this.#schema = schema;
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaited is what it is for
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    // biome-ignore lint/suspicious/noExplicitAny: as Promise has it, so that handlers may name the type
    onRejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#result ??= this.#handle.settled().then((settled) => parseWith(this.#schema, settled));
    return this.#result.then(onFulfilled, onRejected);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as Promise has it, so that handlers may name the type
  catch<B = never>(onRejected?: ((reason: any) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.then(undefined, onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.then().finally(onFinally);
  }

  /** Resolves once the request is stored, with what it takes to wait for it, here or after a restart. */
  async accepted(): Promise<QueuedRequest<T>> {
    return new QueuedRequest(await this.#handle.accepted(), this.#handle, this.#schema);
  }

  /** How it ended or was held; a failure of the server is a value, not a rejection. */
  settled(): Promise<Settled> {
    return this.#handle.settled();
  }

  /** The result with status and headers. */
  async withResponse(): Promise<WithResponse<T>> {
    const settled = await this.#handle.settled();
    const data = await parseWith(this.#schema, settled);
    const response = settled.response as HttpResponse; // parseWith throws when there is none
    return settled.degraded === true ? { data, response, degraded: true } : { data, response };
  }
}
