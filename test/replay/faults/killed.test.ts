import { expect, it } from 'vitest';
import type { ServerStep } from '../../../src/testing/serverSteps.ts';
import { hang, park } from '../../../src/testing/serverSteps.ts';
import { describe as describeEnd } from '../../processes/support/child.ts';
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
import type { DeathPoint } from './support/order.ts';
import { faultChild } from './support/order.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import { Sluice } from './support/Sluice.ts';
import type { StoreAt } from './support/stores.ts';
import { describeStores } from './support/stores.ts';

const KINDS: readonly Kind[] = [BARE, KEYED, STAMPED, PUT, CONDITIONAL];
/** Of a large body, the server reads some. */
const LARGE = 2 * 1024 * 1024;
const SOME = 64 * 1024;

interface Death {
  readonly when: string;
  /** Absent: killed from outside, as the server stops to read. */
  readonly at?: DeathPoint;
  readonly isPaused?: true;
  /** What the servers do to requests of the life that ends. */
  readonly step?: ServerStep;
  readonly headsOnly?: true;
  /** What the life that ends did to the servers. */
  readonly was: 'stored' | 'notApplied' | 'applied' | 'settled';
}

const DEATHS: readonly Death[] = [
  { when: 'after its commit of acceptance', at: 'accepted', isPaused: true, was: 'stored' },
  { when: 'after the claim', at: 'claimed', was: 'notApplied' },
  { when: 'before the first byte', at: 'beforeFirstByte', was: 'notApplied' },
  { when: 'in the middle of the body', was: 'notApplied' },
  { when: 'after the body, which the server ignores', at: 'afterBody', step: hang, was: 'notApplied' },
  { when: 'after the body, which the server applies', at: 'afterBody', step: park, was: 'applied' },
  { when: 'after the head of the answer', at: 'head', headsOnly: true, was: 'applied' },
  { when: 'after the answer', at: 'answered', was: 'applied' },
  { when: 'after the commit of its result', at: 'settled', was: 'settled' },
];

/** State, reason, and how often the server was changed, by what the life before did. */
const EXPECTED: Readonly<Record<Death['was'], Readonly<Record<string, readonly [string, string, number]>>>> = {
  stored: all(['succeeded', 'applied', 1]),
  settled: all(['succeeded', 'applied', 1]),
  notApplied: { ...all(['succeeded', 'applied', 1]), [BARE.name]: ['held', 'unknown', 0] },
  applied: {
    [BARE.name]: ['held', 'unknown', 1],
    [KEYED.name]: ['succeeded', 'appliedEarlier', 1],
    [STAMPED.name]: ['succeeded', 'appliedEarlier', 1],
    // The same content twice is the same state.
    [PUT.name]: ['succeeded', 'applied', 2],
    [CONDITIONAL.name]: ['succeeded', 'appliedEarlier', 1],
  },
};

function all(end: readonly [string, string, number]): Record<string, readonly [string, string, number]> {
  return Object.fromEntries(KINDS.map(({ name }) => [name, end]));
}

function effects({ bare, keyed }: Sites, { zone, method, path }: Kind): number {
  return (zone === 'keyed' ? keyed : bare).changes((one) => one.method === method && one.path === path).length;
}

function arrived({ server }: Site, count: number): Promise<void> {
  return server.ledger.until(({ entries }) => entries.length >= count);
}

/** The life that ends: five requests, one of each kind, all of which come to the point of death. */
async function liveAndDie(death: Death, sites: Sites, backend: StoreAt): Promise<void> {
  const pad = death.at === undefined ? LARGE : 0;
  const options = death.at === undefined ? { requestBytes: SOME } : { headsOnly: death.headsOnly === true };
  const sluices = {
    bare: await Sluice.before(sites.bare.server.origin, options),
    keyed: await Sluice.before(sites.keyed.server.origin, options),
  };
  const origins = { bare: sluices.bare.origin, keyed: sluices.keyed.origin };
  const die = death.at === undefined ? undefined : { at: death.at, count: KINDS.length };
  const child = await faultChild({
    backend,
    zones: zonesOf(origins),
    orders: { ...ORDERS, baseUrl: origins.bare },
    paused: death.isPaused,
    die,
  });
  for (const kind of KINDS) {
    const what =
      kind === STAMPED ? { do: 'create', body: kind.body } : { do: 'enqueue', request: inputOf(kind, origins) };
    child.tell({ ...what, name: kind.name, options: kind.options, pad });
  }
  if (death.at === undefined) {
    await Promise.all([sluices.bare.stopped(KINDS.length - 1), sluices.keyed.stopped(1)]);
    child.process.kill('SIGKILL');
  }
  const end = await child.ended;
  expect(end, describeEnd(end)).toMatchObject({ signal: 'SIGKILL' });
  if (death.at !== undefined) expect(end.lines.at(-1), describeEnd(end)).toBe(`dying ${death.at} ${KINDS.length}`);
  const isSent = death.step !== undefined || death.was === 'applied' || death.was === 'settled';
  // Whole, though nobody waits for an answer any more.
  if (isSent) await Promise.all([arrived(sites.bare, KINDS.length - 1), arrived(sites.keyed, 1)]);
  expect([sites.bare.saw().arrivals, sites.keyed.saw().arrivals]).toEqual(isSent ? [KINDS.length - 1, 1] : [0, 0]);
}

describeStores('T1: a process that is killed', (store) => {
  const tests = DEATHS.map((death) => [death.when, death] as const);
  it.each(tests)('%s loses nothing, and sends nothing twice that is not safe to', async (_when, death) => {
    const sites: Sites = { bare: await Site.open(), keyed: await Site.open() };
    furnish(sites);
    const at = await store.make();
    for (const { server } of [sites.bare, sites.keyed]) if (death.step !== undefined) server.script.always(death.step);
    await liveAndDie(death, sites, at);
    for (const { server } of [sites.bare, sites.keyed]) server.script.clear();

    const ground = new Ground(at, [sites.bare, sites.keyed]);
    const origins = { bare: sites.bare.server.origin, keyed: sites.keyed.server.origin };
    const queue = await ground.queue({ zones: zonesOf(origins) });
    ordersOf(queue, origins.bare);
    const counts = await ground.drained(queue);
    const { requests } = await queue.find({});
    const ends = Object.fromEntries(
      requests.map(({ content, zone, state, reason }) => {
        const kind = KINDS.find((one) => one.path === content.path && one.zone === zone) as Kind; // one of each
        return [kind.name, [state, reason, effects(sites, kind)]];
      }),
    );
    report(
      `T1 ${death.when}`,
      store.kind,
      `bare: ${told(sites.bare.saw())}`,
      `keyed: ${told(sites.keyed.saw())}`,
      says(counts),
    );
    expect(ends).toEqual(EXPECTED[death.was]);

    // What nobody could find out, a person decides.
    for (const held of (await queue.held.list()).requests) {
      await queue.held.resolve(held, death.was === 'applied' ? 'markApplied' : 'resend', 'tester');
    }
    await ground.drained(queue);
    const total = Object.fromEntries(KINDS.map((kind) => [kind.name, effects(sites, kind)]));
    expect(total).toEqual({
      ...Object.fromEntries(KINDS.map(({ name }) => [name, 1])),
      ...(death.was === 'applied' && { [PUT.name]: 2 }),
    });
    expect(await queue.counts()).toMatchObject({ succeeded: 5, held: 0, dead: 0 });
  });
});
