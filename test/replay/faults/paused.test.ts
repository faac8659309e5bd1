import { expect, it } from 'vitest';
import { systemClock } from '../../../src/system/clock.ts';
import { park } from '../../../src/testing/serverSteps.ts';
import { Ground } from './support/Ground.ts';
import type { Kind, Sites } from './support/kinds.ts';
import {
  BARE,
  CONDITIONAL,
  furnish,
  inputOf,
  KEYED,
  ORDERS,
  ordersOf,
  PUT,
  STAMPED,
  zonesOf,
} from './support/kinds.ts';
import { faultChild } from './support/order.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import { describeStores } from './support/stores.ts';

const LEASE_MS = 500;

interface Pause {
  readonly kind: Kind;
  /** State and reason while the worker is stopped, and after it came back with the answer. */
  readonly meanwhile: string;
  readonly after: string;
  readonly applied: number;
}

const PAUSES: readonly Pause[] = [
  { kind: BARE, meanwhile: 'held unknown', after: 'succeeded appliedEarlier', applied: 1 },
  { kind: KEYED, meanwhile: 'succeeded appliedEarlier', after: 'succeeded appliedEarlier', applied: 1 },
  { kind: STAMPED, meanwhile: 'succeeded appliedEarlier', after: 'succeeded appliedEarlier', applied: 1 },
  { kind: CONDITIONAL, meanwhile: 'succeeded appliedEarlier', after: 'succeeded appliedEarlier', applied: 1 },
  // The same content twice is the same state.
  { kind: PUT, meanwhile: 'succeeded applied', after: 'succeeded applied', applied: 2 },
];

describeStores('T11: a worker that is stopped past its lease', (store) => {
  it.each(PAUSES.map((pause) => [pause.kind.name, pause] as const))(
    'in the middle of a %s loses it to another, and its late 200 is heard',
    async (name, { kind, meanwhile, after, applied }) => {
      const sites: Sites = { bare: await Site.open(), keyed: await Site.open() };
      furnish(sites);
      const site = sites[kind.zone];
      const origins = { bare: sites.bare.server.origin, keyed: sites.keyed.server.origin };
      const at = await store.make();
      const worker = await faultChild({
        backend: at,
        zones: zonesOf(origins),
        options: { leaseMs: LEASE_MS },
        orders: { ...ORDERS, baseUrl: origins.bare },
      });
      site.server.script.next(park);
      const what =
        kind === STAMPED ? { do: 'create', body: kind.body } : { do: 'call', request: inputOf(kind, origins) };
      worker.tell({ ...what, name: 'one', options: { ...kind.options, lane: 'lane' } });
      await site.server.ledger.until(({ entries }) => entries.length === 1);
      worker.tell({ do: 'stop' });
      await worker.line('stopping');
      // A lease of Redis lapses by the clock of its server.
      await new Promise<void>((resolve) => systemClock.schedule(1.5 * LEASE_MS, resolve, { keepAlive: true }));

      // What hangs is the worker's, not this queue's.
      const ground = new Ground(at, []);
      const queue = await ground.queue({ zones: zonesOf(origins) });
      ordersOf(queue, origins.bare);
      const before = await ground.drained(queue);
      const find = async () => (await queue.find({})).requests[0];
      const then = await find();
      expect(`${then?.state} ${then?.reason}`).toBe(meanwhile);
      const arrived = site.saw().arrivals;

      site.server.release();
      worker.process.kill('SIGCONT');
      await ground.until(async () => (await find())?.state === 'succeeded', 60_000);
      worker.tell({ do: 'call', name: 'two', request: inputOf(PUT, origins), options: { lane: 'lane' } });
      expect(await worker.line('settled two')).toBe('settled two succeeded 200');
      const counts = await ground.drained(queue);
      report(
        `T11 ${name}`,
        store.kind,
        `meanwhile: ${says(before)}`,
        `then: ${says(counts)}`,
        told(site.saw(`${kind.method} ${kind.path}`)),
      );
      const now = await find();
      expect(`${now?.state} ${now?.reason}`).toBe(after);
      expect(counts).toMatchObject({ succeeded: 2, held: 0, unknown: 0, sending: 0 });
      const own = site.changes((one) => one.method === kind.method && one.path === kind.path);
      expect(own).toHaveLength(applied + (kind === PUT ? 1 : 0));
      expect(site.arrivals().length - arrived, 'nothing is sent again for the late answer').toBe(
        kind.zone === 'bare' ? 1 : 0,
      );
    },
  );
});
