import { describe, expect, it } from 'vitest';
import { park, refuse } from '../../src/testing/serverSteps.ts';
import { arrivals, at, errorOf, record, world } from './harness.ts';

const put = (body: unknown) => ({ method: 'PUT', url: at('/door'), body });
const post = (body: unknown = { text: 'hi' }, headers?: Record<string, string>) => ({
  method: 'POST',
  url: at('/notes'),
  body,
  headers,
});
const get = (path = '/me', headers?: Record<string, string>) => ({ method: 'GET', url: at(path), headers });

describe('writes of one path', () => {
  it('leave open after PUT open, PUT closed, PUT open', async () => {
    const test = await world();
    test.network.online = false;
    for (const body of ['open', 'closed', 'open']) await test.queue.enqueue(put(body));
    test.network.online = true;
    await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded === 3, 120_000);
    expect(arrivals(test.server)).toEqual(['PUT /door open', 'PUT /door closed', 'PUT /door open']);
  });

  it('join the last one of their lane that was never sent', async () => {
    const test = await world();
    const events = record(test.queue, 'request:deduplicated');
    test.queue.pause();
    const first = await test.queue.enqueue(put({ a: 1, b: 2 }));
    const second = await test.queue.enqueue(put({ b: 2, a: 1 }));
    expect(second).toMatchObject({ id: first.id, deduplicated: true });
    expect(events).toMatchObject([{ requestId: first.id }]);
    test.queue.resume();
    await test.clock.settle();
    expect(test.server.ledger.applied('/door')).toBe(1);
    expect(await second.settled()).toMatchObject({ state: 'succeeded', deduplicated: true });
    expect(await first.settled()).toMatchObject({ state: 'succeeded', deduplicated: false });
  });

  it('do not join one that was sent', async () => {
    const test = await world();
    test.server.script.next(park);
    const first = await test.queue.enqueue(put('open'));
    await test.clock.settle();
    const second = await test.queue.enqueue(put('open'));
    expect(second.id).not.toBe(first.id);
    test.server.release();
    await test.clock.settle();
    expect(test.server.ledger.applied('/door')).toBe(2);
  });

  it('keep apart with dedupe: false', async () => {
    const test = await world();
    test.queue.pause();
    const first = await test.queue.enqueue(put('open'));
    expect((await test.queue.enqueue(put('open'), { dedupe: false })).id).not.toBe(first.id);
  });

  it('keep apart when they differ in a stored header', async () => {
    const test = await world();
    test.queue.pause();
    const first = await test.queue.enqueue({ ...put('open'), headers: { 'if-match': '"1"' } });
    expect((await test.queue.enqueue({ ...put('open'), headers: { 'if-match': '"2"' } })).id).not.toBe(first.id);
  });

  it('keep apart when they have different keys', async () => {
    const test = await world();
    test.queue.pause();
    const first = await test.queue.enqueue(put('open'), { key: 'a' });
    const second = await test.queue.enqueue(put('open'), { key: 'b' });
    expect(second.id).not.toBe(first.id);
    expect((await errorOf(test.queue.enqueue(put('closed'), { key: 'b' }))).code).toBe('KEY_CONFLICT');
  });

  it('join whatever differs only in volatile headers and the order of the query', async () => {
    const test = await world();
    test.queue.pause();
    const of = (query: string, trace: string) => ({
      method: 'PUT',
      url: at(`/door?${query}`),
      body: 'open',
      headers: { traceparent: trace, 'x-stainless-retry-count': trace },
    });
    const first = await test.queue.enqueue(of('a=1&b=2', '0'));
    expect((await test.queue.enqueue(of('b=2&a=1', '1'))).id).toBe(first.id);
  });

  it('give the shared request the higher priority and the later deadline', async () => {
    const test = await world();
    test.queue.pause();
    const now = test.clock.now();
    const { id } = await test.queue.enqueue(put('open'), { priority: 'high', deadline: now + 60_000 });
    await test.queue.enqueue(put('open'), { priority: 'low', deadline: now + 120_000 });
    expect(await test.queue.get(id)).toMatchObject({ priority: 8, expiresAt: now + 120_000, callers: 2 });
    await test.queue.enqueue(put('open'), { priority: 'critical' });
    expect(await test.queue.get(id)).toMatchObject({ priority: 10, expiresAt: null, callers: 3 });
  });

  it('are cancelled by the last caller who cancels', async () => {
    const test = await world();
    test.queue.pause();
    const first = await test.queue.enqueue(put('open'));
    const second = await test.queue.enqueue(put('open'));
    const third = await test.queue.enqueue(put('open'));
    expect(await second.cancel()).toBe(false);
    expect(await first.cancel()).toBe(false);
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'ready' });
    expect(await third.cancel()).toBe(true);
    expect(await test.queue.get(first.id)).toMatchObject({ state: 'cancelled', reason: 'caller' });
  });
});

