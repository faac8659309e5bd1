import { fill, idleQueue, makeRedisBackend } from '../lib/backlog.mjs';
import { claim, claimCosts, putBack } from '../lib/claims.mjs';
import { Observer } from '../lib/serverCost.mjs';
import { median } from '../lib/statistics.mjs';

const COUNTED = 20;

/** The cost of a claim in stores of different backlogs on one server, alternately: to who claims, and to the server. */
export async function run({ redis, stores, rounds, claims }) {
  const opened = [];
  for (const [index, counts] of stores.entries()) {
    const backend = await makeRedisBackend(redis, `store${index}`);
    const queue = await idleQueue(backend);
    await fill(queue, counts);
    opened.push({ backend, queue });
  }
  const backends = opened.map(({ backend }) => backend);
  const sides = await claimCosts(backends, { rounds, claims });
  const observer = new Observer(redis);
  const costs = await serverCosts(backends, observer);
  observer.close();
  for (const { queue } of opened) await queue.close();
  return { sides: sides.map((side, index) => ({ ...side, ...costs[index] })) };
}

/**
 * What single claims make the server do. The fewest commands are those of the claim: the queues beside it may have asked
 * something meanwhile.
 */
async function serverCosts(backends, observer) {
  const counted = backends.map(() => []);
  for (let count = 0; count < COUNTED; count += 1) {
    for (const [index, backend] of backends.entries()) {
      await observer.reset();
      const claimed = await claim(backend);
      counted[index].push(await observer.commands());
      await putBack(backend, claimed);
    }
  }
  return counted.map((all) => {
    const fewest = all.reduce((least, each) => (each.calls < least.calls ? each : least));
    return { commands: fewest.calls, byName: fewest.byName, scriptUs: median(all.map(({ scriptUs }) => scriptUs)) };
  });
}
