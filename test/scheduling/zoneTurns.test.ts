import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ZoneOptions } from '../../src/queue/core/config/options.ts';
import { ZoneTurns } from '../../src/queue/core/gates/ZoneTurns.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { refused } from '../../src/testing/FakeServer.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { park } from '../../src/testing/serverSteps.ts';
import { listProtocol } from '../batching/support/protocol.ts';
import { world } from '../core/harness.ts';

interface Member {
  readonly zone: ReturnType<typeof zoneOf>;
  /** Permits it could use at present. */
  want: number;
  got: number;
}

const zoneOf = (weight: number) => ({ policy: { weight }, turn: 0, round: 0, want: 0, grant: 0 });
const member = (weight: number, want = Number.POSITIVE_INFINITY): Member => ({ zone: zoneOf(weight), want, got: 0 });

/** The turns of a process of so many calls, played by hand. */
function table(max: number) {
  const process = { max, inUse: 0, sleepers: new Set<{ wake(): void }>() };
  const turns = new ZoneTurns(process);
  const round = (members: ReadonlySet<Member>): void => {
    const want = (one: Member): number => Math.min(one.want, max - process.inUse);
    turns.begin(members, want, want);
    for (const one of members) {
      const taken = Math.min(turns.leftFor(one.zone), want(one));
      if (taken <= 0) continue;
      turns.took(one.zone, taken);
      process.inUse += taken;
      one.got += taken;
      one.want -= taken;
    }
    turns.end();
  };
  const free = (calls: number): void => {
    process.inUse -= calls;
  };
  return { turns, process, round, free };
}

