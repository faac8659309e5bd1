import { describe, expect, it } from 'vitest';
import { notFound, refused, unreachable } from '../../src/testing/FakeServer.ts';
import type { ReceivedRequest } from '../../src/testing/serverSteps.ts';
import { hang, refuse, resetBeforeApply, unavailable } from '../../src/testing/serverSteps.ts';
import {
  call,
  collect,
  DAY_MS,
  drain,
  enqueue,
  expectNoPermitsHeld,
  HOUR_MS,
  KEYED,
  MINUTE_MS,
  testQueues,
  zone,
} from './support/queues.ts';

const start = testQueues();

const poison = (status: number) => (request: ReceivedRequest) =>
  request.path.startsWith('/poison') ? refuse({ status, body: {} }) : undefined;

describe('a server that answers 503', () => {
  it('costs no write its life in two hours, whether a caller waits or not', async () => {
    const test = await start();
    test.server.script.always(unavailable());
    const callers = ['POST', 'PUT', 'PATCH', 'DELETE'].map((method, n) => call(test.queue, method, `/waited/${n}`));
    for (const [n, method] of ['POST', 'PUT', 'PATCH', 'DELETE'].entries())
      await enqueue(test.queue, method, `/left/${n}`);
    await test.clock.advance(2 * HOUR_MS);
    expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0, unknown: 0, succeeded: 0 });
    expect(callers.every((caller) => caller.told() === undefined)).toBe(true);

    test.server.script.clear();
    // A breaker that opened again and again is open for 5 min, and a quarter of that at most is added.
    expect(await drain(test, 8 * MINUTE_MS)).toMatchObject({ succeeded: 8 });
    for (const caller of callers) expect(await caller.settled).toMatchObject({ state: 'succeeded' });
    expect(test.server.ledger.applied()).toBe(8);
    await expectNoPermitsHeld(test.queue);
  });

  it('is not asked more often than the backoff allows', async () => {
    const test = await start();
    test.server.script.always(unavailable());
    await enqueue(test.queue, 'POST', '/notes');
    await test.clock.advance(2 * HOUR_MS);
    // 60 s at most between two, and no more than one every second on average once it has backed off.
    expect(test.server.ledger.entries.length).toBeGreaterThan(100);
    expect(test.server.ledger.entries.length).toBeLessThan(1_000);
  });

  it('tells a waiting reader within its time, and lets the next one through once it is back', async () => {
    const test = await start();
    test.server.script.always(unavailable());
    const reader = call(test.queue, 'GET', '/notes');
    await test.clock.advance(2 * MINUTE_MS);
    expect(reader.told()).toMatchObject({ state: 'dead', reason: 'exhausted', response: { status: 503 } });
    test.server.script.clear();
    expect(await call(test.queue, 'GET', '/notes').settled).toMatchObject({ state: 'succeeded' });
  });
});

