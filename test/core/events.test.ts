import { describe, expect, it } from 'vitest';
import type { QueueEventName } from '../../src/queue/types/events.ts';
import { hang, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { at, record, world } from './harness.ts';

const OF_REQUESTS = [
  'request:accepted',
  'request:deduplicated',
  'request:dispatched',
  'request:retrying',
  'request:unknown',
  'request:resolved',
  'request:held',
  'request:released',
  'request:settled',
] as const satisfies readonly QueueEventName[];

const post = (body: unknown = 'x') => ({ method: 'POST', url: at('/notes'), body });

describe('events', () => {
  it('tell the life of a request in order, with time, queue, request and zone', async () => {
    const test = await world({ name: 'mine' });
    const events = record(test.queue, ...OF_REQUESTS);
    test.server.script.next(unavailable());
    const { id } = await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: 'x' });
    await test.clock.advanceUntil(() => test.server.ledger.applied() === 1, 600_000);
    await test.clock.settle();
    expect(events.map(({ name }) => name)).toEqual([
      'request:accepted',
      'request:dispatched',
      'request:retrying',
      'request:dispatched',
      'request:settled',
    ]);
    for (const event of events) {
      expect(event).toMatchObject({ queue: 'mine', requestId: id, zone: at('') });
      expect(event.at).toBeTypeOf('number');
      expect(JSON.parse(JSON.stringify(event))).toEqual(event);
    }
    expect(events[0]).toMatchObject({ method: 'PUT', effect: 'absolute' });
    expect(events[2]).toMatchObject({ status: 503, attempt: 1, error: null });
    expect(events[4]).toMatchObject({ state: 'succeeded', reason: 'applied', status: 200 });
  });

  it('of a name that is misspelt are refused, and so is what cannot be called', async () => {
    const { queue } = await world();
    const misspelt = () => queue.on('request:setled' as 'request:settled', () => undefined);
    expect(misspelt).toThrow("expected a known name (did you mean 'request:settled'?), got request:setled");
    expect(() => queue.on('request:settled', undefined as never)).toThrow('listener: expected a function');
  });

  it('say settled exactly once per request, whatever the end', async () => {
    const test = await world();
    const settled = record(test.queue, 'request:settled');
    const now = test.clock.now();
    test.queue.pause();
    const cancelled = await test.queue.enqueue(post('cancelled'));
    await test.queue.enqueue(post('expired'), { deadline: now + 100 });
    await cancelled.cancel();
    await cancelled.cancel();
    await test.clock.advance(1_000);
    test.server.script.always((request) => {
      if (request.body === 'rejected') return refuse({ status: 400 });
      return request.body === 'unknown' ? { kind: 'reset', apply: true } : undefined;
    });
    const discarded = await test.queue.enqueue(post('unknown'));
    const marked = await test.queue.enqueue(post('unknown'));
    await test.queue.enqueue(post('rejected'));
    const told = test.queue.call(post('rejected')).settled();
    await test.queue.enqueue(post('succeeded'));
    const read = test.queue.call({ method: 'GET', url: at('/me') }).settled();
    test.queue.resume();
    await test.clock.settle();
    await Promise.all([told, read]);
    await test.queue.held.resolve(discarded.id, 'discard', 'me');
    await test.queue.held.resolve(marked.id, 'markApplied', 'me');
    await test.clock.advance(60_000);
    const ids = settled.map(({ requestId }) => requestId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(settled.map(({ state, reason }) => `${state} ${reason}`).sort()).toEqual([
      'cancelled caller',
      'dead discarded',
      'dead expired',
      'dead rejected',
      'dead rejected',
      'succeeded applied',
      'succeeded applied',
      'succeeded markedApplied',
    ]);
    const counts = await test.queue.counts();
    expect(counts.succeeded + counts.dead + counts.cancelled).toBe(settled.length);
  });

  it('say settled for what recovery ends', async () => {
    const test = await world();
    test.network.online = false;
    const { id } = await test.queue.call({ method: 'GET', url: at('/me') }).accepted();
    await test.crash();
    expect(await test.queue.get(id)).toMatchObject({ state: 'dead', reason: 'expired' });
    expect(test.queue.stats()).toBeDefined();
  });

  it('say held and released around a decision', async () => {
    const test = await world();
    test.server.script.next({ kind: 'reset', apply: true });
    const events = record(test.queue, ...OF_REQUESTS);
    const { id } = await test.queue.enqueue(post());
    await test.clock.settle();
    await test.queue.held.resolve(id, 'resend', 'me');
    await test.clock.settle();
    expect(events.map(({ name }) => name)).toEqual([
      'request:accepted',
      'request:dispatched',
      'request:held',
      'request:resolved',
      'request:released',
      'request:dispatched',
      'request:settled',
    ]);
  });

  it('come after the fact is durable', async () => {
    const test = await world();
    const seen: (string | undefined)[] = [];
    const looks: Promise<void>[] = [];
    test.queue.on('request:settled', ({ requestId }) => {
      looks.push(test.queue.get(requestId).then((request) => void seen.push(request?.state)));
    });
    test.queue.on('request:accepted', ({ requestId }) => {
      looks.push(test.queue.get(requestId).then((request) => void seen.push(request?.id)));
    });
    const { id } = await test.queue.enqueue(post());
    await test.clock.settle();
    await Promise.all(looks);
    expect(seen).toEqual([id, 'succeeded']);
  });

  it('do not reach the engine when a listener throws or rejects', async () => {
    const failures: unknown[] = [];
    const quiet = () => undefined;
    const logger = {
      debug: quiet,
      info: quiet,
      warn: quiet,
      error: (_: string, fields?: unknown) => failures.push(fields),
    };
    const test = await world({ logger: logger as never });
    for (const name of OF_REQUESTS) {
      test.queue.on(name, () => {
        throw new Error('listener');
      });
      test.queue.on(name, (async () => {
        throw new Error('async listener');
      }) as () => void);
    }
    const events = record(test.queue, 'request:settled');
    expect(await test.queue.call(post()).settled()).toMatchObject({ state: 'succeeded' });
    await test.clock.settle();
    expect(events).toHaveLength(1);
    expect(failures.length).toBeGreaterThanOrEqual(4);
  });

  it('stop with the undo of their listener, also within it', async () => {
    const test = await world();
    let count = 0;
    const undo = test.queue.on('request:settled', () => {
      count += 1;
      undo();
    });
    for (const _ of [1, 2, 3]) await test.queue.enqueue(post());
    await test.clock.settle();
    undo();
    expect(count).toBe(1);
  });

  it('say when a zone goes offline and comes back, once each', async () => {
    const test = await world();
    const events = record(test.queue, 'zone:offline', 'zone:online');
    test.network.online = false;
    await test.queue.enqueue(post());
    await test.queue.enqueue(post());
    await test.clock.advance(60_000);
    test.network.online = true;
    await test.clock.advanceUntil(() => test.server.ledger.applied() === 2, 600_000);
    expect(events.map(({ name, zone }) => `${name} ${zone}`)).toEqual([
      `zone:offline ${at('')}`,
      `zone:online ${at('')}`,
    ]);
  });

  it('name pauses and resumptions, of one zone and of all', async () => {
    const test = await world({ zones: { api: { origins: [at('')] } } });
    const events = record(test.queue, 'zone:paused', 'zone:resumed');
    test.queue.pause('api');
    test.queue.resume();
    expect(events).toMatchObject([
      { name: 'zone:paused', zone: 'api' },
      { name: 'zone:resumed', zone: null },
    ]);
  });
});

