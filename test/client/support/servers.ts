import type { IncomingMessage, RequestListener } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from './certificate.ts';

export interface RunningServer {
  readonly origin: string;
  readonly port: number;
  readonly server: Server;
  /** Connections accepted so far. */
  readonly sockets: readonly Socket[];
}

/** Listens on a free port until the test ends. */
async function run(server: Server, scheme: string): Promise<RunningServer> {
  const sockets: Socket[] = [];
  server.on('connection', (socket) => sockets.push(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { origin: `${scheme}://127.0.0.1:${port}`, port, server, sockets };
}

export function httpServer(listener: RequestListener): Promise<RunningServer> {
  return run(createHttpServer(listener), 'http');
}

export function httpsServer(listener: RequestListener): Promise<RunningServer> {
  return run(createHttpsServer({ cert: LOOPBACK_CERTIFICATE, key: LOOPBACK_KEY }, listener), 'https');
}

/** A server that speaks for itself: `onRequest` runs for each whole request head and the bytes behind it. */
export async function rawServer(
  onRequest: (socket: Socket, text: string, count: number) => void,
  scheme = 'http',
): Promise<RunningServer & { readonly requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((socket) => {
    let text = '';
    // A reset by either side is what these tests are about; the transport's result is what is looked at.
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
      if (text.length < end + 4 + length) return;
      const whole = text;
      text = '';
      requests.push(whole);
      onRequest(socket, whole, requests.length);
    });
  });
  return { ...(await run(server, scheme)), requests };
}

/** A port nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function bodyText(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

export interface Deferred<T = void> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
