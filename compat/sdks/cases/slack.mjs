import { LogLevel, WebClient } from '@slack/web-api';

const routes = {
  'POST /api/conversations.info': ({ text }) => ({
    json: { ok: true, channel: { id: 'C1', name: 'general' }, sent: text },
  }),
  'POST /api/chat.postMessage': ({ text, state }) => {
    state.made = (state.made ?? 0) + 1;
    return {
      json: { ok: true, ts: `1700000000.00000${state.made}`, sent: text },
      headers: { 'x-oauth-scopes': 'chat:write' },
    };
  },
  'POST /api/chat.update': ({ text }) => ({ json: { ok: true, ts: '1700000000.000001', sent: text } }),
  'POST /api/chat.delete': () => ({ json: { ok: false, error: 'message_not_found' } }),
  'POST /api/auth.test': () => ({ json: { ok: false, error: 'invalid_auth' } }),
  'POST /api/conversations.list': ({ text }) => {
    const page = Number(new URLSearchParams(text).get('cursor') ?? '1');
    const next = page < 3 ? String(page + 1) : '';
    return { json: { ok: true, channels: [{ id: `C${page}` }], response_metadata: { next_cursor: next } } };
  },
  'POST /api/files.getUploadURLExternal': ({ origin }) => ({
    json: { ok: true, upload_url: `${origin}/upload/1`, file_id: 'F1' },
  }),
  'POST /upload/1': () => ({ text: 'OK - 11' }),
  'POST /api/files.completeUploadExternal': ({ text }) => ({ json: { ok: true, files: [{ id: 'F1' }], sent: text } }),
};

const operations = [
  { name: 'read', run: (client) => client.conversations.info({ channel: 'C1' }) },
  {
    name: 'create',
    run: (client) =>
      client.chat.postMessage({
        channel: 'C1',
        text: 'Grüße & more',
        blocks: [{ type: 'divider' }],
        unfurl_links: false,
      }),
  },
  { name: 'update', run: (client) => client.chat.update({ channel: 'C1', ts: '1700000000.000001', text: 'new' }) },
  { name: 'an error of the API', run: (client) => client.chat.delete({ channel: 'C1', ts: '1' }) },
  { name: 'wrong credentials', run: (client) => client.auth.test() },
  {
    name: 'all pages',
    run: async (client) => {
      const pages = [];
      for await (const page of client.paginate('conversations.list', { limit: 1 })) pages.push(page);
      return pages;
    },
  },
  {
    name: 'upload',
    run: (client) => client.filesUploadV2({ channel_id: 'C1', file: Buffer.from('hello\0world'), filename: 'a.bin' }),
  },
  {
    name: 'create in a hurry',
    only: 'slow',
    run: (_client, context) => make(context, { timeout: 700 }).chat.postMessage({ channel: 'C1', text: 'hi' }),
  },
];

function make({ fetch, baseUrl }, more = {}) {
  return new WebClient('xoxb-1', { slackApiUrl: `${baseUrl}/api/`, fetch, logLevel: LogLevel.ERROR, ...more });
}

export const cases = [{ name: 'slack', seam: 'fetch', routes, operations, make: (context) => make(context) }];
