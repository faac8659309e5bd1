import { describe, expect, it } from 'vitest';
import type { TestQueue } from '../../src/testing/createTestQueue.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { refused } from '../../src/testing/FakeServer.ts';
import { FAULT_POINTS } from '../../src/testing/faultPoints.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import {
  applyThenHang,
  applyThenReset,
  hang,
  partialBody,
  partialHead,
  resetBeforeApply,
  slow,
  unavailable,
} from '../../src/testing/serverSteps.ts';
import { drained, start } from './support.ts';

const { HOLDFAST_SEEDS = '25' } = process.env;
const SEEDS = Array.from({ length: Number(HOLDFAST_SEEDS) }, (_, n) => n + 1);
const LANES = 4;
const REQUESTS = 60;
const FAULTS = [
  refused,
  applyThenReset,
  resetBeforeApply,
  applyThenHang,
  hang,
  partialHead,
  partialBody,
  unavailable(),
  unavailable(20),
  slow(3_000),
];

/** One world per seed: what is asked, what fails, when the process dies and when the network goes, all by the seed. */
describe('a simulated world', () => {
  it.each(SEEDS)(
    'applies every accepted request once and in order (seed %i)',
    async (seed) => {
      const test = await start({
        seed,
        config: { zones: { api: { origins: [TEST_ORIGIN], idempotency: 'ietf' } } },
      });
      const random = seededRandom(`world ${seed}`);
      const below = (limit: number): number => Math.floor(random.number() * limit);
      test.server.script.always(() => (random.number() < 0.15 ? FAULTS[below(FAULTS.length)] : undefined));
      const accepted = new Set<number>();

      for (let n = 0; n < REQUESTS; n += 1) {
        await disturb(test, below);
        await ask(test, n, below, accepted);
      }
      test.network.online = true;
      test.server.script.clear();
      expect(await drained(test, 48 * 3_600_000)).toBe(true);

      const applied = test.server.ledger.entries
        .filter((entry) => entry.outcome === 'applied')
        .map(({ request }) => JSON.parse(request.body) as { n: number; lane: string });
      const numbers = applied.map(({ n }) => n);
      expect(new Set(numbers).size).toBe(numbers.length);
      expect([...accepted].filter((n) => !numbers.includes(n))).toEqual([]);
      for (let lane = 0; lane < LANES; lane += 1) {
        const ofLane = applied.filter((body) => body.lane === `lane-${lane}`).map(({ n }) => n);
        expect(ofLane).toEqual([...ofLane].sort((a, b) => a - b));
      }
      expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0, cancelled: 0 });
      expect(test.server.ledger.entries.filter((entry) => entry.outcome === 'mismatch')).toEqual([]);
    },
    60_000,
  );
});

/** Something happens, or nothing: the network comes and goes, time passes, the process dies at once or at a point to come. */
async function disturb(test: TestQueue, below: (limit: number) => number): Promise<void> {
  switch (below(8)) {
    case 0:
      test.network.online = !test.network.online;
      return;
    case 1:
      await test.clock.advance(below(90_000));
      return;
    case 2:
      await test.crash();
      return;
    case 3: {
      const point = FAULT_POINTS[below(FAULT_POINTS.length)] ?? 'accept:beforeCommit';
      let reached = false;
      void test.stopAt(point, 1 + below(3)).then(() => {
        reached = true;
      });
      await test.clock.advanceUntil(() => reached, 60_000);
      await test.crash();
      return;
    }
    default:
      return;
  }
}

/** Asks for one write, and notes it once it is accepted. The process may die before it is. */
async function ask(test: TestQueue, n: number, below: (limit: number) => number, accepted: Set<number>): Promise<void> {
  const lane = `lane-${below(LANES)}`;
  const method = below(3) === 0 ? 'PUT' : 'POST';
  const path = method === 'PUT' ? `/things/${lane}` : '/things';
  const input = { method, url: `${TEST_ORIGIN}${path}`, body: { n, lane } };
  void test.queue.enqueue(input, { lane }).then(() => accepted.add(n));
  await test.clock.settle();
}
