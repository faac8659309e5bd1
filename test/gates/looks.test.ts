import { describe, expect, it } from 'vitest';
import type { ProbeFunction } from '../../src/queue/core/config/options.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { answer, hang, park, unavailable } from '../../src/testing/serverSteps.ts';
import { at, record } from '../core/harness.ts';
import type { Arrival } from './support/world.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
  HOUR_MS,
  MINUTE_MS,
  noteArrivals,
  put,
  rig,
  SECOND_MS,
  ZONE,
  zones,
} from './support/world.ts';

/** Reads the thing that the request is about, and takes any answer of it for applied. */
const probe: ProbeFunction = async ({ request, send }) => {
  const { status } = await send({ method: 'GET', path: `/look${request.content.path}` });
  return status === 200 ? { outcome: 'applied' } : { outcome: 'inconclusive' };
};

/** A POST that was sent and not answered, in a zone that has a probe for it; it will be looked at a minute later. */
async function inDoubt(zone: object = {}): Promise<{ test: TestQueue; id: string }> {
  const test = await gated({ probe, retryBudget: false, ...zone });
  test.server.script.next({ kind: 'reset', apply: true });
  const { id } = await test.queue.enqueue({ method: 'POST', url: at('/orders'), body: {} });
  await test.clock.settle();
  expect(await test.queue.get(id)).toMatchObject({ state: 'unknown' });
  return { test, id };
}

/** With the call that was not answered they are five in a row, or more. */
async function open(test: TestQueue, requests = 6): Promise<number> {
  const opened = record(test.queue, 'breaker:opened');
  test.server.script.always(unavailable());
  await enqueueEach(test.queue, requests);
  await test.clock.settle();
  expect(opened.length).toBe(1);
  return opened[0]?.until ?? 0;
}

const looksIn = (arrivals: readonly Arrival[]) => arrivals.filter(({ path }) => path.startsWith('/look')).length;

