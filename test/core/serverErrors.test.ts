import { describe, expect, it } from 'vitest';
import { refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { call, drain, enqueue, expectNoPermitsHeld, HOUR_MS, MINUTE_MS, testQueues, zone } from './support/queues.ts';

const start = testQueues();

describe('an answered 500', () => {
  const broken = refuse({ status: 500, body: { error: 'broken' } });

  it('to a keyless POST is its caller’s answer', async () => {
    const test = await start();
    test.server.script.always(broken);
    const caller = call(test.queue, 'POST', '/notes');
    await test.clock.advance(MINUTE_MS);
    expect(caller.told()).toMatchObject({ response: { status: 500 }, error: { code: 'REQUEST_REJECTED' } });
    expect(test.server.ledger.entries.length).toBe(1);
  });

  it('to a keyless POST is a question where nobody waits', async () => {
    const test = await start();
    test.server.script.next(broken);
    const { id } = await enqueue(test.queue, 'POST', '/notes');
    await test.clock.advance(HOUR_MS);
    expect(await test.queue.get(id)).toMatchObject({ state: 'held', reason: 'unknown', result: { status: 500 } });
    expect(test.server.ledger.entries.length).toBe(1);
  });

  it('to a keyless POST is retried where the zone says so', async () => {
    const test = await start({ config: { zones: zone({ retryAnswered5xx: true }) } });
    test.server.script.next(broken, broken);
    const caller = call(test.queue, 'POST', '/notes');
    await test.clock.advance(MINUTE_MS);
    expect(caller.told()).toMatchObject({ state: 'succeeded' });
    expect(test.server.ledger.entries.length).toBe(3);
  });

  it('means what the zone’s classify says', async () => {
    const test = await start({
      config: {
        zones: zone({
          classify: (response: { status: number }) =>
            ({ 500: 'rejected', 418: 'success', 400: 'retry', 503: 'unknown' })[response.status] as never,
        }),
      },
    });
    test.server.script.next(refuse({ status: 500 }), refuse({ status: 418 }), refuse({ status: 400 }));
    const rejected = await enqueue(test.queue, 'POST', '/a');
    await test.clock.settle();
    const succeeded = await enqueue(test.queue, 'POST', '/b');
    await test.clock.settle();
    const retried = await enqueue(test.queue, 'POST', '/c');
    await drain(test, MINUTE_MS);
    expect(await test.queue.get(rejected.id)).toMatchObject({ state: 'dead', reason: 'rejected' });
    expect(await test.queue.get(succeeded.id)).toMatchObject({ state: 'succeeded' });
    expect(await test.queue.get(retried.id)).toMatchObject({ state: 'succeeded' });
    expect(test.server.ledger.entries.length).toBe(4);
    test.server.script.next(refuse({ status: 503 }));
    const doubted = await enqueue(test.queue, 'POST', '/d');
    await test.clock.settle();
    expect(await test.queue.get(doubted.id)).toMatchObject({ state: 'held', reason: 'unknown' });
  });

  it('is settled all the same when classify throws', async () => {
    const errors: string[] = [];
    const silent = () => undefined;
    const logger = { debug: silent, info: silent, warn: silent, error: (message: string) => void errors.push(message) };
    const classify = () => {
      throw new Error('of the application');
    };
    const test = await start({ config: { logger, zones: zone({ classify }) } });
    const caller = call(test.queue, 'POST', '/notes');
    await test.clock.settle();
    expect(caller.told()).toMatchObject({ state: 'succeeded' });
    expect(errors.length).toBe(1);
    await expectNoPermitsHeld(test.queue);
  });

  it('is settled all the same when the retry delay throws or is no time', async () => {
    for (const delay of [
      () => {
        throw new Error('of the application');
      },
      () => Number.NaN,
      () => -1,
    ]) {
      const test = await start({ config: { retry: { delay } } });
      test.server.script.next(unavailable());
      const caller = call(test.queue, 'POST', '/notes');
      await test.clock.advance(MINUTE_MS);
      expect(caller.told()).toMatchObject({ state: 'succeeded' });
    }
  });
});
