import { describe, expect, it } from 'vitest';
import { hang, park, resetBeforeApply, slow, unavailable } from '../../src/testing/serverSteps.ts';
import {
  call,
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
const JUMPS = [
  ['an hour forwards', HOUR_MS],
  ['an hour backwards', -HOUR_MS],
] as const;

describe.each(JUMPS)('a wall clock that jumps %s', (_, jumpMs) => {
  it('neither loses nor repeats a request under way', async () => {
    const test = await start();
    test.server.script.next(park);
    const caller = call(test.queue, 'POST', '/notes');
    await test.clock.settle();
    test.clock.setWall(test.clock.now() + jumpMs);
    await test.clock.advance(25_000);
    test.server.release();
    await test.clock.settle();
    expect(caller.told()).toMatchObject({ state: 'succeeded' });
    expect(test.server.ledger.entries.length).toBe(1);
  });

  it('neither stalls a zone that asked to be left alone, nor hurries it', async () => {
    const test = await start();
    test.server.script.next(unavailable(600));
    call(test.queue, 'POST', '/first');
    await test.clock.settle();
    test.clock.setWall(test.clock.now() + jumpMs);
    const second = call(test.queue, 'POST', '/second');
    await test.clock.advance(9 * MINUTE_MS);
    expect(test.server.ledger.entries.length).toBe(1);
    await test.clock.advance(2 * MINUTE_MS);
    expect(second.told()).toMatchObject({ state: 'succeeded' });
  });

  it('neither stalls the look for a request in doubt, nor hurries it: what is parked on its way can still land', async () => {
    let looks = 0;
    const probe = async () => {
      looks += 1;
      return { outcome: 'applied' } as const;
    };
    const test = await start({ config: { zones: zone({ probe }) } });
    test.server.script.next(resetBeforeApply);
    const { id } = await enqueue(test.queue, 'POST', '/notes');
    await test.clock.advance(MINUTE_MS / 2);
    test.clock.setWall(test.clock.now() + jumpMs);
    await test.clock.advance(MINUTE_MS / 2 - 5_000);
    expect(looks).toBe(0);
    // After a step back the wait that is left is counted anew.
    await test.clock.advance(MINUTE_MS + 15_000);
    expect(looks).toBe(1);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded', reason: 'appliedEarlier' });
  });

  it('neither stalls the probe of a zone that is down, nor hurries it', async () => {
    const test = await start({ config: { zones: KEYED } });
    test.network.online = false;
    await enqueue(test.queue, 'POST', '/notes');
    await test.clock.advance(MINUTE_MS);
    test.clock.setWall(test.clock.now() + jumpMs);
    test.network.online = true;
    const caller = call(test.queue, 'POST', '/notes');
    expect(await test.clock.advanceUntil(() => caller.told() !== undefined, 3 * MINUTE_MS)).toBe(true);
    expect(caller.told()).toMatchObject({ state: 'succeeded' });
  });

  it('does not make a storm of what waits for its retry', async () => {
    const test = await start({ config: { zones: KEYED } });
    test.server.script.always(unavailable());
    for (let n = 0; n < 100; n += 1) await enqueue(test.queue, 'POST', '/notes', { n });
    await test.clock.advance(10 * MINUTE_MS);
    const before = test.server.ledger.entries.length;
    test.clock.setWall(test.clock.now() + jumpMs);
    await test.clock.advance(MINUTE_MS);
    // All may come due once; each then backs off as before.
    expect(test.server.ledger.entries.length - before).toBeLessThan(600);
    await expectNoPermitsHeld(test.queue);
  });

  it('lets no lease lapse whose owner is alive', async () => {
    const test = await start();
    test.server.script.next(hang);
    const { id } = await enqueue(test.queue, 'PUT', '/notes/1');
    await test.clock.advance(5_000);
    test.clock.setWall(test.clock.now() + jumpMs);
    await test.clock.advance(20_000);
    expect(await test.queue.get(id)).toMatchObject({ state: 'sending' });
    expect(test.server.ledger.entries.length).toBe(1);
  });
});

describe('a retry that a wall clock going back has moved into the future', () => {
  it('is made after the wait it was given, not when the wall has caught up', async () => {
    const test = await start();
    test.server.script.next(unavailable());
    await enqueue(test.queue, 'POST', '/notes');
    await test.clock.settle();
    test.clock.setWall(test.clock.now() - HOUR_MS);
    expect(await drain(test, MINUTE_MS)).toMatchObject({ succeeded: 1 });
  });
});

describe('what was accepted while the wall clock was ahead', () => {
  it.each([
    ['priority', {}],
    ['deadline', { deadline: undefined }],
  ] as const)('waits no longer for that under %s', async (priorityStrategy, options) => {
    const test = await start({ config: { priorityStrategy, maxConcurrency: 1 } });
    test.queue.pause();
    const right = test.clock.now();
    test.clock.setWall(right + DAY_MS);
    await enqueue(test.queue, 'POST', '/notes/old', {}, options);
    await test.clock.advance(MINUTE_MS);
    await enqueue(test.queue, 'POST', '/notes/later', {}, options);
    test.clock.setWall(test.clock.now() - DAY_MS);
    await test.clock.advance(10 * MINUTE_MS);
    for (let n = 0; n < 3; n += 1) await enqueue(test.queue, 'POST', `/notes/${n}`, {}, { ...options, priority: 9 });
    test.queue.resume();
    await drain(test, MINUTE_MS);
    expect(test.server.ledger.entries.map(({ request }) => request.path)).toEqual(
      ['old', 'later', '0', '1', '2'].map((name) => `/notes/${name}`),
    );
  });

  it('waits no longer for that either where it was being sent when the clock was put right', async () => {
    const test = await start({ config: { maxConcurrency: 1, attemptTimeoutMs: 20_000 } });
    test.clock.setWall(test.clock.now() + DAY_MS);
    test.server.script.next(hang);
    await enqueue(test.queue, 'PUT', '/notes/old');
    await test.clock.advance(6_000);
    test.clock.setWall(test.clock.now() - DAY_MS);
    await test.clock.advance(10_000);
    test.server.script.always(slow(2_000));
    for (let n = 0; n < 20; n += 1) await enqueue(test.queue, 'PUT', `/notes/${n}`);
    await drain(test, 2 * MINUTE_MS);
    const sent = test.server.ledger.entries.map(({ request }) => request.path);
    expect(sent.lastIndexOf('/notes/old')).toBeLessThan(15);
  });

  it('keeps that place where another strategy is set later on', async () => {
    const test = await start({ config: { maxConcurrency: 1 } });
    test.queue.pause();
    test.clock.setWall(test.clock.now() + DAY_MS);
    await enqueue(test.queue, 'POST', '/notes/old');
    test.clock.setWall(test.clock.now() - DAY_MS);
    await test.clock.advance(MINUTE_MS);
    await test.queue.setStrategy({ ageingMs: 10 * MINUTE_MS });
    await test.clock.advance(MINUTE_MS);
    await enqueue(test.queue, 'POST', '/notes/new');
    test.queue.resume();
    await drain(test, MINUTE_MS);
    expect(test.server.ledger.entries.map(({ request }) => request.path)).toEqual(['/notes/old', '/notes/new']);
  });
});
