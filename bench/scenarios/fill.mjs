import { basename, dirname } from 'node:path';
import { fill, idleQueue, makeBackend } from '../lib/backlog.mjs';

/** Makes a database with a backlog, in a process of its own so that nothing of the work is left in the one measured. */
export async function run({ path, counts }) {
  const queue = await idleQueue(await makeBackend('sqlite', dirname(path), basename(path)));
  const started = performance.now();
  await fill(queue, counts);
  const tookMs = performance.now() - started;
  await queue.close();
  return { tookMs };
}
