import { describe, expect, it } from 'vitest';
import { refused } from '../../src/testing/FakeServer.ts';
import type { ReceivedRequest } from '../../src/testing/serverSteps.ts';
import {
  answer,
  applyThenHang,
  applyThenReset,
  hang,
  partialBody,
  partialHead,
  refuse,
  resetBeforeApply,
  unavailable,
} from '../../src/testing/serverSteps.ts';
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
const MERGE = { 'content-type': 'application/merge-patch+json' };

/** Requests of one method as the server got them. */
function got(entries: readonly { readonly request: ReceivedRequest }[], method: string): ReceivedRequest[] {
  return entries.map((entry) => entry.request).filter((request) => request.method === method);
}

/** A server that answers reads of a path with `state()`, and does `write` with everything else. */
const shows =
  (
    state: () => unknown,
    write: (request: ReceivedRequest) => ReturnType<typeof answer> | undefined = () => undefined,
  ) =>
  (request: ReceivedRequest) => {
    if (request.method !== 'GET') return write(request);
    const body = state() as never; // JSON, as the test gives it
    return body === undefined ? refuse({ status: 404, body: {} }) : answer({ status: 200, body });
  };

describe('a request that was not sent', () => {
  it('goes back at no cost and is sent again as it is', async () => {
    const test = await start();
    test.server.script.next(refused, refused);
    const { id } = await enqueue(test.queue, 'POST', '/notes', { text: 'hi' });
    await drain(test, MINUTE_MS);
    const record = await test.queue.get(id);
    expect(record).toMatchObject({ state: 'succeeded', progress: { faults: 0, unresolved: false } });
    expect(record?.progress.attempts.map((attempt) => attempt.phase)).toEqual(['notSent', 'notSent', 'answered']);
  });
});

