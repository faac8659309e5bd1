import Anthropic, { toFile } from '@anthropic-ai/sdk';
import { collectParts } from '../things.mjs';

const message = (more = {}) => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'test',
  content: [{ type: 'text', text: 'Grüße' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 1, output_tokens: 2 },
  ...more,
});
const failure = (status, type, text) => ({ status, json: { type: 'error', error: { type, message: text } } });

function events() {
  const start = message({ content: [], stop_reason: null });
  const all = [
    { type: 'message_start', message: start },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...['one ', 'two ', 'thrée'].map((text) => ({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text },
    })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 3 } },
    { type: 'message_stop' },
  ];
  return all.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

const routes = {
  'GET /v1/models/test': () => ({
    json: { type: 'model', id: 'test', display_name: 'Test', created_at: '2024-01-01T00:00:00Z' },
  }),
  'GET /v1/models/missing': () => failure(404, 'not_found_error', 'model: missing'),
  'GET /v1/models/secret': () => failure(401, 'authentication_error', 'invalid x-api-key'),
  'GET /v1/models/slow': () => ({ delayMs: 5_000, json: {} }),
  'GET /v1/models': ({ query }) => {
    const after = Number((query.get('after_id') ?? 'm0').slice(1));
    const data = [1, 2].map((step) => ({ type: 'model', id: `m${after + step}` }));
    return { json: { data, has_more: after < 4, first_id: data[0].id, last_id: data[1].id } };
  },
  'POST /v1/messages': ({ text, state }) => {
    if (JSON.parse(text).stream) return { headers: { 'content-type': 'text/event-stream' }, chunks: events() };
    state.made = (state.made ?? 0) + 1;
    return { json: message({ id: `msg_${state.made}`, sent: text }), headers: { 'request-id': 'req_1' } };
  },
  'POST /v1/messages/count_tokens': () => failure(422, 'invalid_request_error', 'messages: wrong'),
  'POST /v1/messages/batches': () => failure(500, 'api_error', 'Something broke'),
  'POST /v1/messages/batches/:id/cancel': ({ params }) => ({
    json: { id: params.id, type: 'message_batch', processing_status: 'canceling' },
  }),
  'DELETE /v1/messages/batches/:id': ({ params }) => ({ json: { id: params.id, type: 'message_batch_deleted' } }),
  'POST /v1/files': ({ body, boundary, state }) => {
    state.made = (state.made ?? 0) + 1;
    return {
      json: { id: `file_${state.made}`, type: 'file', size_bytes: body.length, multipart: boundary !== undefined },
    };
  },
};

const messages = [{ role: 'user', content: 'hä?' }];
const ask = { model: 'test', max_tokens: 16, messages };

const operations = [
  { name: 'retrieve', run: (client) => client.models.retrieve('test') },
  { name: 'create', run: (client) => client.messages.create(ask) },
  { name: 'create, with the response', run: (client) => client.messages.create(ask).withResponse() },
  { name: 'update', run: (client) => client.messages.batches.cancel('b1') },
  { name: 'delete', run: (client) => client.messages.batches.delete('b1') },
  { name: '404', run: (client) => client.models.retrieve('missing') },
  { name: '422', run: (client) => client.messages.countTokens({ model: 'test', messages }) },
  { name: '500 to a write', only: 'none', run: (client) => client.messages.batches.create({ requests: [] }) },
  { name: '401', run: (client) => client.models.retrieve('secret') },
  {
    name: 'all pages',
    run: async (client) => {
      const found = [];
      for await (const model of client.models.list({ limit: 2 })) found.push(model.id);
      return found;
    },
  },
  {
    name: 'upload',
    run: async (client) =>
      client.beta.files.upload({ file: await toFile(Buffer.from('hello\0world'), 'a.txt', { type: 'text/plain' }) }),
  },
  {
    name: 'stream',
    run: async (client) => collectParts(await client.messages.create({ ...ask, stream: true })),
  },
  { name: 'stream, the final message', run: (client) => client.messages.stream(ask).finalMessage() },
  {
    name: 'abort',
    only: 'none',
    run: (client) => client.models.retrieve('slow', {}, { signal: AbortSignal.timeout(400) }),
  },
  { name: 'create in a hurry', only: 'slow', run: (client) => client.messages.create(ask, { timeout: 700 }) },
  {
    name: 'timeout',
    only: 'none',
    run: (client) => client.models.retrieve('slow', {}, { timeout: 400, maxRetries: 0 }),
  },
];

const make = ({ fetch, baseUrl }) => new Anthropic({ apiKey: 'sk-1', baseURL: baseUrl, fetch, logLevel: 'off' });

export const cases = [{ name: 'anthropic', seam: 'fetch', routes, operations, make }];
