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
const LONG_MS = 48 * 3_600_000;

/** A whole number from 0 up to, not including, the limit. */
type Below = (limit: number) => number;

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
    'applies every accepted write once and in order where the server knows keys (seed %i)',
    async (seed) => {
      const { test, accepted } = await live(seed, { methods: ['POST', 'PUT'], idempotency: 'ietf' });
      expect(await drained(test, LONG_MS)).toBe(true);
      expect(judge(test, accepted)).toEqual({ lost: [], duplicated: [], disordered: [] });
      expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0, cancelled: 0 });
      expect(test.server.ledger.entries.filter((entry) => entry.outcome === 'mismatch')).toEqual([]);
    },
  );

  it.each(SEEDS)(
    'applies no POST twice where it does not, and a person can settle the rest (seed %i)',
    async (seed) => {
      const { test, accepted } = await live(seed, { methods: ['POST'], idempotency: undefined });
      const isApplied = ({ id }: { readonly id: string }): boolean =>
        appliedBodies(test).some((body) => body.id === id);
      // Each round the operator looks at the server and decides what the queue rightly would not.
      for (let round = 0; round < REQUESTS; round += 1) {
        expect(await settled(test)).toBe(true);
        const { requests } = await test.queue.held.list();
        if (requests.length === 0) break;
        for (const request of requests) {
          expect(request.reason).toBe('unknown');
          const [id = ''] = request.tags;
          await test.queue.held.resolve(request, isApplied({ id }) ? 'markApplied' : 'resend', 'operator');
        }
      }
      expect(judge(test, accepted)).toEqual({ lost: [], duplicated: [], disordered: [] });
      expect(await test.queue.counts()).toMatchObject({ dead: 0, held: 0, blocked: 0 });
    },
  );
});

interface World {
  readonly test: TestQueue;
  /** Numbers of the writes that were accepted. */
  readonly accepted: ReadonlySet<number>;
}

interface Kind {
  readonly methods: readonly ('POST' | 'PUT')[];
  readonly idempotency: 'ietf' | undefined;
}

interface SentBody {
  readonly n: number;
  readonly id: string;
  readonly lane: string;
}

/** Lives through a world until everything is asked; then the network is there and the server well. */
async function live(seed: number, { methods, idempotency }: Kind): Promise<World> {
  const zones = { api: { origins: [TEST_ORIGIN], idempotency } };
  const test = await start({ seed, config: { zones } });
  const random = seededRandom(`world ${seed}`);
  const below: Below = (limit) => Math.floor(random.number() * limit);
  test.server.script.always(() => (random.number() < 0.15 ? FAULTS[below(FAULTS.length)] : undefined));
  const accepted = new Set<number>();
  for (let n = 0; n < REQUESTS; n += 1) {
    await disturb(test, below);
    const lane = `lane-${below(LANES)}`;
    const method = methods[below(methods.length)] ?? 'POST';
    const path = method === 'PUT' ? `/things/${lane}` : '/things';
    const body: SentBody = { n, id: `write-${n}`, lane };
    // Not awaited: the process may die before it is accepted.
    void test.queue
      .enqueue({ method, url: `${TEST_ORIGIN}${path}`, body }, { lane, tags: [body.id] })
      .then(() => accepted.add(n));
    await test.clock.settle();
  }
  test.network.online = true;
  test.server.script.clear();
  return { test, accepted };
}

/** Lets time pass until nothing moves by itself. What stands behind a held request does not. */
function settled(test: TestQueue): Promise<boolean> {
  return test.clock.advanceUntil(async () => {
    const { ready, scheduled, sending, unknown } = await test.queue.counts();
    return ready + scheduled + sending + unknown === 0;
  }, LONG_MS);
}

function appliedBodies(test: TestQueue): SentBody[] {
  return test.server.ledger.entries
    .filter((entry) => entry.outcome === 'applied')
    .map(({ request }) => JSON.parse(request.body) as SentBody);
}

/** What speaks against the promise. */
function judge(
  test: TestQueue,
  accepted: ReadonlySet<number>,
): Record<'lost' | 'duplicated' | 'disordered', unknown[]> {
  const applied = appliedBodies(test);
  const numbers = applied.map(({ n }) => n);
  const lanes = new Set(applied.map(({ lane }) => lane));
  return {
    lost: [...accepted].filter((n) => !numbers.includes(n)),
    duplicated: numbers.filter((n, at) => numbers.indexOf(n) !== at),
    disordered: [...lanes].filter((lane) => {
      const ofLane = applied.filter((body) => body.lane === lane).map(({ n }) => n);
      return ofLane.some((n, at) => at > 0 && n < (ofLane[at - 1] ?? 0));
    }),
  };
}

/** Something happens, or nothing: the network comes and goes, time passes, the process dies at once or at a point to come. */
async function disturb(test: TestQueue, below: Below): Promise<void> {
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
