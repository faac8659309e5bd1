// `npm run field`: a technician works at a customer's without a network, and the power fails. A real process that is
// killed, a real database, real sockets. The last line is the verdict; exit code 1 where anything is not as promised.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startServer } from './server.mjs';
import * as show from './show.mjs';
import { judge } from './verdict.mjs';

const LIMIT_MS = 30_000;

const folder = mkdtempSync(join(tmpdir(), 'holdfast-field-'));
const port = await unusedPort();
const overdue = setTimeout(() => fail(`not done after ${LIMIT_MS / 1_000} s`), LIMIT_MS);
let app;

/** A port on which nobody listens, yet. */
async function unusedPort() {
  const placeholder = createServer().listen(0, '127.0.0.1');
  await once(placeholder, 'listening');
  const { port } = placeholder.address();
  await new Promise((resolve) => placeholder.close(resolve));
  return port;
}

/** Runs the app until it ends, and gathers what it tells; `onTold` hears each as it comes. */
async function runApp(onTold) {
  const told = [];
  app = fork(fileURLToPath(new URL('./app.mjs', import.meta.url)), [`http://127.0.0.1:${port}`, folder]);
  app.on('message', (message) => {
    told.push(message);
    onTold(message);
  });
  const [[code]] = await Promise.all([once(app, 'exit'), once(app, 'disconnect')]);
  if (code !== 0 && code !== null) fail(`the app ended with code ${code}`);
  return told;
}

function fail(why) {
  app?.kill('SIGKILL');
  console.log(`not as promised: ${why}. What was written is in ${folder}`);
  process.exit(1);
}

show.heading('At a customer. The office cannot be reached, and the technician works on.');
const first = await runApp(({ what }) => what === 'plan' && app.kill('SIGKILL'));
show.stored(first);
show.heading('All of it is on disk when the power fails: the app was killed (SIGKILL).');

let server;
let hasBroken = false;

/** While the technician's requests arrive, a colleague sees the new ticket at once, and a connection breaks. */
function meanwhile({ method, path, item }) {
  if (method === 'POST' && path === '/tickets') {
    server.change('dispatcher', item, { assignee: 'Kim', priority: 2 });
  }
  const breaks = path === '/notes' && !hasBroken;
  hasBroken ||= breaks;
  return !breaks;
}

const second = await runApp(async ({ what, requests, counts }) => {
  if (what === 'rest' && counts.held + counts.dead > 0) fail(`the queue came to rest with ${JSON.stringify(counts)}`);
  if (what !== 'plan') return;
  show.heading('Back at the van, still offline, the app is started again. What its queue is going to do:');
  show.plan(requests);
  server = await startServer(port, meanwhile);
  show.heading('The office can be reached again. What came in there:');
});
await server?.stop();
clearTimeout(overdue);
if (server === undefined) fail('the app ended before it was online');

show.log(server.log);
show.heading('What the app was told became of it:');
show.ended(second, first);
show.heading('The ticket was changed by both:');
show.conflict(second);
show.heading('What the office has in the end:');
show.things(server);

const { line, problems } = judge(first, second, server);
console.log();
for (const problem of problems) console.log(`not as promised: ${problem}`);
if (problems.length === 0) rmSync(folder, { recursive: true });
else console.log(`What was written is in ${folder}`);
console.log(line);
process.exitCode = problems.length === 0 ? 0 : 1;
