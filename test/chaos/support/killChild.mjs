// A process that is made to be killed: `node killChild.mjs <order as JSON>`. It opens the queue over real parts with
// fault points around them, drains what an earlier life left (if so ordered), says so, gives new work to the queue and dies at the
// point of its order. What it says goes out synchronously, one line each, so that it is heard even if it dies next.

import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';

/** @type {import('./order.ts').KillOrder} */
const order = JSON.parse(process.argv[2]);

const load = (path) => import(pathToFileURL(`${order.dist}/${path}`).href);
const [{ QueueManager }, { createUndiciTransport }, { SQLiteBackend }, { withFaultPoints }] = await Promise.all([
  load('index.js'),
  load('client/transport/UndiciTransport.js'),
  load('queue/backends/sqlite/SQLiteBackend.js'),
  load('testing/index.js'),
]);

const say = (line) => writeSync(1, `${line}\n`);
let armed = order.fault?.from === 'start';
let passed = 0;

const parts = withFaultPoints(
  { backend: new SQLiteBackend({ path: order.database }), transport: createUndiciTransport() },
  (point) => {
    if (!armed || point !== order.fault.point) return;
    passed += 1;
    if (passed !== order.fault.nth) return;
    say(`dying ${point} ${passed}`);
    process.kill(process.pid, 'SIGKILL');
  },
);

const queue = new QueueManager({
  config: {
    zones: { api: { origins: [order.origin], idempotency: 'ietf' } },
    retry: { baseDelayMs: 5, maxDelayMs: 50 },
    leaseMs: order.leaseMs,
  },
  ...parts,
});
await queue.start();
if (order.drains) {
  await queue.idle();
  const reader = new Database(order.database, { readonly: true });
  const [{ integrity_check: integrity }] = reader.pragma('integrity_check');
  reader.close();
  say(`drained ${integrity} ${JSON.stringify(await queue.counts())}`);
}

armed = order.fault !== null;
let next = order.firstIntent;
const end = order.firstIntent + order.intents;

/** Gives intents to the queue one after another, as one of several callers; acceptance order is the order of taking. */
async function caller() {
  while (next < end) {
    const intent = next++;
    const lane = `${order.name}-${intent % order.lanes}`;
    const update = intent % 3 === 0;
    const { id } = await queue.enqueue(
      {
        method: update ? 'PUT' : 'POST',
        url: `${order.origin}/${update ? `things/${lane}` : 'things'}`,
        body: { intent, lane },
      },
      { lane },
    );
    say(`accepted ${intent} ${id}`);
  }
}

await Promise.all(Array.from({ length: order.callers }, caller));
await queue.idle();
say('survived');
await queue.close();
