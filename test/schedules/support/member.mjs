// One of several processes that fire the schedules of a store: `node member.mjs <order as JSON>`. Says `open`, and
//   fired <due time>
// for each firing that is its own. It ends with whoever started it.

import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

/** @type {{ dist: string, backend: object, schedule?: object }} */
const { dist, backend, schedule } = JSON.parse(process.argv[2]);
const { QueueManager } = await import(pathToFileURL(`${dist}/index.js`).href);
const say = (line) => writeSync(1, `${line}\n`);

const queue = new QueueManager({ config: { name: 'schedules', backend } });
queue.on('schedule:fired', ({ dueAt }) => say(`fired ${dueAt}`));
await queue.start();
if (schedule !== undefined) await queue.schedules.set('tick', schedule);
say('open');
process.stdin.resume();
process.stdin.on('end', () => process.exit());
