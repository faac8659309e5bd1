import { expect, it } from 'vitest';
import type { ServerStep } from '../../../src/testing/serverSteps.ts';
import { applyThenReset, refuse, resetBeforeApply, unavailable } from '../../../src/testing/serverSteps.ts';
import { env } from '../../conformance/support/env.ts';
import { DAY_MS, Ground, HOUR_MS, MINUTE_MS, SECOND_MS } from './support/Ground.ts';
import type { Kind, Sites } from './support/kinds.ts';
import { BARE, CONDITIONAL, DELETE, furnish, KEYED, ordersOf, PUT, STAMPED, send, zonesOf } from './support/kinds.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import { describeStores } from './support/stores.ts';

/** Between two looks at the network; every hour in the long run. */
const STEP_MS = env('HOLDFAST_LONG') === '1' ? HOUR_MS : 6 * HOUR_MS;
const DAYS = 30;

describeStores('T15: thirty days offline', (store) => {
  it('spend nothing of what waits', async () => {
    const sites: Sites = { bare: await Site.open(), keyed: await Site.open() };
    furnish(sites);
    const ground = new Ground(await store.make(), [sites.bare, sites.keyed]);
    const origins = { bare: sites.bare.server.origin, keyed: sites.keyed.server.origin };
    const config = { zones: zonesOf(origins), maxAttempts: 8 };
    let queue = await ground.queue(config);
    let orders = ordersOf(queue, origins.bare);
    // Sent just before it happened: nobody knows whether it was applied.
    sites.bare.server.script.next(applyThenReset);
    const doubtful = await send(queue, STAMPED, origins, orders);
    await ground.calm();
    await Promise.all([sites.bare.server.stop(), sites.keyed.server.stop()]);
    const waiting = [BARE, KEYED, PUT, DELETE, CONDITIONAL];
    const ids: string[] = [];
    for (const kind of waiting) ids.push(await send(queue, kind, origins, orders));
    let tries = 0;
    let restarts = 0;
    const count = (): void => {
      queue.on('request:retrying', () => {
        tries += 1;
      });
    };
    count();
    for (let passed = 0; passed < DAYS * DAY_MS; passed += STEP_MS) {
      ground.leap(STEP_MS - 6 * SECOND_MS);
      await ground.pass(6 * SECOND_MS);
      if (passed % (10 * DAY_MS) !== 0) continue;
      await ground.close(queue);
      queue = await ground.queue(config);
      orders = ordersOf(queue, origins.bare);
      restarts += 1;
      count();
    }
    const before = await queue.counts();
    for (const id of [...ids, doubtful]) {
      const { progress, state } = (await queue.get(id)) ?? {};
      expect(progress, `${state}`).toMatchObject({ faults: id === doubtful ? 1 : 0, probes: 0 });
    }
    expect(before).toMatchObject({ dead: 0, held: 0, cancelled: 0, succeeded: 0 });
    await Promise.all([sites.bare.server.start(), sites.keyed.server.start()]);
    const from = ground.clock.now();
    const counts = await ground.drained(queue, 10 * MINUTE_MS);
    const seconds = (ground.clock.now() - from) / SECOND_MS;
    report(
      `T15 ${DAYS} d, ${tries} tries, ${restarts} restarts`,
      store.kind,
      `before: ${says(before)}`,
      `bare: ${told(sites.bare.saw())}`,
      `keyed: ${told(sites.keyed.saw())}`,
      `${says(counts)} within ${seconds} s`,
    );
    expect(tries).toBeGreaterThan(8 * 2);
    expect(counts).toMatchObject({ succeeded: waiting.length + 1, dead: 0, held: 0 });
    expect(sites.bare.changes()).toHaveLength(waiting.length);
    expect(sites.keyed.changes()).toHaveLength(1);
  });
});

interface Round {
  readonly what: string;
  readonly kind: Kind;
  readonly step: ServerStep;
  /** When it is tried again, at the earliest and at the latest. */
  readonly ms: readonly [number, number];
}

/** The delays of the ground's queues: 200 ms to 2 s, at random. */
const BACKOFF = [200, 2 * SECOND_MS] as const;

const ROUNDS: readonly Round[] = [
  { what: '500', kind: PUT, step: refuse({ status: 500 }), ms: BACKOFF },
  { what: '503', kind: BARE, step: unavailable(), ms: BACKOFF },
  { what: '503 for 7 s', kind: BARE, step: unavailable(7), ms: [7 * SECOND_MS, 9 * SECOND_MS] },
  {
    what: '429 for 7 s',
    kind: BARE,
    step: refuse({ status: 429, headers: [['retry-after', '7']] }),
    ms: [7 * SECOND_MS, 9 * SECOND_MS],
  },
  { what: 'a reset', kind: KEYED, step: resetBeforeApply, ms: BACKOFF },
];

describeStores('T16: a round that fails', (store) => {
  it.each(
    ROUNDS.flatMap((round) => [
      [round.what, 'the same life', round] as const,
      [round.what, 'the next life', round] as const,
    ]),
  )(
    'by %s is followed by another on time, by %s, though nothing is enqueued',
    async (what, life, { kind, step, ms }) => {
      const sites: Sites = { bare: await Site.open(), keyed: await Site.open() };
      const ground = new Ground(await store.make(), [sites.bare, sites.keyed]);
      const origins = { bare: sites.bare.server.origin, keyed: sites.keyed.server.origin };
      const config = { zones: zonesOf(origins) };
      let queue = await ground.queue(config);
      const site = sites[kind.zone];
      site.server.script.next(step);
      const id = await send(queue, kind, origins, ordersOf(queue, origins.bare));
      await ground.calm();
      const from = ground.clock.now();
      expect(site.saw()).toMatchObject({ arrivals: 1 });
      if (life === 'the next life') {
        await ground.close(queue);
        queue = await ground.queue(config);
      }
      await ground.until(() => site.saw().arrivals === 2, MINUTE_MS);
      const afterMs = Math.round(ground.clock.now() - from);
      const counts = await ground.drained(queue);
      report(`T16 ${what}, ${life}`, store.kind, told(site.saw()), says(counts), `again after ${afterMs} ms`);
      expect(afterMs).toBeGreaterThanOrEqual(ms[0]);
      expect(afterMs).toBeLessThanOrEqual(ms[1]);
      expect(await queue.get(id)).toMatchObject({ state: 'succeeded' });
      expect(site.changes()).toHaveLength(1);
    },
  );

  it.each([
    ['once', 1, 2 * SECOND_MS],
    // Three refused connections close the zone: it is tried every 5 s and more.
    ['by three', 3, 6 * SECOND_MS + 100],
  ])('since nobody listens is followed by another on time: found %s', async (what, requests, mostMs) => {
    const site = await Site.open();
    const ground = new Ground(await store.make(), [site]);
    const queue = await ground.queue({ zones: { api: { origins: [site.server.origin] } } });
    await site.server.stop();
    const from = ground.clock.now();
    for (let n = 0; n < requests; n += 1)
      await queue.enqueue({ method: 'PUT', url: site.url(`/things/${n}`), body: { n } });
    await ground.calm();
    await site.server.start();
    await ground.until(() => site.saw().arrivals > 0, MINUTE_MS);
    const afterMs = Math.round(ground.clock.now() - from);
    const counts = await ground.drained(queue);
    report(`T16 refused, found ${what}`, store.kind, told(site.saw()), says(counts), `again after ${afterMs} ms`);
    expect(afterMs).toBeLessThanOrEqual(mostMs);
    expect(counts).toMatchObject({ succeeded: requests });
  });
});