describe('a request of which it is not known what became', () => {
  it('is looked at in its time in a zone that is well', async () => {
    const { test, id } = await inDoubt();
    const arrivals = noteArrivals(test);
    await test.clock.advance(59 * SECOND_MS);
    expect(looksIn(arrivals)).toBe(0);
    await test.clock.advance(2 * SECOND_MS);
    expect(looksIn(arrivals)).toBe(1);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
  });

  it('is not looked at while the breaker of its zone is open', async () => {
    const { test } = await inDoubt();
    await test.clock.advance(55 * SECOND_MS);
    const opened = record(test.queue, 'breaker:opened');
    test.server.script.next(unavailable(600));
    await test.queue.enqueue({ method: 'PUT', url: at('/things/1'), body: {} });
    await test.clock.settle();
    expect(opened).toMatchObject([{ reason: 'serverHint' }]);
    const arrivals = noteArrivals(test);
    await test.clock.advance(9 * MINUTE_MS);
    expect(arrivals).toEqual([]);
  });

  it('is not looked at while somebody isolates its zone', async () => {
    const { test } = await inDoubt();
    const undo = test.queue.zones.isolate('api');
    const arrivals = noteArrivals(test);
    await test.clock.advance(HOUR_MS);
    expect(arrivals).toEqual([]);
    undo();
    await test.clock.advance(10 * SECOND_MS);
    expect(looksIn(arrivals)).toBe(1);
  });

  it('is itself what its zone is tried with, where nothing else waits', async () => {
    const { test, id } = await inDoubt({
      classify: ({ status }: { status: number }) => (status === 503 ? { is: 'rejected', scope: 'zone' } : undefined),
    });
    await test.clock.advance(57 * SECOND_MS);
    const events = record(test.queue, 'breaker:halfOpened', 'breaker:recovering');
    await open(test, 4);
    const arrivals = noteArrivals(test, () => answer({ status: 200, body: {} }));
    await test.clock.advance(20 * SECOND_MS);
    expect(looksIn(arrivals)).toBe(1);
    expect(arrivals.length).toBe(1);
    expect(events[0]).toMatchObject({ name: 'breaker:halfOpened' });
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it('counts as the probe that failed, where its look meets what the zone failed with', async () => {
    const { test, id } = await inDoubt({
      classify: ({ status }: { status: number }) => (status === 503 ? { is: 'rejected', scope: 'zone' } : undefined),
    });
    await test.clock.advance(57 * SECOND_MS);
    await open(test, 4);
    const opened = record(test.queue, 'breaker:opened');
    const arrivals = noteArrivals(test, () => unavailable());
    await test.clock.advance(20 * SECOND_MS);
    expect(looksIn(arrivals)).toBeGreaterThan(0);
    expect(opened[0]).toMatchObject({ reason: 'probeFailed', tries: 2 });
    expect(await test.queue.get(id)).toMatchObject({ state: 'unknown', progress: { probes: 0 } });
  });

  it('is one call of those that a half-open breaker lets through, and not one more', async () => {
    const { test } = await inDoubt();
    await test.clock.advance(57 * SECOND_MS);
    await open(test);
    test.server.script.always(park);
    await test.clock.advance(9 * SECOND_MS);
    expect(breakerOf(test.queue)).toBe('halfOpen');
    expect(test.network.underWay).toBe(1);
  });

  it('keeps nothing else from being tried, and is not kept from it', async () => {
    const { test, id } = await inDoubt();
    await test.clock.advance(57 * SECOND_MS);
    await open(test);
    // What is in doubt cannot be read, all the others are well.
    test.server.script.always(({ path }) => (path.startsWith('/look') ? unavailable() : undefined));
    expect(await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded >= 6, 30 * MINUTE_MS)).toBe(
      true,
    );
    const arrivals = noteArrivals(test);
    await test.clock.advance(30 * MINUTE_MS);
    expect(looksIn(arrivals)).toBeGreaterThan(0);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it.each([
    ['nothing waits', false],
    ['all that waits may not be sent', true],
  ])('finds back a zone that could not be reached for long, where %s', async (_, isWaiting) => {
    const { test, id } = await inDoubt({ endpoint: ({ path }: { path: string }) => path.split('/')[1] });
    await test.queue.enqueue(put('/things/1'));
    await test.clock.settle();
    if (isWaiting) test.queue.zones.isolate(ZONE, 'things');
    if (isWaiting) await test.queue.enqueue(put('/things/2'));
    const offline = record(test.queue, 'zone:offline');
    test.network.online = false;
    await test.clock.advance(10 * MINUTE_MS);
    expect(offline.length).toBe(1);
    test.network.online = true;
    await test.clock.advance(5 * MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
  });

  it('spends none of its looks on a zone that fails', async () => {
    const { test, id } = await inDoubt();
    await test.clock.advance(57 * SECOND_MS);
    test.server.script.always((request) => (request.n % 2 === 0 ? unavailable() : hang));
    await test.clock.advance(3 * HOUR_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'unknown', progress: { probes: 0 } });
  });

  it('has its looks count among the calls of the zone', async () => {
    const { test } = await inDoubt();
    const before = gatesOf(test.queue).breaker?.calls;
    await test.clock.advance(58 * SECOND_MS);
    expect(gatesOf(test.queue).breaker?.calls).toBe(0);
    await test.clock.advance(3 * SECOND_MS);
    expect(gatesOf(test.queue).breaker).toMatchObject({ calls: 1, failures: 0 });
    expect(before).toBe(1);
  });
});

describe('a zone that cannot be reached, where nothing waits and nothing is in doubt', () => {
  it('is not asked for what is in doubt once for each of its endpoints', async () => {
    const verbs: string[] = [];
    const { queue, clock, network } = await rig({
      config: {
        zones: { ...zones({ endpoint: ({ path }) => path.split('/')[1] }), other: { origins: ['https://other.test'] } },
      },
      hooks: { before: (verb) => void verbs.push(verb) },
    });
    for (let n = 0; n < 10; n += 1) await queue.enqueue(put(`/things${n}/1`));
    await clock.advance(SECOND_MS);
    network.online = false;
    const offline = record(queue, 'zone:offline');
    for (let n = 0; n < 3; n += 1) await queue.enqueue(put(`/things${n}/2`), { deadline: clock.now() + 4 * SECOND_MS });
    await clock.advance(10 * SECOND_MS);
    expect([offline.length, (await queue.counts()).ready]).toEqual([1, 0]);
    verbs.length = 0;
    await clock.advance(MINUTE_MS);
    const looks = verbs.filter((verb) => verb === 'expire').length;
    expect(looks).toBeGreaterThan(0);
    // Of the zone, and of the one that is well; once more where a claim had the one permit there is.
    expect(verbs.filter((verb) => verb === 'claimUnknown').length).toBeLessThanOrEqual(4 * looks);
  });
});
