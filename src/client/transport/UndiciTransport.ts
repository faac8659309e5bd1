import type { ConnectionOptions } from 'node:tls';
import type { HeaderList } from '../../queue/types/request.ts';
import type { Transport, TransportCall, TransportResult } from '../../queue/types/transport.ts';
import type { Clock } from '../../system/clock.ts';
import { systemClock } from '../../system/clock.ts';
import { FetchTransport } from '../fetch/FetchTransport.ts';
import { Exchange } from './exchange.ts';
import { transportError } from './transportError.ts';
import type { WirePool } from './undiciPool.ts';
import { createPoolFactory } from './undiciPool.ts';

export interface UndiciTransportOptions {
  /** @default systemClock */
  readonly clock?: Clock | undefined;
  /** Connections per origin. @default 64 */
  readonly connections?: number | undefined;
  /** Origins whose connections are kept; the one unused the longest is closed first, never one with calls. @default 100 */
  readonly maxOrigins?: number | undefined;
  /** @default 10_000 */
  readonly connectTimeoutMs?: number | undefined;
  /** Bound of an answer's body, encoded and decoded. @default 64 MiB */
  readonly maxResponseBytes?: number | undefined;
  /** Own authorities, client certificates and the like. @default those of Node */
  readonly tls?: ConnectionOptions | undefined;
}

interface Origin {
  readonly pool: WirePool;
  calls: number;
  /** Order of last use. */
  usedAt: number;
}

const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;

/**
 * HTTP/1.1 over pooled connections; no redirects are followed, nothing is sent twice. Loads undici when called. Calls of `queue.fetch` go
 * through the platform's fetch instead, with the dispatcher that is set for it: options of connections do not concern those.
 */
export function createUndiciTransport(options: UndiciTransportOptions = {}): Transport {
  const { clock = systemClock, maxResponseBytes = MAX_RESPONSE_BYTES } = options;
  return new FetchTransport({ others: new UndiciTransport(options), clock, maxResponseBytes });
}

class UndiciTransport implements Transport {
  readonly isPunctual = true;
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #maxOrigins: number;
  readonly #createPool: (origin: string) => WirePool;
  readonly #origins = new Map<string, Origin>();
  /** Pools that were let go and are closing. */
  readonly #closing = new Set<Promise<void>>();
  #uses = 0;
  #closed: Promise<void> | undefined;

  constructor(options: UndiciTransportOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#maxBytes = options.maxResponseBytes ?? MAX_RESPONSE_BYTES;
    this.#maxOrigins = options.maxOrigins ?? 100;
    this.#createPool = createPoolFactory({
      connections: options.connections ?? 64,
      connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
      tls: options.tls,
    });
  }

  send(call: TransportCall): Promise<TransportResult> {
    return new Promise((resolve) => {
      if (this.#closed !== undefined) {
        resolve({ phase: 'notSent', error: transportError('TRANSPORT_CLOSED', 'The transport is closed.') });
        return;
      }
      if (call.signal?.aborted === true) {
        const error = transportError('CALL_ABORTED', 'The call was aborted.', call.signal.reason);
        resolve({ phase: 'notSent', error });
        return;
      }
      this.#dispatch(call, resolve);
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  #dispatch(call: TransportCall, resolve: (result: TransportResult) => void): void {
    let origin: Origin;
    try {
      origin = this.#origin(call.origin);
    } catch (error) {
      resolve({ phase: 'notSent', error: error as Error }); // undici throws only Errors
      return;
    }
    origin.calls++;
    origin.usedAt = ++this.#uses;
    const exchange = new Exchange(call, this.#clock, this.#maxBytes, (result) => {
      origin.calls--;
      resolve(result);
    });
    const { path, method, body } = call;
    origin.pool.dispatch({ path, method, headers: wireHeaders(call.headers), body }, exchange);
  }

  #origin(name: string): Origin {
    let origin = this.#origins.get(name);
    if (origin === undefined) {
      origin = { pool: this.#createPool(name), calls: 0, usedAt: 0 };
      if (this.#origins.size >= this.#maxOrigins) this.#letGoOfOldest();
      this.#origins.set(name, origin);
    }
    return origin;
  }

  #letGoOfOldest(): void {
    let oldest: string | undefined;
    let usedAt = Number.POSITIVE_INFINITY;
    for (const [name, origin] of this.#origins) {
      if (origin.calls > 0 || origin.usedAt >= usedAt) continue;
      oldest = name;
      usedAt = origin.usedAt;
    }
    if (oldest === undefined) return;
    const idle = this.#origins.get(oldest) as Origin; // found above
    this.#origins.delete(oldest);
    const closing = destroyPool(idle.pool).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #closeAll(): Promise<void> {
    const pools = Array.from(this.#origins.values(), (origin) => destroyPool(origin.pool));
    this.#origins.clear();
    await Promise.all([...pools, ...this.#closing]);
  }
}

function destroyPool(pool: WirePool): Promise<void> {
  return pool.destroy(transportError('TRANSPORT_CLOSED', 'The transport was closed during the call.'));
}

/** Framing and connection headers are the wire's own: a stored one may contradict the bytes that are sent. */
const WIRE_OWNED = new Set(['connection', 'content-length', 'expect', 'keep-alive', 'transfer-encoding', 'upgrade']);

function wireHeaders(headers: HeaderList): string[] {
  const flat: string[] = [];
  let named = false;
  for (const [name, value] of headers) {
    if (WIRE_OWNED.has(name)) continue;
    if (name === 'user-agent') named = true;
    flat.push(name, value);
  }
  if (!named) flat.push('user-agent', 'holdfast'); // RFC 9110 asks for one, and some APIs refuse calls without
  return flat;
}
