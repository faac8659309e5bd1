import { afterEach, describe, expect, it } from 'vitest';
import type { TestQueue, TestQueueOptions } from '../../src/testing/createTestQueue.ts';
import { createTestQueue, TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import type { FaultPoint } from '../../src/testing/faultPoints.ts';
import { FAULT_POINTS } from '../../src/testing/faultPoints.ts';
import { applyThenReset, park } from '../../src/testing/serverSteps.ts';

const ZONE = { api: { origins: [TEST_ORIGIN], idempotency: 'ietf' } } as const;

const tests: TestQueue[] = [];

async function start(options: TestQueueOptions = {}): Promise<TestQueue> {
  const test = await createTestQueue({ ...options, config: { zones: ZONE, ...options.config } });
  tests.push(test);
  return test;
}

function post(test: TestQueue, body: unknown = {}, lane?: string) {
  return test.queue.enqueue({ method: 'POST', url: `${TEST_ORIGIN}/notes`, body }, { lane });
}

afterEach(async () => {
  for (const test of tests.splice(0)) await test.close();
});

describe('createTestQueue', () => {
  it('gives a queue that sends over the fake network', async () => {
    const test = await start();
    await post(test);
    await test.clock.settle();
    expect(test.server.ledger.applied('/notes')).toBe(1);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 1 });
  });

  it('repeats a run from its seed', async () => {
    const run = async (seed: number): Promise<unknown[]> => {
      const test = await start({ seed });
      test.server.script.next(applyThenReset);
      const { id } = await post(test);
      await test.clock.advanceUntil(() => test.server.ledger.entries.length === 2, 3_600_000);
      return [id, test.clock.now()];
    };
    expect(await run(5)).toEqual(await run(5));
    expect(await run(5)).not.toEqual(await run(6));
  });

  it('waits while the network is off, for hours, and sends once it is on', async () => {
    const test = await start();
    test.network.online = false;
    await post(test);
    await test.clock.advance(2 * 3_600_000);
    expect(await test.queue.counts()).toMatchObject({ succeeded: 0, dead: 0, held: 0 });
    test.network.online = true;
    expect(await test.clock.advanceUntil(() => test.server.ledger.applied() === 1, 120_000)).toBe(true);
  });

  it('forgets a crashed life and goes on with what was stored', async () => {
    const test = await start();
    test.network.online = false;
    await post(test, { n: 1 });
    const before = test.queue;
    const after = await test.crash();
    expect(after).not.toBe(before);
    test.network.online = true;
    expect(await test.clock.advanceUntil(() => test.server.ledger.applied() === 1, 120_000)).toBe(true);
  });

  it('resends by key what a crash left without its answer', async () => {
    const test = await start();
    test.server.script.next(park);
    const { id } = await post(test);
    await test.clock.settle();
    expect(test.server.parked).toBe(1);
    await test.crash();
    test.server.release();
    await test.clock.advanceUntil(async () => (await test.queue.counts()).succeeded === 1, 120_000);
    expect(test.server.ledger.entries.map((entry) => entry.outcome)).toEqual(['applied', 'replayed']);
    expect(await test.queue.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it.each(FAULT_POINTS)('applies what was accepted exactly once when it dies at %s', async (point) => {
    const test = await start();
    const stopped = test.stopAt(point, 2);
    const accepted = new Set<number>();
    for (let n = 0; n < 6; n += 1) {
      void post(test, { n }, `lane-${n % 2}`).then(() => accepted.add(n));
      await test.clock.settle();
    }
    await stopped;
    await test.crash();
    await test.clock.advanceUntil(async () => isDrained(await test.queue.counts()), 600_000);

    const applied = test.server.ledger.entries
      .filter((entry) => entry.outcome === 'applied')
      .map((entry) => (JSON.parse(entry.request.body) as { n: number }).n);
    expect(new Set(applied).size).toBe(applied.length);
    for (const n of accepted) expect(applied).toContain(n);
    for (const lane of [0, 1]) {
      const ofLane = applied.filter((n) => n % 2 === lane);
      expect(ofLane).toEqual([...ofLane].sort((a, b) => a - b));
    }
    expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0, unknown: 0 });
  });

  it('leaves no timer behind after close', async () => {
    const test = await start();
    await post(test);
    await test.clock.settle();
    await test.close();
    expect(test.clock.pending).toBe(0);
  });

  it('leaves no timer of a crashed life behind', async () => {
    const test = await start();
    const point: FaultPoint = 'settle:beforeCommit';
    const stopped = test.stopAt(point);
    void post(test);
    await stopped;
    expect(test.clock.pending).toBe(0);
  });
});

function isDrained(counts: Readonly<Record<string, number>>): boolean {
  return ['ready', 'scheduled', 'blocked', 'sending', 'unknown'].every((state) => counts[state] === 0);
}
