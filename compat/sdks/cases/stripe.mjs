import Stripe from 'stripe';
import { collect } from '../things.mjs';

const customer = (id, more = {}) => ({
  id,
  object: 'customer',
  email: 'a@example.com',
  created: 1_700_000_000,
  ...more,
});

const routes = {
  'GET /v1/customers/search': ({ query }) => ({
    json: {
      object: 'search_result',
      url: '/v1/customers/search',
      has_more: false,
      data: [customer('cus_9', { query: query.get('query') })],
    },
  }),
  'GET /v1/customers/:id': ({ params }) =>
    params.id === 'cus_missing'
      ? {
          status: 404,
          json: {
            error: {
              type: 'invalid_request_error',
              code: 'resource_missing',
              message: 'No such customer',
              param: 'id',
            },
          },
        }
      : { json: customer(params.id), headers: { 'request-id': 'req_1', 'stripe-version': '2024-01-01' } },
  'POST /v1/customers': ({ text, state }) => {
    state.made = (state.made ?? 0) + 1;
    return { json: customer(`cus_made_${state.made}`, { sent: text }), headers: { 'request-id': 'req_2' } };
  },
  'POST /v1/customers/:id': ({ params, text }) => ({ json: customer(params.id, { sent: text }) }),
  'DELETE /v1/customers/:id': ({ params }) => ({ json: { id: params.id, object: 'customer', deleted: true } }),
  'POST /v1/payment_intents': () => ({
    status: 402,
    json: {
      error: {
        type: 'card_error',
        code: 'card_declined',
        decline_code: 'generic_decline',
        message: 'Your card was declined.',
      },
    },
  }),
  'GET /v1/balance': () => ({
    status: 401,
    json: { error: { type: 'invalid_request_error', message: 'Invalid API Key provided' } },
  }),
  'GET /v1/customers': ({ query }) => {
    const after = Number((query.get('starting_after') ?? 'cus_0').slice(4));
    const data = [1, 2].map((step) => customer(`cus_${after + step}`));
    return { json: { object: 'list', url: '/v1/customers', has_more: after < 4, data } };
  },
  'POST /v1/files': ({ state }) => {
    state.made = (state.made ?? 0) + 1;
    return { json: { id: `file_${state.made}`, object: 'file', size: 11 } };
  },
  'GET /v1/quotes/:id/pdf': () => ({
    headers: { 'content-type': 'application/pdf' },
    chunks: ['%PDF-1.7 ', 'and ', 'more'],
  }),
  'GET /v1/charges/slow': () => ({ delayMs: 5_000, json: {} }),
};

const operations = [
  { name: 'retrieve', run: (client) => client.customers.retrieve('cus_1') },
  {
    name: 'retrieve, with lastResponse',
    run: async (client) => (await client.customers.retrieve('cus_1')).lastResponse,
  },
  {
    name: 'create',
    run: (client) => client.customers.create({ email: 'a@example.com', metadata: { one: 'ü', two: '2' } }),
  },
  {
    name: 'create with an own key',
    run: (client) => client.customers.create({ name: 'B' }, { idempotencyKey: 'own-key-1' }),
  },
  { name: 'update', run: (client) => client.customers.update('cus_1', { name: 'C' }) },
  { name: 'update without parameters', run: (client) => client.customers.update('cus_1') },
  { name: 'delete', run: (client) => client.customers.del('cus_1') },
  { name: '404', run: (client) => client.customers.retrieve('cus_missing') },
  { name: '402', run: (client) => client.paymentIntents.create({ amount: 100, currency: 'eur' }) },
  { name: '401', run: (client) => client.balance.retrieve() },
  { name: 'list, all pages', run: (client) => client.customers.list({ limit: 2 }).autoPagingToArray({ limit: 10 }) },
  { name: 'search', run: (client) => client.customers.search({ query: "email:'a@example.com'" }) },
  {
    name: 'upload',
    run: (client) =>
      client.files.create({
        purpose: 'dispute_evidence',
        file: { data: Buffer.from('hello\0world'), name: 'a.bin', type: 'application/octet-stream' },
      }),
  },
  { name: 'stream of a PDF', run: async (client) => collect(await client.quotes.pdf('qt_1')) },
  {
    name: 'create in a hurry',
    only: 'slow',
    run: (client) => client.customers.create({ name: 'B' }, { timeout: 700 }),
  },
  {
    name: 'timeout',
    only: 'none',
    run: (client) => client.charges.retrieve('slow', {}, { timeout: 400, maxNetworkRetries: 0 }),
  },
];

function make({ fetch, baseUrl }) {
  const { hostname, port } = new URL(baseUrl);
  return new Stripe('sk_test_compat', {
    host: hostname,
    port,
    protocol: 'http',
    httpClient: Stripe.createFetchHttpClient(fetch),
  });
}

export const cases = [{ name: 'stripe', seam: 'fetch', routes, operations, make }];
