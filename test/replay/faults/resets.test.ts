import { expect, it } from 'vitest';
import { applyThenReset } from '../../../src/testing/serverSteps.ts';
import { Ground } from './support/Ground.ts';
import type { Kind, Sites } from './support/kinds.ts';
import {
  BARE,
  CONDITIONAL,
  DELETE,
  furnish,
  KEYED,
  MERGE_PATCH,
  ordersOf,
  PUT,
  STAMPED,
  send,
  zonesOf,
} from './support/kinds.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import { describeStores } from './support/stores.ts';

interface End {
  /** State and reason. */
  readonly ends: readonly [string, string];
  readonly arrivals: number;
  readonly applied: number;
  readonly reads: number;
}

const READ: Kind = { ...PUT, name: 'GET', method: 'GET', body: undefined };
const CREATE: Kind = { ...BARE, name: 'create', options: { yields: '/id' } };
const RELATIVE: Kind = { ...BARE, name: 'relative POST', path: '/things/7/add', options: { effect: 'relative' } };
const PATCH: Kind = { ...PUT, name: 'merge PATCH', method: 'PATCH', headers: MERGE_PATCH };
const ACTION: Kind = { ...PUT, name: 'action PATCH', method: 'PATCH', headers: { 'content-type': 'application/json' } };
const CONDITIONAL_PUT: Kind = { ...PUT, name: 'conditional PUT', headers: { 'if-match': '"v1"' } };
const CONDITIONAL_DELETE: Kind = { ...DELETE, name: 'conditional DELETE', headers: { 'if-match': '"v1"' } };

/** Not sent again: nobody can tell whether that would be twice. */
const HELD: End = { ends: ['held', 'unknown'], arrivals: 1, applied: 1, reads: 0 };
/** A read showed that it was applied. */
const PROBED: End = { ends: ['succeeded', 'appliedEarlier'], arrivals: 1, applied: 1, reads: 1 };
/** Sent again, and the server did it again: the same content leads to the same state. */
const REPEATED: End = { ends: ['succeeded', 'applied'], arrivals: 2, applied: 2, reads: 0 };
/** Sent again, and the server knew that it was done. */
const KNOWN: End = { ends: ['succeeded', 'appliedEarlier'], arrivals: 2, applied: 1, reads: 0 };

const TABLE: readonly (readonly [kind: Kind, end: End])[] = [
  [READ, { ends: ['succeeded', 'applied'], arrivals: 0, applied: 0, reads: 2 }],
  [BARE, HELD],
  [CREATE, HELD],
  [RELATIVE, HELD],
  [KEYED, KNOWN],
  [STAMPED, PROBED],
  [PUT, REPEATED],
  [PATCH, REPEATED],
  [ACTION, PROBED],
  [DELETE, KNOWN],
  // 412 to what was sent again: a read shows whose version stands there.
  [CONDITIONAL, { ...KNOWN, reads: 1 }],
  [CONDITIONAL_PUT, { ...KNOWN, reads: 1 }],
  [CONDITIONAL_DELETE, KNOWN],
];

describeStores('T2: a server that applies and then resets the connection', (store) => {
  it.each(TABLE.map(([kind, end]) => [kind.name, kind, end] as const))(
    'to a %s has it applied once',
    async (name, kind, { ends, ...expected }) => {
      const sites: Sites = { bare: await Site.open(), keyed: await Site.open() };
      furnish(sites);
      const ground = new Ground(await store.make(), [sites.bare, sites.keyed]);
      const origins = { bare: sites.bare.server.origin, keyed: sites.keyed.server.origin };
      const queue = await ground.queue({ zones: zonesOf(origins) });
      const site = sites[kind.zone];
      site.server.script.next(applyThenReset);
      const id = await send(queue, kind, origins, ordersOf(queue, origins.bare));
      const counts = await ground.drained(queue);
      const record = await queue.get(id);
      const saw = site.saw();
      report(`T2 ${name}`, store.kind, told(saw), says(counts), `${record?.state} ${record?.reason}`);
      expect([record?.state, record?.reason]).toEqual(ends);
      expect(saw).toMatchObject(expected);
      const { guarantee } = await queue.explain(id);
      if (record?.state === 'held') expect(guarantee).toBe('atMostOnce');
      const bodies = new Set(site.changes().map(({ body }) => body));
      expect(bodies.size, 'what was applied again is the same').toBe(kind.method === 'GET' ? 0 : 1);
    },
  );
});
