/** Handlers that remember between calls. */

const CORS = ['Access-Control-Allow-Origin', '*'];
const TEXT = ['Content-Type', 'text/plain'];

export const stashHandlers = {
  '/fetch/api/resources/clean-stash.py': ({ path, query, stash }) => ({
    body: stash.take(path, query.get('token')) === undefined ? '0' : '1',
  }),

  '/fetch/api/resources/stash-put.py': ({ method, folder, query, stash }) => {
    const headers = [CORS, ['Access-Control-Allow-Methods', '*'], ['Access-Control-Allow-Headers', '*']];
    if (method !== 'OPTIONS') stash.put(folder, query.get('key'), query.get('value'));
    return { headers, body: 'done' };
  },

  '/fetch/api/resources/stash-take.py': takeFrom('/fetch/api/resources/'),
  '/fetch/range/resources/stash-take.py': takeFrom('/fetch/range/'),

  '/fetch/api/resources/preflight.py': preflight,
  '/fetch/api/request/resources/cache.py': cache,

  '/fetch/connection-pool/resources/network-partition-key.py': ({ path, query, stash, header }) => {
    const key = query.get('uuid');
    const count = (stash.take(path, key) ?? 0) + 1;
    stash.put(path, key, count);
    const origin = header('origin');
    return {
      status: Number(query.get('status') ?? 200),
      headers: [TEXT, ...(origin === undefined ? [] : [['Access-Control-Allow-Origin', origin]])],
      body: `ok. Request was sent ${count} times. ${count} connections were created.`,
    };
  },
};

function takeFrom(folder) {
  return ({ query, stash }) => ({
    headers: [['Content-Type', 'application/json'], CORS],
    body: JSON.stringify(stash.take(folder, query.get('key')) ?? null),
  });
}

/** Tells whether a preflight came before. */
function preflight({ method, path, query, header, stash }) {
  const token = query.get('token');
  const headers = [TEXT];
  for (const origin of (query.get('origin') ?? '*').split(', ')) headers.push(['Access-Control-Allow-Origin', origin]);
  if (query.has('clear-stash')) return { headers, body: stash.take(path, token) === undefined ? '0' : '1' };
  if (query.has('credentials')) headers.push(['Access-Control-Allow-Credentials', 'true']);
  if (method === 'OPTIONS') return answerPreflight({ path, query, header, stash, token, headers });
  const seen = (token && stash.take(path, token)) ?? { control: '', preflight: '0', referrer: '' };
  if (query.has('checkUserAgentHeaderInPreflight') && header('user-agent') !== seen.userAgent) {
    return { status: 400, headers, body: 'ERROR: No user-agent header in preflight' };
  }
  headers.push(
    [
      'Access-Control-Expose-Headers',
      'x-did-preflight, x-control-request-headers, x-referrer, x-preflight-referrer, x-origin',
    ],
    ['x-did-preflight', seen.preflight],
    ...(seen.control === undefined ? [] : [['x-control-request-headers', seen.control]]),
    ['x-preflight-referrer', seen.referrer],
    ['x-referrer', header('referer', '')],
    ['x-origin', header('origin', '')],
  );
  if (token) stash.put(path, token, seen);
  return { headers };
}

function answerPreflight({ path, query, header, stash, token, headers }) {
  if (header('access-control-request-method') === undefined) {
    return { status: 400, body: 'ERROR: No access-control-request-method in preflight!' };
  }
  if (header('accept') !== '*/*') return { status: 400, body: 'ERROR: Invalid access in preflight!' };
  const asked = { max_age: 'Max-Age', allow_headers: 'Allow-Headers', allow_methods: 'Allow-Methods' };
  for (const [name, suffix] of Object.entries(asked)) {
    if (query.has(name)) headers.push([`Access-Control-${suffix}`, query.get(name)]);
  }
  const control = query.has('control_request_headers') ? header('access-control-request-headers') : '';
  const seen = { control, preflight: '1', referrer: header('referer', ''), userAgent: header('user-agent') };
  if (token) stash.put(path, token, seen);
  return { status: Number(query.get('preflight_status') ?? 200), headers };
}

/** A resource whose caching headers the URL chooses; it notes which conditional headers each call had. */
function cache({ path, query, header, stash }) {
  const token = query.get('token');
  const noted = stash.take(path, token);
  if (query.has('querystate')) return { headers: [TEXT], body: JSON.stringify(noted ?? null) };
  const state = {};
  for (const name of ['If-None-Match', 'If-Modified-Since', 'Pragma', 'Cache-Control']) {
    if (!query.has('ignore') && header(name)) state[name] = header(name);
  }
  stash.put(path, token, [...(noted ?? []), state]);
  const tag = query.get('tag') ? `"${query.get('tag')}"` : undefined;
  const date = query.get('date');
  const wanted = [
    ['ETag', tag],
    ['Last-Modified', tag ? undefined : date],
    ['Expires', query.get('expires')],
    ['Vary', query.get('vary')],
    ['Cache-Control', query.get('cache_control')],
    ['Location', query.get('redirect')],
  ];
  const headers = [...wanted.filter(([, value]) => value), CORS];
  if (query.get('redirect')) return { status: 302, reason: 'Redirect', headers };
  const tagged = header('if-none-match') !== undefined && header('if-none-match') === tag;
  const dated = header('if-modified-since') !== undefined && header('if-modified-since') === date;
  if (tagged || dated) return { status: 304, headers };
  return { headers: [...headers, TEXT], body: query.get('content') };
}
