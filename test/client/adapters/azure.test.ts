import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { AzureHeaders, AzureRequest } from '../../../src/client/adapters/azure.ts';
import { queueClient } from '../../../src/client/adapters/azure.ts';
import { holdfastError } from '../../../src/index.ts';
import { answer, applyThenReset, hang, partialBody } from '../../../src/testing/serverSteps.ts';
import { arrived, firstTaken, NOWHERE, openQueue, rejection, serve, serveLate, textOf } from './support.ts';

/** Headers of a kind that the adapter does not know. */
class OwnHeaders implements AzureHeaders {
  readonly #values = new Map<string, [string, string]>();

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }

  set(name: string, value: string): this {
    this.#values.set(name.toLowerCase(), [name, value]);
    return this;
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#values.values();
  }
}

type Request = AzureRequest & { readonly headers: OwnHeaders };

function requestTo(url: string, more: Partial<Request> = {}): Request {
  return { url, method: 'GET', headers: new OwnHeaders(), timeout: 0, allowInsecureConnection: true, ...more };
}

describe('the client for Azure', () => {
  it('sends the request, and answers with text and headers of the SDK', async () => {
    const server = await serve();
    server.script.next(
      answer({
        status: 201,
        headers: [
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ],
        body: '\uFEFFok',
      }),
    );
    const request = requestTo(`${server.origin}/a?b=1`, {
      method: 'POST',
      headers: new OwnHeaders().set('X-MS-Version', '2').set('Content-Type', 'text/plain'),
      body: 'Ü',
    });
    const { headers, ...response } = await queueClient(await openQueue()).sendRequest(request);
    expect(response).toEqual({ request, status: 201, bodyAsText: '\uFEFFok' });
    expect(headers).toBeInstanceOf(OwnHeaders);
    expect([...headers]).toContainEqual(['set-cookie', 'a=1']);
    expect(arrived(server, 'x-ms-version', 'content-type')).toEqual([
      { method: 'POST', path: '/a?b=1', body: 'Ü', 'x-ms-version': '2', 'content-type': 'text/plain' },
    ]);
  });

  it('gives error statuses and redirects as answers', async () => {
    const server = await serve();
    server.script.next(answer({ status: 409, body: 'no' }), answer({ status: 302, headers: [['location', '/']] }));
    const client = queueClient(await openQueue());
    expect(await client.sendRequest(requestTo(server.origin))).toMatchObject({ status: 409, bodyAsText: 'no' });
    expect(await client.sendRequest(requestTo(server.origin))).toMatchObject({ status: 302, bodyAsText: '' });
  });

  it.each([
    ['that are named', new Set([200])],
    ['of all kinds', new Set([Number.POSITIVE_INFINITY])],
  ])('streams statuses %s', async (_, streamResponseStatusCodes) => {
    const server = await serve({ respond: () => ({ status: 200, body: 'abc' }) });
    const client = queueClient(await openQueue());
    const response = await client.sendRequest(requestTo(server.origin, { streamResponseStatusCodes }));
    expect(response.readableStreamBody).toBeInstanceOf(Readable);
    expect(response.bodyAsText).toBeUndefined();
    expect(await textOf(response.readableStreamBody as Readable)).toBe('abc');
  });

  it('has no body for HEAD, and takes bodies of every kind', async () => {
    const server = await serve();
    const client = queueClient(await openQueue());
    const head = await client.sendRequest(requestTo(`${server.origin}/h`, { method: 'HEAD' }));
    expect([head.status, head.bodyAsText, head.readableStreamBody]).toEqual([200, undefined, undefined]);
    const bodies = [
      Buffer.from('a'),
      new Uint8Array([98]).buffer,
      Readable.from(['c']),
      () => Readable.from(['d']),
      null,
    ];
    for (const body of bodies) await client.sendRequest(requestTo(server.origin, { method: 'PUT', body }));
    expect(arrived(server).slice(1)).toMatchObject(['a', 'b', 'c', 'd', ''].map((body) => ({ body })));
  });

  it('fails with a RestError under the code of the connection, and sends nothing twice when it is asked again', async () => {
    const server = await serve();
    server.script.always(applyThenReset);
    const client = queueClient(await openQueue());
    for (const id of ['1', '2']) {
      const headers = new OwnHeaders().set('x-ms-client-request-id', id);
      const request = requestTo(server.origin, { method: 'POST', body: 'a', headers });
      const error = await rejection(client.sendRequest(request));
      expect(error).toMatchObject({ name: 'RestError', code: 'ECONNRESET' });
      expect(error.request).toBe(request);
      expect(JSON.stringify(error)).not.toContain('request');
      expect(holdfastError(error)?.code).toBe('OUTCOME_UNKNOWN');
    }
    expect(arrived(server)).toHaveLength(1);
  });

  it('fails with REQUEST_SEND_ERROR where the queue did not take the call', async () => {
    const queue = await openQueue();
    await queue.close();
    const error = await rejection(queueClient(queue).sendRequest(requestTo(NOWHERE)));
    expect(error).toMatchObject({ name: 'RestError', code: 'REQUEST_SEND_ERROR' });
    expect(holdfastError(error)?.code).toBe('QUEUE_CLOSED');
  });

  it('fails with PARSE_ERROR where the body broke off', async () => {
    const server = await serve();
    server.script.always(partialBody);
    const client = queueClient(await openQueue({ maxAttempts: 1 }));
    expect(await rejection(client.sendRequest(requestTo(server.origin)))).toMatchObject({ code: 'PARSE_ERROR' });
  });

  it('sends nothing in the clear that was not meant to be', async () => {
    const queue = await openQueue();
    const request = requestTo(NOWHERE, { allowInsecureConnection: false });
    expect((await rejection(queueClient(queue).sendRequest(request))).message).toContain('allowInsecureConnection');
    expect(queue.stats().accepted).toBe(0);
  });

  it('is called off by a signal, and by its timeout', async () => {
    const server = await serve();
    server.script.always(hang);
    const queue = await openQueue();
    const client = queueClient(queue);
    const abort = new AbortController();
    const taken = firstTaken(queue);
    const refused = rejection(client.sendRequest(requestTo(server.origin, { abortSignal: abort.signal })));
    await taken;
    abort.abort();
    expect(await refused).toMatchObject({ name: 'AbortError' });
    expect(await rejection(client.sendRequest(requestTo(server.origin, { timeout: 20 })))).toMatchObject({
      name: 'AbortError',
    });
  });

  it('waits for a server that comes later', async () => {
    const queue = await openQueue();
    const { server, started } = await serveLate(queue);
    const answered = queueClient(queue).sendRequest(requestTo(server.origin, { method: 'POST', body: 'b' }));
    await started;
    expect(await answered).toMatchObject({ status: 201 });
    expect(arrived(server)).toHaveLength(1);
  });

  it('queues with the options that it was made with', async () => {
    const server = await serve();
    const queue = await openQueue();
    const taken = firstTaken(queue);
    await queueClient(queue.with({ priority: 'high' })).sendRequest(requestTo(server.origin));
    expect((await taken).priority).toBeGreaterThan(5);
  });
});
