import { createClient } from '@supabase/supabase-js';

const row = (id, more = {}) => ({ id, name: `Row ${id}`, ...more });

const routes = {
  'GET /rest/v1/things': ({ query, headers }) => {
    if (query.get('id') === 'eq.missing') {
      return {
        status: 406,
        json: {
          code: 'PGRST116',
          message: 'JSON object requested, multiple (or no) rows returned',
          details: null,
          hint: null,
        },
      };
    }
    if (headers.accept?.includes('vnd.pgrst.object')) return { json: row(1, { query: [...query] }) };
    return { json: [row(1), row(2, { query: [...query] })], headers: { 'content-range': '0-1/2' } };
  },
  'HEAD /rest/v1/things': () => ({ headers: { 'content-range': '0-1/2' } }),
  'POST /rest/v1/things': ({ text, state, headers }) => {
    state.made = (state.made ?? 0) + 1;
    return { status: 201, json: [row(state.made, { sent: text, prefer: headers.prefer ?? null })] };
  },
  'POST /rest/v1/taken': () => ({
    status: 409,
    json: {
      code: '23505',
      message: 'duplicate key value violates unique constraint',
      details: 'Key (id)=(1) already exists.',
      hint: null,
    },
  }),
  'PATCH /rest/v1/things': ({ text, query }) => ({ json: [row(1, { sent: text, query: [...query] })] }),
  'DELETE /rest/v1/things': () => ({ status: 204 }),
  'GET /rest/v1/secret': () => ({
    status: 401,
    json: { code: 'PGRST301', message: 'JWT expired', details: null, hint: null },
  }),
  'GET /rest/v1/slow': () => ({ delayMs: 5_000, json: [] }),
  'POST /rest/v1/rpc/add': ({ text }) => ({ json: { sent: text, sum: 3 } }),
  'POST /storage/v1/object/bucket/:name': ({ body, boundary, params, state }) => {
    state.made = (state.made ?? 0) + 1;
    return {
      json: {
        Key: `bucket/${params.name}`,
        Id: `obj-${state.made}`,
        size: body.length,
        multipart: boundary !== undefined,
      },
    };
  },
  'GET /storage/v1/object/bucket/:name': () => ({ text: 'stored bytes', headers: { 'content-type': 'text/plain' } }),
  'POST /storage/v1/object/list/bucket': ({ text }) => ({ json: [{ name: 'a.txt', sent: text }] }),
  'POST /functions/v1/hello': ({ text }) => ({ json: { hello: 'world', sent: text } }),
  'POST /functions/v1/broken': () => ({ status: 500, json: { message: 'boom' } }),
  'POST /auth/v1/token': () => ({
    status: 400,
    json: { code: 400, error_code: 'invalid_credentials', msg: 'Invalid login credentials' },
  }),
};

const operations = [
  { name: 'select', run: (client) => client.from('things').select('*').eq('name', 'ü').order('id').range(0, 1) },
  { name: 'select one', run: (client) => client.from('things').select('id, name').eq('id', 1).single() },
  { name: 'count', run: (client) => client.from('things').select('*', { count: 'exact', head: true }) },
  { name: 'insert', run: (client) => client.from('things').insert({ name: 'Ü' }).select() },
  {
    name: 'upsert',
    run: (client) => client.from('things').upsert({ id: 1, name: 'U' }, { onConflict: 'id' }).select(),
  },
  { name: 'update', run: (client) => client.from('things').update({ name: 'N' }).eq('id', 1).select() },
  { name: 'delete', run: (client) => client.from('things').delete().eq('id', 1) },
  { name: 'no row', run: (client) => client.from('things').select().eq('id', 'missing').single() },
  {
    name: 'no row, thrown',
    run: (client) => client.from('things').select().eq('id', 'missing').single().throwOnError(),
  },
  { name: '409', run: (client) => client.from('taken').insert({ id: 1 }) },
  { name: '401', run: (client) => client.from('secret').select() },
  { name: 'procedure', run: (client) => client.rpc('add', { a: 1, b: 2 }) },
  {
    name: 'upload',
    run: (client) => client.storage.from('bucket').upload('a.txt', new Blob(['hello']), { contentType: 'text/plain' }),
  },
  { name: 'upload of bytes', run: (client) => client.storage.from('bucket').upload('b.bin', Buffer.from([0, 255, 1])) },
  { name: 'download', run: (client) => download(client) },
  { name: 'list of files', run: (client) => client.storage.from('bucket').list('', { limit: 10 }) },
  { name: 'function', run: (client) => client.functions.invoke('hello', { body: { name: 'a' } }) },
  { name: '500 to a write', run: (client) => client.functions.invoke('broken', { body: {} }) },
  {
    name: 'login refused',
    run: (client) => client.auth.signInWithPassword({ email: 'a@example.com', password: 'wrong' }),
  },
  {
    name: 'abort',
    only: 'none',
    run: (client) => client.from('slow').select().abortSignal(AbortSignal.timeout(400)),
  },
];

async function download(client) {
  const { data, error } = await client.storage.from('bucket').download('a.txt');
  return { error, text: await data?.text(), type: data?.type };
}

function make({ fetch, baseUrl }) {
  const auth = { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false };
  // Node 20 has no WebSocket; nothing here subscribes.
  const realtime = { transport: class {} };
  return createClient(baseUrl, 'anon-key', { auth, realtime, global: { fetch } });
}

export const cases = [{ name: 'supabase', seam: 'fetch', routes, operations, make }];
