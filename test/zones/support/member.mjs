// One of several processes over a store, under remote control: `node member.mjs <order as JSON>`. What it says:
//   open
//   event <name> <ms, the same clock for all processes> <event as JSON>
//   idle <calls it made> <counts as JSON>
//   state <zones as JSON>
//   closed                                                     it then ends by itself
// and what it is told, one JSON a line:
//   { do: 'enqueue', path, count, method? }                    → accepted
//   { do: 'pause' | 'resume', zone } · { do: 'state' } · { do: 'idle' } · { do: 'close' }

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

/** @type {{ dist: string, name: string, backend: object, zones: Record<string, { origins: string[] }>, options?: object }} */
const order = JSON.parse(process.argv[2]);
const load = (path) => import(pathToFileURL(`${order.dist}/${path}`).href);
const [{ QueueManager }, { systemClock }] = await Promise.all([load('index.js'), load('system/clock.js')]);
const say = (line) => writeSync(1, `${line}\n`);

const TOLD = ['breaker:opened', 'breaker:halfOpened', 'breaker:recovering', 'breaker:closed', 'zone:offline', 'zone:online'];

const queue = new QueueManager({
  config: { name: order.name, backend: order.backend, zones: order.zones, ...order.options },
});
let calls = 0;
queue.on('request:dispatched', () => {
  calls += 1;
});
for (const name of TOLD) {
  queue.on(name, (event) => say(`event ${name} ${Math.round(systemClock.monotonicNow())} ${JSON.stringify(event)}`));
}
await queue.start();
say('open');

const commands = {
  async enqueue({ path, count, method = 'PUT' }) {
    const [{ origins }] = Object.values(order.zones);
    await queue.enqueueMany(
      Array.from({ length: count }, (_, n) => ({ request: { method, url: `${origins[0]}${path}/${n}`, body: { n } } })),
    );
    say('accepted');
  },
  pause: ({ zone }) => queue.pause(zone),
  resume: ({ zone }) => queue.resume(zone),
  state: () => say(`state ${JSON.stringify(queue.zones.list())}`),
  async idle() {
    await queue.idle();
    say(`idle ${calls} ${JSON.stringify(await queue.counts())}`);
  },
  async close() {
    input.close();
    process.stdin.destroy();
    await queue.close();
    say('closed');
  },
};

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const command = JSON.parse(line);
  void commands[command.do](command);
});
// Whoever started it is gone: nobody would hear what it says.
process.stdin.on('end', () => process.exit(1));
