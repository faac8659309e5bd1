/** The origin of the caching tests: each call's answer stands in a header of the request, and the calls that came are kept. */

const KEPT = new Set(['content-type', 'access-control-allow-origin', 'last-modified', 'etag']);
const LOCATIONS = new Set(['location', 'content-location']);
const DATES = new Set(['date', 'expires', 'last-modified']);
const TEXT = ['Content-Type', 'text/plain'];
const CREDENTIALS = ['Access-Control-Allow-Credentials', 'true'];

export const httpCacheHandlers = {
  '/fetch/http-cache/resources/http-cache.py': (call) => {
    const { query, path, stash } = call;
    const uuid = query.get('uuid');
    const dispatch = query.get('dispatch');
    if (!uuid) return { status: 404, headers: [CREDENTIALS, TEXT], body: 'UUID not found' };
    if (dispatch === 'test') return answer(call, uuid);
    if (dispatch === 'state')
      return { headers: [CREDENTIALS, TEXT], body: JSON.stringify(stash.take(path, uuid) ?? null) };
    return { status: 404, headers: [CREDENTIALS, TEXT], body: 'Fallthrough' };
  },
};

function answer({ method, url, path, header, rawHeaders, stash }, uuid) {
  const calls = stash.take(path, uuid) ?? [];
  const config = JSON.parse(Buffer.from(header('test-requests', ''), 'base64').toString() || '[]')[calls.length];
  if (!config) return { status: 404, headers: [TEXT], body: 'Config not found' };
  const now = Date.now() / 1000;
  const kept = {};
  const headers = new Map([['access-control-allow-credentials', CREDENTIALS]]);
  for (const [name, given] of config.response_headers ?? []) {
    const lower = name.toLowerCase();
    let value = given;
    if (LOCATIONS.has(lower)) value = value.length > 0 ? `${url}&target=${value}` : url;
    if (DATES.has(lower) && Number.isInteger(value)) value = new Date((now + value) * 1000).toUTCString();
    headers.set(lower, [name, String(value)]);
    if (KEPT.has(lower)) kept[lower] = value;
  }
  calls.push({
    now,
    request_method: method,
    request_headers: Object.fromEntries(rawHeaders.map(([name, value]) => [name.toLowerCase(), value])),
    response_headers: kept,
  });
  stash.put(path, uuid, calls);
  if (!headers.has('access-control-allow-origin')) headers.set('cors', ['Access-Control-Allow-Origin', '*']);
  if (!headers.has('content-type')) headers.set('type', TEXT);
  headers.set('count', ['Server-Request-Count', String(calls.length)]);
  const [status, reason] = statusOf(config, calls[0].response_headers, header);
  return {
    status,
    reason,
    headers: [...headers.values()],
    body: status === 204 || status === 304 ? '' : (config.response_body ?? uuid),
  };
}

function statusOf(config, first, header) {
  if (!config.expected_type?.endsWith('validated')) return config.response_status ?? [200, 'OK'];
  const dated = first['last-modified'] && header('if-modified-since') === first['last-modified'];
  const tagged = first.etag && header('if-none-match') === first.etag;
  return dated || tagged ? [304, 'Not Modified'] : [999, '304 Not Generated'];
}
