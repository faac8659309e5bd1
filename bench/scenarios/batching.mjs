import { join } from 'node:path';
import { load } from '../lib/build.mjs';
import { inFolder } from '../lib/folder.mjs';
import { closedLoop } from '../lib/loop.mjs';
import { BODY, PATH } from '../lib/payload.mjs';

const LIST = {
  name: 'list',
  maxItems: 100,
  carriesHeaders: true,
  key: () => '',
  compose: (members) => ({
    method: 'POST',
    path: '/batch',
    headers: [['content-type', 'application/json']],
    body: JSON.stringify(members.map(({ id, method, path, body }) => ({ id, method, path, body }))),
  }),
  outcomes: ([answer]) =>
    JSON.parse(Buffer.from(answer.body).toString()).map(({ id, status, body }) => ({
      id,
      kind: 'answered',
      response: { status, headers: [], body: Buffer.from(JSON.stringify(body)) },
    })),
};

/** POSTs through SQLite in a zone that takes so many calls at once, which share calls with `batchingEnabled`. */
export function run({ origin, batchingEnabled, maxConcurrency, loop }) {
  return inFolder(async (folder) => {
    const { QuickSetup } = await load();
    const queue = await QuickSetup.sqlite(join(folder, 'queue.db'), {
      batchingEnabled,
      zones: { api: { origins: [origin], batch: LIST, maxConcurrency } },
    });
    let calls = 0;
    queue.on('batch:sent', () => {
      calls += 1;
    });
    const call = () => queue.call({ method: 'POST', url: origin + PATH, body: BODY }).settled();
    const result = await closedLoop({ ...loop, call });
    await queue.close();
    return { ...result, batches: calls };
  });
}
