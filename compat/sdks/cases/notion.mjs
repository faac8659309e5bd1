import { Client, collectPaginatedAPI } from '@notionhq/client';

const page = (id, more = {}) => ({ object: 'page', id, archived: false, ...more });
const failure = (status, code, message) => ({
  status,
  json: { object: 'error', status, code, message, request_id: 'r-1' },
});

const routes = {
  'GET /v1/pages/missing': () => failure(404, 'object_not_found', 'Could not find page'),
  'GET /v1/pages/:id': ({ params }) => ({ json: page(params.id) }),
  'POST /v1/pages': ({ text, state }) => {
    state.made = (state.made ?? 0) + 1;
    return { json: page(`made-${state.made}`, { sent: text }) };
  },
  'PATCH /v1/pages/:id': ({ params, text }) => ({ json: page(params.id, { sent: text }) }),
  'GET /v1/users/me': () => failure(401, 'unauthorized', 'API token is invalid.'),
  'POST /v1/comments': () => failure(400, 'validation_error', 'body failed validation'),
  'DELETE /v1/blocks/:id': ({ params }) => ({ json: { object: 'block', id: params.id, archived: true } }),
  'GET /v1/blocks/:id/children': ({ query }) => {
    const at = Number(query.get('start_cursor') ?? 1);
    const next = at < 3 ? String(at + 1) : null;
    return {
      json: {
        object: 'list',
        results: [{ object: 'block', id: `b${at}` }],
        has_more: next !== null,
        next_cursor: next,
      },
    };
  },
  'POST /v1/search': ({ text }) => ({
    json: { object: 'list', results: [page('p1')], has_more: false, next_cursor: null, sent: text },
  }),
  'POST /v1/file_uploads': ({ state }) => {
    state.made = (state.made ?? 0) + 1;
    return { json: { object: 'file_upload', id: `up-${state.made}`, status: 'pending' } };
  },
  'POST /v1/file_uploads/:id/send': ({ params, body, boundary }) => ({
    json: {
      object: 'file_upload',
      id: params.id,
      status: 'uploaded',
      size: body.length,
      multipart: boundary !== undefined,
    },
  }),
  'GET /v1/pages/slow/properties/p': () => ({ delayMs: 5_000, json: {} }),
};

const title = { title: [{ text: { content: 'Grüße' } }] };

const operations = [
  { name: 'retrieve', run: (client) => client.pages.retrieve({ page_id: 'p1' }) },
  { name: 'create', run: (client) => client.pages.create({ parent: { page_id: 'p1' }, properties: { title } }) },
  { name: 'update', run: (client) => client.pages.update({ page_id: 'p1', archived: true }) },
  { name: 'delete', run: (client) => client.blocks.delete({ block_id: 'b1' }) },
  { name: '404', run: (client) => client.pages.retrieve({ page_id: 'missing' }) },
  { name: '400', run: (client) => client.comments.create({ parent: { page_id: 'p1' }, rich_text: [] }) },
  { name: '401', run: (client) => client.users.me({}) },
  {
    name: 'all pages',
    run: (client) => collectPaginatedAPI(client.blocks.children.list, { block_id: 'b0', page_size: 1 }),
  },
  { name: 'search', run: (client) => client.search({ query: 'ü', filter: { property: 'object', value: 'page' } }) },
  {
    name: 'upload',
    run: async (client) => {
      const { id } = await client.fileUploads.create({ mode: 'single_part', filename: 'a.txt' });
      const file = { filename: 'a.txt', data: new Blob(['hello'], { type: 'text/plain' }) };
      return client.fileUploads.send({ file_upload_id: id, file });
    },
  },
  {
    name: 'create in a hurry',
    only: 'slow',
    run: (_client, context) =>
      make(context, { timeoutMs: 700 }).pages.create({ parent: { page_id: 'p1' }, properties: { title } }),
  },
  {
    name: 'timeout',
    only: 'none',
    run: (_client, context) =>
      make(context, { timeoutMs: 400, retry: false }).pages.properties.retrieve({ page_id: 'slow', property_id: 'p' }),
  },
];

function make({ fetch, baseUrl }, more = {}) {
  return new Client({ auth: 'secret_1', baseUrl, fetch, logger: () => undefined, ...more });
}

export const cases = [{ name: 'notion', seam: 'fetch', routes, operations, make: (context) => make(context) }];
