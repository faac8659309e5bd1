import type { AnswerCopy, HttpResponse } from '../../queue/types/request.ts';
import type { TransportCall, TransportResult } from '../../queue/types/transport.ts';
import type { Clock, Timer } from '../../system/clock.ts';
import { http } from '../../system/http.ts';
import { decodeBody, encodingsOf } from '../transport/decodeBody.ts';
import type { TransportErrorCode } from '../transport/transportError.ts';
import { transportError } from '../transport/transportError.ts';
import { asError } from './failure.ts';
import { HeldAnswer } from './HeldAnswer.ts';
import type { Hop, HopDispatcher, PlatformFetch } from './platform.ts';
import type { BodyListener, WireHandler, WireHead, WireListener, WireSink } from './wireHandler.ts';
import { listening, passing, sinkOf } from './wireHandler.ts';

export interface FetchExchangeParts {
  readonly clock: Clock;
  /** Bound of a body that is read here. */
  readonly maxBytes: number;
  readonly fetch: PlatformFetch;
  readonly dispatcher: HopDispatcher;
  /** How far the call got. Once. */
  ended(result: TransportResult): void;
  /** Nothing of it is open any more that is not its taker's. */
  over(): void;
}

const MISDIRECTED = 421;
const DONE = { isDone: true } as const;
const FOREIGN = { isForeign: true } as const;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Answers that have no end by nature. */
const ENDLESS =
  /^\s*(?:text\/event-stream|multipart\/x-mixed-replace|application\/(?:x-ndjson|jsonl|json-seq|stream\+json))\b/i;

/**
 * One attempt through the platform's fetch, which is given a dispatcher that stands between it and the wire. So the phase is known to the
 * byte, redirects are the platform's own, and its answer is held back until the queue has decided about it: then
 * the caller gets the very response that fetch made of it.
 */
export class FetchExchange {
  readonly #call: TransportCall;
  readonly #parts: FetchExchangeParts;
  /** Only where its taker may call it off: otherwise the wire is closed by itself, and signals are not free. */
  readonly #controller: AbortController | undefined;
  readonly #timer: Timer;
  readonly #onAbort: (() => void) | undefined;
  #cutBy: Error | undefined;
  #abortWire: ((reason: Error) => void) | undefined;
  #native: Promise<Response> | undefined;
  #phase: 'notSent' | 'sent' = 'notSent';
  #hops = 0;
  /** The last redirect that was followed: an answer, where fetch itself goes no further. */
  #redirect: WireHead | undefined;
  /** The redirect that answered a write for good, by making a GET of it: what comes after only looks up how it went. */
  #doneBy: WireHead | undefined;
  #isForeign = false;
  #isMisdirected = false;
  #answer: HeldAnswer | undefined;
  #hasEnded = false;

