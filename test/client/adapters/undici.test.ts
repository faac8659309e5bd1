import { Readable } from 'node:stream';
import { Agent, Client, interceptors, request, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { queueInterceptor } from '../../../src/client/adapters/undici.ts';
import type { QueueManager } from '../../../src/index.ts';
import { answer, applyThenReset, refuse, unavailable } from '../../../src/testing/serverSteps.ts';
import { arrived, firstTaken, NOWHERE, openQueue, rejection, serve, serveLate } from './support.ts';

type Dispatcher = NonNullable<NonNullable<Parameters<typeof request>[1]>['dispatcher']>;

/** The two ways in: the queue's own dispatcher, and an agent that the queue is composed on. */
const WAYS: readonly (readonly [string, (queue: Pick<QueueManager, 'dispatcher'>) => Dispatcher])[] = [
  ['queue.dispatcher', ({ dispatcher }) => dispatcher as unknown as Dispatcher],
  ['a composed agent', (queue) => new Agent().compose(queueInterceptor(queue))],
];

describe.each(WAYS)('requests of undici over %s', (_, over) => {
  it('are sent with their body, and answered', async () => {
    const server = await serve();
    const queue = await openQueue();
    const headers = { 'x-a': ['1', '2'] };
    const options = { method: 'POST', headers, body: 'Ü', dispatcher: over(queue) } as const;
    const { statusCode, body } = await request(`${server.origin}/a?b=1`, options);
    expect([statusCode, await body.json()]).toMatchObject([201, {}]);
    expect(arrived(server, 'x-a')).toEqual([{ method: 'POST', path: '/a?b=1', body: 'Ü', 'x-a': '1, 2' }]);
    expect(queue.stats().accepted).toBe(1);
  });

  it('may be streams, and of its fetch', async () => {
    const server = await serve();
    const dispatcher = over(await openQueue());
    await request(server.origin, { method: 'PUT', body: Readable.from(['a', 'b']), dispatcher });
    const response = await undiciFetch(server.origin, { method: 'PUT', body: 'c', dispatcher });
    expect([response.status, await response.json()]).toMatchObject([200, {}]);
    expect(arrived(server)).toMatchObject([{ body: 'ab' }, { body: 'c' }]);
  });

  it('are answered with error statuses, after retries where they help', async () => {
    const server = await serve();
    server.script.next(unavailable(), answer({ status: 404, body: 'no' }));
    const { statusCode, body } = await request(server.origin, { dispatcher: over(await openQueue()) });
    expect([statusCode, await body.text()]).toEqual([404, 'no']);
  });

  it('fail with the error of the connection', async () => {
    const server = await serve();
    server.script.always(applyThenReset);
    const dispatcher = over(await openQueue());
    const error = await rejection(request(server.origin, { method: 'POST', body: 'a', dispatcher }));
    expect(error).toMatchObject({ code: 'ECONNRESET' });
    expect(arrived(server)).toHaveLength(1);
  });

  it('are called off by a signal', async () => {
    const queue = await openQueue();
    queue.pause();
    const abort = new AbortController();
    const taken = firstTaken(queue);
    const refused = rejection(request(NOWHERE, { signal: abort.signal, dispatcher: over(queue) }));
    const { id } = await taken;
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await refused).toBe(reason);
    await expect.poll(async () => (await queue.get(id))?.state).toBe('cancelled');
  });

  it('wait for a server that comes later', async () => {
    const queue = await openQueue();
    const { server, started } = await serveLate(queue);
    const answered = request(server.origin, { method: 'POST', body: 'b', dispatcher: over(queue) });
    await started;
    const { statusCode, body } = await answered;
    await body.dump();
    expect([statusCode, arrived(server).length]).toEqual([201, 1]);
  });

  it('are queued with the options that it was made with', async () => {
    const server = await serve();
    const queue = await openQueue();
    const taken = firstTaken(queue);
    const { body } = await request(server.origin, { dispatcher: over(queue.with({ priority: 'high' })) });
    await body.dump();
    expect((await taken).priority).toBeGreaterThan(5);
  });
});

describe('the interceptor for undici', () => {
  it('stands under others that are composed after it', async () => {
    const server = await serve();
    server.script.next(refuse({ status: 302, headers: [['location', '/b']] }));
    const queue = await openQueue();
    const redirect = interceptors.redirect({ maxRedirections: 2 });
    const dispatcher = new Agent().compose(queueInterceptor(queue), redirect);
    const { statusCode, body } = await request(`${server.origin}/a`, { dispatcher });
    await body.dump();
    expect([statusCode, queue.stats().accepted]).toEqual([200, 2]);
  });

  it('is told where a client sends to, and that of parameters beside the path', async () => {
    const server = await serve();
    const queue = await openQueue();
    const client = new Client(server.origin);
    onTestFinished(() => client.close());
    const untold = client.compose(queueInterceptor(queue));
    expect((await rejection(untold.request({ path: '/', method: 'GET' }))).message).toContain('origin');
    const told = client.compose(queueInterceptor(queue, { origin: server.origin }));
    const { body } = await told.request({ path: '/a', method: 'GET', query: { b: 'c d', e: [1, 2] } });
    await body.dump();
    expect(arrived(server)).toMatchObject([{ path: '/a?b=c%20d&e=1&e=2' }]);
  });

  it('makes functions of two parameters, as undici checks', () => {
    expect(queueInterceptor({ dispatcher: { dispatch: () => true } })(() => true)).toHaveLength(2);
  });
});
