// `npm run demo`: a server that is stopped, a client that is killed twice, and not one of 1,000 writes lost, doubled or
// out of order. Real processes, real sockets, a real database. The last line is the verdict; exit code 1 if it is bad.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LANES, STEPS } from './plan.mjs';
import { Table } from './table.mjs';
import { judge } from './verdict.mjs';

const TOTAL = LANES * STEPS;
const LIMIT_MS = 55_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
const database = join(folder, 'queue.db');
const acceptedFile = join(folder, 'accepted.txt');
const logFile = join(folder, 'server.jsonl');

const table = new Table(process.stdout);
const view = { server: 'down', client: 'down', accepted: 0, applied: 0, recognised: 0, counts: {} };
/** @type {Map<string, import('node:child_process').ChildProcess>} */
const processes = new Map();
/** @type {Set<() => void>} */
const watchers = new Set();
let port = 0;

/** Starts a process and keeps `view` up to date with what it reports. */
function start(name, args, onMessage) {
  const child = fork(fileURLToPath(new URL(`./${name}.mjs`, import.meta.url)), args, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  processes.set(name, child);
  view[name] = 'up';
  child.on('message', (message) => {
    onMessage(message);
    changed();
  });
  child.on('exit', (code, signal) => {
    processes.delete(name);
    view[name] = signal === 'SIGKILL' ? 'killed' : 'down';
    if (code !== 0 && signal === null) fail(`the ${name} ended with code ${code}`);
    changed();
  });
  return child;
}

async function startServer() {
  const child = start('server', [String(port), logFile], (message) => {
    if (message.listening !== undefined) port = message.listening;
    else Object.assign(view, { applied: message.applied, recognised: message.recognised, underWay: message.underWay });
  });
  await once(child, 'message');
}

function startClient() {
  return start('client', [`http://127.0.0.1:${port}`, database, acceptedFile], ({ accepted, counts }) =>
    Object.assign(view, { accepted, counts }),
  );
}

async function end(name, signal) {
  const child = processes.get(name);
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

function changed() {
  if (existsSync(acceptedFile)) view.accepted = readFileSync(acceptedFile, 'utf8').split('\n').length - 1;
  table.show(view);
  for (const check of [...watchers]) check();
}

/** Resolves once `condition` holds of what the processes report. */
function until(condition) {
  return new Promise((resolve) => {
    const check = () => {
      if (!condition()) return;
      watchers.delete(check);
      resolve();
    };
    watchers.add(check);
    check();
  });
}

function fail(why) {
  table.say(`FAILED: ${why}. What was written is in ${folder}`);
  for (const child of processes.values()) child.kill('SIGKILL');
  process.exit(1);
}

const overdue = setTimeout(() => fail(`not done after ${LIMIT_MS / 1_000} s`), LIMIT_MS);

table.say(`A client gives ${TOTAL} writes in ${LANES} lanes to its queue; a server applies them.`);
await startServer();
startClient();

await until(() => view.applied >= 150);
await end('server', 'SIGTERM');
table.say(`The server is stopped after ${view.applied} writes. The client goes on accepting.`);

await until(() => view.accepted >= 550);
await end('client', 'SIGKILL');
table.say(`The client is killed (SIGKILL) while offline, with ${view.accepted} accepted.`);

startClient();
table.say('The client is started again, still offline, and goes on where it was.');

await until(() => view.accepted === TOTAL);
await startServer();
table.say(`All ${TOTAL} are accepted. The server is started again.`);

await until(() => view.applied >= 500 && view.underWay > 0);
await end('client', 'SIGKILL');
table.say(`The client is killed (SIGKILL) while sending, after ${view.applied} writes.`);

const client = startClient();
table.say('The client is started again and drains its queue.');
const [code, signal] = await once(client, 'exit');
if (signal !== null) fail(`the client was ended by ${signal}`);
await end('server', 'SIGTERM');
clearTimeout(overdue);

const { line, recognised, good } = judge(logFile, acceptedFile, TOTAL, LANES);
table.say(`The queue is empty and the client has ended by itself (code ${code}).`);
table.say(`The server recognised ${recognised} resends by their key and did not apply them again.`);
if (process.stdout.isTTY) table.show(view);
if (good) rmSync(folder, { recursive: true });
else console.log(`What was written is in ${folder}`);
console.log(line);
process.exitCode = good ? 0 : 1;
