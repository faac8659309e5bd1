import { join } from 'node:path';
import { ROOMY } from '../lib/backlog.mjs';
import { load } from '../lib/build.mjs';
import { inFolder } from '../lib/folder.mjs';
import { closedLoop } from '../lib/loop.mjs';
import { BODY, PATH } from '../lib/payload.mjs';
import { withServerCost } from '../lib/serverCost.mjs';
import { instantTransport } from '../lib/transport.mjs';

const ORIGIN = 'http://api.example.com';
const INPUT = { method: 'POST', url: ORIGIN + PATH, body: BODY };

/**
 * accept → claim → settle through `QueueManager`, on a transport that does nothing. With `path`, on a database that is there;
 * with `roomy`, under limits that a backlog fits in; with `concurrency`, not at the default limits of calls under way.
 */
export function run({ kind, durability, path, redis, roomy, concurrency, loop }) {
  return inFolder(async (folder) => {
    const { QueueManager } = await load();
    const backend = { kind, ...redis, ...(kind === 'sqlite' && { path: path ?? join(folder, 'queue.db') }) };
    const limits =
      concurrency === undefined
        ? {}
        : { maxConcurrency: concurrency, zones: { api: { origins: [ORIGIN], maxConcurrency: concurrency } } };
    const config = { backend, durability, ...limits, ...(roomy ? ROOMY : {}) };
    const queue = new QueueManager({ config, transport: instantTransport() });
    await queue.start();
    const call = async () => {
      const request = await queue.enqueue(INPUT);
      await request.settled();
    };
    const looping = () => closedLoop({ ...loop, call });
    const result = await (redis === undefined ? looping() : withServerCost(redis, looping));
    await queue.close();
    return result;
  });
}
