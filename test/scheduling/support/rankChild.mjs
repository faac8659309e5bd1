// A process that dies while it ranks anew what waits: `node rankChild.mjs <order as JSON>`. It accepts requests that wait, sets another strategy, and
// kills itself at the point of its order: before, during or after so many calls of the store that give ranks (`amend`) or that say how far it got (`mark`).

import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** @type {{ dist: string, backend: object, requests: number, point: { what: string, when: string, nth: number } }} */
const { dist, backend, requests, point } = JSON.parse(process.argv[2]);
const load = (path) => import(pathToFileURL(`${dist}/${path}`).href);
const [{ QueueManager }, { hookBackend }, { systemClock }, { SQLiteBackend }, { RedisBackend }] = await Promise.all([
  load('index.js'),
  load('testing/index.js'),
  load('system/clock.js'),
  load('queue/backends/sqlite/SQLiteBackend.js'),
  load('queue/backends/redis/RedisBackend.js'),
]);

let passed = 0;
let isArmed = false;
const pass = (what, when) => {
  if (!isArmed || what !== point.what || when !== point.when) return;
  passed += 1;
  if (passed === point.nth) process.kill(process.pid, 'SIGKILL');
};

const { kind, ...at } = backend;
const store = kind === 'sqlite' ? new SQLiteBackend(at) : new RedisBackend(at, { clock: systemClock });
const hook = (when) => (verb) => pass(verb, when);
const hooked = hookBackend(store, { before: hook('before'), during: hook('during'), after: hook('after') });
const { shared } = hooked;

async function set(query) {
  const isMark = query.key === 'strategy';
  if (isMark) pass('mark', 'before');
  const answer = shared.set(query);
  if (isMark) pass('mark', 'during');
  const version = await answer;
  if (isMark) pass('mark', 'after');
  return version;
}

const given = {
  get: (query) => shared.get(query),
  list: (query) => shared.list(query),
  delete: (query) => shared.delete(query),
  acquire: (query) => shared.acquire(query),
  release: (query) => shared.release(query),
  take: (query) => shared.take(query),
  set,
};
const queue = new QueueManager({ backend: { ...hooked, shared: given } });
await queue.start();
queue.pause();
await queue.enqueueMany(
  Array.from({ length: requests }, (_, n) => ({
    request: { method: 'POST', url: `https://api.test/things/${n}`, body: 'x' },
  })),
);
writeSync(1, 'accepted\n');
process.stdin.resume();
isArmed = true;
await queue.setStrategy({ priorityStrategy: 'weighted' });