describe('reads', () => {
  it('answer the GET after a PUT from after the PUT', async () => {
    const test = await world();
    test.server.script.next(park);
    const first = test.queue.call(get('/door')).settled();
    await test.clock.settle();
    test.queue.call(put('open'));
    const second = test.queue.call(get('/door')).settled();
    await test.clock.settle();
    test.server.release();
    await test.clock.settle();
    expect((await first).id).not.toBe((await second).id);
    expect(arrivals(test.server)).toEqual(['GET /door', 'PUT /door open', 'GET /door']);
  });

  it('answer the GET after a PUT whose body is still being read from after the PUT', async () => {
    const test = await world();
    test.server.script.next(park);
    const first = test.queue.call(get('/door'));
    test.queue.call(put(new Blob(['open'])));
    const second = test.queue.call(get('/door'));
    const settled = second.settled();
    await test.clock.settle();
    test.server.release();
    await test.clock.settle();
    expect((await settled).deduplicated).toBe(false);
    expect((await first.accepted()).id).not.toBe((await second.accepted()).id);
    expect(arrivals(test.server).filter((line) => line.startsWith('GET'))).toHaveLength(2);
  });

  it('keep apart when they differ in Accept', async () => {
    const test = await world();
    test.server.script.always(park);
    const calls = ['text/html', 'application/json'].map((accept) => test.queue.call(get('/me', { accept })).settled());
    await test.clock.settle();
    expect(test.server.parked).toBe(2);
    test.server.release();
    await Promise.all(calls);
  });

  it('join while they wait and in flight, and each caller gets the answer', async () => {
    const test = await world();
    test.server.script.always(park);
    const events = record(test.queue, 'request:deduplicated', 'request:settled');
    const first = test.queue.call(get()).settled();
    const second = test.queue.call(get()).settled();
    await test.clock.settle();
    const third = test.queue.call(get());
    const thirdSettled = third.settled();
    await test.clock.settle();
    expect(test.server.parked).toBe(1);
    expect((await third.accepted()).deduplicated).toBe(true);
    test.server.release();
    const all = await Promise.all([first, second, thirdSettled]);
    expect(all.map(({ response }) => response?.status)).toEqual([200, 200, 200]);
    expect(all.map(({ deduplicated }) => deduplicated)).toEqual([false, true, true]);
    expect(events.filter(({ name }) => name === 'request:deduplicated')).toHaveLength(2);
    await test.clock.settle();
    expect(events.filter(({ name }) => name === 'request:settled')).toHaveLength(1);
  });

  it('do not join one that ended', async () => {
    const test = await world();
    await test.queue.call(get()).settled();
    await test.queue.call(get()).settled();
    expect(arrivals(test.server)).toEqual(['GET /me', 'GET /me']);
  });

  it('go on while one of those who share them stays', async () => {
    const test = await world();
    test.server.script.always(park);
    const impatient = new AbortController();
    const first = test.queue.call(get(), { signal: impatient.signal }).settled();
    const second = test.queue.call(get()).settled();
    await test.clock.settle();
    impatient.abort();
    await expect(first).rejects.toThrow();
    await test.clock.settle();
    expect(test.server.parked).toBe(1);
    test.server.release();
    expect((await second).response?.status).toBe(200);
  });

  it('give the shared request the higher priority and the later deadline', async () => {
    const test = await world();
    test.queue.pause();
    const now = test.clock.now();
    const first = test.queue.call(get(), { priority: 'low', deadline: now + 10_000 });
    const { id } = await first.accepted();
    const second = test.queue.call(get(), { priority: 'high', deadline: now + 60_000 });
    const settled = second.settled();
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ priority: 8, expiresAt: now + 60_000 });
    await test.clock.advance(20_000);
    test.queue.resume();
    await test.clock.settle();
    expect(await settled).toMatchObject({ state: 'succeeded' });
  });
});

