// A process that sends: `node worker.mjs <order as JSON>`. It works until its input ends, closes the queue, says `closed`, and
// must then end by itself.

import { openQueue, say } from './openQueue.mjs';

const inputEnded = new Promise((resolve) => process.stdin.on('end', resolve).resume());
const queue = await openQueue({});
await inputEnded;
await queue.close();
say('closed');
