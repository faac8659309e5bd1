import type { HoldfastError } from '../../errors.ts';
import type { RequestHandle, RequestInput, RequestOptions } from './calls.ts';
import type { FetchTerms, StoredRequest } from './request.ts';

/** When a call of `fetch` is answered. */
export type Respond = 'settled' | 'accepted';
/** What a caller of `fetch` gets while the zone takes no call. */
export type Offline = 'wait' | 'accept' | 'reject' | 'rejectAndKeep';
/** Whether a call of `fetch` is stored. */
export type FetchMode = 'queue' | 'bypass';

/** How calls of `fetch` are treated, where the request itself is not concerned: in the configuration, a zone, a rule, `with()` or the call. */
export interface FetchSettings {
  /**
   * `accepted`: answers 202 once the request is stored, with a status address (`Location`) that `queue.fetch` itself serves.
   * @default 'settled'
   */
  readonly respond?: Respond | undefined;
  /**
   * What a caller gets while the zone takes no call (unreachable, paused, asked to wait): it waits; or a 202 as with `respond`; or
   * a rejection, of the request too or of the caller only. @default 'wait'
   */
  readonly offline?: Offline | undefined;
  /**
   * `bypass`: straight to the platform's fetch, nothing is stored. @default 'queue', but 'bypass' for requests that accept
   * `text/event-stream`, and for forms with a `grant_type`
   */
  readonly mode?: FetchMode | undefined;
  /** Acts on `Prefer: respond-async, wait=n` (RFC 7240) instead of sending it on. @default false */
  readonly honorPrefer?: boolean | undefined;
  /** Adds `x-should-retry: false` and `stripe-should-retry: false` to final failures, which SDKs honour. @default true */
  readonly noRetryHeaders?: boolean | undefined;
}

/** Options of a call of `fetch`: `init.queue`, and `queue.with()`. The abort signal is that of `init`. */
export interface FetchOptions extends Omit<RequestOptions, 'signal'>, FetchSettings {
  /** Instead of the queue's, while this caller waits: from the start of an attempt to the head of its answer. */
  readonly attemptTimeoutMs?: number | undefined;
}

/** `RequestInit` with the options of the queue. */
export interface QueuedRequestInit extends RequestInit {
  readonly queue?: FetchOptions | undefined;
}

/** A WHATWG `fetch` whose calls go through a queue. */
export type QueuedFetch = (input: string | URL | Request, init?: QueuedRequestInit) => Promise<Response>;

/** What a call of `fetch` brings besides its request. */
export interface FetchCall {
  readonly terms: FetchTerms;
  /** The body where it takes time to read, in place of that of the input. */
  readonly body?: Promise<Uint8Array> | undefined;
  /** Kept whatever becomes of its caller, and a read's result too. */
  readonly durable: boolean;
  /** The caller that takes the answer as it comes in. */
  readonly caller?: FetchCaller | undefined;
}

/** A caller of `fetch` in this process. */
export interface FetchCaller {
  /** The answer is given at its head, whatever follows: none of its body is kept. */
  readonly streams: boolean;
  /** It has a signal. */
  readonly isAbortable: boolean;
  /** Instead of the queue's `attemptTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  readonly dispatcher?: unknown;
}

/** What `fetch` needs of a queue. */
export interface FetchQueue {
  /** Most bytes of a body. */
  readonly maxBytes: number;
  fetchCall(input: RequestInput, options: RequestOptions, call: FetchCall): RequestHandle;
  /** A call that is sent as it is, without the ways of the platform's fetch. */
  call(input: RequestInput, options?: RequestOptions): RequestHandle;
  callHandle(id: string): RequestHandle;
  get(id: string): Promise<StoredRequest | undefined>;
  /** Takes a request back, once its present attempt is over. False when it was sent, ended or is shared. */
  withdraw(handle: RequestHandle): Promise<boolean>;
  /** What the configuration, its zone, the first rule that fits and `run()` say about a call, the nearest winning. */
  settingsOf(url: URL, method: string): FetchOptions;
  /** Why a call would not be answered at present, as the zone of its URL takes none; undefined where it may be, if only with an answer of before. */
  standstillOf(url: URL, method: string): HoldfastError | undefined;
  /** Calls back once, as soon as the zone of a URL takes no call, at once where it takes none now. Returns its undo. */
  onStandstill(url: URL, stopped: (why: HoldfastError) => void): () => void;
  /** Calls back once after so many ms. Returns its undo. */
  after(ms: number, callback: () => void): () => void;
}

/** The ways in that speak the platform's language. */
export interface FetchFront {
  fetch(
    input: string | URL | Request,
    init: QueuedRequestInit | undefined,
    bound: FetchOptions | undefined,
  ): Promise<Response>;
  /** One hop of a client over undici. */
  dispatch(hop: object, handler: object, bound: FetchOptions | undefined): boolean;
}
