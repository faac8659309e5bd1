import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, onTestFinished } from 'vitest';
import { park } from '../../../src/testing/serverSteps.ts';
import { rejection, soon, until } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';

const TEN = Array.from({ length: 10 });

/** A server that answers as told; its origin, and the paths it was asked for. */
async function answering(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function looks(response: Response): object {
  const { status, statusText, url, type, redirected, ok, bodyUsed } = response;
  return { status, statusText, url, type, redirected, ok, bodyUsed };
}

describe.each(STORES)('reads that join, on %s', (store) => {
  it('are one at the server, and a Response of its own for each', async () => {
    const server = await serve();
    const queue = await open(store);
    const url = `${server.origin}/notes?a=1`;
    const responses = await Promise.all(TEN.map(() => queue.fetch(url)));
    expect(server.ledger.entries.length).toBe(1);
    const native = await fetch(url);
    for (const [index, response] of responses.entries()) {
      expect(response).toBeInstanceOf(Response);
      expect(looks(response)).toEqual(looks(native));
      Object.assign(response, { data: index });
      expect(await response.json()).toEqual({ n: 1, method: 'GET', path: '/notes?a=1' });
      expect(response.bodyUsed).toBe(true);
    }
    expect(new Set(responses).size).toBe(10);
    expect(responses.map((response) => (response as { data?: number }).data)).toEqual(TEN.map((_, index) => index));
    expect(() => responses[0]?.headers.set('a', 'b')).toThrow(TypeError);
  });

  it('have the headers that a fetch by itself has', async () => {
    const { origin } = await answering((_, response) => {
      response.writeHead(
        200,
        'Quite Fine',
        [
          ['content-type', 'text/plain'],
          ['content-encoding', 'gzip'],
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
          ['x-twice', '1'],
          ['x-twice', '2'],
          ['date', 'Thu, 01 Jan 1970 00:00:00 GMT'],
        ].flat() as never,
      );
      response.end(gzipSync('zipped'));
    });
    const queue = await open(store);
    const native = await fetch(origin);
    const responses = await Promise.all(TEN.map(() => queue.fetch(origin)));
    for (const response of responses) {
      expect(looks(response)).toEqual(looks(native));
      expect([...response.headers]).toEqual([...native.headers]);
      expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
      expect(await response.text()).toBe('zipped');
    }
  });

  it('know where they were redirected to', async () => {
    const { origin, asked } = await answering((request, response) => {
      if (request.url === '/there') response.end('there');
      else response.writeHead(302, { location: request.url === '/a' ? '/b' : '/there' }).end();
    });
    const queue = await open(store);
    const responses = await Promise.all(TEN.map(() => queue.fetch(`${origin}/a`)));
    expect(asked).toEqual(['/a', '/b', '/there']);
    const native = await fetch(`${origin}/a`);
    for (const response of responses) {
      expect(looks(response)).toEqual(looks(native));
      expect(await response.text()).toBe('there');
    }
  });

  it('know where they were redirected to on another origin', async () => {
    const other = await answering((_, response) => void response.end('other'));
    const { origin } = await answering((_, response) => void response.writeHead(307, { location: other.origin }).end());
    const queue = await open(store);
    const native = await fetch(origin);
    for (const response of await Promise.all(TEN.map(() => queue.fetch(origin)))) {
      expect(looks(response)).toEqual(looks(native));
      expect(await response.text()).toBe('other');
    }
    expect(other.asked.length).toBe(2);
  });

  it('are not joined by those that follow redirects otherwise', async () => {
    const { origin, asked } = await answering((request, response) => {
      if (request.url === '/there') response.end('there');
      else response.writeHead(302, { location: '/there' }).end();
    });
    const queue = await open(store);
    const [manual, follow, error] = await Promise.allSettled(
      (['manual', 'follow', 'error'] as const).map((redirect) => queue.fetch(`${origin}/a`, { redirect })),
    );
    expect(manual?.status === 'fulfilled' && manual.value.status).toBe(302);
    expect(follow?.status === 'fulfilled' && follow.value.status).toBe(200);
    expect(error?.status).toBe('rejected');
    expect(asked.filter((path) => path === '/a').length).toBe(3);
  });

  it.each([65_535, 65_536, 65_537, 1_048_576, 1_500_000, 5_000_000])('have a body of %i bytes each', async (size) => {
    const body = Buffer.alloc(size, 'abcdefghij');
    const { origin, asked } = await answering((_, response) => void response.end(body));
    const queue = await open(store);
    const responses = await Promise.all(TEN.map(() => queue.fetch(origin)));
    const bodies = await Promise.all(responses.map((response) => response.arrayBuffer()));
    for (const one of bodies) expect(Buffer.from(one).equals(body)).toBe(true);
    // None of them sees what another does to its bytes.
    new Uint8Array(bodies[0] as ArrayBuffer).fill(0);
    expect(Buffer.from(bodies[1] as ArrayBuffer).equals(body)).toBe(true);
    // So much is kept for those who share it; what is larger each asks for by itself.
    if (size <= 1_048_576) expect(asked.length).toBe(1);
  });

  it('go on for the others when one aborts, whichever', async () => {
    for (const leaving of [0, 4, 9]) {
      const server = await serve();
      server.script.next(park);
      const queue = await open(store);
      const aborts = TEN.map(() => new AbortController());
      const calls = aborts.map(({ signal }) => queue.fetch(server.origin, { signal }));
      await until(() => server.parked === 1, 'it arrives');
      const reason = new Error('one leaves');
      const left = rejection(calls[leaving] as Promise<Response>);
      aborts[leaving]?.abort(reason);
      expect(await left).toBe(reason);
      for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      expect(server.parked).toBe(1);
      server.release();
      const others = calls.filter((_, index) => index !== leaving);
      for (const response of await soon(Promise.all(others), 'the others')) {
        expect(await response.json()).toMatchObject({ n: 1 });
      }
      expect(server.ledger.entries.length).toBe(1);
    }
  });

  it('go on for the last one, which has its answer as it comes in', async () => {
    const server = await serve();
    server.script.next(park);
    const queue = await open(store);
    const aborts = TEN.map(() => new AbortController());
    const calls = aborts.map(({ signal }) => queue.fetch(server.origin, { signal }));
    await until(() => server.parked === 1, 'it arrives');
    const left = calls.slice(0, 9).map((call) => rejection(call));
    for (const abort of aborts.slice(0, 9)) abort.abort();
    await Promise.all(left);
    server.release();
    expect(await (await soon(calls[9] as Promise<Response>, 'the last one')).json()).toMatchObject({ n: 1 });
  });

  it('close the wire once all have left', async () => {
    let isClosed = false;
    const { origin, asked } = await answering((_, response) => {
      response.on('close', () => {
        isClosed = true;
      });
    });
    const queue = await open(store);
    const aborts = TEN.map(() => new AbortController());
    const calls = aborts.map(({ signal }) => rejection(queue.fetch(origin, { signal })));
    await until(() => asked.length === 1, 'it arrives');
    for (const abort of aborts) abort.abort();
    await Promise.all(calls);
    await until(() => isClosed, 'the wire is closed');
    await until(async () => (await queue.counts()).sending === 0, 'nothing is under way');
    expect(await queue.counts()).toMatchObject({ cancelled: 1 });
  });

  it('abort the body of one without the others', async () => {
    const { origin } = await answering((_, response) => void response.end('x'.repeat(3_000_000)));
    const queue = await open(store);
    const abort = new AbortController();
    const [one, other] = await Promise.all([queue.fetch(origin, { signal: abort.signal }), queue.fetch(origin)]);
    abort.abort(new Error('enough'));
    await expect(one.text()).rejects.toThrow();
    expect((await other.text()).length).toBe(3_000_000);
  });

  it('join what comes in while the first one waits, and not after its head', async () => {
    const server = await serve();
    server.script.next(park);
    const queue = await open(store);
    const first = queue.fetch(server.origin);
    await until(() => server.parked === 1, 'it arrives');
    const second = queue.fetch(server.origin);
    for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    server.release();
    expect(await (await second).json()).toMatchObject({ n: 1 });
    expect(await (await first).json()).toMatchObject({ n: 1 });
    expect(await (await queue.fetch(server.origin)).json()).toMatchObject({ n: 2 });
  });

  it('fail alike, each with an error of its own kind', async () => {
    const { origin, asked } = await answering((request) => void request.socket.destroy());
    const queue = await open(store, { maxAttempts: 2 });
    const results = await Promise.allSettled(TEN.map(() => queue.fetch(origin)));
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { name: 'TypeError', message: 'fetch failed' } });
    }
    expect(asked.length).toBe(2);
  });
});

it('reads that are to go by different dispatchers do not join', async () => {
  const { origin, asked } = await answering((_, response) => void response.end('fine'));
  const queue = await open('memory');
  const other = await open('memory');
  const by = (dispatcher: object): RequestInit => ({ dispatcher }) as RequestInit;
  await Promise.all([queue.fetch(origin), queue.fetch(origin, by(other.dispatcher))]);
  expect(asked.length).toBe(2);
  await until(async () => (await other.counts()).succeeded === 1, 'the other queue has sent one');
});
