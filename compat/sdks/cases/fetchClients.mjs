// Clients that bring no API of their own: ofetch, ky, openapi-fetch, gaxios.
import { Gaxios } from 'gaxios';
import ky from 'ky';
import { createFetch } from 'ofetch';
import createOpenApi from 'openapi-fetch';
import { collect, makeForm, routes, soon } from '../things.mjs';

const headers = { authorization: 'Bearer t' };

const ofetch = {
  name: 'ofetch',
  seam: 'fetch',
  routes,
  make: ({ fetch, baseUrl }) => createFetch({ fetch }).create({ baseURL: baseUrl, headers }),
  operations: [
    { name: 'get', run: (client) => client('/things/1') },
    { name: 'get, raw', run: (client) => client.raw('/things/1') },
    { name: 'get with parameters', run: (client) => client('/things', { query: { q: 'a b', tags: ['x', 'y'] } }) },
    { name: 'post', run: (client) => client('/things', { method: 'POST', body: { name: 'Ü' } }) },
    { name: 'put', run: (client) => client('/things/1', { method: 'PUT', body: { name: 'P' } }) },
    { name: 'patch', run: (client) => client('/things/1', { method: 'PATCH', body: { name: 'Q' } }) },
    { name: 'delete', run: (client) => client.raw('/things/1', { method: 'DELETE' }) },
    { name: '404', run: (client) => client('/things/missing') },
    { name: '422', run: (client) => client('/invalid', { method: 'POST', body: {} }) },
    { name: '401', run: (client) => client('/things/secret') },
    {
      name: 'bytes',
      run: async (client) => new Uint8Array(await client('/things/bytes', { responseType: 'arrayBuffer' })),
    },
    { name: 'stream', run: async (client) => collect(await client('/things/stream', { responseType: 'stream' })) },
    { name: 'multipart', run: (client) => client('/upload', { method: 'POST', body: makeForm() }) },
    { name: 'redirect', run: (client) => client.raw('/things/moved') },
    { name: 'abort', only: 'none', run: (client) => client('/things/slow', { signal: soon() }) },
    { name: 'timeout', only: 'none', run: (client) => client('/things/slow', { timeout: 400, retry: 0 }) },
  ],
};

const kyCase = {
  name: 'ky',
  seam: 'fetch',
  routes,
  make: ({ fetch, baseUrl }) => ky.create({ fetch, prefixUrl: baseUrl, headers }),
  operations: [
    { name: 'get', run: (client) => client.get('things/1').json() },
    { name: 'get, the response', run: (client) => client.get('things/1') },
    { name: 'get with parameters', run: (client) => client.get('things', { searchParams: { q: 'a b', n: 2 } }).json() },
    { name: 'head', run: (client) => client.head('things/1') },
    { name: 'post', run: (client) => client.post('things', { json: { name: 'Ü' } }).json() },
    { name: 'put', run: (client) => client.put('things/1', { json: { name: 'P' } }).json() },
    { name: 'patch', run: (client) => client.patch('things/1', { json: { name: 'Q' } }).json() },
    { name: 'delete', run: (client) => client.delete('things/1') },
    { name: '404', run: (client) => client.get('things/missing').json() },
    { name: '422', run: (client) => client.post('invalid', { json: {} }).json() },
    { name: '401', run: (client) => client.get('things/secret') },
    { name: 'bytes', run: async (client) => new Uint8Array(await client.get('things/bytes').arrayBuffer()) },
    { name: 'stream', run: async (client) => collect((await client.get('things/stream')).body) },
    { name: 'clone', run: async (client) => clones(await client.get('things/1')) },
    { name: 'cookies', run: async (client) => (await client.get('things/cookies')).headers.getSetCookie() },
    { name: 'multipart', run: (client) => client.post('upload', { body: makeForm() }).json() },
    { name: 'empty', run: async (client) => (await client.get('things/empty')).text() },
    { name: 'redirect', run: (client) => client.get('things/moved') },
    {
      name: 'redirect, by hand',
      run: (client) => client.get('things/moved', { redirect: 'manual', throwHttpErrors: false }),
    },
    {
      name: 'redirect, refused',
      only: 'none',
      run: (client) => client.get('things/moved', { redirect: 'error', retry: 0 }),
    },
    {
      name: 'create in a hurry',
      only: 'slow',
      run: (client) =>
        client.post('things', { json: { name: 'Ü' }, timeout: 700, retry: { limit: 2, methods: ['post'] } }),
    },
    { name: 'abort', only: 'none', run: (client) => client.get('things/slow', { signal: soon() }) },
    {
      name: 'abort with an own reason',
      only: 'none',
      run: (client) => client.get('things/slow', { signal: soon(new RangeError('enough')) }),
    },
    { name: 'timeout', only: 'none', run: (client) => client.get('things/slow', { timeout: 400, retry: 0 }) },
  ],
};

