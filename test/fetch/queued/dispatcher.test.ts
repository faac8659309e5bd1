import { Readable } from 'node:stream';
import { fetch as fetchOfUndici, request } from 'undici';
import { describe, expect, it } from 'vitest';
import type { QueueManager } from '../../../src/index.ts';
import type { ScriptedServer } from '../../../src/testing/ScriptedServer.ts';
import { answer, applyThenReset, park, unavailable } from '../../../src/testing/serverSteps.ts';
import { headerIn } from '../../core/harness.ts';
import { arrivals, failure, rejection, soon, stored, until } from './support/looks.ts';
import { open, STORES, serve, serveLater } from './support/queues.ts';

/** The platform's fetch over a queue. */
function over(queue: QueueManager, url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, dispatcher: queue.dispatcher } as RequestInit);
}

/** `request` of undici over a queue. */
function ask(queue: QueueManager, url: string, options: Record<string, unknown> = {}) {
  return request(url, { ...options, dispatcher: queue.dispatcher } as never);
}

function only(server: ScriptedServer) {
  const [entry, ...others] = server.ledger.entries;
  expect(others).toEqual([]);
  if (entry === undefined) throw new Error('nothing arrived');
  return entry.request;
}

describe.each(STORES)('fetch over queue.dispatcher, on %s', (store) => {
  it('is stored, retried and answered', async () => {
    const server = await serve();
    server.script.next(unavailable(), answer());
    const queue = await open(store);
    const response = await over(queue, `${server.origin}/notes?a=1`, { method: 'POST', body: 'hi' });
    expect([response.status, await response.json()]).toEqual([201, { n: 2, method: 'POST', path: '/notes?a=1' }]);
    expect(arrivals(server)).toEqual(['POST /notes?a=1 hi', 'POST /notes?a=1 hi']);
    expect(await queue.counts()).toMatchObject({ succeeded: 1 });
  });

  it('waits offline', async () => {
    const server = await serveLater();
    const queue = await open(store);
    const call = over(queue, server.origin, { method: 'POST', body: 'hi' });
    await until(async () => (await stored(queue)) === 1, 'it is stored');
    await server.start();
    expect((await soon(call, 'the answer', 15_000)).status).toBe(201);
  });

  it('makes each hop of a redirect a request', async () => {
    const server = await serve();
    server.script.next(answer({ status: 303, headers: [['location', '/there']] }));
    const queue = await open(store);
    const response = await over(queue, server.origin, { method: 'POST', body: 'hi' });
    expect([response.url, response.redirected]).toEqual([`${server.origin}/there`, true]);
    expect(await stored(queue)).toBe(2);
  });

  it('is given large answers, and abort, and the failure of the wire', async () => {
    const server = await serve();
    const queue = await open(store);
    const body = 'x'.repeat(2_000_000);
    server.script.next(answer({ status: 200, body }));
    expect(await (await over(queue, server.origin)).text()).toBe(body);

    server.script.next(park);
    const abort = new AbortController();
    const call = over(queue, server.origin, { signal: abort.signal });
    await until(() => server.parked === 1, 'it arrives');
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await rejection(call)).toBe(reason);

    server.script.next(applyThenReset);
    const { error } = await failure(over(queue, server.origin, { method: 'POST', body: 'hi' }));
    expect(error.cause.code).toMatch(/^(?:ECONNRESET|UND_ERR_SOCKET)$/);
    await until(async () => (await queue.counts()).sending === 0, 'nothing is under way');
    expect((await queue.counts()).held).toBe(1);
  });

  it('is given bodies of every kind', async () => {
    const queue = await open(store);
    const sent = async (body: RequestInit['body']): Promise<string> => {
      const server = await serve();
      await over(queue, server.origin, { method: 'POST', body, duplex: 'half' } as RequestInit);
      return only(server).body;
    };
    expect(await sent('')).toBe('');
    expect(await sent('text ü')).toBe('text ü');
    expect(await sent(new TextEncoder().encode('bytes'))).toBe('bytes');
    expect(await sent(new URLSearchParams({ a: 'b' }))).toBe('a=b');
    expect(await sent(new Blob(['blob']))).toBe('blob');
    expect(await sent(new Blob(['stream']).stream())).toBe('stream');
    const form = new FormData();
    form.append('a', 'b');
    expect(await sent(form)).toContain('name="a"\r\n\r\nb\r\n');
  });

  it('goes past the queue where nothing is to be stored', async () => {
    const server = await serve();
    const queue = await open(store);
    await over(queue, server.origin, { headers: { accept: 'text/event-stream' } });
    const { dispatcher } = queue.with({ mode: 'bypass' });
    await fetch(server.origin, { dispatcher } as RequestInit);
    expect(server.ledger.entries.length).toBe(2);
    expect(await stored(queue)).toBe(0);
  });

  it('does not store a token request', async () => {
    const server = await serve();
    const queue = await open(store);
    const body = new URLSearchParams({ grant_type: 'client_credentials', client_secret: 's3cr3t-31' });
    expect((await over(queue, server.origin, { method: 'POST', body })).status).toBe(201);
    expect(await stored(queue)).toBe(0);
  });
});

