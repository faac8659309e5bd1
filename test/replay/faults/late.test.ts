import { expect, it } from 'vitest';
import { Ground, MINUTE_MS, SECOND_MS } from './support/Ground.ts';
import type { Kind, Sites } from './support/kinds.ts';
import { BARE, CONDITIONAL, furnish, KEYED, ordersOf, PUT, STAMPED, send, zonesOf } from './support/kinds.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import type { FaultStore } from './support/stores.ts';
import { describeStores } from './support/stores.ts';

/** What the client waits for, when what it sent lands after all, and when it may be asked after at the earliest. */
const TIMES = [
  { attemptTimeoutMs: 30 * SECOND_MS, landsAtMs: 45 * SECOND_MS, settledAtMs: 90 * SECOND_MS },
  { attemptTimeoutMs: 5 * SECOND_MS, landsAtMs: 33 * SECOND_MS, settledAtMs: 35 * SECOND_MS },
];

interface Times {
  readonly attemptTimeoutMs: number;
  readonly landsAtMs: number;
}

/** A write that a proxy parks, which lands when its client has long given up. Tells when the first read came. */
async function parkedOnTheWay(store: FaultStore, kind: Kind, { attemptTimeoutMs, landsAtMs }: Times) {
  const sites: Sites = { bare: await Site.open(), keyed: await Site.open() };
  furnish(sites);
  const ground = new Ground(await store.make(), [sites.bare, sites.keyed]);
  const origins = { bare: sites.bare.server.origin, keyed: sites.keyed.server.origin };
  const queue = await ground.queue({ zones: zonesOf(origins), attemptTimeoutMs });
  const site = sites[kind.zone];
  site.parkNext();
  const from = ground.clock.now();
  const id = await send(queue, kind, origins, ordersOf(queue, origins.bare));
  await ground.pass(landsAtMs);
  const before = site.saw();
  site.land();
  await ground.until(() => site.saw().reads > before.reads, 10 * MINUTE_MS);
  const readAfterMs = ground.clock.now() - from;
  const counts = await ground.drained(queue);
  const record = await queue.get(id);
  const end = `${record?.state} ${record?.reason}`;
  const saw = site.saw();
  report(`T3 ${kind.name}, lands at ${landsAtMs / SECOND_MS} s`, store.kind, told(saw), says(counts), end);
  return { before, saw, end, readAfterMs, site };
}

describeStores('T3: a request that lands after its client gave up', (store) => {
  it.each(TIMES.map((times) => [times.attemptTimeoutMs / SECOND_MS, times] as const))(
    'after %d s is not asked after before it can have landed',
    async (_seconds, times) => {
      const { before, saw, end, readAfterMs } = await parkedOnTheWay(store, STAMPED, times);
      expect(before).toMatchObject({ arrivals: 1, applied: 0, reads: 0 });
      expect(saw).toMatchObject({ arrivals: 1, applied: 1, reads: 1 });
      expect(end).toBe('succeeded appliedEarlier');
      expect(readAfterMs).toBeGreaterThanOrEqual(times.settledAtMs);
      expect(readAfterMs).toBeLessThan(times.settledAtMs + 6 * SECOND_MS);
    },
  );

  it('was sent again with its key meanwhile, by which it is known', async () => {
    const { before, saw, end, site } = await parkedOnTheWay(store, KEYED, TIMES[0] as Times);
    expect(before).toMatchObject({ arrivals: 2, applied: 1 });
    expect(saw).toMatchObject({ arrivals: 2, applied: 1 });
    expect(site.server.ledger.entries.map(({ outcome }) => outcome)).toEqual(['notApplied', 'applied', 'replayed']);
    expect(end).toBe('succeeded applied');
  });

  it('was sent again on its version meanwhile, and is refused for it', async () => {
    const { before, saw, end, site } = await parkedOnTheWay(store, CONDITIONAL, TIMES[0] as Times);
    expect(before).toMatchObject({ arrivals: 2, applied: 1 });
    expect(saw).toMatchObject({ arrivals: 2, applied: 1 });
    expect(site.api.at(CONDITIONAL.path)).toEqual({ id: 9, m: 0, n: 1 });
    expect(end).toBe('succeeded applied');
  });

  it('was sent again meanwhile where that is the same', async () => {
    const { saw, end, site } = await parkedOnTheWay(store, PUT, TIMES[0] as Times);
    expect(saw).toMatchObject({ arrivals: 2, applied: 2 });
    expect(new Set(site.changes().map(({ body }) => body))).toEqual(new Set(['{"n":1}']));
    expect(end).toBe('succeeded applied');
  });

  it('is held where nothing can tell, and not sent again', async () => {
    const { before, saw, end } = await parkedOnTheWay(store, BARE, TIMES[0] as Times);
    expect(before).toMatchObject({ arrivals: 1, applied: 0 });
    expect(saw).toMatchObject({ arrivals: 1, applied: 1, reads: 0 });
    expect(end).toBe('held unknown');
  });
});
