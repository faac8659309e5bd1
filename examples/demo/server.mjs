// An API over notes: `node server.mjs <port> <log file>`. What it applies it appends to the log before it answers, one
// JSON line each; started again, it reads the log and knows every note and every idempotency key it has seen.

import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

const [port, logFile] = process.argv.slice(2);
/** How long an answer takes: long enough that a kill finds requests on their way. */
const LATENCY_MS = 10;

const notes = new Set();
const answers = new Map();
const seen = { applied: 0, recognised: 0, underWay: 0 };

for (const line of existsSync(logFile) ? readFileSync(logFile, 'utf8').split('\n') : []) {
  if (line !== '') remember(JSON.parse(line));
}
const log = openSync(logFile, 'a');

function remember(entry) {
  if (entry.recognised) {
    seen.recognised += 1;
    return;
  }
  seen.applied += 1;
  if (entry.path === '/notes') notes.add(entry.lane);
  if (entry.key !== null) answers.set(entry.key, entry.status);
}

/** Applies a write once per key; answers a key it has seen as it did the first time. */
function apply(method, path, key, body) {
  const known = key === null ? undefined : answers.get(key);
  if (known !== undefined) {
    note({ recognised: true, key, ...body });
    return known;
  }
  const of = /^\/notes\/([^/]+)/.exec(path)?.[1];
  if (of !== undefined && !notes.has(of)) return 404;
  const status = method === 'POST' ? 201 : 200;
  note({ method, path, key, status, ...body });
  return status;
}

function note(entry) {
  writeSync(log, `${JSON.stringify(entry)}\n`);
  remember(entry);
}

const server = createServer((request, response) => {
  let text = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => {
    text += chunk;
  });
  request.on('end', () => {
    seen.underWay += 1;
    response.on('close', () => {
      seen.underWay -= 1;
    });
    const key = request.headers['idempotency-key'] ?? null;
    const status = apply(request.method, request.url, key, text === '' ? {} : JSON.parse(text));
    setTimeout(() => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ status }));
    }, LATENCY_MS);
  });
});

const reporting = setInterval(() => process.send?.(seen), 20);

/** Stops as a pulled plug does: nobody is told, whoever waits for an answer gets none. */
function stop() {
  clearInterval(reporting);
  server.close(() => closeSync(log));
  server.closeAllConnections();
}

process.once('SIGTERM', () => {
  stop();
  process.disconnect?.();
});
process.once('disconnect', () => process.exit());

server.listen(Number(port), '127.0.0.1', () => process.send?.({ listening: server.address().port }));
