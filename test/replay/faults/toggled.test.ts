import { expect, it } from 'vitest';
import type { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';
import { slow } from '../../../src/testing/serverSteps.ts';
import { env } from '../../conformance/support/env.ts';
import { Ground, MINUTE_MS, SECOND_MS } from './support/Ground.ts';
import { liveQueue } from './support/liveQueue.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import { describeStores } from './support/stores.ts';

const REQUESTS = 1_000;
const LANES = 50;
const TOGGLE_MS = 200;
const IS_LONG = env('HOLDFAST_LONG') === '1';
/** In real time. */
const TOGGLED_MS = IS_LONG ? MINUTE_MS : 10 * SECOND_MS;
const SEED = env('HOLDFAST_SEED') ?? String(process.pid);

const RETRY = { retry: { baseDelayMs: 20, maxDelayMs: 200 } };
const zonesOf = (site: Site) => ({ api: { origins: [site.server.origin], idempotency: 'stripe' as const } });

/** Requests from..to of the thousand, in their lanes: every other one makes something, the others put something. */
async function accept(queue: QueueManager, site: Site, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, n) => from + n);
  await queue.enqueueMany(
    numbers.map((n) => {
      const lane = n % LANES;
      const nth = Math.floor(n / LANES);
      const body = { lane, nth };
      const request =
        nth % 2 === 0
          ? { method: 'POST', url: site.url('/notes'), body }
          : { method: 'PUT', url: site.url(`/things/${lane}`), body };
      return { request, options: { lane: `lane-${lane}` } };
    }),
  );
}

/** Answers take their time, so that a server that stops leaves some of them out. */
async function slowSite(ms: number): Promise<Site> {
  const site = await Site.open();
  site.server.script.always(slow(ms));
  return site;
}

/** What the server did, by its own log: each once, and each lane in order. */
function expectExact(site: Site): void {
  const byLane = new Map<number, number[]>();
  for (const { body } of site.changes()) {
    const { lane, nth } = JSON.parse(body) as { readonly lane: number; readonly nth: number };
    byLane.set(lane, [...(byLane.get(lane) ?? []), nth]);
  }
  const inOrder = Array.from({ length: REQUESTS / LANES }, (_, nth) => nth);
  expect([...byLane.values()].filter((done) => done.join() !== inOrder.join())).toEqual([]);
  expect(byLane.size).toBe(LANES);
  expect(site.changes()).toHaveLength(REQUESTS);
}

describeStores(`T7: a server that listens and refuses in turn (seed ${SEED})`, (store) => {
  it(`every ${TOGGLE_MS} ms for a minute, in the middle of work, is sent everything once and in order`, async () => {
    const random = seededRandom(SEED);
    const site = await slowSite(2);
    const ground = new Ground(await store.make(), [site]);
    const queue = await ground.queue({ ...RETRY, zones: zonesOf(site) });
    const least = MINUTE_MS / TOGGLE_MS;
    let toggles = 0;
    let cuts = 0;
    // While the zone is taken for down it is tried every few seconds: it may go on for longer until it is cut off in the middle of something.
    for (; toggles < least || (cuts === 0 && toggles < 10 * least); toggles += 1) {
      await accept(
        queue,
        site,
        Math.min(REQUESTS, Math.floor((toggles * REQUESTS) / least)),
        Math.min(REQUESTS, Math.floor(((toggles + 1) * REQUESTS) / least)),
      );
      if (toggles % 2 === 1) {
        await ground.pass(TOGGLE_MS);
        await site.server.start();
        continue;
      }
      // It stops as soon as it has seen so many more, whatever is under way.
      const enough = site.server.ledger.entries.length + Math.floor(random.number() * 12);
      const passed = ground.pass(TOGGLE_MS).then(() => false);
      const isCut = await Promise.race([
        site.server.ledger.until(({ entries }) => entries.length > enough).then(() => true),
        passed,
      ]);
      if (isCut) cuts += 1;
      await site.server.stop();
      await passed;
    }
    await site.server.start();
    const counts = await ground.drained(queue);
    report(`T7 ${toggles} toggles, ${cuts} in the middle`, store.kind, told(site.saw()), says(counts));
    expect(counts).toMatchObject({ succeeded: REQUESTS, dead: 0, held: 0 });
    expectExact(site);
    expect(cuts).toBeGreaterThan(0);
  });

  it(
    `every ${TOGGLE_MS} ms for ${TOGGLED_MS / SECOND_MS} s of real time is sent everything once and in order`,
    async () => {
      const site = await slowSite(5);
      const queue = await liveQueue(await store.make(), { ...RETRY, zones: zonesOf(site) });
      const toggles = TOGGLED_MS / TOGGLE_MS;
      for (let toggle = 0; toggle < toggles; toggle += 1) {
        const waited = new Promise<void>((resolve) => systemClock.schedule(TOGGLE_MS, resolve, { keepAlive: true }));
        await accept(
          queue,
          site,
          Math.floor((toggle * REQUESTS) / toggles),
          Math.floor(((toggle + 1) * REQUESTS) / toggles),
        );
        await waited;
        if (toggle % 2 === 0) await site.server.stop();
        else await site.server.start();
      }
      await site.server.start();
      const before = site.saw();
      await queue.idle();
      const counts = await queue.counts();
      report(
        `T7 ${TOGGLED_MS / SECOND_MS} s`,
        store.kind,
        `meanwhile: ${told(before)}`,
        `then: ${told(site.saw())}`,
        says(counts),
      );
      expect(counts).toMatchObject({ succeeded: REQUESTS, dead: 0, held: 0 });
      expectExact(site);
    },
    3 * TOGGLED_MS + 60_000,
  );
});
