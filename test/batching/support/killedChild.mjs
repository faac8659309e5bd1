// A process that is killed with a batch on the wire: `node killedChild.mjs <dist> <database> <origin>`. It says `accepted <id> <path>` for
// each request, and waits.

import { writeSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { listAdapter } from './listAdapter.mjs';

const [dist, database, origin] = process.argv.slice(2);
const { QueueManager } = await import(pathToFileURL(`${dist}/index.js`).href);

const batch = listAdapter(() => []);

const queue = new QueueManager({
  config: {
    batchingEnabled: true,
    zones: { api: { origins: [origin], batch } },
    backend: { kind: 'sqlite', path: database },
  },
});
await queue.start();
const requests = ['POST', 'PUT', 'POST', 'PUT', 'POST'].map((method, index) => ({
  request: { method, url: `${origin}/things/${index + 1}`, body: { n: index } },
}));
for (const { id } of await queue.enqueueMany(requests)) writeSync(1, `accepted ${id}\n`);
process.stdin.resume();
