import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../../client/support/certificate.ts';
import { deferred } from '../../../client/support/servers.ts';
import type { Answer, Received } from './exchange.ts';
import { route } from './routes.ts';

/** A real server on two ports, and more of them on demand; closed with all its connections. */
export class Site {
  readonly requests: Received[] = [];
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #arrivals = new Map<string, ReturnType<typeof deferred<Received>>>();
  readonly #answers = new Map<string, Answer>();
  readonly #release = deferred();
  #origins: readonly [string, string] = ['', ''];

  static async open(): Promise<Site> {
    const site = new Site();
    site.#origins = [await site.#serve(), await site.#serve()];
    return site;
  }

  get origin(): string {
    return this.#origins[0];
  }

  /** The same site by another port: another origin. */
  get otherOrigin(): string {
    return this.#origins[1];
  }

  url(path: string): string {
    return this.origin + path;
  }

  /** How to answer a path that has no answer of its own in the table of routes; returns its URL. */
  answer(path: string, answer: Answer): string {
    this.#answers.set(path, answer);
    return this.url(path);
  }

  /** The first request to a path, as soon as its head is there. */
  arrived(path: string): Promise<Received> {
    return this.#arrival(path).promise;
  }

  requestsTo(path: string): Received[] {
    return this.requests.filter((one) => one.path === path);
  }

  /** Lets the answers that are held go on. */
  release(): void {
    this.#release.resolve();
  }

  /** Origin of a TLS server whose certificate nobody trusts. */
  async untrusted(): Promise<string> {
    const options = { cert: LOOPBACK_CERTIFICATE, key: LOOPBACK_KEY };
    return `https://127.0.0.1:${await this.#listen(createHttpsServer(options, (_, response) => response.end()))}`;
  }

  /** Origin of a server that writes these bytes for whatever it is sent; `heads` are the requests it got. */
  async raw(bytes: string): Promise<{ readonly origin: string; readonly heads: string[] }> {
    const heads: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk) => {
        heads.push(chunk.toString('latin1'));
        socket.end(bytes, 'latin1');
      });
    });
    return { origin: `http://127.0.0.1:${await this.#listen(server)}`, heads };
  }

  /** Origin of a port nobody listens on. */
  async refusing(): Promise<string> {
    const server = createServer();
    const port = await this.#listen(server);
    await new Promise((resolve) => server.close(resolve));
    this.#servers.splice(this.#servers.indexOf(server), 1);
    return `http://127.0.0.1:${port}`;
  }

  /** Answers, from now on, where nobody listened. */
  async revive(origin: string): Promise<void> {
    await this.#serve(Number(new URL(origin).port));
  }

  async close(): Promise<void> {
    this.release();
    const closing = this.#servers.map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closing);
  }

  async #serve(port = 0): Promise<string> {
    const server = createHttpServer((request, response) => this.#receive(request, response));
    return `http://127.0.0.1:${await this.#listen(server, port)}`;
  }

  async #listen(server: Server, port = 0): Promise<number> {
    this.#servers.push(server);
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port; // it listens on TCP
  }

  #arrival(path: string): ReturnType<typeof deferred<Received>> {
    const known = this.#arrivals.get(path) ?? deferred<Received>();
    this.#arrivals.set(path, known);
    return known;
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const received = describe(request, response);
    this.requests.push(received);
    const answer = this.#answers.get(received.path) ?? route;
    // A connection that the client or the site closed meanwhile needs no answer.
    Promise.resolve(answer(received, response, this.#release.promise)).catch(() => response.destroy());
    this.#arrival(received.path).resolve(received);
  }
}

function describe(request: IncomingMessage, response: ServerResponse): Received {
  const closed = deferred();
  response.on('close', () => closed.resolve());
  const body = deferred<Buffer>();
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('error', () => request.destroy());
  request.on('close', () => body.resolve(Buffer.concat(chunks)));
  request.on('end', () => body.resolve(Buffer.concat(chunks)));
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    host: request.headers.host ?? '',
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    body: body.promise,
    closed: closed.promise,
    breakOff: () => void response.destroy(),
    isBrokenOff: () => response.destroyed && !response.writableFinished,
  };
}
