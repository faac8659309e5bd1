import { describe, expect, it } from 'vitest';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { applyThenReset, refuse, unavailable } from '../../src/testing/serverSteps.ts';
import { at, headerIn, world } from './harness.ts';

const MINUTE_MS = 60_000;
const USERS = ['ann', 'bob', 'eve'] as const;

/** Users of one device come and go at random, over outages, faults and crashes. */
async function play(seed: number) {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random.number() * n);
  let user: string = USERS[0];
  let version = 1;
  const auth = {
    credential: () => ({ headers: [['authorization', `Bearer ${user}`]] as const, version, principal: user }),
  };
  const config = {
    principal: () => user,
    zones: { api: { origins: [TEST_ORIGIN], auth, idempotency: 'ietf' as const } },
  };
  const test = await world(config, seed);
  const wrong: string[] = [];
  const away = new Set<string>();
  let counter = 0;
  test.server.script.always((request) => {
    const sentBy = headerIn(request, 'authorization')?.slice(7) ?? '';
    const { by } = JSON.parse(request.body) as { by: string };
    if (sentBy !== by) wrong.push(`of ${by} as ${sentBy}`);
    if (away.has(by)) wrong.push(`of ${by}, who is away`);
    const dice = below(12);
    return dice === 0 ? unavailable() : dice === 1 ? applyThenReset : dice === 2 ? refuse({ status: 500 }) : undefined;
  });
  const post = async (): Promise<void> => {
    counter += 1;
    const options = below(2) === 0 ? { lane: `l${below(3)}` } : {};
    await test.queue.enqueue({ method: 'POST', url: at('/notes'), body: { by: user, n: counter } }, options);
  };
  const change = async (): Promise<void> => {
    const policy = below(3) === 0 ? 'sendFirst' : 'seal';
    const leaving = test.queue.principals.leave(user, { policy, deadlineMs: 2_000 });
    await test.clock.advance(3_000);
    await leaving;
    // What is under way goes on.
    await test.clock.settle();
    away.add(user);
    user = USERS[below(3)] as string;
    version += 1;
    away.delete(user);
    await test.queue.principals.enter(user);
  };
  for (let step = 0; step < 60; step += 1) {
    const dice = below(12);
    if (dice < 6) await post();
    else if (dice < 8) await change();
    else if (dice === 8) test.network.online = !test.network.online;
    else if (dice === 9) {
      await test.clock.settle();
      await test.crash();
    } else await test.clock.advance(below(30_000));
  }
  test.network.online = true;
  test.server.script.clear();
  for (const name of USERS) {
    user = name;
    version += 1;
    await test.queue.principals.enter(name);
    await test.clock.advance(15 * MINUTE_MS);
  }
  return { test, wrong, counter };
}

describe('users who come and go', () => {
  it.each(Array.from({ length: 12 }, (_, n) => n + 1))(
    'never send for each other, and lose nothing (seed %i)',
    async (seed) => {
      const { test, wrong, counter } = await play(seed);
      expect(wrong).toEqual([]);
      const counts = await test.queue.counts();
      expect(counts).toMatchObject({ ready: 0, scheduled: 0, blocked: 0, sending: 0, unknown: 0, dead: 0, held: 0 });
      expect(counts.succeeded).toBe(counter);
      const sent = test.server.ledger.entries.filter(({ outcome }) => outcome === 'applied');
      expect(new Set(sent.map(({ request }) => request.body)).size).toBe(counter);
      expect(sent).toHaveLength(counter);
    },
  );
});