describe('fetch of undici over queue.dispatcher', () => {
  it('has the headers of the answer, and follows its redirects', async () => {
    const server = await serve();
    const headers = [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-made', 'yes'],
    ] as const;
    server.script.next(answer({ status: 302, headers: [['location', '/there']] }), answer({ status: 200, headers }));
    const queue = await open('memory');
    const response = await fetchOfUndici(server.origin, { dispatcher: queue.dispatcher as never });
    expect([response.status, response.url]).toEqual([200, `${server.origin}/there`]);
    expect(response.headers.get('x-made')).toBe('yes');
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });
});

describe('request of undici over queue.dispatcher', () => {
  it('is sent as it would be without', async () => {
    const bodies: [unknown, string][] = [
      ['text', 'text'],
      [Buffer.from('bytes'), 'bytes'],
      [Readable.from(['a', 'b']), 'ab'],
      [null, ''],
    ];
    for (const [body, text] of bodies) {
      const server = await serve();
      const queue = await open('memory');
      const headers = { 'x-a': '1', 'X-B': ['2', '3'] };
      const given = await ask(queue, `${server.origin}/notes`, { method: 'POST', headers, body });
      expect([given.statusCode, await given.body.json()]).toEqual([201, { n: 1, method: 'POST', path: '/notes' }]);
      const received = only(server);
      expect(received.body).toBe(text);
      expect(headerIn(received, 'x-a')).toBe('1');
      expect(
        received.headers
          .filter(([name]) => name === 'x-b')
          .map(([, value]) => value)
          .join(),
      ).toBe('2,3');
      expect(headerIn(received, 'content-type')).toBeUndefined();
    }
  });

  it('has its query', async () => {
    const server = await serve();
    const queue = await open('memory');
    await ask(queue, `${server.origin}/notes`, { query: { a: 1, b: ['x', 'y z'] } });
    expect(only(server).path).toBe('/notes?a=1&b=x&b=y%20z');
  });

  it('has headers given as a list of names and values', async () => {
    const server = await serve();
    const queue = await open('memory');
    await ask(queue, server.origin, { headers: ['X-One', '1', 'x-two', '2'] });
    expect(headerIn(only(server), 'x-one')).toBe('1');
    expect(headerIn(only(server), 'x-two')).toBe('2');
  });

  it('can be paused and read later, and be called off', async () => {
    const server = await serve();
    server.script.next(answer({ status: 200, body: 'x'.repeat(500_000) }));
    const queue = await open('memory');
    const { body } = await ask(queue, server.origin);
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect((await body.text()).length).toBe(500_000);

    const abort = new AbortController();
    server.script.next(park);
    const call = ask(queue, server.origin, { signal: abort.signal });
    await until(() => server.parked === 1, 'it arrives');
    abort.abort();
    expect(await rejection(call)).toMatchObject({ name: 'AbortError' });
  });

  it('answers HEAD, and statuses without a body', async () => {
    const server = await serve();
    server.script.next(answer(), answer({ status: 204 }), answer({ status: 304 }));
    const queue = await open('memory');
    for (const [method, status] of [
      ['HEAD', 200],
      ['DELETE', 204],
      ['GET', 304],
    ] as const) {
      const { statusCode, body } = await soon(ask(queue, server.origin, { method }), method);
      expect([statusCode, await body.text()]).toEqual([status, '']);
    }
  });

  it('is refused by a queue that is closed', async () => {
    const server = await serve();
    const queue = await open('memory');
    const { dispatcher } = queue;
    await queue.close();
    const error = await rejection(request(server.origin, { dispatcher } as never));
    expect(error).toMatchObject({ code: 'QUEUE_CLOSED' });
  });
});
