import type { IncomingHttpHeaders, ServerResponse } from 'node:http';

/** A request as it came over the wire. */
export interface Received {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** `host:port` it was sent to. */
  readonly host: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  /** Resolves with the whole body; with what came of it, when it was broken off. */
  readonly body: Promise<Buffer>;
  /** Resolves when the answer is done or the connection is closed, whichever is first. */
  readonly closed: Promise<void>;
  /** True once the client closed the connection before the answer was complete. */
  isBrokenOff(): boolean;
  /** Closes the connection, whatever of the answer is written. */
  breakOff(): void;
}

/** Answers one request. `released` resolves when the case lets held answers go on. */
export type Answer = (received: Received, response: ServerResponse, released: Promise<void>) => void | Promise<void>;
