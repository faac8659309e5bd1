import type { LoadedScript } from './call.ts';

/** What came to an end with a connection. */
export interface ConnectionEvents {
  /** It can be used, for the first time or again. */
  ready(): void;
  /** It is gone, and with it every answer that has not come; it comes back by itself. */
  lost(cause: unknown): void;
}

/** A connection to the server, or to the node of a cluster, that holds the keys. Comes back by itself until it is closed. */
export interface Connection {
  /** For messages: host and port, without any secret. */
  readonly where: string;
  /** Starts connecting, and goes on trying until it is closed. */
  open(events: ConnectionEvents): void;
  /** Runs a script by its hash. */
  run(script: LoadedScript, argument: Buffer, place: string): Promise<Buffer>;
  /** Gives the server the scripts. Rejects when the connection is lost. */
  load(scripts: readonly LoadedScript[]): Promise<void>;
  /** One command on the connection that runs scripts, after what was sent before. Rejects when the connection is lost. */
  ask(command: string, ...args: (string | number)[]): Promise<unknown>;
  /** Calls back for messages on a channel once it is subscribed to, also after the connection came back. */
  listen(channel: string, onMessage: (message: Buffer) => void): Subscription;
  /** Bytes read so far: an answer on its way is no silence. */
  readonly bytesRead: number;
  /** While false, nothing of it keeps the process alive. */
  keepAlive(isBusy: boolean): void;
  /** Drops the connection and makes another. */
  reset(): void;
  close(): void;
}

export interface Subscription {
  /** Rejects while it cannot be done; to be tried again then. */
  subscribe(): Promise<void>;
}
