import { describe, expect, it } from 'vitest';
import { notFound, refused, unreachable } from '../../src/testing/FakeServer.ts';
import { hang, park, unavailable } from '../../src/testing/serverSteps.ts';
import { record } from '../core/harness.ts';
import {
  breakerOf,
  enqueueEach,
  gated,
  gatesOf,
  get,
  HOUR_MS,
  MINUTE_MS,
  noteArrivals,
  post,
  put,
} from './support/world.ts';

describe('a rule for calls that do not reach the server', () => {
  it('ends a read that no other try can help, and holds a write', async () => {
    const test = await gated({ classifyError: ({ code }) => (code === 'ECONNREFUSED' ? 'permanent' : undefined) });
    const arrivals = noteArrivals(test, () => refused);
    const read = test.queue.call(get('/things/1')).settled();
    const write = await test.queue.enqueue(put('/things/2'));
    await test.clock.settle();
    expect(await read).toMatchObject({ state: 'dead', reason: 'exhausted' });
    expect(await test.queue.get(write.id)).toMatchObject({ state: 'held', reason: 'unreachable' });
    await test.clock.advance(HOUR_MS);
    expect(arrivals.length).toBe(2);
  });

  it('has what it calls transient tried again, whatever it is', async () => {
    const test = await gated({ classifyError: () => 'transient' });
    test.server.script.next(notFound, notFound, notFound);
    const { id } = await test.queue.enqueue(put('/things/1'));
    await test.clock.advance(2 * MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', progress: { faults: 0 } });
  });

  it('leaves what it does not know to the rules that are built in', async () => {
    for (const kind of ['unknown', undefined] as const) {
      const test = await gated({ classifyError: () => kind });
      test.server.script.next(refused);
      const { id } = await test.queue.enqueue(put('/things/1'));
      await test.clock.advance(MINUTE_MS);
      expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
    }
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('a bug');
      },
    ],
    ['says nothing known', () => 'perhaps' as never],
    ['promises an answer', () => Promise.reject(new Error('a bug')) as never],
  ])('costs no request anything where it %s, and is logged', async (_, classifyError) => {
    const errors: string[] = [];
    const silent = () => undefined;
    const logger = { debug: silent, info: silent, warn: silent, error: (message: string) => void errors.push(message) };
    const test = await gated({ classifyError }, { logger });
    test.server.script.next(refused);
    const { id } = await test.queue.enqueue(put('/things/1'));
    await test.clock.advance(MINUTE_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
    expect(errors).toContain('a rule of the configuration failed');
  });

  it('is told the error with its code', async () => {
    const codes: (string | undefined)[] = [];
    const test = await gated({
      classifyError: ({ code }) => {
        codes.push(code);
        return undefined;
      },
    });
    test.server.script.next(refused, unreachable, notFound);
    await test.queue.enqueue(put('/things/1'));
    await test.clock.advance(2 * MINUTE_MS);
    expect(codes).toEqual(['ECONNREFUSED', 'ENETUNREACH', 'ENOTFOUND']);
  });

  it('is asked nothing of calls that were sent', async () => {
    let asked = 0;
    const test = await gated({
      classifyError: () => {
        asked += 1;
        return 'permanent';
      },
    });
    test.server.script.next(unavailable(), { kind: 'reset', apply: false });
    const { id } = await test.queue.enqueue(put('/things/1'));
    await test.clock.advance(MINUTE_MS);
    expect(asked).toBe(0);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });
});

describe('the name of the rules of a zone', () => {
  it('is kept with each attempt', async () => {
    const test = await gated({ profile: 'autotask-3' });
    test.server.script.next(unavailable(), refused);
    const failed = await test.queue.enqueue(put('/things/1'));
    const quick = await test.queue.enqueue(post('/orders'));
    await test.clock.advance(MINUTE_MS);
    expect((await test.queue.get(failed.id))?.progress.attempts.map(({ profile }) => profile)).toEqual([
      'autotask-3',
      'autotask-3',
    ]);
    expect((await test.queue.explain(quick.id)).attempts.every(({ profile }) => profile === 'autotask-3')).toBe(true);
  });

  it('is not there where the zone has none', async () => {
    const test = await gated();
    const { id } = await test.queue.enqueue(put('/things/1'));
    await test.clock.settle();
    expect(Object.keys((await test.queue.get(id))?.progress.attempts[0] ?? {})).not.toContain('profile');
  });
});

describe('a caller that leaves while its request waits for another try', () => {
  it('is answered at once, without the time of the delay', async () => {
    const test = await gated();
    test.server.script.always(unavailable());
    const abort = new AbortController();
    const caller = test.queue.call(put('/things/1'), { signal: abort.signal });
    const end = caller.settled().then(
      () => 'settled',
      (error: unknown) => error,
    );
    await test.clock.settle();
    const from = test.clock.monotonicNow();
    abort.abort(new Error('enough'));
    await test.clock.settle();
    expect(test.clock.monotonicNow()).toBe(from);
    expect(await Promise.race([end, Promise.resolve('waits')])).not.toBe('waits');
  });

  it('holds no permit meanwhile, and none afterwards', async () => {
    const test = await gated({ maxConcurrency: 1 });
    test.server.script.next(unavailable());
    const abort = new AbortController();
    const caller = test.queue.call(get('/things/1'), { signal: abort.signal });
    const end = caller.settled().catch((error: unknown) => error);
    await test.clock.settle();
    expect(gatesOf(test.queue).concurrency.inUse).toBe(0);
    const from = test.clock.monotonicNow();
    abort.abort(new Error('enough'));
    await end;
    expect(test.clock.monotonicNow()).toBe(from);
    await test.clock.advance(MINUTE_MS);
    expect(gatesOf(test.queue).concurrency.inUse).toBe(0);
  });

  it('is answered at once behind an open breaker, too', async () => {
    const test = await gated();
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    expect(breakerOf(test.queue)).toBe('open');
    const abort = new AbortController();
    const end = test.queue
      .call(get('/reads/1'), { signal: abort.signal })
      .settled()
      .catch((error: unknown) => error);
    await test.clock.settle();
    const from = test.clock.monotonicNow();
    abort.abort(new Error('enough'));
    await end;
    expect(test.clock.monotonicNow()).toBe(from);
    expect((await test.queue.counts()).cancelled).toBe(1);
  });
});

describe('a queue that closes', () => {
  it('while a probe is under way leaves its zone to be tried by the next', async () => {
    const test = await gated();
    const opened = record(test.queue, 'breaker:opened');
    test.server.script.always(unavailable());
    await enqueueEach(test.queue, 5);
    await test.clock.settle();
    test.server.script.always(hang);
    await test.clock.advance((opened[0]?.until ?? 0) - test.clock.now() + 100);
    expect(test.network.underWay).toBe(1);
    test.server.script.always(park);
    const queue = await test.crash();
    expect(await test.clock.advanceUntil(() => test.server.parked > 0, 5 * MINUTE_MS)).toBe(true);
    test.server.script.clear();
    test.server.release();
    expect(await test.clock.advanceUntil(async () => (await queue.counts()).succeeded === 5, 10 * MINUTE_MS)).toBe(
      true,
    );
  });
});
