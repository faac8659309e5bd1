import {
  AuthenticationHandler,
  Client,
  HTTPMessageHandler,
  PageIterator,
  RedirectHandler,
  RetryHandler,
  TelemetryHandler,
} from '@microsoft/microsoft-graph-client';
import { collect } from '../things.mjs';

const user = (id, more = {}) => ({ id, displayName: `User ${id}`, ...more });
const failure = (status, code, message) => ({
  status,
  json: { error: { code, message, innerError: { 'request-id': 'r-1' } } },
});

const routes = {
  'GET /v1.0/users/missing': () => failure(404, 'Request_ResourceNotFound', 'Resource does not exist.'),
  'GET /v1.0/users/:id': ({ params, query }) => ({ json: user(params.id, { query: [...query] }) }),
  'GET /v1.0/me': () => failure(401, 'InvalidAuthenticationToken', 'Access token is empty.'),
  'POST /v1.0/users': ({ text, state }) => {
    state.made = (state.made ?? 0) + 1;
    return { status: 201, json: user(`made-${state.made}`, { sent: text }) };
  },
  'PATCH /v1.0/users/:id': ({ params, text }) => ({ json: user(params.id, JSON.parse(text)) }),
  'PUT /v1.0/users/:id/photo/$value': ({ body, headers }) => ({
    json: { size: body.length, type: headers['content-type'] },
  }),
  'GET /v1.0/users/:id/photo/$value': () => ({ chunks: ['JF', 'I', 'F'], headers: { 'content-type': 'image/jpeg' } }),
  'DELETE /v1.0/users/:id': () => ({ status: 204 }),
  'POST /v1.0/groups': () => failure(422, 'BadRequest', 'mailNickname is required'),
  'GET /v1.0/users': ({ query }) => {
    const page = Number(query.get('$skiptoken') ?? 1);
    const next = page < 3 ? { '@odata.nextLink': `/users?$skiptoken=${page + 1}` } : {};
    return { json: { value: [user(`u${page}`)], ...next } };
  },
};

const operations = [
  { name: 'get', run: (client) => client.api('/users/1').get() },
  {
    name: 'get with parameters',
    run: (client) => client.api('/users/1').select(['id', 'displayName']).header('ConsistencyLevel', 'eventual').get(),
  },
  { name: 'create', run: (client) => client.api('/users').post({ displayName: 'Ü' }) },
  { name: 'update', run: (client) => client.api('/users/1').patch({ displayName: 'N' }) },
  { name: 'delete', run: (client) => client.api('/users/1').delete() },
  { name: '404', run: (client) => client.api('/users/missing').get() },
  { name: '422', run: (client) => client.api('/groups').post({ displayName: 'G' }) },
  { name: '401', run: (client) => client.api('/me').get() },
  {
    name: 'all pages',
    run: async (client) => {
      const found = [];
      const first = await client.api('/users').get();
      await new PageIterator(client, first, ({ id }) => found.push(id)).iterate();
      return found;
    },
  },
  {
    name: 'upload',
    run: (client) =>
      client
        .api('/users/1/photo/$value')
        .header('content-type', 'image/png')
        .put(Buffer.from([1, 255, 0])),
  },
  { name: 'download', run: async (client) => collect(await client.api('/users/1/photo/$value').getStream()) },
];

/** The chain that the SDK builds for Node, with the terminal handler exchanged. */
function make({ transport, baseUrl }) {
  const chain = [
    new AuthenticationHandler({ getAccessToken: async () => 'token-1' }),
    new RetryHandler(),
    new RedirectHandler(),
    new TelemetryHandler(),
    transport ?? new HTTPMessageHandler(),
  ];
  const customHosts = new Set([new URL(baseUrl).hostname]);
  return Client.initWithMiddleware({ middleware: chain, baseUrl: `${baseUrl}/`, defaultVersion: 'v1.0', customHosts });
}

export const cases = [{ name: 'graph', seam: 'graph', routes, operations, make }];
