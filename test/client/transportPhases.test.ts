import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { LOOPBACK_CERTIFICATE } from './support/certificate.ts';
import { closedPort, deferred, httpServer, httpsServer, rawServer } from './support/servers.ts';
import { answersHead, callTo, outcome, postTo, transportFor } from './support/transport.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

describe('a call that never got a connection', () => {
  it('is not sent when the port refuses', async () => {
    const result = await transportFor().send(postTo(`http://127.0.0.1:${await closedPort()}`));
    expect(outcome(result)).toMatchObject({ phase: 'notSent', code: 'ECONNREFUSED' });
  });

  it('is not sent when the name has no address', async () => {
    const result = await transportFor().send(postTo('http://nothing.invalid'));
    expect(outcome(result)).toMatchObject({ phase: 'notSent' });
  });

  it('is not sent when connecting takes too long', async () => {
    const { origin } = await rawServer(() => undefined, 'https'); // accepts, and never shakes hands
    const result = await transportFor({ connectTimeoutMs: 30 }).send(postTo(origin));
    expect(outcome(result)).toMatchObject({ phase: 'notSent', code: 'UND_ERR_CONNECT_TIMEOUT' });
  });

  it('is not sent when the other side does not speak TLS', async () => {
    const { port } = await httpServer((_, response) => response.end());
    const result = await transportFor().send(postTo(`https://127.0.0.1:${port}`));
    expect(outcome(result)).toMatchObject({ phase: 'notSent' });
  });

  it('is not sent when the certificate is not trusted', async () => {
    let requests = 0;
    const { origin } = await httpsServer((_, response) => {
      requests += 1;
      response.end();
    });
    const call = postTo(origin);
    expect(outcome(await transportFor().send(call))).toEqual({ phase: 'notSent', code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
    expect(requests).toBe(0);
    const trusting = transportFor({ tls: { ca: LOOPBACK_CERTIFICATE } });
    expect(outcome(await trusting.send(call))).toEqual({ phase: 'answered', status: 200 });
  });

  it('is not sent when its time ends while it connects', async () => {
    const clock = new FakeClock();
    const server = await rawServer(() => undefined, 'https');
    const connected = once(server.server, 'connection');
    const sending = transportFor({ clock }).send(postTo(server.origin, { timeoutMs: 5_000 }));
    await connected;
    await clock.advance(5_000);
    expect(outcome(await sending)).toMatchObject({ phase: 'notSent', code: 'CALL_TIMEOUT' });
  });

  it('is not sent when it was aborted before', async () => {
    const server = await rawServer((socket) => socket.write(OK));
    const result = await transportFor().send(postTo(server.origin, { signal: AbortSignal.abort('enough') }));
    expect(outcome(result)).toMatchObject({ phase: 'notSent', code: 'CALL_ABORTED' });
    expect(server.sockets).toHaveLength(0);
  });

  it('is not sent when it is aborted while others hold all connections, which stay usable', async () => {
    const answer = deferred<Socket>();
    const server = await rawServer((socket, _, count) => {
      if (count === 1) answer.resolve(socket);
      else socket.write(OK);
    });
    const transport = transportFor({ connections: 1 });
    const first = transport.send(postTo(server.origin, { path: '/first' }));
    const socket = await answer.promise;
    const abort = new AbortController();
    const second = transport.send(postTo(server.origin, { path: '/second', signal: abort.signal }));
    const third = transport.send(postTo(server.origin, { path: '/third' }));
    abort.abort();
    expect(outcome(await second)).toMatchObject({ phase: 'notSent', code: 'CALL_ABORTED' });
    socket.write(OK);
    expect(outcome(await first)).toMatchObject({ phase: 'answered' });
    expect(outcome(await third)).toMatchObject({ phase: 'answered' });
    expect(server.requests.map((text) => text.split(' ')[1])).toEqual(['/first', '/third']);
    expect(server.sockets).toHaveLength(1);
  });

  it('is not sent when a header cannot be written', async () => {
    const server = await rawServer((socket) => socket.write(OK));
    const result = await transportFor().send(postTo(server.origin, { headers: [['x-a', 'b\r\nx-c: d']] }));
    expect(outcome(result)).toMatchObject({ phase: 'notSent', code: 'UND_ERR_INVALID_ARG' });
    expect(server.requests).toEqual([]);
  });
});

describe('a call whose bytes may have arrived', () => {
  it('is sent when the server resets after the head', async () => {
    const { origin } = await httpServer((request) => request.socket.resetAndDestroy());
    const body = 'x'.repeat(4 * 1024 * 1024);
    expect(outcome(await transportFor().send(postTo(origin, { body })))).toMatchObject({ phase: 'sent' });
  });

  it('is sent when the server resets after the body', async () => {
    const { origin } = await rawServer((socket) => socket.resetAndDestroy());
    expect(outcome(await transportFor().send(postTo(origin)))).toMatchObject({ phase: 'sent', code: 'ECONNRESET' });
  });

  it('is sent when the server closes without an answer', async () => {
    const { origin } = await rawServer((socket) => socket.end());
    expect(outcome(await transportFor().send(postTo(origin)))).toMatchObject({ phase: 'sent', code: 'UND_ERR_SOCKET' });
  });

  it('is sent when the answer is not HTTP', async () => {
    const { origin } = await rawServer((socket) => socket.write('what?\r\n\r\n'));
    const result = await transportFor().send(postTo(origin));
    expect(result).toMatchObject({ phase: 'sent' });
    expect(result).toHaveProperty('error.name', 'HTTPParserError');
  });

  it('is sent when a connection that was used before is reset, and is not repeated', async () => {
    const server = await rawServer((socket, _, count) => {
      if (count === 2) socket.resetAndDestroy();
      else socket.write(OK);
    });
    const transport = transportFor({ connections: 1 });
    expect(outcome(await transport.send(callTo(server.origin)))).toMatchObject({ phase: 'answered' });
    expect(outcome(await transport.send(callTo(server.origin)))).toMatchObject({ phase: 'sent' });
    expect(server.sockets).toHaveLength(1);
    expect(outcome(await transport.send(callTo(server.origin)))).toMatchObject({ phase: 'answered' });
    expect(server.requests).toHaveLength(3);
  });

  it('gets a new connection when its old one was closed in between', async () => {
    const server = await rawServer((socket) => socket.end(OK));
    const transport = transportFor({ connections: 1 });
    for (let i = 0; i < 3; i++) {
      expect(outcome(await transport.send(postTo(server.origin)))).toMatchObject({ phase: 'answered' });
    }
    expect(server.requests).toHaveLength(3);
  });

  it('is sent when its time ends without an answer, and its connection is closed', async () => {
    const clock = new FakeClock();
    const arrived = deferred<Socket>();
    const { origin } = await rawServer((socket) => arrived.resolve(socket));
    const sending = transportFor({ clock }).send(postTo(origin, { timeoutMs: 1_000 }));
    const socket = await arrived.promise;
    const closed = once(socket, 'close');
    await clock.advance(1_000);
    expect(outcome(await sending)).toMatchObject({ phase: 'sent', code: 'CALL_TIMEOUT' });
    await closed;
  });

  it('is sent when it is aborted before an answer, and its connection is closed', async () => {
    const arrived = deferred<Socket>();
    const { origin } = await rawServer((socket) => arrived.resolve(socket));
    const abort = new AbortController();
    const sending = transportFor().send(postTo(origin, { signal: abort.signal }));
    const socket = await arrived.promise;
    const closed = once(socket, 'close');
    abort.abort('enough');
    const result = await sending;
    expect(result).toHaveProperty('error.cause', 'enough');
    expect(outcome(result)).toMatchObject({ phase: 'sent', code: 'CALL_ABORTED' });
    await closed;
  });
});

describe('a call whose status arrived', () => {
  const half = 'HTTP/1.1 201 Created\r\nx-id: 7\r\ncontent-length: 100\r\n\r\nhalf';

  it('is answered when the body is cut by a reset', async () => {
    const { origin, sockets } = await rawServer((socket) => void socket.write(half));
    const head = answersHead();
    const sending = transportFor().send(postTo(origin));
    await head;
    sockets[0]?.resetAndDestroy();
    expect(outcome(await sending)).toMatchObject({ phase: 'answered', status: 201, bodyCode: expect.anything() });
  });

  it('is answered, without body, when the body ends early', async () => {
    const { origin } = await rawServer((socket) => void socket.end(half));
    const result = await transportFor().send(postTo(origin));
    expect(outcome(result)).toEqual({ phase: 'answered', status: 201, bodyCode: 'UND_ERR_SOCKET' });
    expect(result).toMatchObject({
      response: {
        headers: [
          ['x-id', '7'],
          ['content-length', '100'],
        ],
      },
    });
    expect(result).toHaveProperty('response.body.length', 0);
  });

  it('is answered when its time ends within the body', async () => {
    const clock = new FakeClock();
    const { origin } = await rawServer((socket) => void socket.write(half));
    const head = answersHead();
    const sending = transportFor({ clock }).send(postTo(origin, { timeoutMs: 1_000 }));
    await head;
    await clock.advance(1_000);
    expect(outcome(await sending)).toEqual({ phase: 'answered', status: 201, bodyCode: 'CALL_TIMEOUT' });
    expect(clock.pending).toBe(0);
  });

  it('is answered when it is aborted within the body', async () => {
    const abort = new AbortController();
    const { origin } = await rawServer((socket) => void socket.write(half));
    const head = answersHead();
    const sending = transportFor().send(postTo(origin, { signal: abort.signal }));
    await head;
    abort.abort();
    expect(outcome(await sending)).toEqual({ phase: 'answered', status: 201, bodyCode: 'CALL_ABORTED' });
  });

  it('is answered when the server answers before it read the whole body', async () => {
    const { origin } = await httpServer((_, response) => {
      response.writeHead(413, { connection: 'close' });
      response.end('too much');
    });
    const result = await transportFor().send(postTo(origin, { body: 'x'.repeat(64 * 1024) }));
    expect(outcome(result)).toMatchObject({ phase: 'answered', status: 413 });
  });
});
