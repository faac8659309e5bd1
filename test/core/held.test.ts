import { describe, expect, it } from 'vitest';
import type { HeldDecision } from '../../src/queue/core/held.ts';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { park, refuse } from '../../src/testing/serverSteps.ts';
import { arrivals, at, errorOf, record, world } from './harness.ts';

const post = (body: unknown = 'x') => ({ method: 'POST', url: at('/notes'), body });

/** A request whose answer was lost, held. */
async function heldOne(test: TestQueue, options: object = {}): Promise<string> {
  test.server.script.next({ kind: 'reset', apply: true });
  const { id } = await test.queue.enqueue(post(), options);
  await test.clock.settle();
  expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
  return id;
}

describe('held.list', () => {
  it('shows what is held, oldest first, by filter and page by page', async () => {
    const test = await world();
    const ids = [await heldOne(test, { tags: ['a'] }), await heldOne(test), await heldOne(test, { tags: ['a'] })];
    await test.queue.enqueue(post());
    expect((await test.queue.held.list()).requests.map(({ id }) => id)).toEqual(ids);
    expect((await test.queue.held.list({ tags: ['a'] })).requests.map(({ id }) => id)).toEqual([ids[0], ids[2]]);
    const first = await test.queue.held.list({}, { limit: 2 });
    expect(first.requests.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    const second = await test.queue.held.list({}, { limit: 2, after: first.next });
    expect(second.requests.map(({ id }) => id)).toEqual(ids.slice(2));
    expect((await test.queue.held.list({ reason: 'auth' })).requests).toEqual([]);
  });
});

describe('held.resolve', () => {
  it('markApplied ends it succeeded, without an answer', async () => {
    const test = await world();
    const id = await heldOne(test);
    const events = record(test.queue, 'request:settled', 'request:resolved', 'request:released');
    await test.queue.held.resolve(id, 'markApplied', 'me');
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'markedApplied' });
    expect(events.map(({ name }) => name)).toEqual(['request:resolved', 'request:settled']);
    expect((await errorOf(test.queue.handle(id).result())).code).toBe('RESULT_GONE');
    expect(arrivals(test.server)).toHaveLength(1);
  });

  it('resend sends it again, once', async () => {
    const test = await world();
    const id = await heldOne(test);
    await test.queue.held.resolve({ id }, 'resend', 'me');
    await test.clock.advance(60_000);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(arrivals(test.server)).toHaveLength(2);
  });

  it('discard ends it dead, as a dead letter', async () => {
    const test = await world();
    const id = await heldOne(test);
    await test.queue.held.resolve(id, 'discard', 'me');
    expect(await test.queue.get(id)).toMatchObject({ state: 'dead', reason: 'discarded' });
    expect((await test.queue.handle(id).settled()).error).toMatchObject({ code: 'REQUEST_DISCARDED' });
    expect((await test.queue.deadLetters.list()).requests.map((request) => request.id)).toEqual([id]);
  });

  it('probe finds out, and the request ends by what was found', async () => {
    let found: 'applied' | 'notApplied' | 'inconclusive' = 'inconclusive';
    const test = await world({
      zones: { api: { origins: [at('')], probe: async () => ({ outcome: found }) } },
    });
    test.server.script.next({ kind: 'reset', apply: true });
    const { id } = await test.queue.enqueue(post());
    await test.clock.advanceUntil(async () => (await test.queue.get(id))?.state === 'held', 3_600_000);
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
    found = 'applied';
    await test.queue.held.resolve(id, 'probe', 'me');
    await test.clock.advanceUntil(async () => (await test.queue.get(id))?.state === 'succeeded', 120_000);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
    expect(arrivals(test.server)).toHaveLength(1);
  });

  it('lets what stood behind it go on', async () => {
    const test = await world();
    const id = await heldOne(test, { lane: 'l' });
    const behind = await test.queue.enqueue(post('behind'), { lane: 'l' });
    const after = await test.queue.enqueue(post('after'), { after: [id] });
    await test.clock.settle();
    expect(await test.queue.counts()).toMatchObject({ held: 1, blocked: 2 });
    await test.queue.held.resolve(id, 'discard', 'me');
    await test.clock.settle();
    expect(await test.queue.get(behind.id)).toMatchObject({ state: 'succeeded' });
    expect(await test.queue.get(after.id)).toMatchObject({ state: 'held', reason: 'dependency' });
  });

  it('tells a caller who waits', async () => {
    const test = await world();
    const id = await heldOne(test);
    expect(await test.queue.handle(id).settled()).toMatchObject({ state: 'held' });
    await test.queue.held.resolve(id, 'markApplied', 'me');
    expect(await test.queue.handle(id).settled()).toMatchObject({ state: 'succeeded', error: undefined });
  });

  it('refuses an unknown decision, an unknown request, and one that is not held', async () => {
    const test = await world();
    const id = await heldOne(test);
    const error = await errorOf(test.queue.held.resolve(id, 'retry' as HeldDecision, 'me'));
    expect(error.code).toBe('REQUEST_INVALID');
    expect(error.message).toContain('retry');
    expect(await test.queue.get(id)).toMatchObject({ state: 'held' });
    expect((await errorOf(test.queue.held.resolve('nobody', 'resend', 'me'))).code).toBe('REQUEST_NOT_FOUND');
    await test.queue.held.resolve(id, 'discard', 'me');
    for (const decision of ['resend', 'markApplied', 'discard', 'probe'] as const) {
      expect((await errorOf(test.queue.held.resolve(id, decision, 'me'))).code).toBe('ILLEGAL_MOVE');
    }
    test.server.script.next(park);
    const sent = await test.queue.enqueue(post());
    await test.clock.settle();
    expect((await errorOf(test.queue.held.resolve(sent.id, 'discard', 'me'))).code).toBe('ILLEGAL_MOVE');
  });

  it('takes one of two decisions made at once', async () => {
    const test = await world();
    const id = await heldOne(test);
    const both = await Promise.allSettled([
      test.queue.held.resolve(id, 'markApplied', 'ann'),
      test.queue.held.resolve(id, 'resend', 'bob'),
    ]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    await test.clock.settle();
    expect(arrivals(test.server)).toHaveLength(1);
  });

  it('outlives a crash', async () => {
    const test = await world();
    const id = await heldOne(test);
    const queue = await test.crash();
    await test.clock.advance(60_000);
    expect(await queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
    await queue.held.resolve(id, 'resend', 'me');
    await test.clock.settle();
    expect(await queue.get(id)).toMatchObject({ state: 'succeeded' });
  });
});

describe('held.resolve', () => {
  it.each([
    ['resend', ['request:resolved', 'request:released']],
    ['probe', ['request:unknown']],
    ['discard', ['request:settled']],
  ] as const)('%s is told as what it is', async (decision, names) => {
    const test = await world();
    const id = await heldOne(test);
    test.queue.pause();
    const told = ['request:resolved', 'request:released', 'request:unknown', 'request:settled'] as const;
    const events = record(test.queue, ...told);
    await test.queue.held.resolve(id, decision, 'me');
    expect(events.map(({ name }) => name)).toEqual(names);
  });

  it('refuses to probe for what was never sent', async () => {
    const test = await world();
    const before = await test.queue.enqueue(post('1'), { notBefore: test.clock.now() + 60_000 });
    const behind = await test.queue.enqueue(post('2'), { after: [before.id] });
    await before.cancel();
    expect(await test.queue.get(behind.id)).toMatchObject({ state: 'held', reason: 'dependency', firstSentAt: null });
    const error = await errorOf(test.queue.held.resolve(behind.id, 'probe', 'me'));
    expect(error.code).toBe('REQUEST_INVALID');
    expect(await test.queue.get(behind.id)).toMatchObject({ state: 'held', progress: { unresolved: false } });
  });
});

describe('a held request', () => {
  it('that was never sent can be cancelled, one that was sent cannot', async () => {
    const test = await world();
    const sent = await heldOne(test);
    expect(await test.queue.handle(sent).cancel()).toBe(false);
    test.server.script.next(refuse({ status: 400 }));
    test.queue.pause();
    const first = await test.queue.enqueue(post('1'));
    const second = await test.queue.enqueue(post('2'), { after: [first.id] });
    test.queue.resume();
    await test.clock.settle();
    expect(await test.queue.get(second.id)).toMatchObject({ state: 'held', reason: 'dependency' });
    expect(await second.cancel()).toBe(true);
  });

  it.each([
    ['of the zone', 'ietf', undefined, 'exactlyOnce'],
    ['of its caller alone', undefined, { 'idempotency-key': 'k' }, 'atLeastOnce'],
    ['of nobody', undefined, undefined, 'atMostOnce'],
  ] as const)(
    'that is a POST with a key %s is promised no more than the API declares',
    async (_, idempotency, headers, guarantee) => {
      const test = await world({ zones: { api: { origins: [at('')], idempotency } } });
      const { id } = await test.queue.enqueue({ ...post(), headers });
      expect(await test.queue.explain(id)).toMatchObject({ guarantee });
    },
  );

  it('is explained as waiting for a decision', async () => {
    const test = await world();
    const id = await heldOne(test);
    expect(await test.queue.explain(id)).toMatchObject({
      state: 'held',
      guarantee: 'atMostOnce',
      waitsFor: [{ what: 'decision', of: 'unknown' }],
      attempts: [{ phase: 'sent', outcome: 'unknown' }],
    });
  });
});
