import { FINGERPRINTED, fillDistinct, idleQueue, makeRedisBackend } from '../lib/backlog.mjs';
import { Observer } from '../lib/serverCost.mjs';

/** Bytes a server holds for a waiting request: with a body of 512, a fingerprint, and a lane for every second one. */
export async function run({ redis, count }) {
  const observer = new Observer(redis);
  const queue = await idleQueue(await makeRedisBackend(redis, 'store'), FINGERPRINTED);
  const before = await observer.usedBytes();
  const started = performance.now();
  await fillDistinct(queue, count);
  const tookMs = performance.now() - started;
  const bytes = ((await observer.usedBytes()) - before) / count;
  const counts = await queue.counts();
  if (counts.ready !== count) throw new Error(`${counts.ready} of ${count} wait`);
  const byKey = Object.entries(await observer.bytesByKey()).map(([key, used]) => [key, used / count]);
  observer.close();
  await queue.close();
  return { bytes, byKey: Object.fromEntries(byKey), tookMs };
}
