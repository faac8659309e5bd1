import { join } from 'node:path';
import { load } from '../lib/build.mjs';
import { inFolder } from '../lib/folder.mjs';
import { closedLoop } from '../lib/loop.mjs';
import { BODY, PATH } from '../lib/payload.mjs';

/** POSTs through `queue.fetch` and SQLite; with `concurrency`, not at the default limits of calls under way. */
export function run({ origin, concurrency, loop }) {
  return inFolder(async (folder) => {
    const { QuickSetup } = await load();
    const limits =
      concurrency === undefined
        ? {}
        : { maxConcurrency: concurrency, zones: { api: { origins: [origin], maxConcurrency: concurrency } } };
    const queue = await QuickSetup.sqlite(join(folder, 'queue.db'), limits);
    const url = origin + PATH;
    const headers = { 'content-type': 'application/json' };
    const call = async () => {
      const response = await queue.fetch(url, { method: 'POST', headers, body: JSON.stringify(BODY) });
      return response.json();
    };
    const result = await closedLoop({ ...loop, call });
    await queue.close();
    return result;
  });
}
