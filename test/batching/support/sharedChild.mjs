// One of several processes on one store: `node sharedChild.mjs <order as JSON>` opens a queue that batches and sends what is there, until it
// is told to close by a line of input. It says `sent <size> <status>` for each call of several, and `closed`.

import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { listAdapter } from './listAdapter.mjs';

const { dist, backend, origin, options } = JSON.parse(process.argv[2]);
const { QueueManager } = await import(pathToFileURL(`${dist}/index.js`).href);

const batch = listAdapter(([answer]) =>
  JSON.parse(new TextDecoder().decode(answer.body)).map(({ id, status, headers = [] }) => ({
    id,
    kind: 'answered',
    response: { status, headers, body: new Uint8Array(0) },
  })),
);

const queue = new QueueManager({
  config: {
    batchingEnabled: true,
    ...options,
    zones: { api: { origins: [origin], batch, maxConcurrency: 2 } },
    backend,
  },
});
queue.on('batch:sent', ({ size, status }) => writeSync(1, `sent ${size} ${status}\n`));
await queue.start();
writeSync(1, 'open\n');
const input = createInterface({ input: process.stdin });
input.once('line', async () => {
  input.close();
  process.stdin.destroy();
  await queue.close();
  writeSync(1, 'closed\n');
});
