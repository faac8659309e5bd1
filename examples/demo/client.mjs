// The application: `node client.mjs <API url> <database> <accepted file>`. It gives 1,000 writes to the queue and notes
// each one the queue has accepted. Killed and started again, it goes on after the last one noted: the keys make sure
// that what was accepted but not yet noted is not accepted twice.

import { existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { QuickSetup } from 'holdfast';
import { intents } from './plan.mjs';

const [url, database, acceptedFile] = process.argv.slice(2);
/** So many at a time, so far apart: a busy application, with time for the story to happen. */
const CHUNK = 10;
const PAUSE_MS = 15;

const accepted = new Set(
  (existsSync(acceptedFile) ? readFileSync(acceptedFile, 'utf8') : '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split(' ', 1)[0])),
);
const acceptedLog = openSync(acceptedFile, 'a');

const queue = await QuickSetup.sqlite(database, {
  // The API recognises a resend by its Idempotency-Key: this is what makes "exactly once" possible.
  zones: { notes: { origins: [url], idempotency: 'ietf' } },
  retry: { baseDelayMs: 100, maxDelayMs: 1_000 },
});

process.once('disconnect', () => process.exit());
const report = async () => process.send?.({ accepted: accepted.size, counts: await queue.counts() });
const reporting = setInterval(() => void report(), 50);

async function accept({ n, lane, method, path, body }) {
  const { id } = await queue.enqueue({ method, url: `${url}${path}`, body }, { lane, key: `intent-${n}` });
  writeSync(acceptedLog, `${n} ${id}\n`);
  accepted.add(n);
}

const left = intents().filter(({ n }) => !accepted.has(n));
for (let at = 0; at < left.length; at += CHUNK) {
  await Promise.all(left.slice(at, at + CHUNK).map(accept));
  await sleep(PAUSE_MS);
}

await queue.idle();
clearInterval(reporting);
await report();
await queue.close();
// Nothing of the queue is open any more: without the channel to the demo, this process ends by itself.
process.disconnect?.();