  constructor(call: TransportCall, parts: FetchExchangeParts) {
    this.#call = call;
    this.#parts = parts;
    this.#timer = parts.clock.schedule(call.timeoutMs, () =>
      this.cut('CALL_TIMEOUT', `No answer within ${call.timeoutMs} ms: timed out.`),
    );
    const { signal, live } = call;
    if (live?.isAbortable === true) this.#controller = new AbortController();
    if (signal === undefined) return;
    this.#onAbort = () => this.cut('CALL_ABORTED', 'The call was aborted.', signal.reason);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  start(): void {
    const { origin, path, method, headers, fetch: terms } = this.#call;
    const dispatcher: HopDispatcher = { dispatch: (hop, handler) => this.#dispatch(hop, handler) };
    // Without the body, of which fetch would make a stream: it is put in on its way out.
    const init = { method, ...terms, headers: headers as [string, string][] };
    const wire = this.#controller === undefined ? { dispatcher } : { dispatcher, signal: this.#controller.signal };
    this.#native = this.#parts.fetch(origin + path, { ...(init as RequestInit), ...wire });
    this.#native.then(
      (response) => this.#passed(response),
      (error: unknown) => this.#refused(error),
    );
  }

  /** Ends it from this side, unless its answer was taken. */
  cut(code: TransportErrorCode, message: string, cause?: unknown): void {
    const error = transportError(code, message, cause);
    if (!this.#hasEnded && this.#answer !== undefined) {
      this.#answer.cut(error);
      // Who waits for it may go on reading at its own pace.
      if (code === 'CALL_TIMEOUT' && this.#answer.isForCaller) return;
    } else if (!this.#hasEnded) this.#unanswered(error);
    else this.#answer?.release();
    this.#abort(error);
  }

  #abort(reason: Error): void {
    this.#cutBy = reason;
    if (this.#controller !== undefined) this.#controller.abort(reason);
    else this.#abortWire?.(reason);
  }

  #dispatch(hop: Hop, handler: WireHandler): boolean {
    this.#hops += 1;
    this.#isForeign = isOrigin(hop.origin) && String(hop.origin) !== this.#call.origin;
    return this.#parts.dispatcher.dispatch(this.#outgoing(hop), listening(handler, this.#listener(hop, handler)));
  }

  /** With the body, which a redirect that makes a GET of it leaves out; elsewhere without what only its zone may know. */
  #outgoing(hop: Hop): Hop {
    const { body, method, fetch: terms, attached } = this.#call;
    const headers: Record<string, unknown> = { ...(hop.headers as object) };
    if (this.#isForeign) for (const name of attached ?? []) delete headers[name];
    if (body === null || hop.method !== (terms?.method ?? method)) return { ...hop, headers };
    headers['content-length'] = String(typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength);
    return { ...hop, body, headers };
  }

  #listener(hop: Hop, handler: WireHandler): WireListener {
    const sink = sinkOf(handler);
    let target: BodyListener | undefined;
    return {
      started: (abort) => {
        // Thrown, it takes the call out of the pool before its first byte.
        if (this.#cutBy !== undefined) throw this.#cutBy;
        this.#phase = 'sent';
        this.#abortWire = abort;
        sink.start(abort);
      },
      headed: (head, resume) => {
        if (this.#isForFetch(head, hop)) {
          target = passing(sink);
          return sink.head(head, resume);
        }
        this.#answer = this.#hold(head, hop, sink, resume);
        target = this.#answer;
        return true;
      },
      received: (chunk) => target?.received(chunk) !== false,
      completed: () => target?.completed(),
      failed: (error) => {
        if (target === undefined) this.#unanswered(error);
        if (target === undefined) sink.fail(error);
        else target.failed(error);
      },
    };
  }

  #hold(head: WireHead, hop: Hop, sink: WireSink, resume: () => void): HeldAnswer {
    const { live } = this.#call;
    const native = this.#native as Promise<Response>; // set before anything can be answered
    const answer = new HeldAnswer({
      head,
      sink,
      resume,
      native,
      controller: this.#controller,
      abort: (reason) => this.#abort(reason),
      live,
      isEndless: head.headers.some(([name, value]) => name === 'content-type' && ENDLESS.test(value)),
      clock: this.#parts.clock,
      maxBytes: this.#parts.maxBytes,
      ready: (body, bodyError) => this.#answered(answer, head, hop, body, bodyError),
      over: () => this.#parts.over(),
      decode: (body, done) =>
        this.#decode({ status: head.status, headers: head.headers, body }, (result) =>
          done(result.phase === 'answered' && result.bodyError === undefined ? result.response : undefined),
        ),
    });
    answer.begin();
    return answer;
  }

  #answered(answer: HeldAnswer, head: WireHead, hop: Hop, body: Buffer, bodyError: Error | undefined): void {
    if (this.#hasEnded) return;
    this.#release();
    const live = answer.isForCaller ? answer : undefined;
    const extras = {
      ...(head.statusText !== '' &&
        head.statusText !== http.STATUS_CODES[head.status] && { statusText: head.statusText }),
      ...(this.#hops > 1 && { url: `${String(hop.origin ?? '')}${hop.path}` }),
      ...(live !== undefined && { live }),
    };
    const end = (result: TransportResult): void => {
      if (live === undefined) answer.release();
      if (result.phase !== 'answered') return this.#parts.ended(result);
      const response = { ...result.response, ...extras };
      // What is wrong with the body, its taker finds out by reading it.
      const marked = { ...(live === undefined ? result : { phase: 'answered' as const }), ...this.#marks(), response };
      this.#parts.ended(marked);
    };
    const response: HttpResponse = { status: head.status, headers: head.headers, body };
    if (bodyError !== undefined) end({ phase: 'answered', response, bodyError });
    else if (live?.isPartial === true) end({ phase: 'answered', response });
    else this.#decode(response, end);
  }

  #decode(response: HttpResponse, end: (result: TransportResult) => void): void {
    const encodings = response.body.byteLength === 0 ? undefined : encodingsOf(response.headers);
    if (encodings === undefined) end({ phase: 'answered', response });
    else decodeBody(response, encodings, this.#parts.maxBytes, end);
  }

  /** What fetch acts upon by itself: a redirect it follows, and the first 421, after which it asks once more over another connection. */
  #isForFetch(head: WireHead, { method }: Hop): boolean {
    const { status, headers } = head;
    if (status === MISDIRECTED) {
      const isFirst = !this.#isMisdirected;
      this.#isMisdirected = true;
      if (isFirst) this.#phase = 'notSent';
      return isFirst;
    }
    const { redirect } = this.#call.fetch ?? {};
    if (redirect !== undefined || !REDIRECTS.has(status) || !headers.some(([name]) => name === 'location'))
      return false;
    this.#redirect = head;
    const becomesGet = status === 303 ? method !== 'GET' && method !== 'HEAD' : status < 307 && method === 'POST';
    if (becomesGet) this.#doneBy ??= head;
    // What redirects has not acted upon it.
    else if (this.#doneBy === undefined) this.#phase = 'notSent';
    return true;
  }

  /** Fetch made a response of an answer that it was to act upon. */
  #passed(native: Response): void {
    if (this.#hasEnded || this.#answer !== undefined) return;
    const { status, headers } = native;
    const release = (): void => void native.body?.cancel().catch(() => undefined);
    if (!this.#endUnheld({ status, headers: [...headers] }, () => Promise.resolve(native), release)) release();
  }

  /** The platform's fetch gave up by itself: a redirect it does not follow is the last answer there was. */
  #refused(error: unknown): void {
    if (this.#hasEnded || this.#answer !== undefined) return;
    const redirect = this.#doneBy ?? this.#redirect;
    if (redirect !== undefined) this.#redirected(redirect, error);
    else {
      // A fetch in the platform's place that knows no dispatchers may have sent it.
      if (this.#hops === 0 && this.#cutBy === undefined) this.#phase = 'sent';
      this.#fail(error instanceof Error && error.cause instanceof Error ? error.cause : asError(error));
    }
  }

  #unanswered(error: Error): void {
    if (this.#hasEnded) return;
    if (this.#doneBy !== undefined) this.#redirected(this.#doneBy, new TypeError('fetch failed', { cause: error }));
    else this.#fail(error);
  }

  #fail(error: Error): void {
    this.#release();
    this.#parts.over();
    this.#parts.ended({ phase: this.#phase, error, ...(this.#isForeign && FOREIGN) });
  }

  #redirected(head: WireHead, error: unknown): void {
    this.#endUnheld(
      head,
      () => Promise.reject(error),
      () => undefined,
    );
  }

  /** Ends with an answer of which nothing is held here. Whether there is a caller to take it. */
  #endUnheld(
    { status, headers }: Pick<WireHead, 'status' | 'headers'>,
    take: () => Promise<Response>,
    release: () => void,
  ): boolean {
    this.#release();
    this.#parts.over();
    const live = {
      isPartial: true,
      isRepeatable: false,
      take,
      whole: () => undefined,
      copyTo: (copy: AnswerCopy) => copy.over(undefined),
      release,
    };
    const isAwaited = this.#call.live?.isAwaited() === true;
    const response = { status, headers, body: new Uint8Array(0), ...(isAwaited && { live }) };
    this.#parts.ended({ phase: 'answered', ...this.#marks(), response });
    return isAwaited;
  }

  #marks(): { readonly isDone?: true; readonly isForeign?: true } {
    return { ...(this.#doneBy !== undefined && DONE), ...(this.#isForeign && FOREIGN) };
  }

  #release(): void {
    this.#hasEnded = true;
    this.#timer.cancel();
    if (this.#onAbort !== undefined) this.#call.signal?.removeEventListener('abort', this.#onAbort);
  }
}

function isOrigin(origin: unknown): boolean {
  return typeof origin === 'string' || origin instanceof URL;
}
