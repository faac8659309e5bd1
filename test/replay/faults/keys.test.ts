import { expect, it } from 'vitest';
import type { IdempotencyOption } from '../../../src/queue/core/config/options.ts';
import type { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { ReceivedRequest, ServerStep } from '../../../src/testing/serverSteps.ts';
import { applyThenReset, refuse, resetBeforeApply } from '../../../src/testing/serverSteps.ts';
import { headerIn } from '../../core/harness.ts';
import type { GroundConfig } from './support/Ground.ts';
import { DAY_MS, Ground, HOUR_MS, MINUTE_MS, SECOND_MS } from './support/Ground.ts';
import type { Kind } from './support/kinds.ts';
import { KEYED, ordersOf, STAMPED, send } from './support/kinds.ts';
import { report, says } from './support/report.ts';
import { Site, told } from './support/Site.ts';
import type { FaultStore } from './support/stores.ts';
import { describeStores } from './support/stores.ts';

/** Executed, failed, and kept with its key. */
const STORED_FAILURE: ServerStep = { kind: 'answer', apply: true, answer: { status: 500, body: { error: 'broken' } } };

/** A queue of an API that knows keys. */
async function keyed(store: FaultStore, idempotency: IdempotencyOption = 'stripe', more: GroundConfig = {}) {
  const keyHeader = typeof idempotency === 'string' ? undefined : idempotency.header.toLowerCase();
  const site = await Site.open({ keyHeader: idempotency === 'oasis' ? 'repeatability-request-id' : keyHeader });
  const ground = new Ground(await store.make(), [site]);
  const config = { ...more, zones: { api: { origins: [site.server.origin], idempotency } } };
  const queue = await ground.queue(config);
  const origins = { bare: site.server.origin, keyed: site.server.origin };
  const orders = ordersOf(queue, site.server.origin);
  const sendOne = (kind: Kind): Promise<string> => send(queue, kind, origins, orders);
  const end = async (what: string, id: string) => {
    const counts = await ground.drained(queue);
    const record = await queue.get(id);
    const reached = `${record?.state} ${record?.reason}`;
    report(`T4 ${what}`, store.kind, told(site.saw()), says(counts), reached);
    return { record, reached };
  };
  return { site, ground, queue, config, sendOne, end };
}

const keysIn = (site: Site, header = 'idempotency-key'): (string | undefined)[] =>
  site.arrivals().map(({ request }) => headerIn(request, header));

/** Nobody can reach the server for so long. */
async function awayFor(ground: Ground, site: Site, ms: number): Promise<void> {
  await ground.calm();
  await site.server.stop();
  ground.leap(ms);
  await ground.pass(5 * SECOND_MS);
  await site.server.start();
}

async function decide(queue: QueueManager, id: string): Promise<void> {
  await queue.held.resolve(id, 'resend', 'tester');
}

describeStores('T4: a failure that the server stores with its key', (store) => {
  it('is not sent for again, and goes out with another key once a person says so', async () => {
    const { site, ground, queue, sendOne, end } = await keyed(store);
    site.server.script.next(STORED_FAILURE);
    const id = await sendOne(KEYED);
    expect((await end('stored 500', id)).reached).toBe('held unknown');
    expect(site.saw()).toMatchObject({ arrivals: 2, applied: 0, replayed: 1 });
    await ground.pass(10 * MINUTE_MS);
    expect(site.saw()).toMatchObject({ arrivals: 2 });

    await decide(queue, id);
    expect((await end('stored 500, resent by a person', id)).reached).toBe('succeeded applied');
    expect(site.saw()).toMatchObject({ arrivals: 3, applied: 1 });
    const keys = keysIn(site);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
  });

  it('goes out with another key once it was proven that it did nothing', async () => {
    const { site, sendOne, end } = await keyed(store);
    site.server.script.next(STORED_FAILURE);
    const id = await sendOne(STAMPED);
    expect((await end('stored 500, probed', id)).reached).toBe('succeeded applied');
    expect(site.saw()).toMatchObject({ arrivals: 3, applied: 1, replayed: 1, reads: 1 });
    expect(new Set(keysIn(site)).size).toBe(2);
  });
});

describeStores('T4: a key whose first send is being processed', (store) => {
  it('waits for that, and spends no attempt', async () => {
    const { site, ground, queue, sendOne, end } = await keyed(store, 'ietf', { attemptTimeoutMs: 5 * SECOND_MS });
    site.parkNext();
    const id = await sendOne(KEYED);
    await ground.pass(5 * SECOND_MS);
    const inProgress = refuse({ status: 409, body: { title: 'A request is outstanding for this Idempotency-Key' } });
    site.server.script.always(inProgress);
    await ground.until(() => site.saw().arrivals >= 14, HOUR_MS);
    const waiting = await queue.get(id);
    expect(waiting?.progress).toMatchObject({ faults: 1, unresolved: true });
    expect(site.saw()).toMatchObject({ arrivals: 14, applied: 0 });
    site.land();
    site.server.script.clear();
    expect((await end('409 in progress', id)).reached).toBe('succeeded applied');
    expect(site.saw()).toMatchObject({ arrivals: 15, applied: 1, replayed: 1 });
    expect(new Set(keysIn(site)).size).toBe(1);
  });
});

describeStores('T4: a key whose time is over', (store) => {
  it.each([
    ['19 h', 19 * HOUR_MS, { reached: 'succeeded appliedEarlier', arrivals: 2, replayed: 1 }],
    ['24 h and 1 s', DAY_MS + SECOND_MS, { reached: 'held unknown', arrivals: 1, replayed: 0 }],
  ])('is counted on for 0.8 of it: after %s', async (name, ms, { reached, ...saw }) => {
    const { site, ground, sendOne, end } = await keyed(store);
    site.server.script.next(applyThenReset);
    const id = await sendOne(KEYED);
    await awayFor(ground, site, ms);
    expect((await end(`key after ${name}`, id)).reached).toBe(reached);
    expect(site.saw()).toMatchObject({ applied: 1, ...saw });
  });

  it('leaves it to a probe where there is one', async () => {
    const { site, ground, sendOne, end } = await keyed(store);
    site.server.script.next(applyThenReset);
    const id = await sendOne(STAMPED);
    await awayFor(ground, site, DAY_MS + SECOND_MS);
    expect((await end('key after 24 h and 1 s, probed', id)).reached).toBe('succeeded appliedEarlier');
    expect(site.saw()).toMatchObject({ arrivals: 1, applied: 1 });
  });

  it('is over after five minutes where a key bears the time of its first send', async () => {
    const { site, ground, queue, sendOne, end } = await keyed(store, 'oasis');
    site.server.script.always((request) => {
      const firstSentAt = Date.parse(headerIn(request, 'repeatability-first-sent') ?? '');
      return ground.clock.now() - firstSentAt < 5 * MINUTE_MS ? undefined : refuse({ status: 412 });
    });
    site.server.script.next(resetBeforeApply);
    const id = await sendOne(KEYED);
    await awayFor(ground, site, 6 * MINUTE_MS);
    expect((await end('oasis key after 5 min', id)).reached).toBe('held unknown');
    expect(site.saw()).toMatchObject({ arrivals: 1, applied: 0 });
    await decide(queue, id);
    expect((await end('oasis key after 5 min, resent by a person', id)).reached).toBe('succeeded applied');
    expect(site.saw()).toMatchObject({ arrivals: 2, applied: 1 });
  });

  it('and which the server refuses for that is found out by a probe, not sent again', async () => {
    const { site, sendOne, end } = await keyed(store, 'oasis');
    site.server.script.next(applyThenReset, refuse({ status: 412 }));
    const id = await sendOne(STAMPED);
    expect((await end('oasis 412', id)).reached).toBe('succeeded appliedEarlier');
    expect(site.saw()).toMatchObject({ arrivals: 2, applied: 1, reads: 1 });
  });

  it('does not run while nothing was sent', async () => {
    const { site, ground, sendOne, end } = await keyed(store);
    await site.server.stop();
    const id = await sendOne(KEYED);
    await awayFor(ground, site, 3 * DAY_MS);
    await site.server.stop();
    await ground.pass(MINUTE_MS);
    await site.server.start();
    site.server.script.next(applyThenReset);
    expect((await end('key first sent after 3 d', id)).reached).toBe('succeeded appliedEarlier');
    expect(site.saw()).toMatchObject({ arrivals: 2, applied: 1, replayed: 1 });
  });
});

const UUID = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const BARE_KEY = new RegExp(`^${UUID}$`);
const QUOTED_KEY = new RegExp(`^"${UUID}"$`);

const DIALECTS: readonly (readonly [name: string, option: IdempotencyOption, header: string, form: RegExp])[] = [
  ['ietf, quoted', 'ietf', 'idempotency-key', QUOTED_KEY],
  ['stripe, bare', 'stripe', 'idempotency-key', BARE_KEY],
  ['stripe-v2, bare', 'stripe-v2', 'idempotency-key', BARE_KEY],
  ['oasis, bare', 'oasis', 'repeatability-request-id', BARE_KEY],
  ['its own, quoted', { header: 'X-Request-Key', quoting: 'string' }, 'x-request-key', QUOTED_KEY],
];

describeStores('T4: a key on the wire', (store) => {
  it.each(DIALECTS)('is written as its API wants it: %s', async (name, option, header, form) => {
    const { site, ground, queue, config, sendOne } = await keyed(store, option);
    site.server.script.next(applyThenReset);
    const id = await sendOne(KEYED);
    await ground.calm();
    // Another life sends it again.
    await ground.close(queue);
    const next = await ground.queue(config);
    const counts = await ground.drained(next);
    report(`T4 ${name}`, store.kind, told(site.saw()), says(counts), `${keysIn(site, header)[0]}`);
    expect(await next.get(id)).toMatchObject({ state: 'succeeded' });
    expect(site.saw()).toMatchObject({ arrivals: 2, applied: 1, replayed: 1 });
    const [first, second] = keysIn(site, header);
    expect(first).toMatch(form);
    expect(second).toBe(first);
    const firstSent = site
      .arrivals()
      .map(({ request }: { request: ReceivedRequest }) => headerIn(request, 'repeatability-first-sent'));
    if (option === 'oasis') expect(firstSent).toEqual([expect.stringMatching(/ GMT$/), firstSent[0]]);
  });
});
