import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Backend } from '../queue/types/backend.ts';
import type { EnqueueResult } from '../queue/types/store.ts';
import type { Transport, TransportCall, TransportResult } from '../queue/types/transport.ts';
import { hookBackend } from './backendHooks.ts';

/**
 * The moments of a request's way at which a process can be made to die, in order. `during` means: the store has been
 * given the step and may or may not have committed it.
 */
export const FAULT_POINTS = [
  'accept:beforeCommit',
  'accept:duringCommit',
  /** Stored; its caller does not know yet. */
  'accept:afterCommit',
  /** Claimed, and so durably `sending`; the engine does not know yet. */
  'fence:afterCommit',
  'send:beforeFirstByte',
  /** The whole request is with the system's network; no answer has been read. See {@link FaultOptions}. */
  'send:afterLastByte',
  /** The answer is whole; the engine does not know yet. */
  'answer:beforeSettle',
  'settle:beforeCommit',
  'settle:duringCommit',
  /** The settlement is durable; no caller knows yet. */
  'settle:afterCommit',
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

/**
 * Called whenever a point is reached, with how often it was reached before plus one. To die there, call
 * `process.kill(process.pid, 'SIGKILL')`; to stall there, return a promise that never resolves (a `during` point and
 * `send:afterLastByte` do not wait for it).
 */
export type FaultListener = (point: FaultPoint, nth: number) => void | Promise<void>;

export interface FaultParts {
  readonly backend: Backend;
  readonly transport: Transport;
}

export interface FaultOptions {
  /**
   * How `send:afterLastByte` is known: `undici` listens to that package's diagnostics channel, for transports over it;
   * `called` takes a call for sent as soon as the transport has it, as the fake network does. @default 'undici'
   */
  readonly lastByte?: 'undici' | 'called' | undefined;
}

/** The same backend and transport, which call `listener` at every {@link FAULT_POINTS | fault point} they pass. */
export function withFaultPoints(parts: FaultParts, listener: FaultListener, options: FaultOptions = {}): FaultParts {
  const counts = new Map<FaultPoint, number>();
  const reach = (point: FaultPoint): void | Promise<void> => {
    const nth = (counts.get(point) ?? 0) + 1;
    counts.set(point, nth);
    return listener(point, nth);
  };

  const backend = hookBackend(parts.backend, {
    before(verb) {
      if (verb === 'enqueue') return reach('accept:beforeCommit');
      if (verb === 'settle') return reach('settle:beforeCommit');
    },
    during(verb) {
      if (verb === 'enqueue') void reach('accept:duringCommit');
      if (verb === 'settle') void reach('settle:duringCommit');
    },
    async after(verb, _query, result) {
      if (verb === 'enqueue') {
        await reach('accept:afterCommit');
        if (claimedAtOnce(result as readonly EnqueueResult[])) await reach('fence:afterCommit'); // `enqueue` answers so
      }
      if (verb === 'claim' && (result as { claimed: readonly unknown[] }).claimed.length > 0) {
        await reach('fence:afterCommit');
      }
      if (verb === 'settle') await reach('settle:afterCommit');
    },
  });
  return { backend, transport: new FaultTransport(parts.transport, reach, options.lastByte ?? 'undici') };
}

function claimedAtOnce(results: readonly EnqueueResult[]): boolean {
  return results.some((result) => result.status === 'accepted' && result.token !== null);
}

/** The part of undici's message on its diagnostics channels that tells one request from another. */
interface SentMessage {
  readonly request: { readonly origin?: unknown; readonly method?: unknown; readonly path?: unknown };
}

const SENT_CHANNEL = 'undici:request:bodySent';

class FaultTransport implements Transport {
  readonly #inner: Transport;
  readonly #reach: (point: FaultPoint) => void | Promise<void>;
  readonly #lastByte: 'undici' | 'called';
  /** Calls under way by origin, method and path: the channel also tells of requests that are not ours. */
  readonly #underWay = new Map<string, number>();
  readonly #onSent = (message: unknown): void => {
    const { request } = message as SentMessage; // documented form of this channel
    const origin = String(request.origin);
    if (this.#underWay.has(`${origin} ${request.method} ${request.path}`)) void this.#reach('send:afterLastByte');
  };
  #listening = false;

  constructor(inner: Transport, reach: (point: FaultPoint) => void | Promise<void>, lastByte: 'undici' | 'called') {
    this.#inner = inner;
    this.#reach = reach;
    this.#lastByte = lastByte;
  }

  async send(call: TransportCall): Promise<TransportResult> {
    await this.#reach('send:beforeFirstByte');
    const result = await (this.#lastByte === 'called' ? this.#sendAtOnce(call) : this.#sendListening(call));
    if (result.phase === 'answered') await this.#reach('answer:beforeSettle');
    return result;
  }

  async close(): Promise<void> {
    if (this.#listening) unsubscribe(SENT_CHANNEL, this.#onSent);
    this.#listening = false;
    await this.#inner.close();
  }

  async #sendAtOnce(call: TransportCall): Promise<TransportResult> {
    const result = this.#inner.send(call);
    await this.#reach('send:afterLastByte');
    return result;
  }

  async #sendListening(call: TransportCall): Promise<TransportResult> {
    if (!this.#listening) subscribe(SENT_CHANNEL, this.#onSent);
    this.#listening = true;
    const name = `${call.origin} ${call.method} ${call.path}`;
    this.#underWay.set(name, (this.#underWay.get(name) ?? 0) + 1);
    try {
      return await this.#inner.send(call);
    } finally {
      const left = (this.#underWay.get(name) ?? 1) - 1;
      if (left > 0) this.#underWay.set(name, left);
      else this.#underWay.delete(name);
    }
  }
}
