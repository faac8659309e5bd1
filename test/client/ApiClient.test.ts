import type { IncomingHttpHeaders, RequestListener } from 'node:http';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { ApiClient } from '../../src/client/ApiClient.ts';
import { bearerToken } from '../../src/client/auth/bearerToken.ts';
import { refreshingToken } from '../../src/client/auth/refreshingToken.ts';
import type { ApiClientOptions } from '../../src/client/clientOptions.ts';
import type { HoldfastError } from '../../src/errors.ts';
import { QueuedRequest } from '../../src/queue/core/handles/QueuedRequest.ts';
import type { Schema } from '../../src/queue/core/handles/schema.ts';
import { DirectQueue } from './support/DirectQueue.ts';
import { bodyText, httpServer } from './support/servers.ts';
import { transportFor } from './support/transport.ts';

const Note = z.object({ id: z.number(), text: z.string() });
const NOTE = { id: 7, text: 'hi' };

async function clientOf(listener: RequestListener, options: Partial<ApiClientOptions> = {}) {
  const { origin } = await httpServer(listener);
  const queue = new DirectQueue(transportFor());
  const api = new ApiClient({ queue, baseUrl: `${origin}/v1`, ...options });
  return { api, queue, origin };
}

const givesNote: RequestListener = (_, response) => {
  response.writeHead(201, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(NOTE));
};

describe('a call of a client', () => {
  it('is a promise of the body, typed by the schema', async () => {
    const { api } = await clientOf(givesNote);
    const note = await api.post('/notes', { text: 'hi' }, { schema: Note });
    expectTypeOf(note).toEqualTypeOf<{ id: number; text: string }>();
    expect(note).toEqual(NOTE);
    expectTypeOf(await api.get('/notes')).toEqualTypeOf<unknown>();
    expectTypeOf(await api.get<string>('/notes')).toEqualTypeOf<string>();
  });

  it('takes any Standard Schema, whose output is the type', async () => {
    expectTypeOf<StandardSchemaV1<unknown, Date>>().toExtend<Schema<Date>>();
    const schema: StandardSchemaV1<unknown, number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: async (value) => ({ value: Object.keys(value as object).length }),
      },
    };
    const { api } = await clientOf(givesNote);
    const count = await api.get('/notes', { schema });
    expectTypeOf(count).toEqualTypeOf<number>();
    expect(count).toBe(2);
  });

  it('sends its method, path, body and headers', async () => {
    const { api } = await clientOf(async (request, response) => {
      const { method, url } = request;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify([method, url, await bodyText(request)]));
    });
    expect(await api.get('/a')).toEqual(['GET', '/v1/a', '']);
    expect(await api.post('/a', { b: 1 })).toEqual(['POST', '/v1/a', '{"b":1}']);
    expect(await api.put('/a', 'text')).toEqual(['PUT', '/v1/a', 'text']);
    expect(await api.patch('/a', { b: 2 })).toEqual(['PATCH', '/v1/a', '{"b":2}']);
    expect(await api.delete('/a')).toEqual(['DELETE', '/v1/a', '']);
    expect(await api.request('DELETE', '/a', { ids: [1] })).toEqual(['DELETE', '/v1/a', '{"ids":[1]}']);
    const { data, response } = await api.head('/a').withResponse();
    expect([data, response.status]).toEqual([undefined, 200]);
  });

  it('is given to the queue at once, in the order of the calls, and waits for nothing until asked', async () => {
    const { api, queue } = await clientOf(givesNote);
    const calls = ['/1', '/2', '/3'].map((path) => api.get(path));
    expect(queue.taken.map(({ input }) => String(input.url).at(-1))).toEqual(['1', '2', '3']);
    expect(queue.waits).toBe(0);
    const [first] = calls;
    await Promise.all([first, first?.then(), first?.finally(() => undefined)]);
    expect(queue.waits).toBe(1);
  });

  it('behaves as a promise does', async () => {
    const { api } = await clientOf((request, response) =>
      response.writeHead(request.url === '/v1/bad' ? 400 : 204).end(),
    );
    expect(Object.prototype.toString.call(api.get('/'))).toBe('[object Call]');
    expect(await api.get('/').then(() => 'then')).toBe('then');
    expect(await api.get('/bad').catch((error: HoldfastError) => error.code)).toBe('REQUEST_REJECTED');
    expect(await Promise.allSettled([api.get('/'), api.get('/bad')])).toMatchObject([
      { status: 'fulfilled', value: undefined },
      { status: 'rejected' },
    ]);
    let ran = false;
    await expect(
      api.get('/bad').finally(() => {
        ran = true;
      }),
    ).rejects.toThrow();
    expect(ran).toBe(true);
  });

  it('causes no unhandled rejection when it fails unread', async () => {
    const { api, queue } = await clientOf((_, response) => response.writeHead(500).end());
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown): unknown => unhandled.push(error);
    process.on('unhandledRejection', onUnhandled);
    api.get('/unread');
    api.get('/unread', { prioritty: 1 } as object);
    await api.get('/read').settled();
    await new Promise<void>((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', onUnhandled);
    expect(queue.taken).toHaveLength(2);
    expect(unhandled).toEqual([]);
  });

  it('gives a handle once it is accepted', async () => {
    const { api } = await clientOf(givesNote);
    const queued = await api.post('/notes', {}, { schema: Note }).accepted();
    expectTypeOf(queued).toEqualTypeOf<QueuedRequest<{ id: number; text: string }>>();
    expect(queued).toBeInstanceOf(QueuedRequest);
    expect([queued.id, queued.deduplicated]).toEqual(['id-1', false]);
    expect(await queued.result()).toEqual(NOTE);
    expect((await queued.settled()).state).toBe('succeeded');
    expect(await queued.cancel()).toBe(true);
  });

  it('gives the answer beside the result', async () => {
    const { api } = await clientOf(givesNote);
    const { data, response } = await api.post('/notes', {}, { schema: Note }).withResponse();
    expect([data, response.status]).toEqual([NOTE, 201]);
  });
});

