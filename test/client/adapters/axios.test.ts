import { Readable, Stream } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { AxiosCall } from '../../../src/client/adapters/axios.ts';
import { queueAdapter } from '../../../src/client/adapters/axios.ts';
import { urlOf } from '../../../src/client/adapters/axiosUrl.ts';
import { holdfastError } from '../../../src/index.ts';
import { answer, applyThenReset, hang, partialBody, refuse } from '../../../src/testing/serverSteps.ts';
import { arrived, firstTaken, NOWHERE, openQueue, rejection, serve, serveLate, textOf } from './support.ts';

const is2xx = (status: number): boolean => status >= 200 && status < 300;

const COOKIES: readonly (readonly [string, string])[] = [
  ['set-cookie', 'a=1'],
  ['set-cookie', 'b=2'],
];

/** A call with the defaults that axios merges in. */
function call(config: AxiosCall): AxiosCall {
  return { method: 'get', headers: {}, timeout: 0, maxContentLength: -1, validateStatus: is2xx, ...config };
}

describe('the adapter for axios', () => {
  it('sends method, URL, headers and body, and answers as axios expects it', async () => {
    const server = await serve();
    server.script.next(answer({ status: 201, headers: [['x-a', '1'], ...COOKIES], body: { id: 7 } }));
    const send = queueAdapter(await openQueue());
    const config = call({
      method: 'post',
      baseURL: `${server.origin}/v1/`,
      url: '/notes',
      params: { tags: ['x', 'y'], q: 'a b' },
      headers: { 'content-type': 'application/json', 'x-many': ['1', '2'], 'x-none': null, 'x-off': false },
      data: '{"text":"Ü"}',
    });
    const { data, status, statusText, headers, ...rest } = await send(config);
    expect({ data, status, statusText }).toEqual({ data: '{"id":7}', status: 201, statusText: 'Created' });
    expect(headers).toMatchObject({ 'x-a': '1', 'set-cookie': ['a=1', 'b=2'] });
    expect(rest.config).toBe(config);
    expect(rest.request).toEqual({ res: { responseUrl: `${server.origin}/v1/notes?tags%5B%5D=x&tags%5B%5D=y&q=a+b` } });
    expect(arrived(server, 'content-type', 'x-many', 'x-none', 'x-off')).toEqual([
      {
        method: 'POST',
        path: '/v1/notes?tags%5B%5D=x&tags%5B%5D=y&q=a+b',
        body: '{"text":"Ü"}',
        'content-type': 'application/json',
        'x-many': '1, 2',
        'x-none': '',
        'x-off': '',
      },
    ]);
  });

  it('fails with a status that is refused, and passes one that is not', async () => {
    const server = await serve({ respond: () => ({ status: 404, body: 'nothing' }) });
    const send = queueAdapter(await openQueue());
    const config = call({ url: server.origin });
    const error = await rejection(send(config));
    expect(error).toMatchObject({
      name: 'AxiosError',
      code: 'ERR_BAD_REQUEST',
      isAxiosError: true,
      status: 404,
      config,
    });
    expect(error.message).toBe('Request failed with status code 404');
    expect(error.response).toMatchObject({ status: 404, data: 'nothing' });
    expect(await send(call({ url: server.origin, validateStatus: null }))).toMatchObject({ status: 404 });
  });

  it('fails with the class of the axios that calls, where its own transform is there to tell it', async () => {
    class AxiosError extends Error {
      static readonly ERR_NETWORK = 'ERR_NETWORK';
      readonly code: string | undefined;
      constructor(message?: string, code?: string) {
        super(message);
        this.code = code;
      }
      static from({ message }: Error, code?: string): AxiosError {
        return new AxiosError(message, code);
      }
    }
    function transformResponse(this: { responseType: string }, text: string): unknown {
      try {
        return JSON.parse(text);
      } catch (error) {
        throw AxiosError.from(error as Error, 'ERR_BAD_RESPONSE');
      }
    }
    const server = await serve({ respond: () => ({ status: 400 }) });
    const queue = await openQueue();
    const found = await rejection(
      queueAdapter(queue)(call({ url: server.origin, transformResponse: [transformResponse] })),
    );
    expect([found instanceof AxiosError, found.code]).toEqual([true, 'ERR_BAD_REQUEST']);
    const given = await rejection(
      queueAdapter(queue, { AxiosError: AxiosError as never })(call({ url: server.origin })),
    );
    expect(given).toBeInstanceOf(AxiosError);
  });

  it('fails under the code of the connection where the outcome of a write is unknown', async () => {
    const server = await serve();
    server.script.always(applyThenReset);
    const send = queueAdapter(await openQueue());
    const error = await rejection(send(call({ method: 'post', url: server.origin, data: 'a' })));
    expect(error).toMatchObject({ isAxiosError: true, code: 'ECONNRESET' });
    expect(holdfastError(error)?.code).toBe('OUTCOME_UNKNOWN');
    expect(arrived(server)).toHaveLength(1);
  });

  it('fails with ERR_NETWORK where the queue did not take the call', async () => {
    const queue = await openQueue();
    await queue.close();
    const error = await rejection(queueAdapter(queue)(call({ url: NOWHERE })));
    expect(error).toMatchObject({ isAxiosError: true, code: 'ERR_NETWORK' });
    expect(holdfastError(error)?.code).toBe('QUEUE_CLOSED');
  });

  it.each([
    ['a signal', (abort: AbortController): Partial<AxiosCall> => ({ signal: abort.signal })],
    [
      'a token',
      ({ signal }: AbortController): Partial<AxiosCall> => ({
        cancelToken: {
          get reason() {
            return signal.reason;
          },
          subscribe: (listener) => signal.addEventListener('abort', listener),
          unsubscribe: (listener) => signal.removeEventListener('abort', listener),
        },
      }),
    ],
  ])('is called off by %s', async (_, by) => {
    const queue = await openQueue();
    queue.pause();
    const abort = new AbortController();
    const taken = firstTaken(queue);
    const refused = rejection(queueAdapter(queue)(call({ url: NOWHERE, ...by(abort) })));
    const { id } = await taken;
    const reason = new Error('enough');
    abort.abort(reason);
    expect(await refused).toBe(reason);
    await expect.poll(async () => (await queue.get(id))?.state).toBe('cancelled');
  });

  it.each([
    ['ECONNABORTED', {}],
    ['ETIMEDOUT', { transitional: { clarifyTimeoutError: true } }],
  ])('times out with %s', async (code, more) => {
    const server = await serve();
    server.script.always(hang);
    const send = queueAdapter(await openQueue());
    const error = await rejection(send(call({ url: server.origin, timeout: 30, ...more })));
    expect(error).toMatchObject({ isAxiosError: true, code, message: 'timeout of 30ms exceeded' });
  });

  it('waits for a server that comes later', async () => {
    const queue = await openQueue();
    const { server, started } = await serveLate(queue);
    const answered = queueAdapter(queue)(call({ method: 'post', url: `${server.origin}/a`, data: 'b' }));
    await started;
    expect(await answered).toMatchObject({ status: 201 });
    expect(arrived(server)).toEqual([{ method: 'POST', path: '/a', body: 'b' }]);
  });

  it('queues with the options that it was made with', async () => {
    const server = await serve();
    const queue = await openQueue();
    const taken = firstTaken(queue);
    await queueAdapter(queue.with({ priority: 'high' }))(call({ url: server.origin }));
    expect((await taken).priority).toBeGreaterThan(5);
  });

  it('gives bytes, a blob, a stream or text', async () => {
    const server = await serve({ respond: () => ({ status: 200, body: '\uFEFFabc' }) });
    const send = queueAdapter(await openQueue());
    const get = async (responseType?: string): Promise<unknown> =>
      (await send(call({ url: server.origin, responseType }))).data;
    expect(await get()).toBe('abc');
    expect(await get('arraybuffer')).toEqual(Buffer.from('\uFEFFabc'));
    expect(((await get('blob')) as Blob).size).toBe(6);
    const stream = (await get('stream')) as Readable;
    expect(stream).toBeInstanceOf(Readable);
    expect(await textOf(stream)).toBe('\uFEFFabc');
    expect((await send(call({ url: server.origin, responseEncoding: 'hex' }))).data).toBe('efbbbf616263');
  });

  it('decodes, and says nothing more of the encoding', async () => {
    const headers: [string, string][] = [['content-encoding', 'gzip']];
    const server = await serve({ respond: () => ({ status: 200, headers, body: gzipSync('abc') }) });
    const found = await queueAdapter(await openQueue())(call({ url: server.origin }));
    expect([found.data, found.headers['content-encoding']]).toEqual(['abc', undefined]);
  });

  it.each(['text', 'stream'])('keeps to the size limits, with %s', async (responseType) => {
    const server = await serve({ respond: () => ({ status: 200, body: 'abcdef' }) });
    const send = queueAdapter(await openQueue());
    const work = send(call({ url: server.origin, maxContentLength: 3, responseType }));
    const error = await rejection(responseType === 'text' ? work : work.then(({ data }) => textOf(data as Readable)));
    expect(error).toMatchObject({ code: 'ERR_BAD_RESPONSE', message: 'maxContentLength size of 3 exceeded' });
    const post = call({ method: 'post', url: server.origin, data: 'abcd', maxBodyLength: 3 });
    expect(await rejection(send(post))).toMatchObject({ code: 'ERR_BAD_REQUEST' });
  });

  it('fails with the answer where its body broke off', async () => {
    const server = await serve();
    server.script.always(partialBody);
    const send = queueAdapter(await openQueue({ maxAttempts: 1 }));
    const error = await rejection(send(call({ url: server.origin })));
    expect(error).toMatchObject({ code: 'ERR_BAD_RESPONSE', message: 'stream has been aborted' });
    expect(error.response).toMatchObject({ status: 200 });
  });

  it('sends the credentials of the call or of its URL', async () => {
    const server = await serve();
    const send = queueAdapter(await openQueue());
    const auth = { username: 'u', password: 'ü' };
    await send(call({ url: `${server.origin}/1`, auth, headers: { Authorization: 'Bearer t' } }));
    await send(call({ url: `${server.origin.replace('//', '//a%40b:c@')}/2` }));
    expect(arrived(server, 'authorization')).toMatchObject([
      { path: '/1', authorization: `Basic ${Buffer.from('u:ü').toString('base64')}` },
      { path: '/2', authorization: `Basic ${Buffer.from('a@b:c').toString('base64')}` },
    ]);
  });

  it('does not follow redirects where none may be followed', async () => {
    const server = await serve();
    const moved = refuse({ status: 302, headers: [['location', '/b']] });
    server.script.next(moved, moved);
    const send = queueAdapter(await openQueue());
    expect(await send(call({ url: `${server.origin}/a`, maxRedirects: 0, validateStatus: null }))).toMatchObject({
      status: 302,
    });
    expect(await send(call({ url: `${server.origin}/c` }))).toMatchObject({
      status: 200,
      request: { res: { responseUrl: `${server.origin}/b` } },
    });
  });

  it('sends forms and streams', async () => {
    const server = await serve();
    const send = queueAdapter(await openQueue());
    const data = new FormData();
    data.set('a', '1');
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    await send(call({ method: 'post', url: `${server.origin}/form`, data, headers }));
    await send(call({ method: 'post', url: `${server.origin}/stream`, data: Readable.from(['a', 'b']) }));
    expect(arrived(server, 'content-type')).toMatchObject([
      { path: '/form', 'content-type': expect.stringMatching(/^multipart\/form-data; boundary=/) },
      { path: '/stream', body: 'ab' },
    ]);
  });

  it('sends streams of the old kind, as forms of packages are', async () => {
    const server = await serve();
    const send = queueAdapter(await openQueue());
    const old = new Stream();
    const sent = send(call({ method: 'post', url: server.origin, data: old }));
    old.emit('data', Buffer.from('a'));
    old.emit('end');
    expect(await sent).toMatchObject({ status: 201 });
    expect(arrived(server)).toMatchObject([{ body: 'a' }]);
  });

  it('asks for what is not encoded where axios is not to decode', async () => {
    const server = await serve();
    const send = queueAdapter(await openQueue());
    await send(call({ url: `${server.origin}/1`, decompress: false }));
    await send(call({ url: `${server.origin}/2` }));
    expect(arrived(server, 'accept-encoding')).toMatchObject([
      { path: '/1', 'accept-encoding': 'identity' },
      { path: '/2', 'accept-encoding': expect.stringContaining('gzip') },
    ]);
  });
});

