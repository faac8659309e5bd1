import type { ServerLedgerOptions } from './ServerLedger.ts';
import { ServerLedger } from './ServerLedger.ts';
import { ServerScript } from './ServerScript.ts';
import type { ReceivedRequest, ServerAnswer, ServerStep } from './serverSteps.ts';
import { answer } from './serverSteps.ts';

/** How a call fails on its way, before a byte of it reached the server. */
export type NetworkFault = {
  readonly kind: 'refused' | 'connectTimeout' | 'unreachable' | 'notFound' | 'certificate';
};

export type NetworkStep = ServerStep | NetworkFault;

/** Nobody listens at the port. */
export const refused: NetworkFault = Object.freeze({ kind: 'refused' });
/** The connection is not established within the call's time. */
export const connectTimeout: NetworkFault = Object.freeze({ kind: 'connectTimeout' });
/** There is no network. */
export const unreachable: NetworkFault = Object.freeze({ kind: 'unreachable' });
/** The name is not known. */
export const notFound: NetworkFault = Object.freeze({ kind: 'notFound' });
/** The certificate is not valid. */
export const badCertificate: NetworkFault = Object.freeze({ kind: 'certificate' });

export interface FakeServerOptions extends ServerLedgerOptions {
  /** What is answered where no step says otherwise. @default 201 to POST, else 200, telling method and path */
  readonly respond?: ((request: ReceivedRequest) => ServerAnswer) | undefined;
}

/** One origin of a {@link FakeNetwork}: its script, and the ledger of what it did. */
export class FakeServer {
  readonly origin: string;
  readonly ledger: ServerLedger;
  readonly script = new ServerScript<NetworkStep>(answer());
  readonly respond: (request: ReceivedRequest) => ServerAnswer;
  readonly #parked = new Set<() => void>();

  constructor(origin: string, options: FakeServerOptions = {}) {
    this.origin = origin;
    this.ledger = new ServerLedger(options);
    this.respond = options.respond ?? usualAnswer;
  }

  /** Calls whose answers wait. */
  get parked(): number {
    return this.#parked.size;
  }

  /** Lets the answers that wait go, oldest first: all, or so many. */
  release(count = Number.POSITIVE_INFINITY): void {
    for (const go of [...this.#parked].slice(0, count)) go();
  }

  /** Called by the network: `go` sends a parked answer. Returns its undo. */
  keepParked(go: () => void): () => void {
    this.#parked.add(go);
    return () => this.#parked.delete(go);
  }
}

/** 201 to a POST, 200 to the rest, with what was asked. */
export function usualAnswer(request: ReceivedRequest): ServerAnswer {
  return {
    status: request.method === 'POST' ? 201 : 200,
    body: { n: request.n, method: request.method, path: request.path },
  };
}
