import { expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import type { BackendOption } from '../../src/queue/core/config/options.ts';
import { resolveFlows } from '../../src/queue/core/config/schedulingSchema.ts';
import type { Strategy } from '../../src/queue/core/ranking.ts';
import { Ranking } from '../../src/queue/core/ranking.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { NewRequest, StoredRequest } from '../../src/queue/types/request.ts';
import type { PriorityStrategy } from '../../src/queue/types/scheduling.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { NOW, newRequest } from '../backends/newRequest.ts';
import type { StoreAt } from '../replay/faults/support/stores.ts';
import { backendAt } from '../replay/faults/support/stores.ts';
import { describeBackends } from './support/queues.ts';

const PICKS = 10_000;
const BATCH = 250;
const LIMITS = { maxSize: 100_000, maxBytes: 1e9 };

describeBackends('with work of all waiting', (makeStore) => {
  const strategy = (priorityStrategy: PriorityStrategy, more: Partial<Strategy> = {}): Strategy => ({
    priorityStrategy,
    ageingMs: 60_000,
    flows: resolveFlows(),
    ...more,
  });

  async function opened(): Promise<Backend> {
    const at: BackendOption = await makeStore();
    const isMemory = 'kind' in at && at.kind === 'memory';
    const backend = isMemory ? new MemoryBackend() : backendAt(at as StoreAt);
    const identity = { worker: 'w', bootId: 'b', pidNamespace: 'p', pid: 1, processStart: '1' };
    await backend.open({ identity, now: NOW, leaseNow: 0, leaseMs: 1e9, isGone: () => false });
    onTestFinished(() => backend.close());
    return backend;
  }

  function desk(backend: Backend, ranking: Ranking) {
    return {
      async accept(requests: readonly Partial<NewRequest>[], now = NOW): Promise<void> {
        const made = requests.map((fields) => {
          const request = newRequest({ acceptedAt: now, ...fields });
          return { ...request, rank: ranking.rank(request, request.channel) };
        });
        await backend.requests.enqueue({ requests: made, atomic: false, now, limits: LIMITS, claim: null });
      },
      async claim(calls: number, now = NOW): Promise<readonly StoredRequest[]> {
        const channels = [{ channel: 'api', senders: [''], calls, perCall: 1 }];
        return (await backend.requests.claim({ worker: 'w', now, leaseUntil: 1e9, channels })).claimed;
      },
    };
  }

  it('each flow gets its share of ten thousand within 2 percent', { timeout: 300_000 }, async () => {
    const weights = { a: 1, b: 2, c: 3.5, d: 10 };
    const flows = resolveFlows({ by: 'tag', weights });
    const { accept, claim } = desk(await opened(), new Ranking(strategy('weighted', { flows }), () => 0));
    const random = seededRandom(7);
    const names = Object.keys(weights) as (keyof typeof weights)[];
    const left = { a: 0, b: 0, c: 0, d: 0 };
    const got = { a: 0, b: 0, c: 0, d: 0 };
    for (let picks = 0; picks < PICKS; ) {
      // Never out of work, and never as much of each.
      const newcomers = names.flatMap((tag) => {
        const count = Math.max(0, BATCH - left[tag]) + Math.floor(random.number() * 20);
        left[tag] += count;
        return Array.from({ length: count }, () => ({ tags: [tag] }));
      });
      await accept(newcomers);
      for (const { tags } of await claim(BATCH)) {
        const [tag] = tags as [keyof typeof weights];
        got[tag] += 1;
        left[tag] -= 1;
        picks += 1;
      }
    }
    const all = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
    for (const name of names) expect(Math.abs((got[name] * all) / (PICKS * weights[name]) - 1)).toBeLessThan(0.02);
  });

  it.each([
    // One call a minute: nine levels are nine times the ageing time, whatever comes in meanwhile.
    ['priority', 9, 60_000],
    // For each of its own turns, of weight 1, ten of weight 10.
    ['weighted', 16, 60_000],
    ['adaptive', 16, 60_000],
    ['deadline', 60, 60_000],
  ] as const)('none waits longer than its bound under constant load of others: %s', async (name, bound, stepMs) => {
    const { accept, claim } = desk(await opened(), new Ranking(strategy(name), () => 0));
    const others = { priority: 10, content: { method: 'GET', path: '/others', headers: [], body: null } };
    // As many come in as go, a backlog being there already.
    await accept(Array.from({ length: 5 }, () => others));
    await accept([{ priority: 1, tags: ['last'] }]);
    for (let waited = 0, isSent = false; !isSent; waited += 1) {
      const now = NOW + waited * stepMs;
      await accept([others], now);
      isSent = (await claim(1, now)).some(({ tags }) => tags.includes('last'));
      // The five of before, and one for the round it came in.
      expect(waited).toBeLessThanOrEqual(bound + 6);
    }
  });

  it('a kind that was found to be slow and to fail waits for a bounded number of the fastest under adaptive', async () => {
    let now = 0;
    const ranking = new Ranking(strategy('adaptive'), () => now);
    const content = (path: string) => ({ method: 'GET', path, headers: [], body: null });
    const kinds = { '/fast': [1, 200], '/usual': [1_000, 200], '/slow': [1e6, 500] } as const;
    for (const minute of [0, 1]) {
      now = minute * 60_000;
      for (const [path, [durationMs, status]] of Object.entries(kinds)) {
        const result = { phase: 'answered', response: { status, headers: [], body: new Uint8Array() } } as const;
        for (let n = 0; n < 100; n += 1) ranking.ended({ content: content(path), zone: 'api' }, { result, durationMs });
      }
    }
    const { accept, claim } = desk(await opened(), ranking);
    await accept(Array.from({ length: 5 }, () => ({ content: content('/fast') })));
    await accept([{ content: content('/slow'), tags: ['slow'] }]);
    let waited = 0;
    for (let isSent = false; !isSent && waited < 1_000; waited += 1) {
      await accept([{ content: content('/fast') }]);
      isSent = (await claim(1)).some(({ tags }) => tags.includes('slow'));
    }
    // The weights are 16 and 1/16, and the five of before come first.
    expect(waited).toBeGreaterThan(200);
    expect(waited).toBeLessThanOrEqual(256 + 6);
  });
});