describe('counts', () => {
  it('are exact in every state', async () => {
    const test = await world({ maxConcurrency: 50 });
    const zero = {
      ready: 0,
      scheduled: 0,
      blocked: 0,
      sending: 0,
      unknown: 0,
      held: 0,
      succeeded: 0,
      dead: 0,
      cancelled: 0,
      superseded: 0,
    };
    expect(await test.queue.counts()).toEqual(zero);
    test.server.script.always((request) => {
      switch (request.body) {
        case 'hang':
          return hang;
        case 'dead':
          return refuse({ status: 400 });
        case 'held':
          return { kind: 'reset', apply: true };
        default:
          return undefined;
      }
    });
    for (const body of ['hang', 'hang', 'dead', 'held', 'ok', 'ok', 'ok']) {
      await test.queue.enqueue(post(body), { tags: [body] });
    }
    await test.queue.enqueue(post(), { notBefore: test.clock.now() + 1e6, lane: 'l' });
    await test.queue.enqueue(post(), { lane: 'l' });
    await test.clock.settle();
    test.queue.pause();
    await test.queue.enqueue(post());
    await (await test.queue.enqueue(post())).cancel();
    const expected = {
      ...zero,
      ready: 1,
      scheduled: 1,
      blocked: 1,
      sending: 2,
      held: 1,
      succeeded: 3,
      dead: 1,
      cancelled: 1,
    };
    expect(await test.queue.counts()).toEqual(expected);
    expect(await test.queue.counts({})).toEqual(expected);
    expect((await test.queue.health()).counts).toEqual(expected);
    expect(await test.queue.counts({ tags: ['ok'] })).toEqual({ ...zero, succeeded: 3 });
    expect(await test.queue.counts({ state: ['held', 'dead'] })).toEqual({ ...zero, held: 1, dead: 1 });
    expect(await test.queue.counts({ zone: 'none' })).toEqual(zero);
    const queue = await test.crash();
    await test.clock.settle();
    expect(await queue.counts()).toMatchObject({ sending: 0, ready: 0, scheduled: 1, blocked: 1, cancelled: 1 });
  });
});
