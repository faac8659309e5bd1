import type { Transport, TransportCall, TransportResult } from '../../queue/types/transport.ts';
import type { Clock } from '../../system/clock.ts';
import { transportError } from '../transport/transportError.ts';
import { FetchExchange } from './FetchExchange.ts';
import type { HopDispatcher } from './platform.ts';
import { Platform } from './platform.ts';

/** Sends calls of `fetch` through the platform's fetch, and leaves all others to another transport. */
export class FetchTransport implements Transport {
  readonly isPunctual = true;
  readonly #others: Transport;
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #platform = new Platform();
  readonly #open = new Set<FetchExchange>();
  #closed: Promise<void> | undefined;

  constructor(parts: { readonly others: Transport; readonly clock: Clock; readonly maxResponseBytes: number }) {
    this.#others = parts.others;
    this.#clock = parts.clock;
    this.#maxBytes = parts.maxResponseBytes;
  }

  send(call: TransportCall): Promise<TransportResult> {
    if (call.fetch === undefined) return this.#others.send(call);
    if (this.#closed !== undefined) {
      const error = transportError('TRANSPORT_CLOSED', 'The transport is closed.');
      return Promise.resolve({ phase: 'notSent', error });
    }
    if (call.signal?.aborted === true) {
      const error = transportError('CALL_ABORTED', 'The call was aborted.', call.signal.reason);
      return Promise.resolve({ phase: 'notSent', error });
    }
    return new Promise((resolve) => {
      const exchange = new FetchExchange(call, {
        clock: this.#clock,
        maxBytes: this.#maxBytes,
        fetch: this.#platform.fetch,
        dispatcher: (call.live?.dispatcher as HopDispatcher | undefined) ?? this.#platform.dispatcher,
        ended: resolve,
        over: () => this.#open.delete(exchange),
      });
      this.#open.add(exchange);
      exchange.start();
    });
  }

  /** Answers that were taken are their takers': they stay open. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    for (const exchange of [...this.#open])
      exchange.cut('TRANSPORT_CLOSED', 'The transport was closed during the call.');
    await this.#others.close();
  }
}
