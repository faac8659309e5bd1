import { expect, it } from 'vitest';
import { ApiClient } from '../../../src/client/ApiClient.ts';
import { bearerToken } from '../../../src/client/auth/bearerToken.ts';
import { refreshingToken } from '../../../src/client/auth/refreshingToken.ts';
import type { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import { refuse } from '../../../src/testing/serverSteps.ts';
import { headerIn } from '../../core/harness.ts';
import { Ground, MINUTE_MS } from './support/Ground.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import type { FaultStore } from './support/stores.ts';
import { describeStores } from './support/stores.ts';

const LANES = 100;
const EXPIRED = 'expired';
const UNAUTHORISED = refuse({ status: 401, body: { error: 'token expired' } });

const tokenIn = (request: Parameters<typeof headerIn>[0]): string =>
  headerIn(request, 'authorization')?.replace('Bearer ', '') ?? '';

/** A place for tokens that all processes of a user share, before an issuer whose refresh tokens are good for one use. */
class Issuer {
  token = EXPIRED;
  refreshes = 0;
  isOver = false;

  /** Looks at the shared place first, as a careful application does. */
  async refresh(refused: string): Promise<string> {
    if (this.token !== refused) return this.token;
    this.refreshes += 1;
    const nth = this.refreshes;
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.isOver) throw new Error('the refresh token has expired');
    this.token = `fresh-${nth}`;
    return this.token;
  }
}

async function storm(store: FaultStore) {
  const site = await Site.open();
  site.server.script.always((request) => (tokenIn(request) === EXPIRED ? UNAUTHORISED : undefined));
  const ground = new Ground(await store.make(), [site]);
  const zones = { api: { origins: [site.server.origin], maxConcurrency: LANES } };
  const open = (): Promise<QueueManager> => ground.queue({ zones, maxConcurrency: LANES });
  const clientOf = (queue: QueueManager, name: string, issuer: Issuer): ApiClient => {
    const auth = refreshingToken({
      token: EXPIRED,
      refresh: (refused) => issuer.refresh(refused),
      principal: name,
      clock: ground.clock,
    });
    return new ApiClient({ queue, baseUrl: site.server.origin, name, auth });
  };
  return { site, ground, open, clientOf };
}

const accept = (client: ApiClient, lane: number): Promise<unknown> =>
  client.put(`/things/${client.name}-${lane}`, { lane }).accepted();

const LANE_NUMBERS = Array.from({ length: LANES }, (_, lane) => lane);

describeStores('T9: a token that expires under a hundred lanes', (store) => {
  it('is refreshed once', async () => {
    const { site, ground, open, clientOf } = await storm(store);
    const queue = await open();
    const issuer = new Issuer();
    const client = clientOf(queue, 'ann', issuer);
    await Promise.all(LANE_NUMBERS.map((lane) => accept(client, lane)));
    const counts = await ground.drained(queue);
    report('T9 one process', store.kind, told(site.saw()), says(counts), `refreshes ${issuer.refreshes}`);
    expect(counts).toMatchObject({ succeeded: LANES, held: 0, dead: 0 });
    expect(issuer.refreshes).toBe(1);
    expect(site.saw().refused).toBeGreaterThan(1);
    expect(site.changes()).toHaveLength(LANES);
    const { requests } = await queue.find({}, { limit: LANES });
    expect(requests.filter(({ progress }) => progress.faults > 0)).toEqual([]);
  });

  it('is refreshed once by two that share the store', async () => {
    const { site, ground, open, clientOf } = await storm(store);
    const issuer = new Issuer();
    const queues = [await open(), await open()] as const;
    const [one, two] = [clientOf(queues[0], 'ann', issuer), clientOf(queues[1], 'ann', issuer)];
    await Promise.all(LANE_NUMBERS.map((lane) => accept(lane % 2 === 0 ? one : two, lane)));
    const counts = await ground.drained(queues[0]);
    report('T9 two queues', store.kind, told(site.saw()), says(counts), `refreshes ${issuer.refreshes}`);
    expect(counts).toMatchObject({ succeeded: LANES, held: 0, dead: 0 });
    expect(issuer.refreshes).toBe(1);
    expect(site.changes()).toHaveLength(LANES);
  });

  it('and cannot be refreshed holds the requests of its principal, and of nobody else, until it is back', async () => {
    const { site, ground, open, clientOf } = await storm(store);
    const queue = await open();
    const over = Object.assign(new Issuer(), { isOver: true });
    const ann = clientOf(queue, 'ann', over);
    const bob = clientOf(queue, 'bob', new Issuer());
    await Promise.all(LANE_NUMBERS.map((lane) => accept(lane % 2 === 0 ? ann : bob, lane)));
    const held = await ground.drained(queue);
    report('T9 expired refresh', store.kind, told(site.saw()), says(held), `refreshes of ann ${over.refreshes}`);
    expect(held).toMatchObject({ succeeded: LANES / 2, held: LANES / 2, dead: 0 });
    expect(over.refreshes).toBe(1);
    expect(await queue.counts({ principal: 'ann' })).toMatchObject({ held: LANES / 2 });
    expect(await queue.counts({ principal: 'bob' })).toMatchObject({ succeeded: LANES / 2 });

    ann.close();
    const auth = bearerToken('logged-in-again', { principal: 'ann' });
    new ApiClient({ queue, baseUrl: site.server.origin, name: 'ann', auth });
    const counts = await ground.drained(queue);
    report('T9 logged in again', store.kind, told(site.saw()), says(counts));
    expect(counts).toMatchObject({ succeeded: LANES, held: 0 });
    expect(site.changes()).toHaveLength(LANES);
  });
});

