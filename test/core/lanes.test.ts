import { describe, expect, it } from 'vitest';
import { park, unavailable } from '../../src/testing/serverSteps.ts';
import { arrivals, at, folder, onFile, realServer, world } from './harness.ts';

const OTHER = 'https://other.test';

describe('a lane', () => {
  it('holds the PUTs, PATCHes and DELETEs of one path in order, one in flight', async () => {
    const test = await world();
    test.server.script.always(park);
    const calls = [
      { method: 'PUT', url: at('/a?x=1'), body: '1' },
      { method: 'PATCH', url: at('/a?x=2'), body: { n: 2 } },
      { method: 'DELETE', url: at('/a') },
      { method: 'PUT', url: at('/a'), body: '4' },
    ];
    for (const call of calls) await test.queue.enqueue(call);
    for (let n = 1; n <= calls.length; n += 1) {
      await test.clock.settle();
      expect(arrivals(test.server)).toHaveLength(n);
      expect(test.server.parked).toBe(1);
      test.server.release();
    }
    await test.clock.settle();
    expect(arrivals(test.server).map((line) => line.split(' ')[0])).toEqual(['PUT', 'PATCH', 'DELETE', 'PUT']);
  });

  it('is not shared by POSTs and reads', async () => {
    const test = await world();
    test.server.script.always(park);
    for (const method of ['PUT', 'POST', 'POST', 'GET']) {
      await test.queue.enqueue({ method, url: at('/a'), body: method === 'GET' ? undefined : 'x' });
    }
    await test.clock.settle();
    expect(arrivals(test.server).map((line) => line.split(' ')[0])).toEqual(['PUT', 'POST', 'POST', 'GET']);
  });

  it('does not wait for another lane', async () => {
    const test = await world();
    test.server.script.always((request) => (request.path === '/slow' ? park : undefined));
    await test.queue.enqueue({ method: 'PUT', url: at('/slow'), body: '1' });
    await test.queue.enqueue({ method: 'PUT', url: at('/slow'), body: '2' });
    const fast = await test.queue.enqueue({ method: 'PUT', url: at('/fast'), body: '3' });
    expect(await fast.settled()).toMatchObject({ state: 'succeeded' });
    expect(test.server.ledger.applied('/slow')).toBe(1);
  });

  it('may be named, and then holds every method', async () => {
    const test = await world();
    test.server.script.always(park);
    for (const method of ['POST', 'GET', 'PUT']) {
      const body = method === 'GET' ? undefined : 'x';
      await test.queue.enqueue({ method, url: at(`/${method}`), body }, { lane: 'note:7' });
    }
    for (const n of [1, 2, 3]) {
      await test.clock.settle();
      expect(arrivals(test.server)).toHaveLength(n);
      test.server.release();
    }
    expect(arrivals(test.server)).toEqual(['POST /POST x', 'GET /GET', 'PUT /PUT x']);
  });

  it('is given up with lane: null', async () => {
    const test = await world();
    test.server.script.always(park);
    for (const body of ['1', '2']) await test.queue.enqueue({ method: 'PUT', url: at('/a'), body }, { lane: null });
    await test.clock.settle();
    expect(test.server.parked).toBe(2);
  });

  it('is one per principal and zone', async () => {
    const test = await world();
    const other = test.network.serve(OTHER);
    test.server.script.always(park);
    other.script.always(park);
    for (const token of ['one', 'two']) {
      const headers = { authorization: `Bearer ${token}` };
      await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: 'x', headers }, { lane: 'l' });
    }
    await test.queue.enqueue({ method: 'PUT', url: `${OTHER}/a`, body: 'x' }, { lane: 'l' });
    await test.clock.settle();
    expect(test.server.parked + other.parked).toBe(3);
  });

  it('stays in order when its head has to be tried again', async () => {
    const test = await world();
    test.server.script.next(unavailable(), unavailable());
    for (const body of ['1', '2', '3']) await test.queue.enqueue({ method: 'PUT', url: at('/a'), body });
    await test.clock.advanceUntil(() => test.server.ledger.applied() === 3, 600_000);
    const applied = test.server.ledger.entries.filter(({ outcome }) => outcome === 'applied');
    expect(applied.map(({ request }) => request.body)).toEqual(['1', '2', '3']);
  });

  it('is not overtaken by what is more urgent', async () => {
    const test = await world();
    test.queue.pause();
    await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: '1' }, { priority: 'bulk' });
    await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: '2' }, { priority: 'critical' });
    test.queue.resume();
    await test.clock.settle();
    expect(arrivals(test.server)).toEqual(['PUT /a 1', 'PUT /a 2']);
  });

  it('takes the best place of those who wait in it', async () => {
    const test = await world({ maxConcurrency: 1 });
    test.queue.pause();
    await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: '1' }, { priority: 'low' });
    await test.queue.enqueue({ method: 'PUT', url: at('/b'), body: '2' }, { priority: 'normal' });
    await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: '3' }, { priority: 'critical' });
    test.queue.resume();
    await test.clock.advanceUntil(() => test.server.ledger.applied() === 3, 1_000);
    expect(arrivals(test.server)[0]).toBe('PUT /a 1');
  });

  it('goes on behind a request that was cancelled or expired', async () => {
    const test = await world();
    test.queue.pause();
    const first = await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: '1' });
    await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: '2' }, { deadline: test.clock.now() + 1_000 });
    await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: '3' });
    await first.cancel();
    await test.clock.advance(2_000);
    test.queue.resume();
    await test.clock.settle();
    expect(arrivals(test.server)).toEqual(['PUT /a 3']);
  });

  it('waits behind a request that is held, and goes on once it is decided', async () => {
    const test = await world();
    test.server.script.next({ kind: 'reset', apply: true });
    const first = await test.queue.enqueue({ method: 'POST', url: at('/a'), body: '1' }, { lane: 'l' });
    await test.queue.enqueue({ method: 'POST', url: at('/a'), body: '2' }, { lane: 'l' });
    await test.clock.settle();
    expect(await test.queue.counts()).toMatchObject({ held: 1, blocked: 1 });
    await test.queue.held.resolve(first.id, 'markApplied', 'me');
    await test.clock.settle();
    expect(arrivals(test.server)).toEqual(['POST /a 1', 'POST /a 2']);
  });

  it('never has two in flight on a file with a real server, over many lanes', async () => {
    const inFlight = new Map<string, number>();
    let most = 0;
    const server = await realServer({
      respond: (request) => {
        inFlight.set(request.path, (inFlight.get(request.path) ?? 0) - 1);
        return { status: 200 };
      },
    });
    server.script.always((request) => {
      const now = (inFlight.get(request.path) ?? 0) + 1;
      inFlight.set(request.path, now);
      most = Math.max(most, now);
      return undefined;
    });
    const queue = await onFile(`${await folder()}/q.db`);
    const calls = Array.from({ length: 200 }, (_, n) => ({
      method: 'PUT',
      url: `${server.origin}/${n % 10}`,
      body: `${n}`,
    }));
    await Promise.all(calls.map((call) => queue.enqueue(call)));
    await queue.idle();
    expect(most).toBe(1);
    for (let lane = 0; lane < 10; lane += 1) {
      const bodies = server.ledger.entries
        .filter(({ resource }) => resource === `/${lane}`)
        .map((e) => +e.request.body);
      expect(bodies).toEqual([...bodies].sort((a, b) => a - b));
      expect(bodies).toHaveLength(20);
    }
  });
});
