import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import type { FakeServer } from '../../src/testing/FakeServer.ts';
import { hang, resetBeforeApply, unavailable } from '../../src/testing/serverSteps.ts';
import { record } from '../core/harness.ts';
import { breakerOf, enqueueEach, gated, MINUTE_MS, SECOND_MS, ZONE } from './support/world.ts';

const OTHER = 'https://other.test';

/** Two zones that have answered. */
async function two(zone: object = {}): Promise<{ test: TestQueue; other: FakeServer }> {
  const test = await gated(zone, { zones: { other: { origins: [OTHER], ...zone } } });
  const other = test.network.serve(OTHER);
  await enqueueBoth(test, 1, '/before');
  await test.clock.settle();
  expect((await test.queue.counts()).succeeded).toBe(2);
  return { test, other };
}

async function enqueueBoth({ queue }: TestQueue, count: number, prefix = '/things'): Promise<string[]> {
  const ids = await enqueueEach(queue, count, prefix);
  for (let n = 1; n <= count; n += 1) {
    ids.push((await queue.enqueue({ method: 'PUT', url: `${OTHER}${prefix}/${n}`, body: {} })).id);
  }
  return ids;
}

const connectivityOf = ({ queue }: TestQueue) => [ZONE, 'other'].map((name) => queue.zones.get(name).connectivity);
const breakersOf = ({ queue }: TestQueue) => [ZONE, 'other'].map((name) => queue.zones.get(name).breaker?.status);

describe('two zones that stop answering together', () => {
  it('are offline: their breakers are closed, and what waits spends no attempt on it', async () => {
    const { test, other } = await two();
    const offline = record(test.queue, 'zone:offline');
    test.server.script.always(hang);
    other.script.always(hang);
    const ids = await enqueueBoth(test, 8);
    await test.clock.advance(MINUTE_MS);
    expect(connectivityOf(test)).toEqual(['down', 'down']);
    expect(breakersOf(test)).toEqual(['closed', 'closed']);
    expect(offline.map(({ zone }) => zone).sort()).toEqual([ZONE, 'other']);
    const spent = await Promise.all(ids.map(async (id) => (await test.queue.get(id))?.progress.faults ?? 0));
    await test.clock.advance(4 * MINUTE_MS);
    expect(await Promise.all(ids.map(async (id) => (await test.queue.get(id))?.progress.faults ?? 0))).toEqual(spent);
    expect(Math.max(...spent)).toBeLessThanOrEqual(1);
  });

  it('are both sent what waits once they answer again, as after any outage', async () => {
    const { test, other } = await two();
    const online = record(test.queue, 'zone:online');
    test.server.script.always(hang);
    other.script.always(hang);
    await enqueueBoth(test, 8);
    await test.clock.advance(2 * MINUTE_MS);
    test.server.script.clear();
    other.script.clear();
    expect(
      await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded === 18, 10 * MINUTE_MS),
    ).toBe(true);
    expect(online.map(({ zone }) => zone).sort()).toEqual([ZONE, 'other']);
    expect(breakersOf(test)).toEqual(['closed', 'closed']);
    expect(test.queue.zones.get(ZONE).breaker?.tries).toBe(0);
  });

  it('are not offline where one of them stopped long before the other', async () => {
    const { test, other } = await two();
    test.server.script.always(hang);
    await enqueueEach(test.queue, 8);
    await test.clock.advance(32 * SECOND_MS);
    expect(breakerOf(test.queue)).not.toBe('closed');
    await test.clock.advance(15 * SECOND_MS);
    other.script.always(hang);
    for (let n = 1; n <= 8; n += 1) await test.queue.enqueue({ method: 'PUT', url: `${OTHER}/later/${n}`, body: {} });
    await test.clock.advance(32 * SECOND_MS);
    expect(breakersOf(test)[0]).not.toBe('closed');
    expect(breakersOf(test)[1]).not.toBe('closed');
  });

  it('are not offline where a third one answers', async () => {
    const { test, other } = await two();
    const third = test.network.serve('https://third.test');
    test.server.script.always(hang);
    other.script.always(hang);
    await test.queue.enqueue({ method: 'PUT', url: 'https://third.test/1', body: {} });
    await enqueueBoth(test, 8);
    await test.clock.advance(31 * SECOND_MS);
    expect(third.ledger.applied()).toBe(1);
    expect(breakersOf(test)).toEqual(['open', 'open']);
  });
});

describe('two zones that fail together', () => {
  it('are not offline where both answer 503: each is left alone for itself', async () => {
    const { test, other } = await two();
    const offline = record(test.queue, 'zone:offline');
    test.server.script.always(unavailable());
    other.script.always(unavailable());
    await enqueueBoth(test, 8);
    await test.clock.advance(2 * SECOND_MS);
    expect(breakersOf(test)).toEqual(['open', 'open']);
    expect(offline).toEqual([]);
    expect(connectivityOf(test)).toEqual(['up', 'up']);
  });

  it('are not offline where both reset connections, which shows that somebody is there', async () => {
    const { test, other } = await two();
    test.server.script.always(resetBeforeApply);
    other.script.always(resetBeforeApply);
    await enqueueBoth(test, 8);
    await test.clock.advance(2 * SECOND_MS);
    expect(breakersOf(test)).toEqual(['open', 'open']);
    expect(connectivityOf(test)).toEqual(['up', 'up']);
  });

  it('are not offline where one answers 503 and the other nothing', async () => {
    const { test, other } = await two();
    test.server.script.always(unavailable());
    other.script.always(hang);
    await enqueueBoth(test, 8);
    await test.clock.advance(31 * SECOND_MS);
    expect(connectivityOf(test)[0]).toBe('up');
    expect(breakersOf(test)[0]).not.toBe('closed');
  });
});

describe('one zone that stops answering', () => {
  it('is not taken for the whole network where it is the only one', async () => {
    const test = await gated();
    test.server.script.always(hang);
    await enqueueEach(test.queue, 8);
    await test.clock.advance(31 * SECOND_MS);
    expect(breakerOf(test.queue)).toBe('open');
  });
});