describeStores('T10: requests of a user after whom another one logs in', (store) => {
  /** Ann works offline and goes; the same application, on the same store, is then used by bob. */
  async function switched(how: 'another process' | 'another client' | 'sealed', s: FaultStore) {
    const site = await Site.open();
    const ground = new Ground(await s.make(), [site]);
    const config = { zones: { api: { origins: [site.server.origin] } } };
    const clientOf = (queue: QueueManager, user: string): ApiClient =>
      new ApiClient({
        queue,
        baseUrl: site.server.origin,
        name: 'app',
        auth: bearerToken(`token-${user}`, { principal: user }),
      });
    let queue = await ground.queue(config);
    let client = clientOf(queue, 'ann');
    await site.server.stop();
    for (const n of [1, 2, 3, 4, 5]) await client.put(`/things/${n}`, { by: 'ann', n }).accepted();
    await client.post('/notes', { by: 'ann' }).accepted();
    await ground.calm(); // an attempt that began before ann left is hers, and ends at the closed port
    if (how === 'sealed') await queue.principals.leave('ann');
    client.close();
    if (how === 'another process') {
      await ground.close(queue);
      queue = await ground.queue(config);
    }
    client = clientOf(queue, 'bob');
    await site.server.start();
    await client.put('/things/1', { by: 'bob', n: 0 }).accepted();
    await client.post('/notes', { by: 'bob' }).accepted();
    await ground.pass(10 * MINUTE_MS);
    const login = async (): Promise<void> => {
      client.close();
      clientOf(queue, 'ann');
      if (how === 'sealed') await queue.principals.enter('ann');
      await ground.drained(queue);
    };
    return { site, queue, login };
  }

  it.each(['another process', 'another client', 'sealed'] as const)('are kept, and none is sent: %s', async (how) => {
    const { site, queue, login } = await switched(how, store);
    const sent = (): string[] =>
      site.arrivals().map(({ request }) => `${tokenIn(request)} ${JSON.parse(request.body).by}`);
    const bobs = sent();
    const waits = await queue.counts({ principal: 'ann' });
    report(
      `T10 ${how}`,
      store.kind,
      told(site.saw()),
      `ann's: ${says(waits)}`,
      `bob's: ${says(await queue.counts({ principal: 'bob' }))}`,
    );
    expect(bobs).toEqual(['token-bob bob', 'token-bob bob']);
    expect(await queue.counts({ principal: 'bob' })).toMatchObject({ succeeded: 2 });
    expect(waits).toMatchObject({ succeeded: 0, dead: 0, cancelled: 0 });
    const [summary] = (await queue.principals.list()).filter(({ principal }) => principal === 'ann');
    expect(Object.values(summary?.counts ?? {}).reduce((sum, count) => sum + count, 0)).toBe(6);

    await login();
    report(
      `T10 ${how}, ann is back`,
      store.kind,
      told(site.saw()),
      `ann's: ${says(await queue.counts({ principal: 'ann' }))}`,
    );
    expect(sent().slice(2).sort()).toEqual(Array.from({ length: 6 }, () => 'token-ann ann'));
    expect(await queue.counts()).toMatchObject({ succeeded: 8, held: 0 });
  });
});
