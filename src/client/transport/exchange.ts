import type { HeaderList, HttpResponse } from '../../queue/types/request.ts';
import type { TransportCall, TransportResult } from '../../queue/types/transport.ts';
import type { Clock, Timer } from '../../system/clock.ts';
import { decodeBody, encodingsOf } from './decodeBody.ts';
import { headerListOf } from './rawHeaders.ts';
import type { TransportErrorCode } from './transportError.ts';
import { transportError } from './transportError.ts';
import type { WireHandler } from './undiciPool.ts';

const NO_BYTES: Uint8Array = Object.freeze(Buffer.alloc(0));

/**
 * One call on the wire. Its phase is what the pool reported last: `notSent` until a connection was given to it, `sent` from
 * then on, `answered` from the final status on. It ends once, by whatever comes first of answer, error, timeout and abort; what the
 * pool reports later is ignored.
 */
export class Exchange implements WireHandler {
  readonly #call: TransportCall;
  readonly #maxBytes: number;
  readonly #end: (result: TransportResult) => void;
  readonly #timer: Timer;
  #abortWire: ((error?: Error) => void) | undefined;
  #onAbort: (() => void) | undefined;
  #ended = false;
  #status = 0;
  #headers: HeaderList = [];
  #body: Buffer | undefined;
  #more: Buffer[] | undefined;
  #bytes = 0;

  constructor(call: TransportCall, clock: Clock, maxBytes: number, end: (result: TransportResult) => void) {
    this.#call = call;
    this.#maxBytes = maxBytes;
    this.#end = end;
    this.#timer = clock.schedule(call.timeoutMs, () => {
      this.#cut('CALL_TIMEOUT', `No complete answer within ${call.timeoutMs} ms.`);
    });
    const { signal } = call;
    if (signal !== undefined) {
      this.#onAbort = () => this.#cut('CALL_ABORTED', 'The call was aborted.', signal.reason);
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
  }

  onConnect(abort: (error?: Error) => void): void {
    // Thrown, it takes the call out of the pool before its first byte and leaves the connection to others.
    if (this.#ended) throw transportError('CALL_ABORTED', 'The call ended before it got a connection.');
    if (this.#abortWire !== undefined) throw transportError('CALL_REPEATED', 'The call was sent before.');
    this.#abortWire = abort;
  }

  onHeaders(status: number, headers: readonly Buffer[]): boolean {
    if (status >= 200) {
      this.#status = status;
      this.#headers = headerListOf(headers);
    }
    return true;
  }

  onData(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes) {
      this.#cut('BODY_TOO_LARGE', `The answer is larger than ${this.#maxBytes} bytes.`);
    } else if (this.#body === undefined) {
      this.#body = chunk;
    } else {
      this.#more ??= [this.#body];
      this.#more.push(chunk);
    }
    return true;
  }

  onComplete(): void {
    if (this.#ended) return;
    const body = this.#more === undefined ? (this.#body ?? NO_BYTES) : Buffer.concat(this.#more, this.#bytes);
    const response: HttpResponse = { status: this.#status, headers: this.#headers, body };
    const encodings = body.length === 0 ? undefined : encodingsOf(response.headers);
    if (encodings === undefined) {
      this.#finish({ phase: 'answered', response });
      return;
    }
    this.#release(); // the wire is done; decoding is bounded by bytes
    decodeBody(response, encodings, this.#maxBytes, this.#end);
  }

  onError(error: Error): void {
    if (!this.#ended) this.#fail(error);
  }

  #cut(code: TransportErrorCode, message: string, cause?: unknown): void {
    if (this.#ended) return;
    const error = transportError(code, message, cause);
    this.#fail(error);
    this.#abortWire?.(error);
  }

  #fail(error: Error): void {
    if (this.#abortWire === undefined) this.#finish({ phase: 'notSent', error });
    else if (this.#status === 0) this.#finish({ phase: 'sent', error });
    else {
      const response = { status: this.#status, headers: this.#headers, body: NO_BYTES };
      this.#finish({ phase: 'answered', response, bodyError: error });
    }
  }

  #finish(result: TransportResult): void {
    this.#release();
    this.#end(result);
  }

  #release(): void {
    this.#ended = true;
    this.#timer.cancel();
    if (this.#onAbort !== undefined) this.#call.signal?.removeEventListener('abort', this.#onAbort);
    this.#body = undefined;
    this.#more = undefined;
  }
}