describe('a call that fails', () => {
  it('throws why, and tells it as a value where asked', async () => {
    const { api } = await clientOf((_, response) => response.writeHead(422).end('no'));
    await expect(api.post('/notes')).rejects.toMatchObject({ code: 'REQUEST_REJECTED', details: { id: 'id-1' } });
    await expect(api.post('/notes').withResponse()).rejects.toMatchObject({ code: 'REQUEST_REJECTED' });
    expect(await api.post('/notes').settled()).toMatchObject({ state: 'dead', response: { status: 422 } });
  });

  it('says where the answer differs from the schema', async () => {
    const { api } = await clientOf((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"list":[{"a/b":"x"}]}');
    });
    const schema = z.object({ list: z.array(z.object({ 'a/b': z.number() })) });
    await expect(api.get('/', { schema })).rejects.toMatchObject({
      code: 'RESPONSE_INVALID',
      details: { id: 'id-1', issues: [{ path: '/list/0/a~1b', message: expect.any(String) }] },
    });
    const later = schema.refine(async () => false, 'not today');
    await expect(api.get('/', { schema: later })).rejects.toMatchObject({ code: 'RESPONSE_INVALID' });
  });

  it('says when JSON is malformed or was not kept', async () => {
    const { api, queue } = await clientOf((_, response) => {
      response.writeHead(200, { 'content-type': 'application/problem+json' }).end('{"a":');
    });
    await expect(api.get('/')).rejects.toMatchObject({ code: 'RESPONSE_INVALID', details: { issues: [{ path: '' }] } });
    queue.settle = (settled) => ({ ...settled, response: undefined });
    await expect(api.get('/')).rejects.toMatchObject({ code: 'RESULT_GONE', details: { id: 'id-2' } });
  });

  it('is not given to the queue when an option is unknown', async () => {
    const { api, queue } = await clientOf(givesNote);
    const options = { Priorty: 1, tags: ['a'] } as object;
    const problem = { path: 'Priorty', expected: "a known name (did you mean 'priority'?)", got: 'an unknown option' };
    await expect(api.get('/', options)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      details: { problems: [problem] },
    });
    await expect(api.get('/', options).accepted()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    await expect(api.get('/', { headers: null } as object)).rejects.toMatchObject({ code: 'REQUEST_INVALID' });
    expect(queue.taken).toEqual([]);
  });
});

