import { describe, expect, it } from 'vitest';
import type { GraphContext } from '../../../src/client/adapters/graph.ts';
import { queueMiddleware } from '../../../src/client/adapters/graph.ts';
import { holdfastError } from '../../../src/index.ts';
import { applyThenReset, refuse } from '../../../src/testing/serverSteps.ts';
import { arrived, firstTaken, NOWHERE, openQueue, rejection, serve, serveLate } from './support.ts';

const post = { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } };

describe('the middleware for Microsoft Graph', () => {
  it('sets the response of a URL with options, and of a Request', async () => {
    const server = await serve();
    const middleware = queueMiddleware(await openQueue());
    const byUrl: GraphContext = { request: `${server.origin}/users`, options: post };
    await middleware.execute(byUrl);
    const byRequest: GraphContext = { request: new Request(`${server.origin}/me`) };
    await middleware.execute(byRequest);
    expect([byUrl.response?.status, byRequest.response?.status]).toEqual([201, 200]);
    expect(byUrl.response).toBeInstanceOf(Response);
    expect(arrived(server, 'content-type')).toMatchObject([
      { method: 'POST', path: '/users', body: '{"a":1}', 'content-type': 'application/json' },
      { method: 'GET', path: '/me' },
    ]);
  });

  it('sets the response of an error, and leaves redirects to the chain', async () => {
    const server = await serve();
    server.script.next(refuse({ status: 404, body: {} }), refuse({ status: 302, headers: [['location', '/']] }));
    const middleware = queueMiddleware(await openQueue());
    const context: GraphContext = { request: server.origin, options: { redirect: 'manual' } };
    await middleware.execute(context);
    expect(context.response?.status).toBe(404);
    await middleware.execute(context);
    expect(context.response?.status).toBe(302);
  });

  it('fails as fetch does', async () => {
    const server = await serve();
    server.script.always(applyThenReset);
    const error = await rejection(
      queueMiddleware(await openQueue()).execute({ request: server.origin, options: post }),
    );
    expect(error).toMatchObject({ name: 'TypeError', message: 'fetch failed', cause: { code: 'ECONNRESET' } });
    expect(holdfastError(error)?.code).toBe('OUTCOME_UNKNOWN');
  });

  it('is called off by the signal of its options', async () => {
    const queue = await openQueue();
    queue.pause();
    const abort = new AbortController();
    const taken = firstTaken(queue);
    const request = NOWHERE;
    const refused = rejection(queueMiddleware(queue).execute({ request, options: { signal: abort.signal } }));
    await taken;
    abort.abort();
    expect(await refused).toBe(abort.signal.reason);
  });

  it('waits for a server that comes later', async () => {
    const queue = await openQueue();
    const { server, started } = await serveLate(queue);
    const context: GraphContext = { request: server.origin, options: post };
    const executed = queueMiddleware(queue).execute(context);
    await started;
    await executed;
    expect([context.response?.status, arrived(server).length]).toEqual([201, 1]);
  });

  it('queues with the options that it was made with', async () => {
    const server = await serve();
    const queue = await openQueue();
    const taken = firstTaken(queue);
    await queueMiddleware(queue.with({ priority: 'high' })).execute({ request: server.origin });
    expect((await taken).priority).toBeGreaterThan(5);
  });
});
