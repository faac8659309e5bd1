import { HoldfastError } from '../../../src/errors.ts';
import type {
  Accepted,
  CallQueue,
  ClientBinding,
  RequestHandle,
  RequestInput,
  RequestOptions,
  Settled,
} from '../../../src/queue/types/calls.ts';
import type { HeaderList, HttpResponse } from '../../../src/queue/types/request.ts';
import type { Transport, TransportCall } from '../../../src/queue/types/transport.ts';

export interface TakenCall {
  readonly input: RequestInput;
  readonly options: RequestOptions | undefined;
  readonly client: ClientBinding | undefined;
}

/** The smallest queue that clients can work on: sends each call at once, with its client's credentials, and stores nothing. */
export class DirectQueue implements CallQueue {
  readonly taken: TakenCall[] = [];
  readonly clients: ClientBinding[] = [];
  /** How often anyone began to wait for a result. */
  waits = 0;
  /** What becomes of an answer before callers are told. */
  settle: (settled: Settled) => Settled = (settled) => settled;
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  call(input: RequestInput, options?: RequestOptions, client?: ClientBinding): RequestHandle {
    this.taken.push({ input, options, client });
    const id = `id-${this.taken.length}`;
    const sent = this.#send(id, input, client);
    sent.catch(() => undefined); // an unread call causes no unhandled rejection
    return this.#handle({ id, seq: this.taken.length, deduplicated: false }, sent);
  }

  callHandle(): RequestHandle {
    throw new Error('This queue stores nothing.');
  }

  register(client: ClientBinding): () => void {
    this.clients.push(client);
    return () => {
      this.clients.splice(this.clients.indexOf(client), 1);
    };
  }

  #handle(accepted: Accepted, sent: Promise<Settled>): RequestHandle {
    return {
      accepted: () => Promise.resolve(accepted),
      settled: async () => {
        this.waits++;
        return this.settle(await sent);
      },
      cancel: () => Promise.resolve(true),
    };
  }

  async #send(id: string, input: RequestInput, client: ClientBinding | undefined): Promise<Settled> {
    let credential = await client?.auth?.credential();
    let result = await this.#transport.send(wireCall(input, credential?.headers));
    if (result.phase === 'answered' && result.response.status === 401 && credential !== undefined) {
      if ((await client?.auth?.refresh?.(credential.version)) === true) {
        credential = await client?.auth?.credential();
        result = await this.#transport.send(wireCall(input, credential?.headers));
      }
    }
    if (result.phase !== 'answered') throw result.error;
    return toSettled(id, result.response);
  }
}

function wireCall(input: RequestInput, secrets: HeaderList = []): TransportCall {
  const url = new URL(input.url);
  const headers = [...((input.headers as HeaderList | undefined) ?? []), ...secrets]; // clients give lists
  const isPlain = typeof input.body === 'object' && input.body !== null;
  if (isPlain) headers.push(['content-type', 'application/json']);
  const body = isPlain ? JSON.stringify(input.body) : ((input.body as string | undefined) ?? null);
  return {
    origin: url.origin,
    method: input.method,
    path: url.pathname + url.search,
    headers,
    body,
    timeoutMs: 30_000,
  };
}

function toSettled(id: string, response: HttpResponse): Settled {
  const zone = 'zone';
  const base = { id, zone, response, deduplicated: false };
  if (response.status < 400) return { ...base, state: 'succeeded', reason: 'applied', error: undefined };
  const error = new HoldfastError('REQUEST_REJECTED', `Request ${id} was rejected.`, { id, zone, response });
  return { ...base, state: 'dead', reason: 'rejected', error };
}
