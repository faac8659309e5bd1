import type { Body, FetchTerms, HeaderList, HttpResponse } from './request.ts';

/** One HTTP call, complete with credentials, ready for the wire. */
export interface TransportCall {
  /** Scheme, host and port: `https://api.example.com`. */
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly headers: HeaderList;
  readonly body: Body;
  /** From the start of the call to the end of the answer. */
  readonly timeoutMs: number;
  /** Closes the wire. */
  readonly signal?: AbortSignal | undefined;
  /** Headers that the queue added, in lower case: they are for the zone alone, and go nowhere that it redirects to. */
  readonly attached?: readonly string[] | undefined;
  /** Set on calls of `fetch`: redirects and default headers are those of the platform's fetch. */
  readonly fetch?: FetchTerms | undefined;
  /** Set while a caller of `fetch` waits in this process. A transport may ignore it, and give whole answers. */
  readonly live?: LiveCall | undefined;
}

/** A caller that takes its answer as it comes in. */
export interface LiveCall {
  /** So many bytes of the body are awaited for a while, to be kept with the request, before the answer is given. 0: given at its head. */
  readonly keepBytes: number;
  /** Whether it waits for the answer. */
  isAwaited(): boolean;
  /** Whether others wait too, who want a whole one. */
  isShared(): boolean;
  /** The same call with the same key is given the same answer. */
  readonly isKeyed: boolean;
  /** To ask once more is harmless. */
  readonly isRepeatable: boolean;
  /** It may yet call the answer off, once it has it. */
  readonly isAbortable: boolean;
  /** What the caller wants its connections made by: the `dispatcher` of its `RequestInit`. */
  readonly dispatcher?: unknown;
}

/**
 * How far a call got; never a rejection. `sent` whenever bytes may have reached the server and no status came back.
 * `answered` with `bodyError` when the status arrived but the body was lost.
 */
export type TransportResult =
  | (Elsewhere & { readonly phase: 'notSent'; readonly error: Error & { readonly code?: string | undefined } })
  | (Elsewhere & { readonly phase: 'sent'; readonly error: Error & { readonly code?: string | undefined } })
  | (Elsewhere & {
      readonly phase: 'answered';
      readonly response: HttpResponse;
      readonly bodyError?: Error | undefined;
      /** A redirect made a GET of it: it was applied, and the response tells only what was looked up then. */
      readonly isDone?: true | undefined;
      /** Part of the answer to a call that several requests shared: whose answer that is was told from the whole. */
      readonly isPart?: true | undefined;
    });

interface Elsewhere {
  /** It was redirected to another origin: what came of it says nothing of its zone, but that it answered. */
  readonly isForeign?: true | undefined;
}

/** A call without a status. */
export type TransportFailure = Exclude<TransportResult, { readonly phase: 'answered' }>;

/** Puts calls on the wire and reports the phase each reached. */
export interface Transport {
  send(call: TransportCall): Promise<TransportResult>;
  /** It ends each call by itself at its `timeoutMs`. Others are given a signal that is fired then, with an `ATTEMPT_TIMEOUT` as reason, and two seconds. @default false */
  readonly isPunctual?: boolean | undefined;
  /** Closes connections; calls under way are cut off. Idempotent. */
  close(): Promise<void>;
}