describe('the body of an answer', () => {
  it.each([
    ['application/json', '[1]', [1]],
    ['Application/vnd.api+JSON; charset=utf-8', '{"a":1}', { a: 1 }],
    ['application/json', '\ufeff{"a":1}', { a: 1 }],
    ['text/plain', 'gr\u00fcn', 'gr\u00fcn'],
    ['text/plain; charset=iso-8859-1', Buffer.from('gr\u00fcn', 'latin1'), 'gr\u00fcn'],
    ['application/octet-stream', 'ab', Buffer.from('ab')],
    ['application/json', '', undefined],
  ])('of type %s is read as such: %j', async (type, body, expected) => {
    const { api } = await clientOf((_, response) => response.writeHead(200, { 'content-type': type }).end(body));
    expect(await api.get('/')).toEqual(expected);
  });
});

describe('options of a client', () => {
  it('stand for every call, and those of the call win', async () => {
    const { api, queue } = await clientOf(givesNote, { priority: 'low', tags: ['client'], lane: undefined });
    api.get('/');
    api.get('/', { priority: 'high', tags: undefined, query: { a: 1 } });
    api.get('/', { schema: Note });
    await api.get('/');
    expect(queue.taken.map(({ options }) => options)).toEqual([
      { priority: 'low', tags: ['client'] },
      { priority: 'high', tags: ['client'] },
      { priority: 'low', tags: ['client'] },
      { priority: 'low', tags: ['client'] },
    ]);
  });

  it('merge headers by name, whatever the case', async () => {
    const seen: IncomingHttpHeaders[] = [];
    const { api } = await clientOf(
      (request, response) => {
        seen.push(request.headers);
        response.end();
      },
      { headers: { 'X-A': 'client', 'X-B': 'client' } },
    );
    await api.get('/');
    await api.get('/', { headers: { 'x-a': 'call', 'X-C': ['1', '2'], 'x-b': undefined } });
    await api.get('/', { headers: new Headers({ 'x-b': 'call' }) });
    expect(seen.map((headers) => [headers['x-a'], headers['x-b'], headers['x-c']])).toEqual([
      ['client', 'client', undefined],
      ['call', 'client', '1, 2'],
      ['client', 'call', undefined],
    ]);
  });

  it('are refused all at once when unknown', () => {
    const options = { queue: new DirectQueue(transportFor()), baseUrl: 'http://a.example', basUrl: 1, key: 'k' };
    const error = catchError(() => new ApiClient(options as ApiClientOptions));
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      details: { problems: [{ path: 'basUrl', expected: "a known name (did you mean 'baseUrl'?)" }, { path: 'key' }] },
    });
  });
});

describe('a client with credentials', () => {
  it('is registered while it is open, and goes with every call', async () => {
    const auth = bearerToken('abc');
    const { api, queue, origin } = await clientOf(givesNote, { auth, principal: 'ada' });
    const binding = { name: `${origin}/v1`, auth, principal: 'ada' };
    expect(queue.clients).toEqual([binding]);
    expect(api.name).toBe(binding.name);
    await api.get('/');
    expect(queue.taken[0]?.client).toEqual(binding);
    api.close();
    api.close();
    expect(queue.clients).toEqual([]);
    await expect(api.get('/')).rejects.toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: false } });
  });

  it('is not registered without credentials, and closes with its scope', async () => {
    const { api, queue } = await clientOf(givesNote);
    expect(queue.clients).toEqual([]);
    api[Symbol.dispose]();
    await expect(api.get('/')).rejects.toMatchObject({ code: 'QUEUE_CLOSED' });
    expect(queue.taken).toEqual([]);
  });

  it('refreshes its token once for calls refused together', async () => {
    let refreshes = 0;
    const auth = refreshingToken({ token: 'old', refresh: async () => `new-${++refreshes}` });
    const { api } = await clientOf(
      (request, response) => {
        response.writeHead(request.headers.authorization === 'Bearer new-1' ? 200 : 401).end();
      },
      { auth, name: 'notes' },
    );
    const settled = await Promise.all(['/1', '/2', '/3', '/4'].map((path) => api.get(path).settled()));
    expect(settled.map(({ response }) => response?.status)).toEqual([200, 200, 200, 200]);
    expect(refreshes).toBe(1);
  });
});

function catchError(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}
