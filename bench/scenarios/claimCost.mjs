import { fill, idleQueue, makeBackend } from '../lib/backlog.mjs';
import { claimCosts } from '../lib/claims.mjs';
import { inFolder } from '../lib/folder.mjs';

/** The cost of a claim in stores of different backlogs, alternately in one process. */
export function run({ kind, stores, rounds, claims }) {
  return inFolder(async (folder) => {
    const opened = [];
    for (const [index, counts] of stores.entries()) {
      const backend = await makeBackend(kind, folder, `${index}.db`);
      const queue = await idleQueue(backend);
      await fill(queue, counts);
      opened.push({ backend, queue });
    }
    const backends = opened.map(({ backend }) => backend);
    const sides = await claimCosts(backends, { rounds, claims });
    for (const { queue } of opened) await queue.close();
    return { sides };
  });
}
