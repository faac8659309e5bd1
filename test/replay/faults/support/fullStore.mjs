// A queue on a store that runs out of room: `node fullStore.mjs <order as JSON>`, where its store is a small disk of its own, or a Redis server
// whose memory it may limit. What it has to tell it says as one line of JSON per run.
//   { do: 'fill', points }   one run per point: at the so manieth use of a verb of the store there is no room any more, until the run is over
//   { do: 'die', count }     so many requests are accepted and not sent, then there is no room any more, and it kills itself
//   { do: 'drain' }          opens what another left, while there is no room, and sends it

import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** @type {import('./full.ts').FullOrder} */
const order = JSON.parse(process.argv[2]);
const load = (path) => import(pathToFileURL(`${order.dist}/${path}`).href);
const [{ QueueManager }, { hookBackend }, { systemClock }] = await Promise.all([
  load('index.js'),
  load('testing/index.js'),
  load('system/clock.js'),
]);
const say = (what) => writeSync(1, `${JSON.stringify(what)}\n`);
/** Waits for it, but no longer than so many ms. */
async function within(ms, promise) {
  let timer;
  const late = new Promise((resolve) => {
    timer = systemClock.schedule(ms, resolve, { keepAlive: true });
  });
  await Promise.race([promise, late]);
  timer.cancel();
}

const { folder, redis } = order;
const filler = `${folder}/filler`;
let server;

/** Writes until nothing more fits. */
function fillDisk() {
  const file = openSync(filler, 'a');
  for (let size = 1024 * 1024; size >= 1; size = size >> 1) {
    const chunk = Buffer.alloc(size);
    try {
      while (writeSync(file, chunk) > 0);
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error;
    }
  }
  closeSync(file);
}

async function fill() {
  if (redis === undefined) return fillDisk();
  await server.call('CONFIG', 'SET', 'maxmemory', '1mb');
}

async function free() {
  if (redis === undefined) return rmSync(filler, { force: true });
  await server.call('CONFIG', 'SET', 'maxmemory', '0');
}

async function createStore(name) {
  if (redis !== undefined) {
    const { RedisBackend } = await load('queue/backends/redis/RedisBackend.js');
    return new RedisBackend({ port: redis.port, keyPrefix: `${redis.keyPrefix}-${name}` }, { clock: systemClock });
  }
  const { SQLiteBackend } = await load('queue/backends/sqlite/SQLiteBackend.js');
  mkdirSync(`${folder}/${name}`, { recursive: true });
  return new SQLiteBackend({ path: `${folder}/${name}/queue.db` });
}

async function open(name, before = () => undefined) {
  const queue = new QueueManager({
    config: {
      zones: { api: { origins: [order.origin], idempotency: 'stripe' } },
      retry: { baseDelayMs: 20, maxDelayMs: 200 },
      leaseMs: 3_000,
    },
    backend: hookBackend(await createStore(name), { before }),
  });
  await queue.start();
  return queue;
}

const PAD = 'x'.repeat(20_000);

/** What became of giving it to the queue: its id, or a code. */
async function accept(queue, run, intent) {
  try {
    const body = { run, intent, pad: PAD };
    const { id } = await queue.enqueue(
      { method: 'POST', url: `${order.origin}/notes`, body },
      { lane: `${intent % 2}` },
    );
    return { intent, id };
  } catch (error) {
    return { intent, code: error.code };
  }
}

/** There is no room from a write of the run on; work goes on until there is room again. */
async function runFull(run, [at, nth]) {
  let uses = 0;
  const queue = await open(run, async (verb) => {
    if (verb === at && ++uses === nth) await fill();
  });
  const results = [];
  for (let intent = 0; intent < 9; intent += 1) {
    results.push(await accept(queue, run, intent));
    if (intent % 3 === 2) await within(5_000, queue.idle());
  }
  const whileFull = await queue.counts();
  await free();
  const later = [await accept(queue, run, 9), await accept(queue, run, 10)];
  await within(10_000, queue.idle());
  const counts = await queue.counts();
  await queue.close();
  const reopened = await open(run);
  say({ run, isFilled: uses >= nth, results, whileFull, later, counts, afterwards: await reopened.counts() });
  await reopened.close();
}

if (redis !== undefined) {
  const { Redis } = await import('ioredis');
  server = new Redis({ port: redis.port });
}
if (order.do === 'fill') {
  for (const point of order.points) {
    const run = point.join('-');
    await runFull(run, point);
    if (redis === undefined) rmSync(`${folder}/${run}`, { recursive: true });
  }
}
if (order.do === 'die') {
  const queue = await open('death');
  queue.pause();
  const results = [];
  for (let intent = 0; intent < order.count; intent += 1) results.push(await accept(queue, 'death', intent));
  await fill();
  say({ run: 'death', results });
  process.kill(process.pid, 'SIGKILL');
}
if (order.do === 'drain') {
  const queue = await open('death');
  await within(5_000, queue.idle());
  const whileFull = await queue.counts();
  await free();
  await within(10_000, queue.idle());
  say({ run: 'death', whileFull, counts: await queue.counts() });
  await queue.close();
}
server?.disconnect();
