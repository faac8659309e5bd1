import { join } from 'node:path';
import Database from 'better-sqlite3';
import { better, defineQueue, defineWorker } from 'plainjob';
import { inFolder } from '../lib/folder.mjs';
import { closedLoop } from '../lib/loop.mjs';
import { BODY } from '../lib/payload.mjs';

const ignore = () => undefined;
const SILENT = { error: ignore, warn: ignore, info: ignore, debug: ignore };

/** add → process on plainjob. It sets `synchronous` itself when it opens; what is asked for is set after that. */
export function run({ synchronous, loop }) {
  return inFolder(async (folder) => {
    const database = new Database(join(folder, 'jobs.db'));
    const queue = defineQueue({ connection: better(database), logger: SILENT });
    database.pragma(`synchronous = ${synchronous}`);
    const waiting = new Map();
    const worker = defineWorker('note', async () => undefined, {
      queue,
      logger: SILENT,
      pollIntervall: 1,
      onCompleted: (job) => {
        waiting.get(job.id)();
        waiting.delete(job.id);
      },
    });
    const call = () => new Promise((resolve) => waiting.set(queue.add('note', BODY).id, resolve));
    const looping = closedLoop({ ...loop, call });
    const working = worker.start();
    const result = await looping;
    await worker.stop();
    await working;
    queue.close();
    return result;
  });
}
