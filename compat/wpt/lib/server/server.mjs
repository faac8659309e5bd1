import { once } from 'node:events';
import { createServer } from 'node:http';
import { posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileReply, readTest } from './files.mjs';
import { answerHandlers } from './handlers/answers.mjs';
import { echoHandlers } from './handlers/echo.mjs';
import { httpCacheHandlers } from './handlers/httpCache.mjs';
import { stashHandlers } from './handlers/stashing.mjs';
import { streamHandlers } from './handlers/streams.mjs';
import { parseOwnMethod } from './ownMethods.mjs';
import { applyPipes } from './pipes.mjs';
import { parseQuery } from './query.mjs';
import { send, sendRaw } from './reply.mjs';
import { Stash } from './stash.mjs';

const HOST = 'localhost';
const LOOPBACK = '127.0.0.1';

const HANDLERS = {
  ...answerHandlers,
  ...echoHandlers,
  ...httpCacheHandlers,
  ...stashHandlers,
  ...streamHandlers,
};

/**
 * Stands in for the server of the web platform tests: their files, and what their server-side scripts answer, on two ports of
 * the loopback interface. There is no HTTPS: its ports are closed.
 */
export async function startServer() {
  const variables = { host: HOST, otherHost: `www.${HOST}`, ports: { http: [], https: [], closed: 1 } };
  const context = { variables, stash: new Stash(), unknown: new Set() };
  const servers = [];
  for (let count = 0; count < 2; count++) {
    const server = createServer((req, res) => {
      serve(context, req, res).catch((error) => fail(req, error));
    });
    server.on('clientError', (error, socket) => {
      const req = parseOwnMethod(error);
      if (!req) socket.destroy();
      else serve(context, { ...req, socket }).catch((reason) => fail({ ...req, socket }, reason));
    });
    server.listen(0, LOOPBACK);
    await once(server, 'listening');
    servers.push(server);
    variables.ports.http.push(server.address().port);
  }
  return {
    origin: `http://${HOST}:${variables.ports.http[0]}`,
    variables,
    /** Server-side scripts that were asked for and are not here. */
    unknown: context.unknown,
    async close() {
      await Promise.all(servers.map(closeServer));
    },
  };
}

function fail(req, error) {
  console.error(`${req.method} ${req.url}: ${error.stack}`);
  req.socket.destroy();
}

function closeServer(server) {
  return new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

async function serve(context, req, res) {
  const call = await readCall(context, req, res);
  if (call.path.endsWith('.asis')) {
    sendRaw(call, await readTest(call.path, context.variables));
    return;
  }
  const handler = HANDLERS[call.path];
  if (!handler && call.path.endsWith('.py')) context.unknown.add(call.path);
  const reply = await (handler ? handler(call) : staticReply(call, context));
  if (reply) send(call, call.query.has('pipe') ? applyPipes({ headers: [], ...reply }, call.query.get('pipe')) : reply);
}

/** The page of a test is only its address here: tests run in a process of their own. */
function staticReply({ path }, { variables }) {
  if (path.endsWith('.any.html')) return { headers: [['Content-Type', 'text/html']], body: '<!doctype html>' };
  return fileReply(path, variables);
}

async function readCall({ stash }, req, res) {
  const at = req.url.indexOf('?');
  const path = posix.normalize(decodeURIComponent(at < 0 ? req.url : req.url.slice(0, at)));
  const rawHeaders = pairs(req.rawHeaders);
  const headers = req.headers ?? Object.fromEntries(rawHeaders.map(([name, value]) => [name.toLowerCase(), value]));
  return {
    req,
    res,
    stash,
    sleep,
    method: req.method,
    url: `http://${headers.host}${req.url}`,
    path,
    folder: path.slice(0, path.lastIndexOf('/') + 1),
    query: parseQuery(at < 0 ? '' : req.url.slice(at + 1)),
    header: (name, otherwise) => headers[name.toLowerCase()] ?? otherwise,
    headerNames: Object.keys(headers),
    rawHeaders,
    body: req.body ?? (await readBody(req)),
  };
}

async function readBody(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function pairs(list) {
  return Array.from({ length: list.length / 2 }, (_, index) => [list[2 * index], list[2 * index + 1]]);
}
