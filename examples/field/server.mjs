// The office's API, in memory: tickets, notes and time entries, with ids that it counts up. Each has an ETag; who changes
// one says in If-Match which version is meant, and gets 412 when that is not the latest any more.

import { createServer } from 'node:http';

const COLLECTIONS = new Set(['/tickets', '/notes', '/time-entries']);

/**
 * @typedef {object} Entry A write that came in.
 * @property {string} by Whose token it came with.
 * @property {string} method
 * @property {string} path
 * @property {string | undefined} ifMatch
 * @property {object} body
 * @property {number} status
 * @property {string} item Path of what it made or was meant to change.
 * @property {boolean} recognised Its key had been seen before: answered as then, and not applied again.
 */

/**
 * @param {number} port
 * @param {(entry: Entry) => boolean} onApplied Called after a write was applied, before its answer; false breaks the connection.
 */
export async function startServer(port, onApplied) {
  /** @type {Map<string, object[]>} All versions of each thing, oldest first, by its path. */
  const things = new Map();
  /** @type {Map<string, { status: number, item: string }>} By idempotency key. */
  const answered = new Map();
  /** @type {Entry[]} */
  const log = [];
  let lastId = 1_000;

  const latest = (item) => things.get(item)?.at(-1);
  const etagOf = (item) => `"v${things.get(item)?.length ?? 0}"`;

  function apply(method, path, ifMatch, body) {
    if (method === 'POST' && COLLECTIONS.has(path)) {
      lastId += 1;
      const item = `${path}/${lastId}`;
      things.set(item, [{ id: lastId, ...body }]);
      return { status: 201, item };
    }
    if (!things.has(path)) return { status: 404, item: path };
    if (method === 'GET') return { status: 200, item: path };
    if (method !== 'PATCH') return { status: 405, item: path };
    if (ifMatch === undefined) return { status: 428, item: path };
    if (ifMatch !== etagOf(path)) return { status: 412, item: path };
    things.get(path).push({ ...latest(path), ...body });
    return { status: 200, item: path };
  }

  const http = createServer(async (request, response) => {
    const { method, url: path, headers } = request;
    const text = (await request.toArray()).join('');
    const body = text === '' ? {} : JSON.parse(text);
    const { 'idempotency-key': key, 'if-match': ifMatch } = headers;

    const before = answered.get(key);
    const answer = before ?? apply(method, path, ifMatch, body);
    const { status, item } = answer;
    const shown = JSON.stringify(latest(item) ?? {});
    const etag = etagOf(item);
    if (method !== 'GET') {
      const by = headers.authorization?.replace('Bearer ', '') ?? 'nobody';
      const entry = { by, method, path, ifMatch, body, ...answer, recognised: before !== undefined };
      log.push(entry);
      if (status < 300 && before === undefined) {
        if (key !== undefined) answered.set(key, answer);
        if (!onApplied(entry)) return request.socket.destroy();
      }
    }
    response.writeHead(status, { 'content-type': 'application/json', etag });
    response.end(status < 300 ? shown : '{}');
  });
  await new Promise((resolve) => http.listen(port, '127.0.0.1', resolve));

  return {
    log,
    /** What a collection has, in the order in which it was made. */
    all: (collection) => [...things.keys()].filter((item) => item.startsWith(`${collection}/`)).map(latest),
    /** Somebody changes a thing here and now. */
    change(by, item, body) {
      const ifMatch = etagOf(item);
      log.push({
        by,
        method: 'PATCH',
        path: item,
        ifMatch,
        body,
        ...apply('PATCH', item, ifMatch, body),
        recognised: false,
      });
    },
    async stop() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
