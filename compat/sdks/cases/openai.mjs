import OpenAI, { toFile } from 'openai';
import { collectParts } from '../things.mjs';

const completion = (more = {}) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'gpt-test',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Grüße' }, finish_reason: 'stop' }],
  ...more,
});
const failure = (status, code, message) => ({
  status,
  json: { error: { message, type: 'invalid_request_error', param: null, code } },
});

function events() {
  const part = (content) => ({
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'gpt-test',
    choices: [{ index: 0, delta: { content } }],
  });
  return [
    ...['one ', 'two ', 'thrée'].map((content) => `data: ${JSON.stringify(part(content))}\n\n`),
    'data: [DONE]\n\n',
  ];
}

const routes = {
  'GET /v1/models/gpt-test': () => ({ json: { id: 'gpt-test', object: 'model', created: 1, owned_by: 'me' } }),
  'GET /v1/models/missing': () => failure(404, 'model_not_found', 'The model does not exist'),
  'GET /v1/models/slow': () => ({ delayMs: 5_000, json: {} }),
  'GET /v1/models': () => failure(401, 'invalid_api_key', 'Incorrect API key provided'),
  'POST /v1/chat/completions': ({ text, state }) => {
    if (JSON.parse(text).stream) return { headers: { 'content-type': 'text/event-stream' }, chunks: events() };
    state.made = (state.made ?? 0) + 1;
    return { json: completion({ id: `chatcmpl-${state.made}`, sent: text }), headers: { 'openai-processing-ms': '5' } };
  },
  'POST /v1/chat/completions/:id': ({ params, text }) => ({ json: completion({ id: params.id, sent: text }) }),
  'POST /v1/moderations': () => failure(500, 'server_error', 'Something broke'),
  'POST /v1/embeddings': () => failure(422, 'unprocessable', 'input is wrong'),
  'GET /v1/files': ({ query }) => {
    const after = Number((query.get('after') ?? 'file-0').slice(5));
    const data = [1, 2].map((step) => ({ id: `file-${after + step}`, object: 'file' }));
    return { json: { object: 'list', data, has_more: after < 4 } };
  },
  'POST /v1/files': ({ body, boundary, state }) => {
    state.made = (state.made ?? 0) + 1;
    return {
      json: { id: `file-${state.made}`, object: 'file', bytes: body.length, multipart: boundary !== undefined },
    };
  },
  'DELETE /v1/files/:id': ({ params }) => ({ json: { id: params.id, object: 'file', deleted: true } }),
  'GET /v1/files/:id/content': () => ({ text: 'the content', headers: { 'content-type': 'text/plain' } }),
};

const messages = [{ role: 'user', content: 'hä?' }];

const operations = [
  { name: 'retrieve', run: (client) => client.models.retrieve('gpt-test') },
  { name: 'create', run: (client) => client.chat.completions.create({ model: 'gpt-test', messages }) },
  {
    name: 'create, with the response',
    run: (client) => client.chat.completions.create({ model: 'gpt-test', messages }).withResponse(),
  },
  {
    name: 'create with an own key',
    run: (client) =>
      client.chat.completions.create({ model: 'gpt-test', messages }, { headers: { 'Idempotency-Key': 'own-key-1' } }),
  },
  { name: 'update', run: (client) => client.chat.completions.update('chatcmpl-1', { metadata: { a: 'b' } }) },
  { name: 'delete', run: (client) => client.files.delete('file-1') },
  { name: '404', run: (client) => client.models.retrieve('missing') },
  { name: '422', run: (client) => client.embeddings.create({ model: 'gpt-test', input: 'a' }) },
  { name: '500 to a write', only: 'none', run: (client) => client.moderations.create({ input: 'a' }) },
  { name: '401', run: (client) => client.models.list() },
  {
    name: 'all pages',
    run: async (client) => {
      const found = [];
      for await (const file of client.files.list({ limit: 2 })) found.push(file.id);
      return found;
    },
  },
  {
    name: 'upload',
    run: async (client) =>
      client.files.create({ purpose: 'batch', file: await toFile(Buffer.from('hello\0world'), 'a.jsonl') }),
  },
  { name: 'content', run: async (client) => (await client.files.content('file-1')).text() },
  {
    name: 'stream',
    run: async (client) =>
      collectParts(await client.chat.completions.create({ model: 'gpt-test', messages, stream: true })),
  },
  {
    name: 'stream that is left',
    only: 'none',
    run: async (client) => {
      const stream = await client.chat.completions.create({ model: 'gpt-test', messages, stream: true });
      for await (const part of stream) return { part, aborted: stream.controller.signal.aborted };
    },
  },
  {
    name: 'abort',
    only: 'none',
    run: (client) => client.models.retrieve('slow', { signal: AbortSignal.timeout(400) }),
  },
  {
    name: 'create in a hurry',
    only: 'slow',
    run: (client) => client.chat.completions.create({ model: 'gpt-test', messages }, { timeout: 700 }),
  },
  { name: 'timeout', only: 'none', run: (client) => client.models.retrieve('slow', { timeout: 400, maxRetries: 0 }) },
];

const make = ({ fetch, baseUrl }) => new OpenAI({ apiKey: 'sk-1', baseURL: `${baseUrl}/v1`, fetch, logLevel: 'off' });

export const cases = [{ name: 'openai', seam: 'fetch', routes, operations, make }];
