// One loopback API for one operation: answers by a table of routes, logs every request that reached it with its body, and
// fails as told. Each operation has a server of its own, so operations run side by side and their logs stay apart.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** Below the ephemeral ports, so that nothing else takes a port while its server is away. */
let nextPort = 20_000 + (process.pid % 100) * 100;

export const WARM_UP = '/warm-up';

const REFUSED_MS = 1_000;
const OFFLINE_MS = 5_000;
const CHUNK_PAUSE_MS = 40;
const SLOW_MS = 2_500;

/**
 * What can go wrong at the server. `begin` says when it listens; `onRequest` what happens to a request that was fully received,
 * by how often this one came. Answers: `busy` (503, not applied), `reset` (applied, then the connection is destroyed),
 * `late` (applied at once, answered when a caller in a hurry has gone).
 */
export const FAULTS = Object.freeze({
  none: () => 'answer',
  refused: () => 'answer',
  503: (tries) => (tries === 1 ? 'busy' : 'answer'),
  reset: (tries) => (tries === 1 ? 'reset' : 'answer'),
  'reset-always': () => 'reset',
  offline: () => 'answer',
  slow: (tries) => (tries === 1 ? 'late' : 'answer'),
});

/**
 * @param {{ routes: Record<string, Function>, fault?: string, offlineAfter?: number }} options routes by `METHOD /path/:name`;
 * with the fault `offline`, the listener goes after so many requests
 */
export async function startServer({ routes, fault = 'none', offlineAfter = 0 }) {
  const table = Object.entries(routes).map(([pattern, handle]) => ({ ...compile(pattern), handle }));
  const log = [];
  const tries = new Map();
  const applied = new Map();
  const state = {};
  const away = [];

  const http = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    receive(request, response).catch((error) => response.destroy(error));
  });

  async function receive(request, response) {
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // the caller went while it sent: no request
    }
    if (request.url === WARM_UP) return void response.end('{}');
    const entry = makeEntry(request, Buffer.concat(chunks));
    log.push(entry);
    const count = (tries.get(entry.identity) ?? 0) + 1;
    tries.set(entry.identity, count);
    const fate = FAULTS[fault](count);
    entry.fate = fate;
    if (fate === 'busy') return sendBusy(response);
    const answer = apply(entry);
    if (fate === 'reset') return void request.socket.resetAndDestroy();
    if (fate === 'late') await sleep(SLOW_MS);
    if (fault === 'offline' && log.length === offlineAfter) {
      response.setHeader('connection', 'close');
      away.push(goAway(OFFLINE_MS));
    }
    await send(response, answer);
  }

  /** A write with a key is applied once; whoever repeats it gets the first answer. */
  function apply(entry) {
    const key = entry.headers['idempotency-key'];
    if (key !== undefined && applied.has(key)) return applied.get(key);
    const answer = handle(entry);
    if (key !== undefined) applied.set(key, answer);
    return answer;
  }

  function handle(entry) {
    const url = new URL(entry.path, origin);
    for (const { method, pattern, handle } of table) {
      const match = entry.method === method ? pattern.exec(url.pathname) : null;
      if (match === null) continue;
      return handle({ ...entry, params: match.groups ?? {}, query: url.searchParams, state, origin });
    }
    return { status: 501, json: { message: `no route for ${entry.method} ${url.pathname}` } };
  }

  async function listen() {
    for (;;) {
      try {
        await new Promise((resolve, reject) => {
          http.once('error', reject);
          http.listen(port, '127.0.0.1', () => {
            http.off('error', reject);
            resolve();
          });
        });
        return;
      } catch (error) {
        if (error.code !== 'EADDRINUSE') throw error;
        if (origin !== undefined) await sleep(20);
        else port = nextPort++;
      }
    }
  }

  /** Nobody listens for so long; what is being answered is answered. */
  async function goAway(ms) {
    http.close();
    await sleep(ms);
    await listen();
  }

  let origin;
  let port = nextPort++;
  await listen();
  origin = `http://127.0.0.1:${port}`;

  return {
    origin,
    log,
    /** Brings about a fault of the listener, once clients are set up. */
    async begin(warmUp) {
      const isOffline = fault === 'offline' && offlineAfter === 0;
      if (fault !== 'refused' && !isOffline) return;
      if (isOffline) await warmUp(origin + WARM_UP);
      away.push(goAway(isOffline ? OFFLINE_MS : REFUSED_MS));
      http.closeAllConnections();
      await sleep(50); // so that clients have seen their connections close
    },
    async close() {
      await Promise.all(away);
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function compile(pattern) {
  const [method, path] = pattern.split(' ');
  const source = path.replace(/[.+*?^${}()|[\]\\]/g, '\\$&').replace(/:(\w+)/g, '(?<$1>[^/]+)');
  return { method, pattern: new RegExp(`^${source}$`) };
}

function makeEntry(request, body) {
  const headers = { ...request.headers };
  const boundary = /boundary="?([^";]+)/.exec(headers['content-type'] ?? '')?.[1];
  const text = body.toString('latin1');
  const masked = boundary === undefined ? text : text.replaceAll(boundary, '<boundary>');
  return {
    method: request.method,
    path: request.url,
    headers,
    body,
    text: body.toString('utf8'),
    boundary,
    identity: `${request.method} ${request.url} ${masked}`,
    fate: 'answer',
  };
}

function sendBusy(response) {
  response.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1' });
  response.end('{"message":"busy","error":{"message":"busy","type":"api_error"}}');
}

async function send(response, answer) {
  const { status = 200, headers = {}, json, text = '', chunks, delayMs } = answer;
  if (delayMs !== undefined) await sleep(delayMs, undefined, { ref: false });
  const type = json !== undefined ? { 'content-type': 'application/json; charset=utf-8' } : {};
  response.writeHead(status, { ...type, 'x-request-id': 'req_fixed', ...headers });
  if (chunks === undefined) return void response.end(json === undefined ? text : JSON.stringify(json));
  for (const chunk of chunks) {
    response.write(chunk);
    await sleep(CHUNK_PAUSE_MS);
  }
  response.end();
}
