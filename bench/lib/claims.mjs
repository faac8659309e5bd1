import { ZONE } from './backlog.mjs';
import { median, percentiles } from './statistics.mjs';

/** Requests a claim asks for: as many as a zone sends at once by default. */
const CALLS = 10;

/**
 * The cost of a claim through the port of each backend. They take turns, so that what disturbs one claim has the same chance to
 * disturb any; what a round claimed is put back after it, unmeasured.
 *
 * @returns for each backend the medians of the rounds in µs, and what the spread of all its claims was
 */
export async function claimCosts(backends, { rounds, claims }) {
  const results = backends.map(() => ({ medians: [], all: [] }));
  for (let round = -1; round < rounds; round += 1) {
    const tookUs = await measure(backends, claims);
    if (round === -1) continue; // the first warms up
    for (const [index, { medians, all }] of results.entries()) {
      medians.push(median(tookUs[index]));
      all.push(...tookUs[index]);
    }
  }
  return results.map(({ medians, all }) => ({ medians, ...percentiles(all) }));
}

async function measure(backends, claims) {
  const tookUs = backends.map(() => []);
  const claimed = backends.map(() => []);
  for (let count = 0; count < claims; count += 1) {
    for (const [index, backend] of backends.entries()) {
      const started = performance.now();
      const requests = await claim(backend);
      tookUs[index].push((performance.now() - started) * 1000);
      claimed[index].push(...requests);
    }
  }
  for (const [index, backend] of backends.entries()) await putBack(backend, claimed[index]);
  return tookUs;
}

/** Ten requests of the backlog, leased. Fails with fewer. */
export async function claim({ requests }) {
  const { claimed } = await requests.claim({
    worker: 'bench',
    now: Date.now(),
    leaseUntil: Number.MAX_SAFE_INTEGER,
    channels: [{ channel: ZONE, senders: [''], calls: CALLS, perCall: 1 }],
  });
  if (claimed.length !== CALLS) throw new Error(`a claim gave ${claimed.length} of ${CALLS} requests`);
  return claimed;
}

/** As if they had never been claimed. */
export async function putBack({ requests }, claimed) {
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