describe('a request that the server cannot cope with', () => {
  it.each(['POST', 'PUT'])(
    'ends after its attempts (keyed %s, nobody waits) while others are served',
    async (method) => {
      const test = await start({ config: { zones: KEYED } });
      test.server.script.always(poison(500));
      const bad = await enqueue(test.queue, method, '/poison/1');
      for (let n = 0; n < 30; n += 1) {
        await enqueue(test.queue, 'POST', '/fine');
        await test.clock.advance(20_000);
      }
      await drain(test, HOUR_MS);
      // It may have been applied for all we know: given up, it is a question for a person, never a silent end.
      expect(await test.queue.get(bad.id)).toMatchObject({ state: 'held', reason: 'unknown' });
      expect(test.server.ledger.entries.filter((entry) => entry.resource === '/poison/1').length).toBe(8);
      expect(await test.queue.counts()).toMatchObject({ succeeded: 30, dead: 0, held: 1 });
    },
  );

  it('ends at its caller with the error that says the outcome is open', async () => {
    const test = await start({ config: { zones: KEYED } });
    test.server.script.always(poison(500));
    const bad = call(test.queue, 'POST', '/poison/1');
    const good = call(test.queue, 'POST', '/fine');
    await test.clock.advance(HOUR_MS);
    expect(bad.told()).toMatchObject({ state: 'held', reason: 'unknown', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(good.told()).toMatchObject({ state: 'succeeded' });
  });

  it('ends when it alone makes the zone answer 503, while others are served', async () => {
    const test = await start();
    test.server.script.always(poison(503));
    const bad = await enqueue(test.queue, 'POST', '/poison/1');
    for (let n = 0; n < 60; n += 1) {
      await enqueue(test.queue, 'POST', '/fine');
      await test.clock.advance(30_000);
    }
    expect(await test.queue.get(bad.id)).toMatchObject({ state: 'dead', reason: 'exhausted' });
    expect(await test.queue.counts()).toMatchObject({ succeeded: 60, dead: 1 });
  });

  it('keeps its own lane waiting and no other', async () => {
    const test = await start({ config: { zones: KEYED } });
    test.server.script.always(poison(500));
    await enqueue(test.queue, 'PUT', '/poison/1');
    const behind = await enqueue(test.queue, 'POST', '/behind', {}, { lane: '/poison/1' });
    const other = await enqueue(test.queue, 'POST', '/other', {}, { lane: 'another' });
    await test.clock.settle();
    expect(await test.queue.get(other.id)).toMatchObject({ state: 'succeeded' });
    expect(await test.queue.get(behind.id)).not.toMatchObject({ state: 'succeeded' });
  });
});

describe('Retry-After', () => {
  it('of an hour is waited for by the whole zone', async () => {
    const test = await start();
    test.server.script.next(refuse({ status: 429, headers: [['retry-after', '3600']] }));
    const first = call(test.queue, 'POST', '/notes');
    await test.clock.settle();
    const second = call(test.queue, 'POST', '/notes');
    await test.clock.advance(HOUR_MS - 1_000);
    expect(test.server.ledger.entries.length).toBe(1);
    await test.clock.advance(MINUTE_MS);
    expect(first.told()).toMatchObject({ state: 'succeeded' });
    expect(second.told()).toMatchObject({ state: 'succeeded' });
    expect(await test.queue.get(first.told()?.id ?? '')).toMatchObject({ progress: { faults: 0 } });
  });

  it('as a date is counted from the date the server has', async () => {
    const test = await start();
    const serverNow = test.clock.now() - 5 * HOUR_MS; // its clock is wrong
    const headers = [
      ['date', new Date(serverNow).toUTCString()],
      ['retry-after', new Date(serverNow + 10 * MINUTE_MS).toUTCString()],
    ] as const;
    test.server.script.next(refuse({ status: 503, headers }));
    await enqueue(test.queue, 'POST', '/notes');
    await test.clock.advance(10 * MINUTE_MS - 2_000);
    expect(test.server.ledger.entries.length).toBe(1);
    await test.clock.advance(MINUTE_MS);
    expect(test.server.ledger.applied('/notes')).toBe(1);
  });

  it.each(['Mon, 01 Jan 2001 00:00:00 GMT', '-5', 'soon', '', '1e99', '0'])(
    'of %j neither stalls the zone for ever nor makes it burst',
    async (value) => {
      const test = await start();
      test.server.script.always(refuse({ status: 503, headers: [['retry-after', value]] }));
      await enqueue(test.queue, 'POST', '/notes');
      await test.clock.advance(10_000);
      expect(test.server.ledger.entries.length).toBeLessThan(25);
      test.server.script.clear();
      expect(await drain(test, DAY_MS + HOUR_MS)).toMatchObject({ succeeded: 1 });
    },
  );
});

describe('a zone that cannot be reached', () => {
  it.each([
    ['refuses connections', refused],
    ['has no name', notFound],
    ['is behind a network that is gone', unreachable],
  ])(
    'is taken for down by evidence, left alone, tried at growing distance, and drained when back (%s)',
    async (_, fault) => {
      const test = await start();
      const offline = collect(test.queue, 'zone:offline');
      const online = collect(test.queue, 'zone:online');
      let asked = 0;
      test.server.script.always(() => {
        asked += 1;
        return fault;
      });
      for (let n = 0; n < 50; n += 1) await enqueue(test.queue, 'POST', '/notes', { n });
      await test.clock.advance(30_000);
      expect(offline.length).toBe(1);
      const until = asked;
      await test.clock.advance(HOUR_MS);
      // One at a time, 60 to 72 s apart once the distance has grown.
      expect(asked - until).toBeGreaterThanOrEqual(45);
      expect(asked - until).toBeLessThanOrEqual(65);
      expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0, succeeded: 0 });

      test.server.script.clear();
      expect(await drain(test, 3 * MINUTE_MS)).toMatchObject({ succeeded: 50 });
      expect(online.length).toBe(1);
      expect(offline.length).toBe(1);
      await expectNoPermitsHeld(test.queue);
    },
  );

  it('is asked by its health check only, where it has one', async () => {
    const test = await start({ config: { zones: zone({ healthCheck: { path: '/health', expectStatus: 200 } }) } });
    const asked: string[] = [];
    let healthy = false;
    let reachable = false;
    test.server.script.always((request) => {
      asked.push(request.path);
      if (!reachable) return refused;
      if (request.path === '/health') return healthy ? undefined : refuse({ status: 500, body: {} });
      return undefined;
    });
    for (let n = 0; n < 20; n += 1) await enqueue(test.queue, 'POST', '/notes');
    await test.clock.advance(MINUTE_MS);
    asked.length = 0;
    await test.clock.advance(HOUR_MS);
    expect(new Set(asked)).toEqual(new Set(['/health']));
    reachable = true; // answers, but not as it should
    await test.clock.advance(10 * MINUTE_MS);
    expect(new Set(asked)).toEqual(new Set(['/health']));
    healthy = true;
    expect(await drain(test, 3 * MINUTE_MS)).toMatchObject({ succeeded: 20 });
  });

  it('is left alone when calls hang, and nobody dies of it', async () => {
    const test = await start({ config: { zones: KEYED } });
    test.server.script.always(hang);
    for (let n = 0; n < 30; n += 1) await enqueue(test.queue, 'POST', '/notes', { n });
    await test.clock.advance(10 * MINUTE_MS);
    const { zones } = await test.queue.health();
    expect(zones[0]?.breaker).not.toBe('closed');
    // Only those that were sent to find out how the zone is can have spent themselves.
    const before = await test.queue.counts();
    expect(before.dead).toBe(0);
    expect(before.held).toBeLessThanOrEqual(1);
    test.server.script.clear();
    expect(await drain(test, 10 * MINUTE_MS)).toMatchObject({ dead: 0, succeeded: 30 - before.held });
  });

  it('is not taken for down by connections that are reset, which show that somebody is there', async () => {
    const test = await start({ config: { zones: KEYED } });
    test.server.script.next(...Array.from({ length: 12 }, () => resetBeforeApply));
    for (let n = 0; n < 12; n += 1) await enqueue(test.queue, 'POST', '/notes', { n });
    // Five of them open the breaker; each of the others is a probe, at twice the distance of the one before.
    await drain(test, 20 * MINUTE_MS);
    expect((await test.queue.health()).zones[0]).toMatchObject({ connectivity: 'up' });
    expect(await test.queue.counts()).toMatchObject({ succeeded: 12 });
  });

  it('for 30 days costs no attempt of 8', async () => {
    const test = await start({ config: { zones: KEYED } });
    const waiting = call(test.queue, 'POST', '/before');
    await test.clock.settle();
    expect(waiting.told()).toMatchObject({ state: 'succeeded' });
    test.network.online = false;
    const ids: string[] = [];
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) ids.push((await enqueue(test.queue, method, '/x')).id);
    // Every day a process that runs for a while and is killed.
    for (let day = 0; day < 30; day += 1) {
      await test.clock.advance(5 * MINUTE_MS);
      test.clock.setWall(test.clock.now() + DAY_MS);
      await test.crash();
    }
    for (const id of ids)
      expect(await test.queue.get(id)).toMatchObject({ progress: { faults: 0, unresolved: false } });
    test.network.online = true;
    expect(await drain(test, 5 * MINUTE_MS)).toMatchObject({ succeeded: 4, dead: 0, held: 0 });
  });

  it('wakes the keeper no more often than there is something to do', async () => {
    const test = await start();
    test.network.online = false;
    await enqueue(test.queue, 'POST', '/notes', {}, { deadline: test.clock.now() + 10 * MINUTE_MS });
    await test.clock.advance(20 * MINUTE_MS); // it has expired: the zone is down and has nothing to send
    let timers = 0;
    const until = test.clock.monotonicNow() + MINUTE_MS;
    while (test.clock.monotonicNow() < until) {
      await test.clock.advance(Math.max(1, Math.min(test.clock.nextInMs ?? 1, until - test.clock.monotonicNow())));
      timers += 1;
      expect(timers).toBeLessThan(100);
    }
  });

  it('is not looked at over and over while a call that hangs keeps it from being tried', async () => {
    const test = await start();
    test.server.script.next(hang);
    const stuck = await enqueue(test.queue, 'PUT', '/stuck');
    await test.clock.settle();
    test.server.script.always(refused);
    for (let n = 0; n < 3; n += 1) await enqueue(test.queue, 'POST', '/notes', { n });
    await test.clock.advance(7_000); // the gate is closed and a try is due
    let timers = 0;
    const until = test.clock.monotonicNow() + 20_000;
    while (test.clock.monotonicNow() < until) {
      await test.clock.advance(Math.max(1, Math.min(test.clock.nextInMs ?? 1, until - test.clock.monotonicNow())));
      timers += 1;
      expect(timers).toBeLessThan(50);
    }
    test.server.script.clear();
    await drain(test, 5 * MINUTE_MS);
    expect(await test.queue.get(stuck.id)).toMatchObject({ state: 'succeeded' });
  });

  it('ends what has a deadline with an event, and its caller with the error', async () => {
    const test = await start();
    test.network.online = false;
    const settled = collect(test.queue, 'request:settled');
    const deadline = test.clock.now() + 10 * MINUTE_MS;
    const waited = call(test.queue, 'POST', '/notes', {}, { deadline });
    const left = await enqueue(test.queue, 'PUT', '/notes/1', {}, { deadline });
    const behind = await enqueue(test.queue, 'PUT', '/notes/1', { later: true });
    const read = call(test.queue, 'GET', '/notes');
    await test.clock.advance(11 * MINUTE_MS);
    expect(waited.told()).toMatchObject({ state: 'dead', reason: 'expired', error: { code: 'REQUEST_EXPIRED' } });
    expect(read.told()).toMatchObject({ state: 'dead', reason: 'expired', error: { code: 'REQUEST_EXPIRED' } });
    expect(await test.queue.get(left.id)).toMatchObject({ state: 'dead', reason: 'expired' });
    expect(settled.map((event) => event.reason)).toEqual(['expired', 'expired', 'expired']);
    test.network.online = true;
    await drain(test, 3 * MINUTE_MS);
    expect(await test.queue.get(behind.id)).toMatchObject({ state: 'succeeded' });
    expect(test.server.ledger.entries.length).toBe(1);
  });

  it('drains 10,000 that waited for it, each once and in the order of its lane', async () => {
    const test = await start({ config: { zones: KEYED } });
    test.network.online = false;
    for (let from = 0; from < 10_000; from += 500) {
      await test.queue.enqueueMany(
        Array.from({ length: 500 }, (_, n) => ({
          request: { method: 'POST', url: 'https://api.test/notes', body: { n: from + n } },
          options: { lane: `lane-${(from + n) % 50}` },
        })),
      );
    }
    await test.clock.advance(HOUR_MS);
    test.network.online = true;
    await test.clock.advanceUntil(() => test.server.ledger.applied() === 10_000, 10 * MINUTE_MS);
    for (let turns = 0; turns < 400 && test.server.ledger.applied() < 10_000; turns += 1) await test.clock.settle();
    await test.clock.settle();
    expect(await test.queue.counts()).toMatchObject({ succeeded: 10_000 });
    expectOrder(
      test.server.ledger.entries.map((entry) => JSON.parse(entry.request.body).n as number),
      50,
    );
    await expectNoPermitsHeld(test.queue);
  });

  it('keeps order and counts exact while it comes and goes five times a second', async () => {
    const test = await start({ config: { zones: KEYED, retry: { baseDelayMs: 50, maxDelayMs: 500 } } });
    await test.queue.enqueueMany(
      Array.from({ length: 1_000 }, (_, n) => ({
        request: { method: n % 3 === 0 ? 'PUT' : 'POST', url: 'https://api.test/notes', body: { n } },
        options: { lane: `lane-${n % 50}` },
      })),
    );
    for (let at = 0; at < MINUTE_MS; at += 200) {
      test.network.online = !test.network.online;
      test.server.script.always((request) => (request.n % 7 === 3 ? { kind: 'reset', apply: true } : undefined));
      await test.clock.advance(200);
    }
    test.network.online = true;
    test.server.script.clear();
    await drain(test, 10 * MINUTE_MS);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 1_000 });
    const applied = test.server.ledger.entries.filter((entry) => entry.outcome === 'applied');
    const numbers = applied.map((entry) => JSON.parse(entry.request.body).n as number);
    expect(new Set(numbers).size).toBe(1_000);
    expect(numbers.length).toBe(1_000);
    expectOrder(numbers, 50);
    await expectNoPermitsHeld(test.queue);
  });
});