describe('a request sent without an answer', () => {
  it.each([
    ['a read', 'GET', {}],
    ['a PUT', 'PUT', {}],
    ['a DELETE', 'DELETE', {}],
    ['a merge patch', 'PATCH', MERGE],
  ])('is resent within the window (%s)', async (_, method, headers) => {
    const test = await start();
    test.server.script.next(applyThenReset);
    const { id } = await enqueue(test.queue, method, '/notes/1', { n: 1 }, { headers });
    await drain(test, MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
    expect(got(test.server.ledger.entries, method).length).toBe(2);
  });

  it.each([applyThenReset, resetBeforeApply, partialHead, hang])(
    'is resent with the same key and the same bytes where the server knows keys (%o)',
    async (step) => {
      const test = await start({ config: { zones: KEYED } });
      test.server.script.next(step);
      const caller = call(test.queue, 'POST', '/notes', { text: 'ä € 𝄞', at: 1 });
      await drain(test, 5 * MINUTE_MS);
      expect(caller.told()).toMatchObject({ state: 'succeeded', response: { status: 201 } });
      const [first, second, ...more] = test.server.ledger.entries;
      expect(more).toEqual([]);
      expect(second?.key).toBe(first?.key);
      expect(second?.request.body).toBe(first?.request.body);
      expect(test.server.ledger.applied('/notes')).toBe(1);
    },
  );

  it.each([applyThenReset, resetBeforeApply, partialHead, applyThenHang])(
    'is never resent where it has no key: held, and its caller told (%o)',
    async (step) => {
      const test = await start();
      const unknown = collect(test.queue, 'request:held');
      test.server.script.next(step);
      const caller = call(test.queue, 'POST', '/notes', { text: 'hi' });
      const left = await enqueue(test.queue, 'POST', '/others');
      await test.clock.advance(HOUR_MS);
      expect(caller.told()).toMatchObject({ state: 'held', reason: 'unknown', error: { code: 'OUTCOME_UNKNOWN' } });
      expect(await test.queue.get(left.id)).toMatchObject({ state: 'succeeded' });
      expect(test.server.ledger.entries.filter((entry) => entry.resource === '/notes').length).toBe(1);
      expect(unknown.length).toBe(1);
      await expectNoPermitsHeld(test.queue);
    },
  );

  it('counts as applied when the head said so and only the body was lost', async () => {
    const test = await start();
    test.server.script.next(partialBody);
    const caller = call(test.queue, 'POST', '/notes');
    await test.clock.advance(MINUTE_MS);
    expect(caller.told()).toMatchObject({ state: 'succeeded', reason: 'applied' });
    expect(test.server.ledger.entries.length).toBe(1);
  });

  it('is asked about, not resent, once the window has passed', async () => {
    const test = await start({ config: { maxAttempts: 100 } });
    test.server.script.always(
      shows(
        () => ({ n: 1 }),
        () => applyThenReset,
      ),
    );
    // Ten minutes of resets: each resend is harmless until the window closes.
    const { id } = await enqueue(test.queue, 'PUT', '/notes/1', { n: 1 });
    await test.clock.advance(8 * MINUTE_MS);
    test.network.online = false;
    await test.clock.advance(10 * MINUTE_MS);
    const writes = got(test.server.ledger.entries, 'PUT').length;
    test.network.online = true;
    await drain(test, 30 * MINUTE_MS);
    expect(got(test.server.ledger.entries, 'PUT').length).toBe(writes);
    expect(got(test.server.ledger.entries, 'GET').length).toBeGreaterThan(0);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
  });

  it('is sent again when the answer to the question is that it is not there', async () => {
    const test = await start();
    let isThere = false;
    const puts: number[] = [];
    test.server.script.always(
      shows(
        () => (isThere ? { n: 1 } : undefined),
        (request) => {
          puts.push(request.n);
          if (puts.length === 1) return resetBeforeApply;
          isThere = true;
          return undefined;
        },
      ),
    );
    const { id } = await enqueue(test.queue, 'PATCH', '/notes/1', { n: 1 });
    await drain(test, HOUR_MS);
    expect(puts.length).toBe(2);
    expect(await test.queue.get(id)).toMatchObject({
      state: 'succeeded',
      reason: 'applied',
      progress: { unresolved: false },
    });
  });

  it('is not asked about before a request parked on its way has had time to land', async () => {
    const test = await start();
    let isThere = false;
    test.server.script.always(
      shows(
        () => (isThere ? { n: 1 } : {}),
        () => resetBeforeApply,
      ),
    );
    const { id } = await enqueue(test.queue, 'PATCH', '/notes/1', { n: 1 });
    await test.clock.settle();
    expect(await test.queue.get(id)).toMatchObject({ state: 'unknown' });
    await test.clock.advance(45_000);
    isThere = true; // a proxy let it go at last
    expect(got(test.server.ledger.entries, 'GET').length).toBe(0);
    await drain(test, HOUR_MS);
    expect(got(test.server.ledger.entries, 'PATCH').length).toBe(1);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
  });

  it('is not asked about too early either when its process died on a later attempt', async () => {
    const test = await start();
    let reads = 0;
    test.server.script.next(unavailable(120));
    const { id } = await enqueue(test.queue, 'PATCH', '/notes/1', { n: 1 });
    await test.clock.advance(100_000);
    test.server.script.always(
      shows(
        () => {
          reads += 1;
          return {};
        },
        () => hang,
      ),
    );
    await test.clock.advanceUntil(() => got(test.server.ledger.entries, 'PATCH').length === 2, HOUR_MS);
    const sentAt = test.clock.now();
    await test.crash();
    await test.clock.advanceUntil(() => reads > 0, HOUR_MS);
    expect(test.clock.now() - sentAt).toBeGreaterThanOrEqual(30_000);
    expect(await test.queue.get(id)).toBeDefined();
  });

  it('is held after the ladder of questions has shown nothing', async () => {
    const test = await start();
    const asked: number[] = [];
    test.server.script.always((request) => {
      if (request.method !== 'GET') return applyThenReset;
      asked.push(test.clock.now());
      return answer({ status: 200, body: 'not json' });
    });
    const caller = call(test.queue, 'PATCH', '/notes/1', { n: 1 });
    await drain(test, 2 * HOUR_MS);
    expect(caller.told()).toMatchObject({ state: 'held', reason: 'unknown', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(asked.length).toBe(4);
    const waits = asked.slice(1).map((at, n) => Math.round((at - (asked[n] ?? 0)) / 1_000));
    expect(waits).toEqual([30, 120, 600]);
  });

  it('keeps its place on the ladder while the zone cannot be reached', async () => {
    const test = await start();
    test.server.script.always(
      shows(
        () => ({ n: 1 }),
        () => applyThenReset,
      ),
    );
    const caller = call(test.queue, 'PATCH', '/notes/1', { n: 1 });
    await test.clock.settle();
    test.network.online = false;
    await test.clock.advance(3 * HOUR_MS);
    expect(caller.told()).toBeUndefined();
    test.network.online = true;
    await drain(test, 30 * MINUTE_MS);
    expect(caller.told()).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
  });

  it('keeps its place on the ladder while the server serves nobody', async () => {
    const test = await start();
    test.server.script.next(applyThenReset);
    const caller = call(test.queue, 'PATCH', '/notes/1', { n: 1 });
    await test.clock.settle();
    test.server.script.always(unavailable());
    await test.clock.advance(3 * HOUR_MS);
    expect(caller.told()).toBeUndefined();
    test.server.script.always(shows(() => ({ n: 1 })));
    await drain(test, 30 * MINUTE_MS);
    expect(caller.told()).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
  });

  it('does not hold up others while a question about it hangs', async () => {
    const test = await start();
    test.server.script.always((request) => {
      if (request.path !== '/notes/1') return undefined;
      return request.method === 'GET' ? hang : applyThenReset;
    });
    await enqueue(test.queue, 'PATCH', '/notes/1', { n: 1 });
    await test.clock.advanceUntil(() => got(test.server.ledger.entries, 'GET').length === 1, HOUR_MS);
    test.server.script.always((request) => (request.path === '/notes/1' ? hang : undefined));
    test.server.script.next(unavailable());
    const other = await enqueue(test.queue, 'POST', '/others');
    await test.clock.advance(5_000);
    expect(await test.queue.get(other.id)).toMatchObject({ state: 'succeeded' });
  });

  it('does not hold up others while the probe of a zone never ends', async () => {
    const test = await start({ config: { zones: zone({ probe: () => new Promise(() => undefined) }) } });
    test.server.script.next(applyThenReset);
    await enqueue(test.queue, 'POST', '/notes');
    await test.clock.advance(5 * MINUTE_MS);
    test.server.script.next(unavailable());
    const other = await enqueue(test.queue, 'POST', '/others');
    await test.clock.advance(5_000);
    expect(await test.queue.get(other.id)).toMatchObject({ state: 'succeeded' });
  });
});

describe('doubt about a request', () => {
  it.each([
    ['503', unavailable()],
    ['429', refuse({ status: 429 })],
    ['401', refuse({ status: 401 })],
    ['403', refuse({ status: 403 })],
    ['a refused connection', refused],
  ])('is not cleared by a later %s', async (_, later) => {
    const test = await start({ config: { zones: KEYED, maxAttempts: 3 } });
    test.server.script.next(applyThenReset, later);
    const { id } = await enqueue(test.queue, 'POST', '/notes');
    await test.clock.advanceUntil(() => test.server.script.left === 0, 5 * MINUTE_MS);
    await test.clock.settle();
    const record = await test.queue.get(id);
    expect(record).toMatchObject({ progress: { unresolved: true } });
    expect(record?.state).not.toBe('dead');
    expect(test.server.ledger.applied('/notes')).toBe(1);
  });

  it('ends held, never dead, when the request is given up', async () => {
    // With a breaker it would be the zone that fails, and nobody would be given up.
    const test = await start({ config: { zones: zone({ idempotency: 'stripe', breaker: false }) } });
    test.server.script.always(resetBeforeApply);
    const caller = call(test.queue, 'POST', '/notes');
    const left = await enqueue(test.queue, 'PUT', '/notes/1');
    const dated = await enqueue(test.queue, 'POST', '/dated', {}, { deadline: test.clock.now() + 2_000 });
    await test.clock.advance(DAY_MS);
    expect(caller.told()).toMatchObject({ state: 'held', reason: 'unknown', error: { code: 'OUTCOME_UNKNOWN' } });
    expect(await test.queue.get(left.id)).toMatchObject({ state: 'held', reason: 'unknown' });
    expect(await test.queue.get(dated.id)).toMatchObject({ state: 'held', reason: 'unknown' });
    expect(await test.queue.counts()).toMatchObject({ dead: 0 });
  });

  it('keeps the lane closed until it is resolved', async () => {
    const test = await start();
    test.server.script.always(
      shows(
        () => ({ n: 1 }),
        (request) => (request.body === '{"n":1}' ? applyThenReset : undefined),
      ),
    );
    await enqueue(test.queue, 'PATCH', '/notes/1', { n: 1 });
    await enqueue(test.queue, 'PATCH', '/notes/1', { n: 2 });
    await test.clock.advance(50_000);
    expect(got(test.server.ledger.entries, 'PATCH').length).toBe(1);
    await drain(test, HOUR_MS);
    expect(got(test.server.ledger.entries, 'PATCH').map((request) => request.body)).toEqual(['{"n":1}', '{"n":2}']);
  });
});
