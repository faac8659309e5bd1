import type { Transport, TransportCall, TransportResult } from '../queue/types/transport.ts';
import type { Clock } from '../system/clock.ts';
import type { FakeServerOptions, NetworkFault, NetworkStep } from './FakeServer.ts';
import { FakeServer } from './FakeServer.ts';
import type { ReceivedRequest, ServerAnswer } from './serverSteps.ts';
import { encodeAnswer, isHeard, UNHEARD } from './serverSteps.ts';

const FAULTS: Readonly<Record<NetworkFault['kind'], { readonly code: string; readonly message: string }>> = {
  refused: { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' },
  connectTimeout: { code: 'UND_ERR_CONNECT_TIMEOUT', message: 'Connect Timeout Error' },
  unreachable: { code: 'ENETUNREACH', message: 'connect ENETUNREACH' },
  notFound: { code: 'ENOTFOUND', message: 'getaddrinfo ENOTFOUND' },
  certificate: { code: 'CERT_HAS_EXPIRED', message: 'certificate has expired' },
};

/** As the real transport has it by default. */
const CONNECT_TIMEOUT_MS = 10_000;

export interface FakeNetworkOptions {
  readonly clock: Clock;
  /** Ms each call takes at least, by the clock. @default 0 */
  readonly latencyMs?: number | undefined;
}

/**
 * A transport without a wire: calls go to in-memory servers, one per origin, and fail as their scripts and the
 * {@link online} switch say. An origin nobody serves is not found. Time-outs go by the given clock.
 */
export class FakeNetwork implements Transport {
  /** False: no call leaves the machine (`ENETUNREACH`). */
  online = true;
  readonly isPunctual = true;
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly #servers = new Map<string, FakeServer>();
  readonly #underWay = new Set<(result: TransportResult) => void>();
  #arrivals = 0;
  #closed = false;

  constructor(options: FakeNetworkOptions) {
    this.#clock = options.clock;
    this.#latencyMs = options.latencyMs ?? 0;
  }

  /** Puts a server at `origin`; replaces one that was there. */
  serve(origin: string, options?: FakeServerOptions): FakeServer {
    const server = new FakeServer(new URL(origin).origin, options);
    this.#servers.set(server.origin, server);
    return server;
  }

  /** Calls put on this network that have no result yet. */
  get underWay(): number {
    return this.#underWay.size;
  }

  send(call: TransportCall): Promise<TransportResult> {
    return new Promise((resolve) => {
      const undo: (() => void)[] = [];
      const finish = (result: TransportResult): void => {
        if (!this.#underWay.delete(finish)) return;
        for (const step of undo) step();
        resolve(result);
      };
      this.#underWay.add(finish);
      if (this.#closed || call.signal?.aborted === true) {
        finish(
          this.#closed ? notSent('TRANSPORT_CLOSED', 'the network is closed') : notSent('CALL_ABORTED', 'aborted'),
        );
        return;
      }
      const cut = (): void => finish({ phase: 'sent', error: failure('CALL_ABORTED', 'aborted') });
      call.signal?.addEventListener('abort', cut, { once: true });
      undo.push(() => call.signal?.removeEventListener('abort', cut));
      this.#carry(call, finish, undo);
    });
  }

  /** Cuts off the calls under way. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const finish of [...this.#underWay]) {
      finish({ phase: 'sent', error: failure('TRANSPORT_CLOSED', 'the network is closed') });
    }
  }

  #carry(call: TransportCall, finish: (result: TransportResult) => void, undo: (() => void)[]): void {
    const server = this.#servers.get(call.origin);
    if (!this.online || server === undefined) {
      const kind = this.online ? 'notFound' : 'unreachable';
      this.#later(this.#latencyMs, () => finish(faultOf(kind)), undo);
      return;
    }

    this.#arrivals += 1;
    const request = receive(call, this.#arrivals);
    const step = server.script.choose(request);
    if (step.kind in FAULTS) {
      const { kind } = step as NetworkFault; // the table has exactly the faults
      const afterMs = kind === 'connectTimeout' ? Math.min(CONNECT_TIMEOUT_MS, call.timeoutMs) : this.#latencyMs;
      this.#later(afterMs, () => finish(faultOf(kind)), undo);
      return;
    }
    const timedOut = (): void => finish({ phase: 'sent', error: failure('CALL_TIMEOUT', 'timed out') });
    const timer = this.#clock.schedule(call.timeoutMs, timedOut);
    undo.push(() => timer.cancel());
    this.#play(server, step as Exclude<NetworkStep, NetworkFault>, request, finish, undo);
  }

  #play(
    server: FakeServer,
    step: Exclude<NetworkStep, NetworkFault>,
    request: ReceivedRequest,
    finish: (result: TransportResult) => void,
    undo: (() => void)[],
  ): void {
    const given = perform(server, step, request);
    const answered = (): void => finish({ phase: 'answered', response: encodeAnswer(given) });
    switch (step.kind) {
      case 'answer':
        this.#later(this.#latencyMs + (step.delayMs ?? 0), answered, undo);
        return;
      case 'park':
        undo.push(server.keepParked(answered));
        return;
      case 'hang':
        return;
      case 'reset':
      case 'partialHead': {
        const cut: TransportResult = { phase: 'sent', error: failure('ECONNRESET', 'socket hang up') };
        this.#later(this.#latencyMs, () => finish(cut), undo);
        return;
      }
      case 'partialBody': {
        const head = { ...encodeAnswer(given), body: new Uint8Array(0) };
        const bodyError = failure('UND_ERR_SOCKET', 'other side closed');
        this.#later(this.#latencyMs, () => finish({ phase: 'answered', response: head, bodyError }), undo);
        return;
      }
      default:
        step satisfies never;
    }
  }

  #later(ms: number, callback: () => void, undo: (() => void)[]): void {
    if (ms <= 0) {
      queueMicrotask(callback);
      return;
    }
    const timer = this.#clock.schedule(ms, callback);
    undo.push(() => timer.cancel());
  }
}

/** Lets the server do, or not do, what the step says, and gives what it would answer. */
function perform(server: FakeServer, step: Exclude<NetworkStep, NetworkFault>, request: ReceivedRequest): ServerAnswer {
  const respond = (received: ReceivedRequest): ServerAnswer =>
    (step.kind === 'answer' ? step.answer : undefined) ?? server.respond(received);
  if (step.apply) return server.ledger.apply(request, respond);
  server.ledger.pass(request);
  return isHeard(step) ? respond(request) : UNHEARD;
}

function receive(call: TransportCall, n: number): ReceivedRequest {
  const { body } = call;
  return {
    n,
    origin: call.origin,
    method: call.method,
    path: call.path,
    headers: call.headers.map(([name, value]) => [name.toLowerCase(), value] as const),
    body: body === null ? '' : typeof body === 'string' ? body : new TextDecoder().decode(body),
  };
}

function faultOf(kind: NetworkFault['kind']): TransportResult {
  return notSent(FAULTS[kind].code, FAULTS[kind].message);
}

function notSent(code: string, message: string): TransportResult {
  return { phase: 'notSent', error: failure(code, message) };
}

function failure(code: string, message: string): Error & { readonly code: string } {
  return Object.assign(new Error(message), { code });
}