describe('a round that failed', () => {
  it('is tried again on time although nothing new is enqueued', async () => {
    const test = await start();
    test.server.script.next(unavailable(), unavailable());
    const { id } = await enqueue(test.queue, 'POST', '/notes');
    await test.clock.settle();
    for (let round = 0; round < 2; round += 1) {
      const { dueAt, state } = (await test.queue.get(id)) ?? {};
      expect(state).toBe('scheduled');
      await test.clock.advance((dueAt ?? 0) - test.clock.now() - 1);
      expect(test.server.ledger.entries.length).toBe(round + 1);
      await test.clock.advance(2);
      expect(test.server.ledger.entries.length).toBe(round + 2);
    }
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it('is tried again by the next process, although it enqueues nothing', async () => {
    const test = await start();
    test.server.script.next(unavailable(600));
    const { id } = await enqueue(test.queue, 'POST', '/notes');
    await test.clock.settle();
    await test.crash();
    await test.clock.advance(9 * MINUTE_MS);
    expect(test.server.ledger.entries.length).toBe(1);
    await test.clock.advance(2 * MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });
});

function expectOrder(numbers: readonly number[], lanes: number): void {
  for (let lane = 0; lane < lanes; lane += 1) {
    const ofLane = numbers.filter((n) => n % lanes === lane);
    expect(ofLane).toEqual([...ofLane].sort((a, b) => a - b));
  }
}
