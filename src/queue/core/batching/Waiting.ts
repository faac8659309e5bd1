import type { TransportResult } from '../../types/transport.ts';
import type { Arrival, Called } from '../called.ts';
import { failure } from './failures.ts';

/** A request of a group that has arrived at the wire, and waits for the answer to itself. */
export class Waiting {
  readonly arrival: Arrival;
  readonly #answered: (called: Called) => void;
  readonly #left: (waiting: Waiting) => void;
  readonly #signal: AbortSignal | undefined;
  /** It may be on the wire: nothing says any more that it was not sent. */
  isSent = false;
  #isOver = false;

  /** `left`: its caller went away before it was answered. */
  constructor(arrival: Arrival, answered: (called: Called) => void, left: (waiting: Waiting) => void) {
    this.arrival = arrival;
    this.#answered = answered;
    this.#left = left;
    this.#signal = arrival.calling.abort?.signal;
    this.#signal?.addEventListener('abort', this.#abandon, { once: true });
    if (this.#signal?.aborted === true) this.#abandon();
  }

  get id(): string {
    return this.arrival.calling.request.id;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Its answer; of no effect after the first. */
  answer(result: TransportResult, durationMs = 0, timeoutMs = this.arrival.timeoutMs): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#signal?.removeEventListener('abort', this.#abandon);
    this.#answered({ result, durationMs, timeoutMs });
  }

  readonly #abandon = (): void => {
    const error = failure('CALL_ABORTED', 'the caller called the request off');
    this.answer({ phase: this.isSent ? 'sent' : 'notSent', error });
    this.#left(this);
  };
}