describe('actions', () => {
  it('are two when two equal POSTs are made', async () => {
    const test = await world();
    test.network.online = false;
    const first = await test.queue.enqueue(post());
    expect((await test.queue.enqueue(post())).id).not.toBe(first.id);
  });

  it('are one within dedupeWindowMs, and two after it', async () => {
    const test = await world({ dedupeWindowMs: 1_000 });
    const first = await test.queue.enqueue(post());
    await test.clock.advance(900);
    const second = await test.queue.enqueue(post());
    expect(second).toMatchObject({ id: first.id, deduplicated: true });
    expect(await second.settled()).toMatchObject({ state: 'succeeded', deduplicated: true });
    await test.clock.advance(200);
    expect((await test.queue.enqueue(post())).id).not.toBe(first.id);
    expect((await test.queue.enqueue(post({ text: 'other' }))).id).not.toBe(first.id);
  });

  it('tell a caller who waits from the start and joins one that ended', async () => {
    const test = await world({ dedupeWindowMs: 60_000 });
    await test.queue.call(post()).settled();
    const again = test.queue.call(post()).settled();
    await test.clock.settle();
    expect(await again).toMatchObject({ state: 'succeeded', deduplicated: true, response: { status: 201 } });
  });
});

describe('a key', () => {
  it('is accepted once, in any state', async () => {
    const test = await world();
    test.server.script.next(park);
    const first = await test.queue.enqueue(post(), { key: 'k1' });
    await test.clock.settle();
    expect(await test.queue.enqueue(post(), { key: 'k1' })).toMatchObject({ id: first.id, deduplicated: true });
    test.server.release();
    await test.clock.settle();
    const ended = test.queue.call(post(), { key: 'k1' });
    expect(await ended.settled()).toMatchObject({ id: first.id, state: 'succeeded', response: { status: 201 } });
    expect(test.server.ledger.applied('/notes')).toBe(1);
  });

  it('of a request that was refused gives the refusal again', async () => {
    const test = await world();
    test.server.script.next(refuse({ status: 422, body: { error: 'no' } }));
    await test.queue.call(post(), { key: 'k1' }).settled();
    const again = await test.queue.call(post(), { key: 'k1' }).settled();
    expect(again.error).toMatchObject({ code: 'REQUEST_REJECTED' });
    expect(arrivals(test.server)).toHaveLength(1);
  });

  it('of a request that is held tells so at once', async () => {
    const test = await world();
    test.server.script.next({ kind: 'reset', apply: true });
    await test.queue.enqueue(post(), { key: 'k1' });
    await test.clock.settle();
    expect(await test.queue.counts()).toMatchObject({ held: 1 });
    const again = test.queue.call(post(), { key: 'k1' }).settled();
    await test.clock.settle();
    expect((await again).error).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  });

  it('with other content is a conflict that names it', async () => {
    const test = await world();
    test.queue.pause();
    await test.queue.enqueue(post(), { key: 'k1' });
    const error = await errorOf(test.queue.enqueue(post({ text: 'other' }), { key: 'k1' }));
    expect(error).toMatchObject({ code: 'KEY_CONFLICT', details: { key: 'k1' } });
    expect(await test.queue.counts()).toMatchObject({ ready: 1 });
  });

  it('is the Idempotency-Key header that an SDK sends', async () => {
    const test = await world();
    test.queue.pause();
    const first = await test.queue.enqueue(post({ n: 1 }, { 'Idempotency-Key': 'sdk-1' }));
    expect((await test.queue.enqueue(post({ n: 1 }, { 'idempotency-key': 'sdk-1' }))).id).toBe(first.id);
    expect((await errorOf(test.queue.enqueue(post({ n: 2 }, { 'idempotency-key': 'sdk-1' })))).code).toBe(
      'KEY_CONFLICT',
    );
    expect(await test.queue.get(first.id)).toMatchObject({ key: 'sdk-1' });
  });

  it('outlives a crash', async () => {
    const test = await world();
    const first = await test.queue.enqueue(post(), { key: 'k1' });
    await test.clock.settle();
    const after = await test.crash();
    const again = await after.enqueue(post(), { key: 'k1' });
    expect(again).toMatchObject({ id: first.id, deduplicated: true });
    expect(await again.settled()).toMatchObject({ state: 'succeeded', response: { status: 201 } });
  });

  it('joins in spite of dedupe: false, which is about content', async () => {
    const test = await world();
    test.queue.pause();
    const first = await test.queue.enqueue(post(), { key: 'k1', dedupe: false });
    expect((await test.queue.enqueue(post(), { key: 'k1', dedupe: false })).id).toBe(first.id);
  });
});

