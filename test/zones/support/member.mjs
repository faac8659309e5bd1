// One of several processes over a store, under remote control: `node member.mjs <order as JSON>`. Each line of its input is a command
// as JSON, with a number; it says `done <number> <answer as JSON>` once that was done, and
//   event <name> <reason or -> <monotonic ms>
// of its gates. It ends by itself after `close`, and with whoever started it.

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** @type {{ dist: string, backend: object, zones: Record<string, { origins: string[] }>, options?: object }} */
const order = JSON.parse(process.argv[2]);
const load = (path) => import(pathToFileURL(`${order.dist}/${path}`).href);
const [{ QueueManager }, { systemClock }] = await Promise.all([load('index.js'), load('system/clock.js')]);
const say = (line) => writeSync(1, `${line}\n`);

const TOLD = ['breaker:opened', 'breaker:halfOpened', 'breaker:recovering', 'breaker:closed'];

const { backend, zones, options } = order;
const queue = new QueueManager({ config: { name: 'members', backend, zones, ...options } });
for (const name of TOLD) {
  queue.on(name, ({ reason }) => say(`event ${name} ${reason ?? '-'} ${Math.round(systemClock.monotonicNow())}`));
}
let calls = 0;
queue.on('request:dispatched', () => {
  calls += 1;
});
await queue.start();
say('open');

const commands = {
  /** Writes that may be repeated, all in one step. */
  async enqueue({ path, count }) {
    const [{ origins }] = Object.values(zones);
    const requests = Array.from({ length: count }, (_, n) => ({
      request: { method: 'PUT', url: `${origins[0]}${path}/${n}`, body: { n } },
    }));
    await queue.enqueueMany(requests);
  },
  pause: ({ zone }) => queue.pause(zone),
  resume: ({ zone }) => queue.resume(zone),
  status: ({ zone }) => queue.zones.get(zone).breaker.status,
  idle: () => queue.idle(),
  counts: () => queue.counts(),
  calls: () => calls,
  async close() {
    input.close();
    process.stdin.destroy();
    await queue.close();
  },
};

const input = createInterface({ input: process.stdin });
input.on('line', async (line) => {
  const command = JSON.parse(line);
  say(`done ${command.n} ${JSON.stringify((await commands[command.do](command)) ?? null)}`);
});
process.stdin.on('end', () => process.exit(1));