const openapi = {
  name: 'openapi-fetch',
  seam: 'fetch',
  routes,
  make: ({ fetch, baseUrl }) => createOpenApi({ fetch, baseUrl, headers }),
  operations: [
    { name: 'get', run: (client) => client.GET('/things/{id}', { params: { path: { id: '1' } } }) },
    {
      name: 'get with parameters',
      run: (client) => client.GET('/things', { params: { query: { q: 'a b', tags: ['x', 'y'] } } }),
    },
    { name: 'post', run: (client) => client.POST('/things', { body: { name: 'Ü' } }) },
    {
      name: 'put',
      run: (client) => client.PUT('/things/{id}', { params: { path: { id: '1' } }, body: { name: 'P' } }),
    },
    {
      name: 'patch',
      run: (client) => client.PATCH('/things/{id}', { params: { path: { id: '1' } }, body: { name: 'Q' } }),
    },
    { name: 'delete', run: (client) => client.DELETE('/things/{id}', { params: { path: { id: '1' } } }) },
    { name: '404', run: (client) => client.GET('/things/{id}', { params: { path: { id: 'missing' } } }) },
    { name: '422', run: (client) => client.POST('/invalid', { body: {} }) },
    { name: '401', run: (client) => client.GET('/things/{id}', { params: { path: { id: 'secret' } } }) },
    {
      name: 'text',
      run: (client) => client.GET('/things/{id}', { params: { path: { id: 'text' } }, parseAs: 'text' }),
    },
    {
      name: 'stream',
      run: async (client) =>
        collect((await client.GET('/things/{id}', { params: { path: { id: 'stream' } }, parseAs: 'stream' })).data),
    },
    {
      name: 'multipart',
      run: (client) => client.POST('/upload', { body: makeForm(), bodySerializer: (form) => form }),
    },
    {
      name: 'abort',
      only: 'none',
      run: (client) => client.GET('/things/{id}', { params: { path: { id: 'slow' } }, signal: soon() }),
    },
  ],
};

const gaxios = {
  name: 'gaxios',
  seam: 'fetch',
  routes,
  make: ({ fetch, baseUrl }) => new Gaxios({ fetchImplementation: fetch, baseURL: baseUrl, headers }),
  operations: [
    { name: 'get', run: (client) => client.request({ url: '/things/1' }) },
    { name: 'get with parameters', run: (client) => client.request({ url: '/things', params: { q: 'a b', n: 2 } }) },
    { name: 'post', run: (client) => client.request({ url: '/things', method: 'POST', data: { name: 'Ü' } }) },
    { name: 'put', run: (client) => client.request({ url: '/things/1', method: 'PUT', data: { name: 'P' } }) },
    { name: 'patch', run: (client) => client.request({ url: '/things/1', method: 'PATCH', data: { name: 'Q' } }) },
    { name: 'delete', run: (client) => client.request({ url: '/things/1', method: 'DELETE' }) },
    { name: '404', run: (client) => client.request({ url: '/things/missing' }) },
    { name: '422', run: (client) => client.request({ url: '/invalid', method: 'POST', data: {} }) },
    { name: '401', run: (client) => client.request({ url: '/things/secret' }) },
    { name: 'retries on', run: (client) => client.request({ url: '/things/1', retry: true }) },
    {
      name: 'bytes',
      run: async (client) =>
        new Uint8Array((await client.request({ url: '/things/bytes', responseType: 'arraybuffer' })).data),
    },
    {
      name: 'stream',
      run: async (client) => collect((await client.request({ url: '/things/stream', responseType: 'stream' })).data),
    },
    {
      name: 'multipart',
      run: (client) =>
        client.request({
          url: '/upload',
          method: 'POST',
          multipart: [
            { headers: new Headers({ 'Content-Type': 'application/json' }), content: '{"name":"a"}' },
            { headers: new Headers({ 'Content-Type': 'text/plain' }), content: 'the file' },
          ],
        }),
    },
    { name: 'form', run: (client) => client.request({ url: '/upload', method: 'POST', data: makeForm() }) },
    { name: 'abort', only: 'none', run: (client) => client.request({ url: '/things/slow', signal: soon() }) },
    { name: 'timeout', only: 'none', run: (client) => client.request({ url: '/things/slow', timeout: 400 }) },
  ],
};

async function clones(response) {
  const copy = response.clone();
  return {
    first: await response.json(),
    second: await copy.json(),
    copy,
    again: await response.text().catch((error) => error),
  };
}

export const cases = [ofetch, kyCase, openapi, gaxios];