describe('a call whose caller went away after it was sent', () => {
  async function leave() {
    const test = await world();
    test.server.script.next(park);
    const caller = new AbortController();
    const left = test.queue.call(post(), { signal: caller.signal });
    const waiting = left.settled();
    await test.clock.settle();
    caller.abort(new Error('timed out'));
    await expect(waiting).rejects.toThrow('timed out');
    await test.clock.settle();
    return { test, id: (await left.accepted()).id };
  }

  it('is joined by the same call', async () => {
    const { test, id } = await leave();
    const retry = test.queue.call(post());
    const settled = retry.settled();
    expect(await retry.accepted()).toMatchObject({ id, deduplicated: true });
    test.server.release();
    await test.clock.settle();
    expect(await settled).toMatchObject({ id, state: 'succeeded', deduplicated: true });
    expect(test.server.ledger.applied('/notes')).toBe(1);
  });

  it('is joined once', async () => {
    const { test, id } = await leave();
    expect((await test.queue.call(post()).accepted()).id).toBe(id);
    expect((await test.queue.call(post()).accepted()).id).not.toBe(id);
  });

  it('is joined again when the caller who joined it goes away too', async () => {
    const { test, id } = await leave();
    for (let retry = 0; retry < 3; retry += 1) {
      const caller = new AbortController();
      const again = test.queue.call(post(), { signal: caller.signal });
      expect(await again.accepted()).toMatchObject({ id, deduplicated: true });
      caller.abort();
      await test.clock.settle();
    }
    const last = test.queue.call(post()).settled();
    await test.clock.settle();
    test.server.release();
    expect(await last).toMatchObject({ id, state: 'succeeded' });
    await test.clock.settle();
    expect(test.server.ledger.applied('/notes')).toBe(1);
  });

  it('is joined for 60 s after it ended, by a caller who gets its answer', async () => {
    const { test, id } = await leave();
    test.server.release();
    await test.clock.advance(59_000);
    const settled = test.queue.call(post()).settled();
    await test.clock.settle();
    expect(await settled).toMatchObject({ id, state: 'succeeded', response: { status: 201 } });
  });

  it('is not joined any more after that', async () => {
    const { test, id } = await leave();
    test.server.release();
    await test.clock.advance(61_000);
    expect((await test.queue.call(post()).accepted()).id).not.toBe(id);
  });

  it('is not joined for ever when it ended in the moment its caller left', async () => {
    const test = await world();
    test.server.script.next(park);
    const caller = new AbortController();
    const left = test.queue.call(post(), { signal: caller.signal });
    left.settled().catch(() => undefined);
    await test.clock.settle();
    test.server.release();
    caller.abort();
    await test.clock.advance(3_600_000);
    expect((await test.queue.call(post()).accepted()).id).not.toBe((await left.accepted()).id);
    await test.clock.settle();
    expect(test.server.ledger.applied('/notes')).toBe(2);
  });

  it('is not joined by a call with another key', async () => {
    const { test, id } = await leave();
    expect((await test.queue.call(post(), { key: 'another' }).accepted()).id).not.toBe(id);
  });

  it('that is a PUT leaves its path as the last PUT says', async () => {
    const test = await world();
    test.server.script.next(park);
    const caller = new AbortController();
    test.queue.call(put('open'), { signal: caller.signal });
    await test.clock.settle();
    caller.abort();
    await test.clock.settle();
    await test.queue.enqueue(put('closed'));
    await test.queue.enqueue(put('open'));
    test.server.release();
    await test.clock.settle();
    expect(arrivals(test.server)).toEqual(['PUT /door open', 'PUT /door closed', 'PUT /door open']);
  });

  it.each(['before', 'after'])('is not joined where its lane got another write %s it left', async (when) => {
    const test = await world();
    test.server.script.next(park);
    const patch = (body: object) => ({ method: 'PATCH', url: at('/door'), body });
    const caller = new AbortController();
    test.queue.call(patch({ open: true }), { signal: caller.signal });
    await test.clock.settle();
    if (when === 'before') await test.queue.enqueue(patch({ open: false }));
    caller.abort();
    await test.clock.settle();
    if (when === 'after') await test.queue.enqueue(patch({ open: false }));
    const last = test.queue.call(patch({ open: true }));
    expect((await last.accepted()).deduplicated).toBe(false);
    test.server.release();
    await test.clock.settle();
    expect(arrivals(test.server).map((line) => line.split(' ')[2])).toEqual([
      '{"open":true}',
      '{"open":false}',
      '{"open":true}',
    ]);
  });

  it('is not joined by another content, nor with dedupe: false', async () => {
    const { test, id } = await leave();
    expect((await test.queue.call(post({ text: 'other' })).accepted()).id).not.toBe(id);
    expect((await test.queue.call(post(), { dedupe: false }).accepted()).id).not.toBe(id);
  });
});
