import { describe, expect, it } from 'vitest';
import { arrivals, failure, rejection, stored } from './support/looks.ts';
import { open, serve } from './support/queues.ts';

const FORM = 'application/x-www-form-urlencoded';

describe('past the queue goes, and nothing is stored of,', () => {
  it('what says so', async () => {
    const server = await serve();
    const queue = await open('memory');
    const given = { method: 'POST', body: 'a', queue: { mode: 'bypass' } } as const;
    queue.pause();
    const response = await queue.fetch(`${server.origin}/notes`, given);
    expect([response.status, response.url]).toEqual([201, `${server.origin}/notes`]);
    const stream = new Blob(['streamed']).stream();
    const init = { ...given, body: stream, duplex: 'half' } as RequestInit;
    expect((await queue.fetch(`${server.origin}/notes`, init)).status).toBe(201);
    expect(arrivals(server)).toEqual(['POST /notes a', 'POST /notes streamed']);
    expect(await stored(queue)).toBe(0);
  });

  it('an event stream', async () => {
    const server = await serve();
    const queue = await open('memory');
    const headers = { accept: 'text/event-stream' };
    await queue.fetch(`${server.origin}/events`, { headers });
    await queue.fetch(`${server.origin}/events`, { method: 'POST', headers: { accept: 'a/b, Text/Event-Stream' } });
    await queue.fetch(new Request(`${server.origin}/events`, { headers }));
    expect(await stored(queue)).toBe(0);
    await queue.fetch(`${server.origin}/events`, { headers, queue: { mode: 'queue' } });
    expect(await stored(queue)).toBe(1);
    expect(server.ledger.entries.length).toBe(4);
  });

  it('a token request, however its form is given', async () => {
    const server = await serve();
    const queue = await open('memory');
    const grant = { grant_type: 'client_credentials', client_secret: 's3cr3t-31' };
    const url = `${server.origin}/oauth/token`;
    const form = new URLSearchParams(grant);
    await queue.fetch(url, { method: 'POST', body: form });
    await queue.fetch(url, { method: 'POST', headers: { 'content-type': FORM }, body: form.toString() });
    const bytes = new TextEncoder().encode(`scope=a&${form}`);
    await queue.fetch(url, { method: 'POST', headers: { 'content-type': `${FORM}; charset=utf-8` }, body: bytes });
    expect(server.ledger.entries.length).toBe(3);
    expect(await stored(queue)).toBe(0);
    await queue.fetch(url, { method: 'POST', body: form, queue: { mode: 'queue' } });
    await queue.fetch(url, { method: 'POST', body: new URLSearchParams({ note: 'grant_type=' }) });
    expect(await stored(queue)).toBe(2);
  });

  it('a token request that is given as a Request', async () => {
    const server = await serve();
    const queue = await open('memory');
    const form = new URLSearchParams({ grant_type: 'client_credentials', client_secret: 's3cr3t-31' });
    const request = new Request(`${server.origin}/oauth/token`, { method: 'POST', body: form });
    expect((await queue.fetch(request)).status).toBe(201);
    expect(await stored(queue)).toBe(0);
  });

  it('a URL that is not of HTTP', async () => {
    const queue = await open('memory');
    expect(await (await queue.fetch('data:,hello')).text()).toBe('hello');
    expect(await (await queue.fetch(new URL('data:text/plain;base64,aGk='))).text()).toBe('hi');
    const blob = URL.createObjectURL(new Blob(['of a blob']));
    expect(await (await queue.fetch(blob, { queue: { mode: 'queue' } })).text()).toBe('of a blob');
    URL.revokeObjectURL(blob);
    expect((await failure(queue.fetch('ftp://127.0.0.1/a'))).message).toBe('fetch failed');
    expect((await failure(queue.fetch('/relative'))).error.cause).toMatchObject({ code: 'ERR_INVALID_URL' });
    expect(await stored(queue)).toBe(0);
  });

  it('a call that was called off before', async () => {
    const server = await serve();
    const queue = await open('memory');
    const reason = new Error('called off');
    const signal = AbortSignal.abort(reason);
    expect(await rejection(queue.fetch(server.origin, { signal }))).toBe(reason);
    expect(await rejection(queue.fetch(new Request(server.origin, { signal, method: 'POST' })))).toBe(reason);
    expect(await stored(queue)).toBe(0);
    expect(server.ledger.entries).toEqual([]);
  });

  it('a port that fetch does not call', async () => {
    const queue = await open('memory');
    const { message, error, ours } = await failure(queue.fetch('http://127.0.0.1:6667/', { queue: { mode: 'queue' } }));
    expect([message, error.cause.message, ours]).toEqual(['fetch failed', 'bad port', undefined]);
    expect(await stored(queue)).toBe(0);
  });
});

it('a signal that init takes away is not heard', async () => {
  const server = await serve();
  const queue = await open('memory');
  const request = new Request(server.origin, { signal: AbortSignal.abort() });
  expect((await queue.fetch(request, { signal: null })).status).toBe(200);
});

describe('a body that fails while it is read', () => {
  const unhandled = async (work: () => Promise<unknown>): Promise<unknown[]> => {
    const errors: unknown[] = [];
    const listeners = process.listeners('unhandledRejection');
    const note = (error: unknown): void => void errors.push(error);
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', note);
    try {
      await work();
      for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    } finally {
      process.off('unhandledRejection', note);
      for (const listener of listeners) process.on('unhandledRejection', listener);
    }
    return errors;
  };
  const failing = (): RequestInit => {
    const body = new ReadableStream({
      start: (controller) => setImmediate(() => controller.error(new Error('the disk broke'))),
    });
    return { method: 'POST', body, duplex: 'half' } as RequestInit;
  };

  it('rejects its call', async () => {
    const queue = await open('memory');
    const call = queue.fetch('http://127.0.0.1:1024/', failing());
    expect(await unhandled(() => failure(call))).toEqual([]);
    expect(await stored(queue)).toBe(0);
  });

  it('troubles nobody where the call was refused before', async () => {
    const server = await serve();
    const queue = await open('memory');
    await queue.fetch(server.origin);
    const before = await stored(queue);
    queue.pause();
    const refusals = [{ offline: 'reject' }, { respond: 'never' as never }] as const;
    for (const options of refusals) {
      const call = (): Promise<unknown> => failure(queue.fetch(server.origin, { ...failing(), queue: options }));
      expect(await unhandled(call), JSON.stringify(options)).toEqual([]);
    }
    expect(await stored(queue)).toBe(before);
  });

  it('troubles nobody at a status address', async () => {
    const queue = await open('memory');
    const call = () => queue.fetch('https://queue.invalid/requests/1', failing());
    expect(await unhandled(call)).toEqual([]);
  });

  it('is told as any failure where the call goes past the queue', async () => {
    const server = await serve();
    const queue = await open('memory', { maxBytes: 10 });
    const body = new Blob(['x'.repeat(100)]).stream();
    const init = { method: 'POST', body, duplex: 'half', queue: { mode: 'bypass' } } as RequestInit;
    const answer = await queue.fetch(server.origin, init).catch((error: unknown) => error);
    // It is none of the queue's, and so are its bounds; at the least it is rejected as fetch rejects.
    expect(answer instanceof Response || answer instanceof TypeError).toBe(true);
  });
});
