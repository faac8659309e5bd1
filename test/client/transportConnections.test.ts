import { execFile } from 'node:child_process';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createUndiciTransport } from '../../src/client/transport/UndiciTransport.ts';
import { deferred, httpServer, rawServer } from './support/servers.ts';
import { callTo, outcome, postTo, transportFor } from './support/transport.ts';

const DIST = new URL('../../dist/', import.meta.url);

async function runNode(code: string, ...args: string[]): Promise<string> {
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', code, ...args], { timeout: 15_000 });
  return (await run).stdout.trim();
}

describe('connections of a transport', () => {
  it('are at most as many as allowed, and are used again', async () => {
    const waiting: ServerResponse[] = [];
    const all = deferred();
    const server = await httpServer((_, response) => {
      waiting.push(response);
      if (waiting.length === 2) all.resolve();
      if (waiting.length > 2) response.end();
    });
    const transport = transportFor({ connections: 2 });
    const calls = Array.from({ length: 6 }, () => transport.send(callTo(server.origin)));
    await all.promise;
    for (const response of waiting.slice()) response.end();
    const results = await Promise.all(calls);
    expect(results.map((result) => result.phase)).toEqual(Array(6).fill('answered'));
    expect(server.sockets).toHaveLength(2);
  });

  it('are closed for the origin unused the longest when there are too many origins', async () => {
    const servers = await Promise.all([1, 2, 3].map(() => httpServer((_, response) => response.end())));
    const [first, second, third] = servers.map((server) => server.origin) as [string, string, string];
    const transport = transportFor({ maxOrigins: 2 });
    await transport.send(callTo(first));
    await transport.send(callTo(second));
    await transport.send(callTo(first));
    const closed = once(servers[1]?.sockets[0] as NonNullable<unknown> as NodeJS.EventEmitter, 'close');
    await transport.send(callTo(third));
    await closed;
    expect(servers[0]?.sockets[0]?.destroyed).toBe(false);
    expect(outcome(await transport.send(callTo(second)))).toEqual({ phase: 'answered', status: 200 });
  });

  it('are kept for origins with calls under way, however many there are', async () => {
    const arrived = deferred<ServerResponse>();
    const busy = await httpServer((_, response) => arrived.resolve(response));
    const others = await Promise.all([1, 2].map(() => httpServer((_, response) => response.end())));
    const transport = transportFor({ maxOrigins: 1 });
    const call = transport.send(callTo(busy.origin));
    const response = await arrived.promise;
    for (const { origin } of others) await transport.send(callTo(origin));
    response.end();
    expect(outcome(await call)).toEqual({ phase: 'answered', status: 200 });
  });
});

describe('a closed transport', () => {
  it('has cut off its calls by how far they were', async () => {
    const arrived = deferred();
    const server = await rawServer(() => arrived.resolve());
    const transport = createUndiciTransport({ connections: 1 });
    const calls = [transport.send(postTo(server.origin)), transport.send(postTo(server.origin))];
    await arrived.promise;
    const closing = transport.close();
    expect(transport.close()).toBe(closing);
    await closing;
    expect((await Promise.all(calls)).map(outcome)).toEqual([
      { phase: 'sent', code: 'TRANSPORT_CLOSED' },
      { phase: 'notSent', code: 'TRANSPORT_CLOSED' },
    ]);
  });

  it('sends nothing', async () => {
    const server = await rawServer(() => undefined);
    const transport = createUndiciTransport();
    await transport.close();
    expect(outcome(await transport.send(callTo(server.origin)))).toEqual({
      phase: 'notSent',
      code: 'TRANSPORT_CLOSED',
    });
    expect(server.sockets).toHaveLength(0);
  });

  it('does not wait for connections that are still being made', async () => {
    const server = await rawServer(() => undefined, 'https'); // accepts, and never shakes hands
    const connected = once(server.server, 'connection');
    const transport = createUndiciTransport({ connectTimeoutMs: 600_000 });
    const call = transport.send(callTo(server.origin));
    const [socket] = await connected;
    const closed = once(socket as NodeJS.EventEmitter, 'close');
    await transport.close();
    await closed;
    expect(outcome(await call)).toEqual({ phase: 'notSent', code: 'TRANSPORT_CLOSED' });
  });

  it('lets the process exit, and so does an idle one', async () => {
    const { origin } = await httpServer((_, response) => response.end());
    const code = `
      import { createUndiciTransport } from '${DIST}client/transport/UndiciTransport.js';
      const call = { origin: process.argv[1], method: 'GET', path: '/', headers: [], body: null, timeoutMs: 600000 };
      const closed = createUndiciTransport(), idle = createUndiciTransport();
      const results = [await closed.send(call), await idle.send(call)];
      await closed.close();
      process.stdout.write(results.map((result) => result.phase).join());`;
    expect(await runNode(code, origin)).toBe('answered,answered');
  });
});

describe('the process around a transport', () => {
  it('keeps its own fetch and global dispatcher', async () => {
    const { origin } = await httpServer((request, response) => response.end(request.headers['user-agent']));
    const code = `
      const symbols = [1, 2].map((n) => Symbol.for('undici.globalDispatcher.' + n));
      const look = () => [globalThis.fetch, globalThis.Headers, globalThis.Response, ...symbols.map((s) => globalThis[s])];
      const before = look();
      const { createUndiciTransport } = await import('${DIST}client/transport/UndiciTransport.js');
      const transport = createUndiciTransport();
      const call = { origin: process.argv[1], method: 'GET', path: '/', headers: [], body: null, timeoutMs: 30000 };
      const { phase } = await transport.send(call);
      const after = look();
      const same = before.every((value, index) => value === after[index]);
      const text = await (await fetch(process.argv[1])).text();
      const builtIn = globalThis[symbols[0]]?.constructor.name;
      await transport.close();
      const again = await (await fetch(process.argv[1])).text();
      process.stdout.write(JSON.stringify({ phase, same, text, builtIn, again }));`;
    expect(JSON.parse(await runNode(code, origin))).toEqual({
      phase: 'answered',
      same: true,
      text: 'node',
      builtIn: 'Agent',
      again: 'node',
    });
  });

  it('finds nothing loaded by the import alone', async () => {
    const code = `
      import { createRequire } from 'node:module';
      await import('${DIST}client/transport/UndiciTransport.js');
      const loaded = Object.keys(createRequire(import.meta.url).cache).filter((path) => path.includes('undici'));
      process.stdout.write(String(loaded.length));`;
    expect(await runNode(code)).toBe('0');
  });
});