describe('the turns of zones', () => {
  it('are in proportion to the weights while all wait, however many permits come free at a time', () => {
    const zones = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(zones, fc.integer({ min: 1, max: 30 }), fc.integer(), (weights, max, seed) => {
        const { process, round, free } = table(max);
        const random = seededRandom(seed);
        const members = new Set(weights.map((weight) => member(weight)));
        let calls = 0;
        for (; calls < 4_000; ) {
          round(members);
          const ended = 1 + Math.floor(random.number() * process.inUse);
          free(ended);
          calls += ended;
        }
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const picks = [...members].reduce((sum, { got }) => sum + got, 0);
        for (const { zone, got } of members) {
          const share = (picks * zone.policy.weight) / total;
          expect(Math.abs(got - share)).toBeLessThanOrEqual(0.02 * share + 2);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('give no credit to one that was idle, and none is behind for what it had alone', () => {
    const { round, free } = table(4);
    const [a, b] = [member(1), member(1)];
    for (let n = 0; n < 500; n += 1) {
      round(new Set([a]));
      free(4);
    }
    expect(a.got).toBe(2_000);
    a.got = 0;
    for (let n = 0; n < 500; n += 1) {
      round(new Set([a, b]));
      free(4);
    }
    expect(Math.abs(a.got - b.got)).toBeLessThanOrEqual(4);
  });

  it('leave to others what a zone has no use for, and charge it nothing for that', () => {
    const { round, free } = table(10);
    const [few, many] = [member(9, 0), member(1)];
    for (let n = 0; n < 100; n += 1) {
      few.want = 1;
      round(new Set([few, many]));
      free(10);
    }
    expect([few.got, many.got]).toEqual([100, 900]);
  });

  it('take back what was granted and not taken', () => {
    const { turns } = table(2);
    const [a, b] = [member(1), member(1)];
    turns.begin(
      new Set([a, b]),
      () => 2,
      () => 2,
    );
    expect([turns.leftFor(a.zone), turns.leftFor(b.zone), turns.isContended]).toEqual([1, 1, true]);
    turns.took(a.zone, 1);
    turns.end();
    expect([a.zone.turn, b.zone.turn]).toEqual([1, 0]);
    turns.rest();
    expect(turns.isContended).toBe(false);
  });
});

describe('zones of which several wait for the limit of the process', () => {
  const OTHER = 'https://other.test';

  it('are sent in proportion to their weights, and all of it is sent', async () => {
    const test = await world({
      maxConcurrency: 4,
      maxSize: 10_000,
      zones: {
        three: { origins: [TEST_ORIGIN], weight: 3, maxConcurrency: 100, adaptiveConcurrency: false },
        one: { origins: [OTHER], maxConcurrency: 100, adaptiveConcurrency: false },
      },
    });
    const other = test.network.serve(OTHER);
    for (const server of [test.server, other]) server.script.always({ kind: 'answer', apply: true, delayMs: 10 });
    test.queue.pause();
    const items = (origin: string, count: number) =>
      Array.from({ length: count }, (_, n) => ({ request: { method: 'POST', url: `${origin}/things`, body: { n } } }));
    await test.queue.enqueueMany(items(TEST_ORIGIN, 1_800));
    await test.queue.enqueueMany(items(OTHER, 700));
    test.queue.resume();
    const counts = () => [test.server.ledger.applied(), other.ledger.applied()] as const;
    const sent = () => counts()[0] + counts()[1];
    expect(await test.clock.advanceUntil(() => sent() >= 2_000, 120_000)).toBe(true);
    const [three, one] = counts();
    expect(three / one).toBeGreaterThan(3 * 0.98);
    expect(three / one).toBeLessThan(3 * 1.02);
    expect(await test.clock.advanceUntil(() => sent() === 2_500, 120_000)).toBe(true);
    await test.clock.advance(100);
    expect(test.queue.zones.list().map(({ concurrency }) => concurrency.inUse)).toEqual([0, 0]);
  });

  it('let nobody who comes in go past those that wait', async () => {
    const test = await world({
      maxConcurrency: 2,
      zones: { api: { origins: [TEST_ORIGIN] }, other: { origins: [OTHER] } },
    });
    const other = test.network.serve(OTHER);
    for (const server of [test.server, other]) server.script.always({ kind: 'answer', apply: true, delayMs: 10 });
    for (let n = 0; n < 60; n += 1) {
      await test.queue.enqueue({ method: 'POST', url: `${TEST_ORIGIN}/things`, body: { n } });
    }
    // One at a time: its zone never has a backlog, only newcomers.
    for (let n = 0; n < 20; n += 1) {
      await test.queue.enqueue({ method: 'POST', url: `${OTHER}/things`, body: { n } });
      await test.clock.advance(10);
    }
    const [api, others] = [test.server.ledger.applied(), other.ledger.applied()];
    expect(others).toBeGreaterThanOrEqual(15);
    expect(api).toBeGreaterThanOrEqual(15);
  });
});

describe('a turn that cannot be used', () => {
  const OTHER = 'https://other.test';
  /** What keeps the zone that has more weight from using its turns, for a minute and more. */
  const obstacles: Record<string, Partial<ZoneOptions>> = {
    'of a zone with a rate': { rateLimit: { max: 1, perMs: 600_000, burst: 1 } },
    'of a zone that batches, and waits for more': { batch: listProtocol() },
    'of a zone that is full': { maxConcurrency: 1, adaptiveConcurrency: false },
    'of a zone that fails over to one that is full': { failover: ['last'] },
    'of a zone that is paused': {},
  };
  it.each(Object.keys(obstacles))('%s goes to another at once, without a timer', async (name) => {
    const test = await world({
      maxConcurrency: 3,
      batchTimeoutMs: 10_000,
      batchingEnabled: true,
      maxBatchSize: 50,
      zones: {
        heavy: { origins: [TEST_ORIGIN], weight: 1_000, ...obstacles[name] },
        light: { origins: [OTHER], maxConcurrency: 3, adaptiveConcurrency: false },
        last: { origins: ['https://last.test'], maxConcurrency: 1, adaptiveConcurrency: false },
      },
    });
    test.server.script.always(park);
    const light = test.network.serve(OTHER);
    const last = test.network.serve('https://last.test');
    last.script.always(park);
    light.script.always({ kind: 'answer', apply: true });
    test.queue.pause();
    const items = (origin: string, count: number) =>
      Array.from({ length: count }, (_, n) => ({ request: { method: 'POST', url: `${origin}/things`, body: { n } } }));
    if (name.includes('fails over')) {
      test.server.script.always(refused);
      for (const one of items(TEST_ORIGIN, 3)) void test.queue.enqueue(one.request);
      test.queue.resume();
      expect(await test.clock.advanceUntil(() => last.ledger.entries.length === 1, 60_000)).toBe(true);
      test.queue.pause();
    }
    await test.queue.enqueueMany(items(TEST_ORIGIN, 2));
    await test.queue.enqueueMany(items(OTHER, 40));
    test.queue.resume(name.endsWith('paused') ? 'light' : undefined);
    for (let round = 0; round < 10 && light.ledger.applied() < 40; round += 1) await test.clock.settle();
    expect(light.ledger.applied()).toBe(40);
  });
});
