import type { AnswerCopy, HeaderList, HttpResponse, LiveAnswer } from '../../queue/types/request.ts';
import type { LiveCall } from '../../queue/types/transport.ts';
import type { Clock, Timer } from '../../system/clock.ts';
import { transportError } from '../transport/transportError.ts';
import { follow } from './follow.ts';
import type { WireHead, WireSink } from './wireHandler.ts';

export interface HeldAnswerParts {
  readonly head: WireHead;
  readonly sink: WireSink;
  readonly resume: () => void;
  /** The response that the platform's fetch makes once the head is passed on. */
  readonly native: Promise<Response>;
  /** Where its taker may call it off. */
  readonly controller: AbortController | undefined;
  /** Closes the wire. */
  abort(reason: Error): void;
  /** The caller it may be given to. */
  readonly live: LiveCall | undefined;
  /** It has no end by nature. */
  readonly isEndless: boolean;
  readonly clock: Clock;
  /** Most of a body that is read when nobody takes it over. */
  readonly maxBytes: number;
  /** It is complete, or as much of it as is wanted. */
  ready(body: Buffer, error: Error | undefined): void;
  /** It was taken, or let go. */
  over(): void;
  /** Gives the answer with this body as one that is kept; undefined where it cannot be decoded. */
  decode(body: Buffer, decoded: (answer: HttpResponse | undefined) => void): void;
}

/** So long a body is awaited after its head, for the sake of those who ask for it later; its caller wants it now. */
const PATIENCE_MS = 1_000;
/** So much of a body is awaited where several callers wait for it. */
const SHARED_BYTES = 1_048_576;
/** So much of a body waits in memory while its taker is not there or does not read. */
const HIGH_WATER_BYTES = 65_536;
const NOTHING: Buffer = Object.freeze(Buffer.alloc(0)) as Buffer;
const ignore = (): undefined => undefined;

/** An answer between the wire and the platform's fetch: read as far as the queue needs it, then passed on to whoever takes it. */
export class HeldAnswer implements LiveAnswer {
  readonly #parts: HeldAnswerParts;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #state: 'held' | 'taken' | 'gone' = 'held';
  #isReady = false;
  #isPaused = false;
  #isComplete = false;
  #error: Error | undefined;
  #whole: Buffer | undefined;
  #timer: Timer | undefined;
  /** Set while somebody wants what its taker reads. */
  #copy: AnswerCopy | undefined;
  #copied: Buffer[] = [];
  /** Set when it is given: a caller was waiting for it, and nobody else. */
  isForCaller = false;

  constructor(parts: HeldAnswerParts) {
    this.#parts = parts;
  }

  get isPartial(): boolean {
    // What came after it was given is not in what was given, though all of it may be here by now.
    return this.#whole === undefined;
  }

  get isRepeatable(): boolean {
    return this.#parts.live?.isRepeatable === true;
  }

  /** The head is there. */
  begin(): void {
    const { live, isEndless, clock } = this.#parts;
    if (live?.isAwaited() !== true) return;
    if (isEndless || (live.keepBytes === 0 && !live.isShared())) this.#give(undefined);
    else this.#timer = clock.schedule(PATIENCE_MS, () => this.#runOutOfPatience(live));
  }

  /** Who waits for it wants it now, unless others who want the whole of it have no other way to it. */
  #runOutOfPatience(live: LiveCall): void {
    if (live.isRepeatable || !(live.isKeyed || live.isShared())) this.#give(undefined);
  }

  received(chunk: Buffer): boolean {
    if (this.#state === 'taken') return this.#pass(chunk);
    if (this.#state === 'gone') return true;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (!this.#isReady) {
      const { live, maxBytes } = this.#parts;
      if (live?.isAwaited() === true && this.#bytes > (live.isShared() ? SHARED_BYTES : live.keepBytes))
        this.#give(undefined);
      else if (this.#bytes > maxBytes) {
        const error = transportError('BODY_TOO_LARGE', `The answer is larger than ${maxBytes} bytes.`);
        this.#give(error);
        this.#parts.abort(error);
        return true;
      }
    }
    this.#isPaused = this.#isReady && this.#bytes >= HIGH_WATER_BYTES;
    return !this.#isPaused;
  }

  completed(): void {
    this.#isComplete = true;
    if (this.#state === 'taken') this.#complete();
    else if (!this.#isReady) this.#give(undefined);
  }

  failed(error: Error): void {
    this.#error = error;
    if (this.#state === 'held') this.#give(error);
    else this.#fail(error);
  }

  /** No more of it is waited for: what there is is given, or the error where nobody takes the rest over. */
  cut(error: Error): void {
    this.#give(error);
  }

  take({
    headers,
    signal,
  }: {
    readonly headers?: HeaderList | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {}): Promise<Response> | undefined {
    if (this.#state !== 'held') return undefined;
    this.#state = 'taken';
    this.#parts.over();
    const { sink, head, resume, native, controller } = this.#parts;
    const tied = (given: Response): Response => {
      if (signal !== undefined && controller !== undefined) follow(signal, controller, given);
      return given;
    };
    const response = signal === undefined ? native : native.then(tied);
    sink.head(head, resume, headers);
    let isFlowing = true;
    for (const chunk of this.#chunks) isFlowing = this.#pass(chunk) && isFlowing;
    this.#chunks = [];
    if (this.#error !== undefined) this.#fail(this.#error);
    else if (this.#isComplete) this.#complete();
    else if (this.#isPaused && isFlowing) resume();
    return response;
  }

  whole(): { readonly headers: HeaderList; readonly body: Uint8Array } | undefined {
    return this.#whole === undefined ? undefined : { headers: this.#parts.head.headers, body: this.#whole };
  }

  copyTo(copy: AnswerCopy): void {
    this.#copy = copy;
  }

  release(): void {
    if (this.#state !== 'held') return;
    this.#state = 'gone';
    this.#chunks = [];
    this.#endCopy();
    this.#parts.over();
    this.#parts.native.catch(ignore);
    const reason = new Error('nobody waits for this answer');
    this.#parts.sink.fail(reason);
    if (!this.#isComplete && this.#error === undefined) this.#parts.abort(reason);
  }

  #pass(chunk: Buffer): boolean {
    if (this.#copy?.takes(chunk.length) === true) this.#copied.push(chunk);
    else if (this.#copy !== undefined) this.#endCopy();
    return this.#parts.sink.data(chunk);
  }

  #complete(): void {
    const copy = this.#copy;
    if (copy !== undefined) {
      this.#copy = undefined;
      this.#parts.decode(Buffer.concat(this.#copied), (whole) => copy.over(whole));
      this.#copied = [];
    }
    this.#parts.sink.complete();
  }

  /** There is to be none. */
  #endCopy(): void {
    this.#copy?.over(undefined);
    this.#copy = undefined;
    this.#copied = [];
  }

  /** Fetch loses an error that comes before it has made the response. */
  #fail(error: Error): void {
    this.#endCopy();
    this.#parts.native.then(() => this.#parts.sink.fail(error), ignore);
  }

  #give(error: Error | undefined): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.#timer?.cancel();
    this.isForCaller = this.#parts.live?.isAwaited() === true;
    if (this.#isComplete) this.#whole = this.#chunks.length === 1 ? this.#chunks[0] : Buffer.concat(this.#chunks);
    this.#parts.ready(this.#whole ?? NOTHING, error);
  }
}
