/** Handlers whose answer is what the URL asks for. */
import { STATUS_CODES } from 'node:http';
import { toQuery } from '../query.mjs';

export const answerHandlers = {
  '/fetch/api/resources/status.py': status,
  '/xhr/resources/status.py': status,

  '/fetch/api/resources/script-with-header.py': ({ query }) => ({
    headers: [['Content-Type', query.get('mime') ?? '']],
    body: query.get('content') === 'empty' ? '' : "console.log('Script loaded')",
  }),

  '/fetch/api/resources/cache.py': ({ header }) => {
    const etag = '"123abc"';
    if (header('if-none-match') === etag) return { status: 304, headers: [['X-HTTP-STATUS', '304']] };
    return {
      headers: [
        ['ETag', etag],
        ['Content-Type', 'text/plain'],
      ],
      body: 'lorem ipsum dolor sit amet',
    };
  },

  '/fetch/api/resources/redirect-empty-location.py': () => ({ status: 302, headers: [['Location', '']] }),
  '/fetch/api/resources/redirect.py': redirect,

  '/common/redirect.py': ({ query, header }) => {
    const headers = [['Location', query.get('location') ?? '']];
    if (query.has('enable-cors') && header('origin') !== undefined) {
      headers.push(
        ['Content-Type', 'text/plain'],
        ['Access-Control-Allow-Origin', header('origin')],
        ['Access-Control-Allow-Credentials', 'true'],
      );
    }
    return { status: Number(query.get('status')) || 302, headers };
  },

  '/fetch/content-encoding/gzip/resources/bad-gzip-body.py': () => notReally('gzip'),
  '/fetch/content-encoding/br/resources/bad-br-body.py': () => notReally('br'),
  '/fetch/content-encoding/zstd/resources/bad-zstd-body.py': () => notReally('zstd'),
};

function status({ method, query }) {
  return {
    status: Number(query.get('code') ?? 200),
    reason: query.get('text') ?? 'OMG',
    headers: [
      ['Content-Type', query.get('type') ?? ''],
      ['X-Request-Method', method],
    ],
    body: query.get('content'),
  };
}

function notReally(coding) {
  return { headers: [['Content-Encoding', coding]], body: `not actually ${coding}` };
}

/** Redirects to `location`, handing the query on; under a token it counts, and stops past `max_count`. */
async function redirect({ method, path, query, header, stash, sleep }) {
  const headers = [
    ['Content-Type', 'text/plain'],
    ['Cache-Control', 'no-cache'],
    ['Pragma', 'no-cache'],
    ['Access-Control-Allow-Origin', header('origin', '*')],
  ];
  if (header('origin') !== undefined) headers.push(['Access-Control-Allow-Credentials', 'true']);
  const token = query.get('token');
  const state = (token && stash.take(path, token)) ?? { count: 0 };
  if (method === 'OPTIONS') {
    if (query.has('allow_headers')) headers.push(['Access-Control-Allow-Headers', query.get('allow_headers')]);
    if (!query.has('redirect_preflight')) {
      if (token) stash.put(path, token, state);
      return { headers };
    }
  }
  state.count++;
  if (query.has('location')) headers.push(['Location', target(query, state.count)]);
  if (query.has('redirect_referrerpolicy')) headers.push(['Referrer-Policy', query.get('redirect_referrerpolicy')]);
  if (query.has('delay')) await sleep(Number(query.get('delay')));
  if (token) {
    stash.put(path, token, state);
    if (query.has('max_count') && state.count > Number(query.get('max_count')))
      return { body: String(state.count - 1) };
  }
  const code = Number(query.get('redirect_status') ?? 302);
  return { status: code, reason: STATUS_CODES[code], headers };
}

function target(query, count) {
  const url = query.get('location');
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1].toLowerCase();
  if (query.has('simple') || !(scheme === undefined || scheme === 'http' || scheme === 'https')) return url;
  return `${url}${url.includes('?') ? '&' : '?'}${toQuery(query.firsts())}&count=${count}`;
}
