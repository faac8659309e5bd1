import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { load } from './build.mjs';
import { BODY, PATH } from './payload.mjs';

/** The zone that backlogs wait in. Queues that do not name it in their configuration do not send its requests. */
export const ZONE = 'backlog';
export const ORIGIN = 'http://backlog.example.com';
const URL = ORIGIN + PATH;

const CHUNK = 1000;
const FAR_MS = 30 * 24 * 3_600_000;

/** Limits under which a backlog fits; the default of 10,000 waiting requests is the one thing they change. */
export const ROOMY = Object.freeze({ maxSize: 10_000_000, maxBytes: 64 * 2 ** 30 });

export async function makeBackend(kind, folder, name) {
  if (kind === 'memory') {
    const { MemoryBackend } = await load('queue/backends/memory/MemoryBackend.js');
    return new MemoryBackend();
  }
  const { SQLiteBackend } = await load('queue/backends/sqlite/SQLiteBackend.js');
  return new SQLiteBackend({ path: join(folder, name) });
}

/** The store of that name on a Redis server. */
export async function makeRedisBackend(redis, name) {
  const { RedisBackend } = await load('queue/backends/redis/RedisBackend.js');
  const { systemClock } = await load('system/clock.js');
  return new RedisBackend({ ...redis, name }, { clock: systemClock });
}

/** A started queue over the backend that accepts and never claims. */
export async function idleQueue(backend, options = {}) {
  const { QueueManager } = await load();
  const config = { ...ROOMY, ...options, dispatch: false, zones: { [ZONE]: { origins: [ORIGIN] } } };
  const queue = new QueueManager({ config, backend });
  await queue.start();
  return queue;
}

/**
 * Accepts what is to wait. What stands ahead does so by priority and age; `blocked` is one lane behind a request that is not
 * due for a month.
 *
 * @param {{ ready: number, delayed?: number, blocked?: number }} counts
 */
export async function fill(queue, { ready, delayed = 0, blocked = 0 }) {
  const notBefore = Date.now() + FAR_MS;
  await accept(queue, delayed, { priority: 10, notBefore });
  if (blocked > 0) await accept(queue, 1, { priority: 10, notBefore, lane: 'one' });
  await accept(queue, blocked, { priority: 10, lane: 'one' });
  await accept(queue, ready, {});
}

async function accept(queue, count, options) {
  await acceptEach(queue, count, () => ({ request: { method: 'POST', url: URL, body: BODY }, options }));
}

async function acceptEach(queue, count, make) {
  for (let done = 0; done < count; done += CHUNK) {
    const length = Math.min(CHUNK, count - done);
    await queue.enqueueMany(Array.from({ length }, (_, index) => make(done + index)));
  }
}

/** Under which what `fillDistinct` accepts has fingerprints: its bodies differ, so none joins another. */
export const FINGERPRINTED = Object.freeze({ dedupeWindowMs: 86_400_000 });

/** Accepts requests of 512 bytes that all differ, every second one in a lane of its own. */
export async function fillDistinct(queue, count) {
  await acceptEach(queue, count, (index) => {
    const number = String(index).padStart(8, '0');
    const body = { ...BODY, text: number + BODY.text.slice(number.length) };
    return { request: { method: 'POST', url: URL, body }, options: index % 2 === 0 ? { lane: `note-${number}` } : {} };
  });
}

/** Removes a database with its companions. */
export function removeDatabase(path) {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
}
