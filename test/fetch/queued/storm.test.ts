import { describe, expect, it } from 'vitest';
import { holdfastError } from '../../../src/index.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';
import {
  answer,
  applyThenReset,
  partialBody,
  refuse,
  resetBeforeApply,
  slow,
  unavailable,
} from '../../../src/testing/serverSteps.ts';
import { soon, until } from './support/looks.ts';
import { open, STORES, serve } from './support/queues.ts';

const CALLS = 300;
const STEPS = [
  answer(),
  answer(),
  answer(),
  slow(5),
  slow(20),
  unavailable(),
  refuse({ status: 500, body: {} }),
  applyThenReset,
  resetBeforeApply,
  partialBody,
  answer({ status: 201, body: 'x'.repeat(200_000) }),
];

/** Some turns of the event loop. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(STORES)('a storm of calls, aborts and faults, on %s', (store) => {
  it.each([1, 2, 3])('ends with nothing left over and nothing sent twice: seed %i', async (seed) => {
    const { number } = seededRandom(seed);
    const pick = (below: number): number => Math.floor(number() * below);
    const server = await serve({ keyHeader: null });
    server.script.always(() => STEPS[pick(STEPS.length)]);
    // Half of the calls fail: with a breaker hardly any would be made.
    const queue = await open(store, { maxAttempts: 3, zones: { api: { origins: [server.origin], breaker: false } } });
    const calls = Array.from({ length: CALLS }, async (_, n) => {
      await turns(pick(200));
      const abort = new AbortController();
      if (pick(2) === 0) void turns(pick(60)).then(() => abort.abort(new Error(`call ${n} leaves`)));
      const [offline, respond] = [
        pick(2) === 0 ? 'wait' : 'rejectAndKeep',
        pick(5) === 0 ? 'accepted' : 'settled',
      ] as const;
      const isRead = pick(4) === 0;
      const init = isRead ? {} : { method: 'POST', body: `body ${n}` };
      try {
        const response = await queue.fetch(`${server.origin}/${isRead ? pick(5) : n}`, {
          ...init,
          signal: abort.signal,
          queue: { offline, respond },
        });
        if (pick(8) === 0) await response.body?.cancel().catch(() => undefined);
        else await response.arrayBuffer().catch(() => undefined);
        return `${response.status}`;
      } catch (error) {
        const isOurs = error instanceof TypeError && holdfastError(error) !== undefined;
        if (!isOurs && error !== abort.signal.reason) throw error;
        return 'rejected';
      }
    });
    const outcomes = await soon(Promise.all(calls), 'all calls');
    expect(outcomes.length).toBe(CALLS);
    await soon(queue.idle(), 'idle');

    const applied = new Map<string, number>();
    for (const { outcome, request } of server.ledger.entries) {
      if (outcome === 'applied') applied.set(request.body, (applied.get(request.body) ?? 0) + 1);
    }
    expect([...applied].filter(([, count]) => count > 1)).toEqual([]);
    const { waitingCallers, zones, counts } = await queue.health();
    expect({ waitingCallers, inFlight: zones.map(({ inFlight }) => inFlight) }).toEqual({
      waitingCallers: 0,
      inFlight: [0],
    });
    const { ready, scheduled, blocked, sending, unknown } = counts;
    expect({ ready, scheduled, blocked, sending, unknown }).toEqual({
      ready: 0,
      scheduled: 0,
      blocked: 0,
      sending: 0,
      unknown: 0,
    });
    await until(async () => (await queue.counts()).sending === 0, 'nothing is under way');
  });
});
