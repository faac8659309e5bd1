import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { SmithyRequest } from '../../../src/client/adapters/smithy.ts';
import { queueHandler } from '../../../src/client/adapters/smithy.ts';
import { holdfastError } from '../../../src/index.ts';
import { answer, applyThenReset, hang } from '../../../src/testing/serverSteps.ts';
import { arrived, firstTaken, NOWHERE, openQueue, rejection, serve, serveLate, textOf } from './support.ts';

const HEADERS: readonly (readonly [string, string])[] = [
  ['x-amzn-requestid', 'r'],
  ['x-b', '1'],
  ['x-b', '2'],
];

/** A request to an origin, as the SDK puts it together. */
function requestTo(origin: string, more: Partial<SmithyRequest> = {}): SmithyRequest {
  const { protocol, hostname, port } = new URL(origin);
  return { method: 'GET', protocol, hostname, port: Number(port), path: '/', query: {}, headers: {}, ...more };
}

describe('the handler for Smithy', () => {
  it('sends what was signed, and answers as the SDK expects it', async () => {
    const server = await serve();
    server.script.next(answer({ status: 200, headers: HEADERS, body: { MessageId: 'm' } }));
    const request = requestTo(server.origin, {
      method: 'POST',
      path: '/1/q%20r',
      query: { b: ["it's", '2'], a: null, c: '' },
      headers: {
        host: 'sqs.example.com',
        authorization: 'AWS4-HMAC-SHA256 x',
        'x-amz-date': 'now',
        'content-length': '2',
      },
      body: Buffer.from('{}'),
    });
    const { response } = await queueHandler(await openQueue()).handle(request);
    expect(response).toMatchObject({ statusCode: 200, reason: 'OK', headers: { 'x-amzn-requestid': 'r' } });
    expect(response.headers['x-b']?.replace(' ', '')).toBe('1,2');
    expect(response.body).toBeInstanceOf(Readable);
    expect(await textOf(response.body)).toBe('{"MessageId":"m"}');
    expect(arrived(server, 'authorization', 'x-amz-date')).toEqual([
      {
        method: 'POST',
        path: '/1/q%20r?a&b=it%27s&b=2&c=',
        body: '{}',
        authorization: 'AWS4-HMAC-SHA256 x',
        'x-amz-date': 'now',
      },
    ]);
  });

  it('gives errors of the service and redirects as answers, with an empty stream where there is no body', async () => {
    const server = await serve();
    server.script.next(
      answer({ status: 400, body: { __type: 'X' } }),
      answer({ status: 301, headers: [['location', '/']] }),
    );
    const handler = queueHandler(await openQueue());
    const refused = await handler.handle(requestTo(server.origin));
    expect([refused.response.statusCode, await textOf(refused.response.body)]).toEqual([400, '{"__type":"X"}']);
    const moved = await handler.handle(requestTo(server.origin));
    expect([moved.response.statusCode, await textOf(moved.response.body)]).toEqual([301, '']);
  });

  it('fails as the handler of the SDK where the outcome is unknown, and sends nothing twice when it is asked again', async () => {
    const server = await serve();
    server.script.always(applyThenReset);
    const handler = queueHandler(await openQueue());
    for (const attempt of [1, 2]) {
      const headers = { 'amz-sdk-request': `attempt=${attempt}` };
      const error = await rejection(handler.handle(requestTo(server.origin, { method: 'POST', headers, body: 'a' })));
      expect(error).toMatchObject({ name: 'TimeoutError', code: 'ECONNRESET' });
      expect(holdfastError(error)?.code).toBe('OUTCOME_UNKNOWN');
    }
    expect(arrived(server)).toHaveLength(1);
  });

  it('fails with the error of the queue where that did not take the call', async () => {
    const queue = await openQueue();
    await queue.close();
    const error = await rejection(queueHandler(queue).handle(requestTo(NOWHERE)));
    expect(error).toMatchObject({ name: 'HoldfastError', code: 'QUEUE_CLOSED' });
  });

  it('is called off by a signal, also of another kind', async () => {
    const queue = await openQueue();
    queue.pause();
    const abort = new AbortController();
    const { signal } = abort;
    const old: { aborted: boolean; onabort?: () => void } = { aborted: false };
    const handler = queueHandler(queue);
    const first = firstTaken(queue);
    const refused = [signal, old].map((abortSignal, index) =>
      rejection(handler.handle(requestTo(NOWHERE, { path: `/${index}` }), { abortSignal })),
    );
    await first;
    abort.abort(new Error('enough'));
    old.onabort?.();
    const [modern, ancient] = await Promise.all(refused);
    expect(modern).toMatchObject({ name: 'AbortError', message: 'Request aborted', cause: { message: 'enough' } });
    expect(ancient).toMatchObject({ name: 'AbortError' });
    const aborted = await rejection(handler.handle(requestTo(NOWHERE), { abortSignal: signal }));
    expect(aborted).toMatchObject({ name: 'AbortError' });
  });

  it('times out, by the call and by its configuration', async () => {
    const server = await serve();
    server.script.always(hang);
    const handler = queueHandler(await openQueue());
    const request = requestTo(server.origin);
    expect(await rejection(handler.handle(request, { requestTimeout: 20 }))).toMatchObject({ name: 'TimeoutError' });
    handler.updateHttpClientConfig('requestTimeout', 30);
    expect(handler.httpHandlerConfigs()).toEqual({ requestTimeout: 30 });
    expect(await rejection(handler.handle(request))).toMatchObject({ name: 'TimeoutError', code: 'ETIMEDOUT' });
  });

  it('waits for a server that comes later', async () => {
    const queue = await openQueue();
    const { server, started } = await serveLate(queue);
    const answered = queueHandler(queue).handle(requestTo(server.origin, { method: 'PUT', path: '/a', body: 'b' }));
    await started;
    expect((await answered).response.statusCode).toBe(200);
    expect(arrived(server)).toEqual([{ method: 'PUT', path: '/a', body: 'b' }]);
  });

  it('queues with the options that it was made with', async () => {
    const server = await serve();
    const queue = await openQueue();
    const taken = firstTaken(queue);
    await queueHandler(queue.with({ priority: 'high' })).handle(requestTo(server.origin));
    expect((await taken).priority).toBeGreaterThan(5);
  });

  it('sends credentials of the endpoint, and streams', async () => {
    const server = await serve();
    const handler = queueHandler(await openQueue());
    const body = Readable.from(['a', 'b']);
    await handler.handle(requestTo(server.origin, { method: 'PUT', body, username: 'u', password: 'p' }));
    expect(arrived(server, 'authorization')).toMatchObject([
      { body: 'ab', authorization: `Basic ${Buffer.from('u:p').toString('base64')}` },
    ]);
    expect([handler.metadata.handlerProtocol, handler.destroy()]).toEqual(['http/1.1', undefined]);
  });
});
