import type { Body, HeaderList, HttpResponse } from './request.ts';

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
}

/**
 * How far a call got; never a rejection. `sent` whenever bytes may have reached the server and no status came back.
 * `answered` with `bodyError` when the status arrived but the body was lost.
 */
export type TransportResult =
  | { readonly phase: 'notSent'; readonly error: Error & { readonly code?: string | undefined } }
  | { readonly phase: 'sent'; readonly error: Error & { readonly code?: string | undefined } }
  | { readonly phase: 'answered'; readonly response: HttpResponse; readonly bodyError?: Error | undefined };

/** Puts calls on the wire and reports the phase each reached. */
export interface Transport {
  send(call: TransportCall): Promise<TransportResult>;
  /** Closes connections; calls under way are cut off. Idempotent. */
  close(): Promise<void>;
}
