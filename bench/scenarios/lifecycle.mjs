import { join } from 'node:path';
import { ROOMY } from '../lib/backlog.mjs';
import { load } from '../lib/build.mjs';
import { inFolder } from '../lib/folder.mjs';
import { closedLoop } from '../lib/loop.mjs';
import { BODY, PATH } from '../lib/payload.mjs';
import { instantTransport } from '../lib/transport.mjs';

const INPUT = { method: 'POST', url: `http://api.example.com${PATH}`, body: BODY };

/**
 * accept → claim → settle through `QueueManager`, on a transport that does nothing. With `path`, on a database that is there;
 * with `roomy`, under limits that a backlog fits in.
 */
export function run({ kind, durability, path, roomy, loop }) {
  return inFolder(async (folder) => {
    const { QueueManager } = await load();
    const backend = kind === 'memory' ? { kind } : { kind, path: path ?? join(folder, 'queue.db') };
    const config = { backend, durability, ...(roomy ? ROOMY : {}) };
    const queue = new QueueManager({ config, transport: instantTransport() });
    await queue.start();
    const call = async () => {
      const request = await queue.enqueue(INPUT);
      await request.settled();
    };
    const result = await closedLoop({ ...loop, call });
    await queue.close();
    return result;
  });
}
