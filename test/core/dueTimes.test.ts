import { describe, expect, it } from 'vitest';
import { park, unavailable } from '../../src/testing/serverSteps.ts';
import { arrivals, at, world } from './harness.ts';

const post = (body: unknown = 'x') => ({ method: 'POST', url: at('/notes'), body });

describe('notBefore', () => {
  it('keeps a request until its time, given as number or date, also over a crash', async () => {
    const test = await world();
    const due = test.clock.now() + 3_600_000;
    const one = await test.queue.enqueue(post('1'), { notBefore: due });
    await test.queue.enqueue(post('2'), { notBefore: new Date(due) });
    expect(await test.queue.get(one.id)).toMatchObject({ state: 'scheduled', reason: 'notBefore', dueAt: due });
    expect((await test.queue.explain(one.id)).waitsFor).toEqual([{ what: 'time', of: 'notBefore', until: due }]);
    await test.clock.advance(1_800_000);
    await test.crash();
    await test.clock.advance(1_799_000);
    expect(arrivals(test.server)).toEqual([]);
    await test.clock.advance(2_000);
    expect(arrivals(test.server)).toEqual(['POST /notes 1', 'POST /notes 2']);
  });

  it('in the past is now', async () => {
    const test = await world();
    await test.queue.enqueue(post(), { notBefore: 0 });
    await test.clock.settle();
    expect(test.server.ledger.applied()).toBe(1);
  });

  it('follows the wall clock when it is set forward', async () => {
    const test = await world();
    await test.queue.enqueue(post(), { notBefore: test.clock.now() + 3_600_000 });
    test.clock.setWall(test.clock.now() + 3_600_000);
    await test.clock.advance(6_000);
    expect(test.server.ledger.applied()).toBe(1);
  });

  it('does not delay what is in another lane', async () => {
    const test = await world();
    await test.queue.enqueue(post('later'), { notBefore: test.clock.now() + 1e6, lane: 'a' });
    await test.queue.enqueue(post('behind'), { lane: 'a' });
    await test.queue.enqueue(post('now'), { lane: 'b' });
    await test.clock.settle();
    expect(arrivals(test.server)).toEqual(['POST /notes now']);
    await test.clock.advance(1e6 + 1_000);
    expect(arrivals(test.server)).toEqual(['POST /notes now', 'POST /notes later', 'POST /notes behind']);
  });
});

describe('a deadline', () => {
  it('does not end a request that is being sent', async () => {
    const test = await world();
    test.server.script.next(park);
    const { id } = await test.queue.enqueue(post(), { deadline: test.clock.now() + 1_000 });
    await test.clock.advance(10_000);
    expect(await test.queue.get(id)).toMatchObject({ state: 'sending' });
    test.server.release();
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it('ends a request that waits for its next attempt, given as date', async () => {
    const test = await world();
    test.server.script.always(unavailable());
    const { id } = await test.queue.enqueue(post(), { deadline: new Date(test.clock.now() + 30_000) });
    await test.clock.advance(120_000);
    expect(await test.queue.get(id)).toMatchObject({ state: 'dead', reason: 'expired' });
    expect((await test.queue.deadLetters.list()).requests).toHaveLength(1);
  });

  it('passed while nothing ran ends the request at start', async () => {
    const test = await world();
    test.queue.pause();
    const { id } = await test.queue.enqueue(post(), { deadline: test.clock.now() + 1_000 });
    const ending = test.crash();
    test.clock.setWall(test.clock.now() + 3_600_000);
    const queue = await ending;
    await test.clock.advance(100);
    expect(await queue.get(id)).toMatchObject({ state: 'dead', reason: 'expired' });
    expect(test.server.ledger.entries).toEqual([]);
  });
});

describe('priority', () => {
  it('decides who is sent first, ties going by acceptance', async () => {
    const test = await world({ maxConcurrency: 1 });
    test.queue.pause();
    const priorities = ['bulk', 'normal', 10, 'low', 'normal', 'high', 1] as const;
    for (const [n, priority] of priorities.entries()) await test.queue.enqueue(post(`${n}`), { priority });
    test.queue.resume();
    await test.clock.advanceUntil(() => test.server.ledger.applied() === 7, 1_000);
    expect(arrivals(test.server).map((line) => line.at(-1))).toEqual(['2', '5', '1', '4', '3', '0', '6']);
  });

  it('starves nobody: who waited longer than ageingMs per level goes first', async () => {
    const test = await world({ maxConcurrency: 1, ageingMs: 1_000 });
    test.queue.pause();
    await test.queue.enqueue(post('old'), { priority: 1 });
    await test.clock.advance(9_500);
    await test.queue.enqueue(post('new'), { priority: 10 });
    test.queue.resume();
    await test.clock.settle();
    expect(arrivals(test.server)).toEqual(['POST /notes old', 'POST /notes new']);
  });
});

describe('the effect', () => {
  it.each([
    ['GET', {}, 'read'],
    ['HEAD', {}, 'read'],
    ['OPTIONS', {}, 'read'],
    ['QUERY', { body: {} }, 'read'],
    ['PUT', { body: {} }, 'absolute'],
    ['DELETE', {}, 'delete'],
    ['PATCH', { body: {}, headers: { 'content-type': 'application/merge-patch+json' } }, 'absolute'],
    ['PATCH', { body: {} }, 'action'],
    ['POST', { body: {} }, 'action'],
    ['post', { body: {} }, 'action'],
  ])('of %s (%j) is %s', async (method, more, effect) => {
    const test = await world();
    const { id } = await test.queue.enqueue({ method, url: at('/a'), ...more });
    expect(await test.queue.get(id)).toMatchObject({ effect, content: { method: method.toUpperCase() } });
  });

  it('is what the call says, before what the zone says', async () => {
    const zones = { api: { origins: [at('')], effectOf: () => 'create' as const } };
    const test = await world({ zones });
    const one = await test.queue.enqueue(post());
    const two = await test.queue.enqueue(post(), { effect: 'relative' });
    expect(await test.queue.get(one.id)).toMatchObject({ effect: 'create' });
    expect(await test.queue.get(two.id)).toMatchObject({ effect: 'relative' });
  });

  it('read lets two equal POSTs share one answer', async () => {
    const zones = { api: { origins: [at('')], effectOf: () => 'read' as const } };
    const test = await world({ zones });
    test.server.script.always(park);
    const calls = [post(), post(), post('other')].map((call) => test.queue.call(call).settled());
    await test.clock.settle();
    expect(test.server.parked).toBe(2);
    test.server.release();
    expect((await Promise.all(calls)).map(({ deduplicated }) => deduplicated)).toEqual([false, true, false]);
  });
});
