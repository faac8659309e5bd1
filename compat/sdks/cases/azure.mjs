import { ServiceClient } from '@azure/core-client';
import { createHttpHeaders, createPipelineFromOptions, createPipelineRequest } from '@azure/core-rest-pipeline';
import { collect, makeForm, routes, soon } from '../things.mjs';

const operations = [
  { name: 'get', run: (send) => send('GET', '/things/1') },
  { name: 'get with parameters', run: (send) => send('GET', '/things?q=a%20b&n=2') },
  { name: 'head', run: (send) => send('HEAD', '/things/1') },
  { name: 'post', run: (send) => send('POST', '/things', json({ name: 'Ü' })) },
  { name: 'post without a body', run: (send) => send('POST', '/things') },
  { name: 'put', run: (send) => send('PUT', '/things/1', json({ name: 'P' })) },
  { name: 'patch', run: (send) => send('PATCH', '/things/1', json({ name: 'Q' })) },
  { name: 'delete', run: (send) => send('DELETE', '/things/1') },
  { name: '404', run: (send) => send('GET', '/things/missing') },
  { name: '422', run: (send) => send('POST', '/invalid', json({})) },
  { name: '401', run: (send) => send('GET', '/things/secret') },
  { name: 'redirect', run: (send) => send('GET', '/things/moved') },
  { name: 'bytes', run: (send) => send('POST', '/upload', { body: new Uint8Array([0, 255, 1]) }) },
  { name: 'form', run: (send) => send('POST', '/upload', { formData: Object.fromEntries(makeForm()) }) },
  { name: 'stream', run: (send) => send('GET', '/things/stream', { streamResponseStatusCodes: new Set([200]) }) },
  { name: 'abort', only: 'none', run: (send) => send('GET', '/things/slow', { abortSignal: soon() }) },
  { name: 'timeout', only: 'none', run: (send) => send('GET', '/things/slow', { timeout: 400 }) },
];

function json(value) {
  return { body: JSON.stringify(value), headers: createHttpHeaders({ 'content-type': 'application/json' }) };
}

/** The service client over the default pipeline: what generated clients are made of. */
function make({ transport, baseUrl }) {
  const client = new ServiceClient({
    endpoint: baseUrl,
    pipeline: createPipelineFromOptions({ userAgentOptions: { userAgentPrefix: 'compat' } }),
    ...(transport === undefined ? {} : { httpClient: transport }),
  });
  return async (method, path, more = {}) => {
    const request = createPipelineRequest({ url: baseUrl + path, method, allowInsecureConnection: true, ...more });
    const { status, headers, bodyAsText, readableStreamBody } = await client.sendRequest(request);
    return { status, headers, bodyAsText, streamed: readableStreamBody && (await collect(readableStreamBody)) };
  };
}

export const cases = [{ name: 'azure (core)', seam: 'azure', routes, operations, make }];
