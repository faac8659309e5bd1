import { expect, it } from 'vitest';
import type { ReceivedRequest } from '../../../src/testing/serverSteps.ts';
import { refuse } from '../../../src/testing/serverSteps.ts';
import { Ground, MINUTE_MS, SECOND_MS } from './support/Ground.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import type { FaultStore } from './support/stores.ts';
import { describeStores } from './support/stores.ts';

const LANES = 20;
const ROUNDS = 12;
/** Between two rounds, in each of which every lane gets one more request. */
const ROUND_MS = 500;
const POISON = '/things/poison';

const BROKEN = refuse({ status: 500, body: { error: 'cannot be digested' } });

type Illness = 'none' | 'answers 500' | 'never answers';

/** Rounds of requests on all lanes, the first of one of which may be poisoned. Times are those that passed for the queue. */
async function feed(store: FaultStore, illness: Illness) {
  const site = await Site.open();
  const isPoison = ({ method, path, body }: ReceivedRequest): boolean =>
    method === 'PUT' && path === POISON && body.includes('"round":0');
  if (illness === 'answers 500') site.server.script.always((request) => (isPoison(request) ? BROKEN : undefined));
  if (illness === 'never answers') site.parkAll(isPoison);
  const ground = new Ground(await store.make(), [site]);
  const config = { zones: { api: { origins: [site.server.origin] } }, attemptTimeoutMs: 5 * SECOND_MS };
  const queue = await ground.queue({ ...config, maxAttempts: 4, resendWindowMs: 10 * MINUTE_MS });
  const poisoned: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const url = site.url(POISON);
    const taken = await queue.enqueue({ method: 'PUT', url, body: { round } }, { lane: 'poisoned' });
    poisoned.push(taken.id);
    await queue.enqueueMany(
      Array.from({ length: LANES }, (_, lane) => ({
        request: { method: 'PUT', url: site.url(`/things/${lane}`), body: { round } },
        options: { tags: ['other'] },
      })),
    );
    await ground.pass(ROUND_MS);
  }
  const counts = await ground.drained(queue);
  const { requests } = await queue.find({ tags: ['other'] }, { limit: 1_000 });
  const waits = requests
    .map(({ endedAt, acceptedAt }) => (endedAt ?? Number.POSITIVE_INFINITY) - acceptedAt)
    .sort((a, b) => a - b);
  const p99 = waits[Math.floor(waits.length * 0.99)] ?? Number.NaN;
  return { site, ground, queue, counts, p99, most: waits.at(-1), poisoned, others: requests };
}

describeStores('T13: a request that the server cannot digest', (store) => {
  it.each<Illness>(['answers 500', 'never answers'])(
    'and to which it %s holds up its lane, and nobody else',
    async (name) => {
      const healthy = await feed(store, 'none');
      const ill = await feed(store, name);
      const { queue, counts, poisoned, others, site } = ill;
      report(
        `T13 ${name}`,
        store.kind,
        told(site.saw()),
        says(counts),
        `p99 of others ${ill.p99} ms, without it ${healthy.p99} ms (most ${ill.most} and ${healthy.most})`,
      );
      expect(others.filter(({ state }) => state !== 'succeeded')).toEqual([]);
      expect(ill.p99).toBe(healthy.p99);
      expect(ill.most).toBe(healthy.most);
      const [head = '', ...behind] = poisoned;
      expect(await queue.get(head)).toMatchObject({ state: 'held', reason: 'unknown' });
      expect(counts).toMatchObject({ held: 1, blocked: behind.length, succeeded: LANES * ROUNDS });

      // A person gives it up: its lane goes on, in order.
      site.server.script.clear();
      await queue.held.resolve(head, 'discard', 'tester');
      expect(await ill.ground.drained(queue)).toMatchObject({
        held: 0,
        blocked: 0,
        succeeded: LANES * ROUNDS + behind.length,
      });
      const rounds = site.changes(({ path }) => path === POISON).map(({ body }) => JSON.parse(body).round);
      expect(rounds).toEqual(Array.from({ length: ROUNDS - 1 }, (_, n) => n + 1));
    },
  );
});
