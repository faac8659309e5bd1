import { join } from 'node:path';
import { load } from '../lib/build.mjs';
import { inFolder } from '../lib/folder.mjs';
import { closedLoop } from '../lib/loop.mjs';
import { BODY, PATH } from '../lib/payload.mjs';

const WAITING = 200;
const NEWCOMERS_EVERY_MS = 50;

/**
 * POSTs through SQLite in a zone that is well. With `isBeside`, requests wait in two others, one of which hangs and one refuses, and more
 * come in all the time; their breakers are open by then, and probe.
 */
export function run({ origin, hangingAt, refusingAt, isBeside, loop }) {
  return inFolder(async (folder) => {
    const { QuickSetup } = await load();
    const breaker = { openMs: 500 };
    const queue = await QuickSetup.sqlite(join(folder, 'queue.db'), {
      attemptTimeoutMs: 500,
      closeTimeoutMs: 1_000,
      zones: {
        well: { origins: [origin], breaker },
        hanging: { origins: [hangingAt], breaker, idempotency: 'ietf' },
        refusing: { origins: [refusingAt], breaker, idempotency: 'ietf' },
      },
    });
    const sick = [hangingAt, refusingAt];
    const leave = () => Promise.all(sick.map((at) => queue.enqueue({ method: 'POST', url: at + PATH, body: BODY })));
    let timer;
    if (isBeside) {
      const areOpen = Promise.all(['hanging', 'refusing'].map((zone) => opened(queue, zone)));
      for (let n = 0; n < WAITING; n += 1) await leave();
      await areOpen;
      timer = setInterval(leave, NEWCOMERS_EVERY_MS);
    }
    const call = () => queue.call({ method: 'POST', url: origin + PATH, body: BODY }).settled();
    const result = await closedLoop({ ...loop, call });
    clearInterval(timer);
    await queue.close();
    return result;
  });
}

function opened(queue, zone) {
  return new Promise((resolve) => {
    queue.on('breaker:opened', (event) => {
      if (event.zone === zone) resolve();
    });
  });
}
