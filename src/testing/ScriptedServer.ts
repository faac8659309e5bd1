import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HeaderList } from '../queue/types/request.ts';
import type { Clock, Timer } from '../system/clock.ts';
import { systemClock } from '../system/clock.ts';
import { http } from '../system/http.ts';
import { usualAnswer } from './FakeServer.ts';
import type { ServerLedgerOptions } from './ServerLedger.ts';
import { ServerLedger } from './ServerLedger.ts';
import { ServerScript } from './ServerScript.ts';
import type { ReceivedRequest, ServerAnswer, ServerStep } from './serverSteps.ts';
import { answer, encodeAnswer, isHeard, UNHEARD } from './serverSteps.ts';

export interface ScriptedServerOptions extends ServerLedgerOptions {
  /** What is answered where no step says otherwise. @default 201 to POST, else 200, telling method and path */
  readonly respond?: ((request: ReceivedRequest) => ServerAnswer) | undefined;
  /** @default 0: a free port, kept for ever after */
  readonly port?: number | undefined;
  /** Times delayed answers. @default the system's clock */
  readonly clock?: Clock | undefined;
}

/**
 * A real HTTP server on the loopback that does to each request what its script says, and keeps a ledger of what it
 * applied. It can stop (connections are cut, the port refuses) and start again on the same port with its memory intact;
 * after `close` no handle of it is left.
 */
export class ScriptedServer implements AsyncDisposable {
  readonly ledger: ServerLedger;
  readonly script = new ServerScript<ServerStep>(answer());
  readonly #respond: (request: ReceivedRequest) => ServerAnswer;
  readonly #clock: Clock;
  readonly #parked = new Set<() => void>();
  readonly #timers = new Set<Timer>();
  #port: number;
  #server: Server | undefined;
  #arrivals = 0;

  private constructor(options: ScriptedServerOptions) {
    this.ledger = new ServerLedger(options);
    this.#respond = options.respond ?? usualAnswer;
    this.#clock = options.clock ?? systemClock;
    this.#port = options.port ?? 0;
  }

  /** A server that listens. */
  static async start(options: ScriptedServerOptions = {}): Promise<ScriptedServer> {
    const server = new ScriptedServer(options);
    await server.start();
    return server;
  }

  /** `http://127.0.0.1:<port>` */
  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get listening(): boolean {
    return this.#server !== undefined;
  }

  /** Answers that wait for {@link release}. */
  get parked(): number {
    return this.#parked.size;
  }

  /** Sends the answers that wait, oldest first: all, or so many. */
  release(count = Number.POSITIVE_INFINITY): void {
    for (const go of [...this.#parked].slice(0, count)) go();
  }

  /** Listens, again on the same port after {@link stop}. Does nothing while it listens. */
  async start(): Promise<void> {
    if (this.#server !== undefined) return;
    const server = http.createServer((request, response) => this.#receive(request, response));
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port; // a TCP server that listens has an AddressInfo
    this.#server = server;
  }

  /** Cuts every connection and refuses new ones until {@link start}. What was applied stays applied. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    this.#parked.clear();
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  }

  /** Stops for good. Idempotent. */
  close(): Promise<void> {
    return this.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    // A client that goes away in the middle is an ordinary event here: its request was never whole.
    request.on('error', () => response.destroy());
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      this.#arrivals += 1;
      this.#play(
        {
          n: this.#arrivals,
          origin: this.origin,
          method: request.method ?? '',
          path: request.url ?? '',
          headers: headersOf(request),
          body: Buffer.concat(chunks).toString('utf8'),
        },
        response,
      );
    });
  }

  #play(request: ReceivedRequest, response: ServerResponse): void {
    const step = this.script.choose(request);
    const given = this.#perform(step, request);
    switch (step.kind) {
      case 'answer':
        this.#later(step.delayMs ?? 0, () => write(response, given));
        return;
      case 'park': {
        const go = (): void => {
          this.#parked.delete(go);
          write(response, given);
        };
        this.#parked.add(go);
        response.on('close', () => this.#parked.delete(go));
        return;
      }
      case 'hang':
        return;
      case 'reset':
        response.socket?.resetAndDestroy();
        return;
      case 'partialHead':
        response.socket?.end(`HTTP/1.1 ${given.status} OK\r\ncontent-type: applic`);
        return;
      case 'partialBody':
        writeHalf(response, given);
        return;
      default:
        step satisfies never;
    }
  }

  #perform(step: ServerStep, request: ReceivedRequest): ServerAnswer {
    const respond = (received: ReceivedRequest): ServerAnswer =>
      (step.kind === 'answer' ? step.answer : undefined) ?? this.#respond(received);
    if (step.apply) return this.ledger.apply(request, respond);
    this.ledger.pass(request);
    return isHeard(step) ? respond(request) : UNHEARD;
  }

  #later(ms: number, callback: () => void): void {
    if (ms <= 0) {
      callback();
      return;
    }
    const timer = this.#clock.schedule(ms, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
  }
}

function headersOf(request: IncomingMessage): HeaderList {
  const list: [string, string][] = [];
  const raw = request.rawHeaders;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    list.push([(raw[at] as string).toLowerCase(), raw[at + 1] as string]); // both in range: pairs
  }
  return list;
}

function write(response: ServerResponse, given: ServerAnswer): void {
  const { status, headers, body } = encodeAnswer(given);
  const bodiless = status === 204 || status === 304;
  response.writeHead(status, [
    ...headers.flat(),
    ...(bodiless ? [] : ['content-length', String(body.byteLength)]),
  ] as string[]);
  response.end(bodiless ? undefined : body);
}

/** The head promises more than comes; then the connection ends. */
function writeHalf(response: ServerResponse, given: ServerAnswer): void {
  const { status, headers, body } = encodeAnswer(given);
  response.writeHead(status, [...headers.flat(), 'content-length', String(body.byteLength + 1)] as string[]);
  response.write(body.subarray(0, body.byteLength >> 1), () => response.socket?.end());
  response.flushHeaders();
}
