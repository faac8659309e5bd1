import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { HoldfastError } from '../../errors.ts';

/** What a pool tells about one call, in this order. `onConnect` throwing takes the call back before its first byte. */
export interface WireHandler {
  /** A connection was given to the call and its first byte is written right after this. `abort` closes the connection. */
  onConnect(abort: (error?: Error) => void): void;
  /** Once per status line, interim ones (1xx) included. `headers` alternates raw names and values. */
  onHeaders(status: number, headers: readonly Buffer[]): boolean;
  onData(chunk: Buffer): boolean;
  onComplete(): void;
  /** At most once, and last. */
  onError(error: Error): void;
}

export interface WireCall {
  readonly path: string;
  readonly method: string;
  /** Alternating names and values. */
  readonly headers: readonly string[];
  readonly body: string | Uint8Array | null;
}

/** Connections to one origin. */
export interface WirePool {
  dispatch(call: WireCall, handler: WireHandler): boolean;
  /** Errors every call at once and closes every connection, those still being made included. */
  destroy(error: Error): Promise<void>;
}

export interface WirePoolOptions {
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly tls: ConnectionOptions | undefined;
}

type ConnectCallback = (error: Error | null, socket?: Socket) => void;
type Connector = (options: object, callback: ConnectCallback) => Socket;

interface UndiciPool {
  dispatch(call: WireCall, handler: WireHandler): boolean;
  destroy(error: Error): Promise<void>;
}

interface UndiciParts {
  readonly Pool: new (origin: string, options: object) => UndiciPool;
  readonly buildConnector: (options: object) => Connector;
}

/**
 * undici's pool by its own file: the package's main file would install a global dispatcher, and with it take over the
 * built-in fetch of the whole process. Loaded at first use, so that importing this package loads nothing.
 */
function loadUndici(): UndiciParts {
  const require = createRequire(import.meta.url);
  try {
    return {
      Pool: require('undici/lib/dispatcher/pool.js'),
      buildConnector: require('undici/lib/core/connect.js'),
    };
  } catch (cause) {
    const message = 'undici 7 cannot be loaded; install undici@^7.30.2 next to this package.';
    throw new HoldfastError('DEPENDENCY_MISSING', message, { package: 'undici' }, { cause });
  }
}

/** Connections to any origin, where the platform has none to lend. */
export function createAgent(): object {
  const Agent = createRequire(import.meta.url)('undici/lib/dispatcher/agent.js') as new () => object;
  return new Agent();
}

/** Returns a maker of pools; throws `DEPENDENCY_MISSING` when undici is not there. */
export function createPoolFactory(options: WirePoolOptions): (origin: string) => WirePool {
  const { Pool, buildConnector } = loadUndici();
  const connect = buildConnector({ ...options.tls, timeout: options.connectTimeoutMs });

  return (origin) => {
    // undici leaves a connection that is still being made alone when it is destroyed; the process would wait for it.
    const connecting = new Set<Socket>();
    const pool = new Pool(origin, {
      connections: options.connections,
      pipelining: 1, // a second call on a connection whose first one fails could be resent by undici
      headersTimeout: 0, // the transport has one timer for the whole call
      bodyTimeout: 0,
      connect: (target: object, callback: ConnectCallback) => {
        const socket = connect(target, (error, connected) => {
          connecting.delete(socket);
          callback(error, connected);
        });
        connecting.add(socket);
        return socket;
      },
    });
    return {
      dispatch: (call, handler) => pool.dispatch(call, handler),
      async destroy(error) {
        const closed = pool.destroy(error);
        for (const socket of connecting) socket.destroy();
        await closed;
      },
    };
  };
}
