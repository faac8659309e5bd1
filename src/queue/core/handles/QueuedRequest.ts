import type { CancelOptions, RequestHandle, Settled, WaitOptions } from '../../types/calls.ts';
import { parseWith } from './parseWith.ts';
import type { Schema } from './schema.ts';

/** A stored request, as its caller holds it; after a restart, or elsewhere, one is made from its id. */
export class QueuedRequest<T = unknown> {
  readonly id: string;
  /** It joined a request that was there. */
  readonly deduplicated: boolean;
  readonly #handle: RequestHandle;
  readonly #schema: Schema<T> | undefined;

  constructor(
    stored: { readonly id: string; readonly deduplicated: boolean },
    handle: RequestHandle,
    schema?: Schema<T> | undefined,
  ) {
    this.id = stored.id;
    this.deduplicated = stored.deduplicated;
    this.#handle = handle;
    this.#schema = schema;
  }

  /**
   * Waits for the parsed body of the answer.
   *
   * @throws RESULT_PENDING after `timeoutMs`; the request goes on
   * @throws the reason of `signal`, which ends only this wait
   * @throws RESULT_GONE, RESPONSE_INVALID, or the error it ended or was held with
   */
  async result(options?: WaitOptions): Promise<T> {
    return parseWith(this.#schema, await this.#handle.settled(options));
  }

  /** Waits for how it ended or was held; a failure is a value. */
  settled(options?: WaitOptions): Promise<Settled> {
    return this.#handle.settled(options);
  }

  /** True when this cancelled the request, false when it was too late or others share it: see {@link RequestHandle.cancel}. */
  cancel(options?: CancelOptions): Promise<boolean> {
    return this.#handle.cancel(options);
  }
}