describe('the URL of an axios call', () => {
  const url = 'http://a/b';
  it.each<[AxiosCall, string]>([
    [{ url }, 'http://a/b'],
    [{ baseURL: 'http://a/', url: '/b' }, 'http://a/b'],
    [{ baseURL: 'http://a', url: '' }, 'http://a'],
    [{ baseURL: 'http://z', url }, 'http://a/b'],
    [{ baseURL: 'http://z', url: 'http://a', allowAbsoluteUrls: false }, 'http://z/http://a'],
    [{ url: 'http://a/b?c=1#d', params: { e: 2 } }, 'http://a/b?c=1&e=2'],
    [{ url, params: { a: null, b: undefined } }, 'http://a/b'],
    [{ url, params: new URLSearchParams({ a: '1 2' }) }, 'http://a/b?a=1+2'],
    [{ url, params: { a: 'x:$,&ü' } }, 'http://a/b?a=x:$,%26%C3%BC'],
    [
      { url, params: { a: { b: 1, c: [2, { d: 3 }] } } },
      'http://a/b?a%5Bb%5D=1&a%5Bc%5D%5B0%5D=2&a%5Bc%5D%5B1%5D%5Bd%5D=3',
    ],
    [{ url, params: { a: [1, null, 2] }, paramsSerializer: { indexes: null } }, 'http://a/b?a=1&a=2'],
    [{ url, params: { a: [1, 2] }, paramsSerializer: { indexes: true } }, 'http://a/b?a%5B0%5D=1&a%5B1%5D=2'],
    [{ url, params: { a: { b: 1 } }, paramsSerializer: { dots: true } }, 'http://a/b?a.b=1'],
    [{ url, params: { 'a{}': { b: 1 } } }, 'http://a/b?a%7B%7D=%7B%22b%22:1%7D'],
    [{ url, params: { a: new Date(0), b: true } }, 'http://a/b?a=1970-01-01T00:00:00.000Z&b=true'],
    [{ url, params: { a: 'b' }, paramsSerializer: () => 'mine' }, 'http://a/b?mine'],
    [{ url, params: { a: 'b' }, paramsSerializer: { encode: (text: string) => `<${text}>` } }, 'http://a/b?<a>=<b>'],
  ])('of %j is %s', (config, expected) => {
    expect(decodeURI(urlOf(config))).toBe(decodeURI(expected));
  });
});
