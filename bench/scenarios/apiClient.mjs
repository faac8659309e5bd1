import { join } from 'node:path';
import { load } from '../lib/build.mjs';
import { inFolder } from '../lib/folder.mjs';
import { closedLoop } from '../lib/loop.mjs';
import { BODY, PATH } from '../lib/payload.mjs';

/** POSTs through `ApiClient` and SQLite; with `concurrency`, not at the default limits of calls under way. */
export function run({ origin, concurrency, loop }) {
  return inFolder(async (folder) => {
    const { QuickSetup, ApiClient } = await load();
    const limits =
      concurrency === undefined
        ? {}
        : { maxConcurrency: concurrency, zones: { api: { origins: [origin], maxConcurrency: concurrency } } };
    const queue = await QuickSetup.sqlite(join(folder, 'queue.db'), limits);
    const api = new ApiClient({ queue, baseUrl: origin });
    const result = await closedLoop({ ...loop, call: () => api.post(PATH, BODY) });
    await queue.close();
    return result;
  });
}
