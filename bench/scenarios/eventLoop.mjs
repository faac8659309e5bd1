import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Pool } from 'undici';
import { load } from '../lib/build.mjs';
import { inFolder } from '../lib/folder.mjs';
import { openLoop } from '../lib/loop.mjs';
import { BODY, PATH } from '../lib/payload.mjs';

/** Delay of the event loop while POSTs are sent at a fixed rate, through `ApiClient` and SQLite or on a bare pool. */
export function run({ side, origin, perSecond, warmUpMs, measureMs }) {
  return inFolder(async (folder) => {
    const { call, close } = side === 'pool' ? barePool(origin) : await apiClient(origin, join(folder, 'queue.db'));
    await openLoop({ perSecond, durationMs: warmUpMs, call });
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    const result = await openLoop({ perSecond, durationMs: measureMs, call });
    delay.disable();
    await close();
    return { ...result, delayP50: delay.percentile(50) / 1e6, delayP99: delay.percentile(99) / 1e6 };
  });
}

async function apiClient(origin, path) {
  const { QuickSetup, ApiClient } = await load();
  const queue = await QuickSetup.sqlite(path);
  const api = new ApiClient({ queue, baseUrl: origin });
  return { call: () => api.post(PATH, BODY), close: () => queue.close() };
}

function barePool(origin) {
  const pool = new Pool(origin);
  const headers = { 'content-type': 'application/json' };
  const call = async () => {
    const { body } = await pool.request({ method: 'POST', path: PATH, headers, body: JSON.stringify(BODY) });
    return body.json();
  };
  return { call, close: () => pool.close() };
}
