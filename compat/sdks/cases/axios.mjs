import axios from 'axios';
import { collect, makeForm, routes, soon } from '../things.mjs';

const operations = [
  { name: 'get', run: async (client) => brief(await client.get('/things/1')) },
  {
    name: 'get with parameters',
    run: async (client) => brief(await client.get('/things', { params: { q: 'a b', tags: ['x', 'y'] } })),
  },
  { name: 'head', run: async (client) => brief(await client.head('/things/1')) },
  { name: 'post', run: async (client) => brief(await client.post('/things', { name: 'Ü', n: 1 })) },
  {
    name: 'post of a form',
    run: async (client) => brief(await client.post('/things', new URLSearchParams({ a: '1', b: 'ü' }))),
  },
  { name: 'post without a body', run: async (client) => brief(await client.post('/things')) },
  { name: 'put', run: async (client) => brief(await client.put('/things/1', { name: 'P' })) },
  { name: 'patch', run: async (client) => brief(await client.patch('/things/1', { name: 'Q' })) },
  { name: 'delete', run: async (client) => brief(await client.delete('/things/1')) },
  { name: '404', run: async (client) => brief(await client.get('/things/missing')) },
  { name: '422', run: async (client) => brief(await client.post('/invalid', {})) },
  { name: '401', run: async (client) => brief(await client.get('/things/secret')) },
  {
    name: '404 that is no error',
    run: async (client) => brief(await client.get('/things/missing', { validateStatus: () => true })),
  },
  { name: 'text', run: async (client) => brief(await client.get('/things/text', { responseType: 'text' })) },
  { name: 'bytes', run: async (client) => bytes(await client.get('/things/bytes', { responseType: 'arraybuffer' })) },
  { name: 'stream', run: async (client) => read(await client.get('/things/stream', { responseType: 'stream' })) },
  { name: 'redirect', run: async (client) => brief(await client.get('/things/moved')) },
  { name: 'cookies', run: async (client) => brief(await client.get('/things/cookies')) },
  {
    name: 'basic credentials',
    run: async (client) => brief(await client.get('/things/1', { auth: { username: 'u', password: 'p' } })),
  },
  { name: 'multipart', run: async (client) => brief(await client.post('/upload', makeForm())) },
  { name: 'buffer', run: async (client) => brief(await client.post('/upload', Buffer.from([0, 255, 1]))) },
  { name: 'abort', only: 'none', run: (client) => client.get('/things/slow', { signal: soon() }) },
  { name: 'timeout', only: 'none', run: (client) => client.get('/things/slow', { timeout: 400 }) },
  {
    name: 'timeout, clarified',
    only: 'none',
    run: (client) => client.get('/things/slow', { timeout: 400, transitional: { clarifyTimeoutError: true } }),
  },
  { name: 'size limit', only: 'none', run: (client) => client.get('/things/text', { maxContentLength: 3 }) },
];

function brief({ status, statusText, headers, data }) {
  return { status, statusText, headers, data };
}

function bytes(answer) {
  return { ...brief(answer), data: Buffer.from(answer.data) };
}

async function read(answer) {
  return { ...brief(answer), data: await collect(answer.data) };
}

const headers = { authorization: 'Bearer t' };

export const cases = [
  {
    name: 'axios (http)',
    seam: 'axios',
    routes,
    operations,
    make: ({ transport, baseUrl }) => axios.create({ baseURL: baseUrl, headers, adapter: transport ?? 'http' }),
  },
  {
    name: 'axios (fetch)',
    seam: 'fetch',
    routes,
    operations,
    make: ({ fetch, baseUrl }) => axios.create({ baseURL: baseUrl, headers, adapter: 'fetch', env: { fetch } }),
  },
];
