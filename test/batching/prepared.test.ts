import { describe, expect, it } from 'vitest';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import type { FaultPoint } from '../../src/testing/faultPoints.ts';
import { park, refuse, slow, unavailable } from '../../src/testing/serverSteps.ts';
import { at } from '../core/harness.ts';
import { rig } from '../gates/support/world.ts';
import { listProtocol } from './support/protocol.ts';
import { batchWorld, enqueueAll, get, paths, post, put, ZONE } from './support/world.ts';

describe('a member that is prepared', () => {
  it('goes with others as what it has become, or alone where that is of another key', async () => {
    const adapter = listProtocol({ key: ({ path }) => (path.includes('/7') ? 'seven' : 'other') });
    const one = await batchWorld({ adapter });
    one.answerItem = ({ path }) => (path === '/tickets' ? { status: 201, body: { id: 7 } } : undefined);
    const { queue, clock } = one.test;
    const ticket = queue.localId('ticket');
    await queue.enqueue(post('/tickets'), { localId: ticket });
    await queue.enqueueMany(
      ['/a', '/b'].map((path) => ({ request: { method: 'GET', url: at(`/tickets/${ticket}${path}`) } })),
    );
    await queue.enqueue(get('/free'));
    await clock.advance(1_000);
    expect(one.calls.flat().toSorted()).toEqual(['/free', '/tickets', '/tickets/7/a', '/tickets/7/b']);
    expect(one.calls).toContainEqual(['/tickets/7/a', '/tickets/7/b']);
    expect((await queue.counts()).succeeded).toBe(4);
  });
});

describe('a crash with batches', () => {
  const points: readonly FaultPoint[] = [
    'accept:afterCommit',
    'fence:afterCommit',
    'send:beforeFirstByte',
    'send:afterLastByte',
    'answer:beforeSettle',
    'settle:duringCommit',
    'settle:afterCommit',
  ];

  it.each(points)('at %s loses no request and applies none twice that cannot be', async (point) => {
    const one = await batchWorld();
    one.server.script.always(slow(5));
    const requests = paths(30).map((path, index) => (index % 2 === 0 ? post(path) : put(path)));
    const stopped = one.test.stopAt(point);
    const accepted = enqueueAll(one, requests).catch(() => []);
    let isStopped = false;
    void stopped.then(() => {
      isStopped = true;
    });
    await one.test.clock.advanceUntil(() => isStopped, 10_000);
    const ids = await Promise.race([accepted.then((all) => all.map(({ id }) => id)), Promise.resolve([])]);
    await one.test.crash();
    await one.test.clock.advance(1_200_000);
    const { ready, scheduled, blocked, sending, unknown, succeeded, held } = await one.test.queue.counts();
    expect([ready, scheduled, blocked, sending, unknown]).toEqual([0, 0, 0, 0, 0]);
    expect([0, 30]).toContain(succeeded + held);
    if (ids.length > 0) expect(succeeded + held).toBe(30);
    const doubled = [...one.applied].filter(([what, times]) => what.startsWith('POST') && times > 1);
    expect(doubled).toEqual([]);
  });
});

describe('closing', () => {
  it('leaves what waits for others stored, and no timer behind', async () => {
    const one = await batchWorld({ config: { batchTimeoutMs: 5_000 } });
    await one.test.queue.enqueue(put('/a'));
    await one.test.clock.settle();
    const waiting = one.test.queue.enqueue(put('/b'));
    const { id } = await waiting;
    await one.test.queue.close();
    expect(one.calls).toEqual([]);
    expect(one.test.clock.pending).toBe(0);
    expect(id).toBeDefined();
  });

  it('gives a batch on the wire its time, and tells every caller', async () => {
    const one = await batchWorld();
    one.server.script.next(park);
    const accepted = await enqueueAll(
      one,
      paths(3).map((path) => put(path)),
    );
    const ends = accepted.map((request) => request.settled());
    await one.test.clock.advance(20);
    const closing = one.test.queue.close();
    await one.test.clock.settle();
    one.server.release();
    await closing;
    expect((await Promise.all(ends)).map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'succeeded']);
  });

  it('cuts off a batch that is not answered in time, and keeps each member by its effect', async () => {
    const one = await batchWorld({ config: { closeTimeoutMs: 100 } });
    one.server.script.next(park);
    const accepted = await enqueueAll(one, [put('/a'), post('/b')]);
    const told = Promise.allSettled(accepted.map((request) => request.settled()));
    await one.test.clock.advance(20);
    const closing = one.test.queue.close();
    await one.test.clock.advance(10_000);
    await closing;
    expect(await told).toMatchObject([
      { status: 'rejected', reason: { code: 'QUEUE_CLOSED', details: { accepted: true } } },
      { status: 'fulfilled', value: { state: 'held', reason: 'unknown' } },
    ]);
  });
});

describe('a zone that another stands in for', () => {
  it('has its batches sent there where that speaks the protocol, else one by one', async () => {
    for (const isSpoken of [true, false]) {
      const other = 'https://other.test';
      const batch = listProtocol();
      const zones = {
        [ZONE]: { origins: [TEST_ORIGIN], batch, failover: ['other'], breaker: { minimumCalls: 1 } },
        other: { origins: [other], ...(isSpoken && { batch }) },
      };
      const one = await rig({ config: { batchingEnabled: true, zones } });
      const sizes: number[] = [];
      one.network.serve(other, {
        respond: ({ path, body }) => {
          const items: { id: string }[] = path === '/batch' ? JSON.parse(body) : [{ id: '' }];
          sizes.push(items.length);
          return { status: 200, body: JSON.stringify(items.map(({ id }) => ({ id, status: 200 }))) };
        },
      });
      one.server.script.always(unavailable());
      for (const path of paths(6, '/first')) await one.queue.enqueue({ ...put(path) });
      await one.clock.advance(120_000);
      sizes.length = 0;
      await one.queue.enqueueMany(paths(10).map((path) => ({ request: put(path) })));
      await one.clock.advance(120_000);
      expect((await one.queue.counts()).succeeded).toBe(16);
      if (isSpoken) expect(Math.max(...sizes)).toBeGreaterThan(1);
      else expect(Math.max(...sizes)).toBe(1);
      await one.close();
    }
  });
});

describe('a flood that never fits', () => {
  it('of thousands goes in full calls, in the order of priorities', async () => {
    const one = await batchWorld({ zone: { maxConcurrency: 2 } });
    const { queue, clock } = one.test;
    queue.pause();
    for (const priority of [1, 5, 9]) {
      await queue.enqueueMany(
        paths(400, `/p${priority}`).map((path) => ({ request: put(path), options: { priority } })),
      );
    }
    queue.resume();
    await clock.advance(60_000);
    expect((await queue.counts()).succeeded).toBe(1_200);
    expect(one.calls.length).toBeLessThanOrEqual(70);
    expect(one.calls[0]?.every((path) => path.startsWith('/p9'))).toBe(true);
  });

  it('of refusals comes to an end', async () => {
    const one = await batchWorld({ config: { maxAttempts: 2 } });
    one.server.script.always(refuse({ status: 400 }));
    const accepted = await enqueueAll(
      one,
      paths(40).map((path) => post(path)),
    );
    await one.test.clock.advance(1_000);
    const ends = await Promise.all(accepted.map((request) => request.settled()));
    expect(new Set(ends.map(({ state, reason }) => `${state} ${reason}`))).toEqual(new Set(['dead rejected']));
  });
});
