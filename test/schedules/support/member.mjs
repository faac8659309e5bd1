// One of several processes that fire the schedules of a store: `node member.mjs <order as JSON>`. Says `open`, and
//   fired <due time>
// for each firing that is its own. It ends with whoever started it.

import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** @type {{ dist: string, backend: any, schedule?: object, diesAt?: { when: string, verb: string } }} */
const { dist, backend, schedule, diesAt } = JSON.parse(process.argv[2]);
const { QueueManager } = await import(pathToFileURL(`${dist}/index.js`).href);
const say = (line) => writeSync(1, `${line}\n`);

/** A store in whose verb this process is killed, once that has something to do with a firing. */
async function deadly() {
  const load = (path) => import(pathToFileURL(`${dist}/${path}`).href);
  const { hookBackend } = await load('testing/backendHooks.js');
  const { SQLiteBackend } = await load('queue/backends/sqlite/SQLiteBackend.js');
  const { RedisBackend } = await load('queue/backends/redis/RedisBackend.js');
  const { systemClock } = await load('system/clock.js');
  const { kind, ...at } = backend;
  const die = (when, verb) => {
    if (diesAt.when !== when || diesAt.verb !== verb) return undefined;
    process.kill(process.pid, 'SIGKILL');
    return new Promise(() => undefined);
  };
  return hookBackend(kind === 'sqlite' ? new SQLiteBackend(at) : new RedisBackend(at, { clock: systemClock }), {
    before: (verb) => die('before', verb),
    after: (verb, _, result) => (result?.length === 0 ? undefined : die('after', verb)),
  });
}

const config = { name: 'schedules', backend };
const queue = new QueueManager(diesAt === undefined ? { config } : { backend: await deadly() });
queue.on('schedule:fired', ({ dueAt }) => say(`fired ${dueAt}`));
await queue.start();
if (schedule !== undefined) await queue.schedules.set('tick', schedule);
say('open');
process.stdin.resume();
process.stdin.on('end', () => process.exit());
