import { fill, idleQueue, makeBackend, ZONE } from '../lib/backlog.mjs';
import { inFolder } from '../lib/folder.mjs';
import { median, percentiles } from '../lib/statistics.mjs';

/** Requests a claim asks for: as many as a zone sends at once by default. */
const CALLS = 10;

/**
 * The cost of a claim through the backend's port, in stores of different backlogs, alternately in one process. What a round
 * claimed is put back after it, unmeasured.
 */
export function run({ kind, stores, rounds, claims }) {
  return inFolder(async (folder) => {
    const opened = [];
    for (const [index, counts] of stores.entries()) {
      const backend = await makeBackend(kind, folder, `${index}.db`);
      const queue = await idleQueue(backend);
      await fill(queue, counts);
      opened.push({ backend, queue });
    }
    const results = stores.map(() => ({ medians: [], all: [] }));
    for (let round = -1; round < rounds; round += 1) {
      const tookUs = await measure(opened, claims);
      if (round === -1) continue; // the first warms up
      for (const [index, { medians, all }] of results.entries()) {
        medians.push(median(tookUs[index]));
        all.push(...tookUs[index]);
      }
    }
    for (const { queue } of opened) await queue.close();
    return { sides: results.map(({ medians, all }) => ({ medians, ...percentiles(all) })) };
  });
}

/** Claims from the stores in turn, so that what disturbs one claim has the same chance to disturb any. */
async function measure(opened, claims) {
  const tookUs = opened.map(() => []);
  const claimed = opened.map(() => []);
  for (let claim = 0; claim < claims; claim += 1) {
    for (const [index, { backend }] of opened.entries()) {
      const started = performance.now();
      const result = await backend.requests.claim({
        worker: 'bench',
        now: Date.now(),
        leaseUntil: Number.MAX_SAFE_INTEGER,
        channels: [{ channel: ZONE, senders: [''], calls: CALLS, perCall: 1 }],
      });
      tookUs[index].push((performance.now() - started) * 1000);
      if (result.claimed.length !== CALLS)
        throw new Error(`a claim gave ${result.claimed.length} of ${CALLS} requests`);
      claimed[index].push(...result.claimed);
    }
  }
  for (const [index, { backend }] of opened.entries()) await putBack(backend, claimed[index]);
  return tookUs;
}

async function putBack({ requests }, claimed) {
  const settlements = claimed.map(({ id, lease, progress }) => ({
    id,
    token: lease.token,
    next: { state: 'ready', reason: 'accepted' },
    progress,
    notSent: true,
  }));
  const results = await requests.settle({ now: Date.now(), settlements });
  if (results.some(({ status }) => status !== 'settled')) throw new Error('a claimed request could not be put back');
}
