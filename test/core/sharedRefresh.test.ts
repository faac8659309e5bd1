import { describe, expect, it, onTestFinished } from 'vitest';
import { refreshingToken } from '../../src/client/auth/refreshingToken.ts';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { MINUTE_MS } from './support/queues.ts';

const ORIGIN = 'https://api.test';

/** Queues on one store, as processes have, whose tokens are kept in one place; a refresh takes a second. */
async function shared(count: number) {
  const clock = new FakeClock();
  const network = new FakeNetwork({ clock });
  const server = network.serve(ORIGIN);
  const kept = { token: 't0', refreshes: 0, running: 0, most: 0 };
  server.script.always(({ headers }) => {
    const isValid = headers.some(([name, value]) => name === 'authorization' && value === `Bearer ${kept.token}`);
    return isValid && kept.token !== 't0' ? undefined : refuse({ status: 401, body: {} });
  });
  const refresh = async (refused: string): Promise<string> => {
    kept.running += 1;
    kept.most = Math.max(kept.most, kept.running);
    if (kept.token === refused) {
      await new Promise<void>((resolve) => clock.schedule(1_000, resolve));
      kept.refreshes += 1;
      kept.token = `t${kept.refreshes}`;
    }
    kept.running -= 1;
    return kept.token;
  };
  const storage = new MemoryStorage();
  let backend = new MemoryBackend({ store: storage });
  const queues: QueueManager[] = [];
  for (let seed = 1; seed <= count; seed += 1) {
    const auth = refreshingToken({ token: 't0', refresh, principal: 'anna', clock });
    backend = new MemoryBackend({ store: storage });
    const queue = new QueueManager({
      config: { zones: { api: { origins: [ORIGIN], auth, maxConcurrency: 4 } } },
      clock,
      random: seededRandom(seed),
      backend,
      transport: { send: (sent) => network.send(sent), close: async () => undefined },
    });
    await queue.start();
    queues.push(queue);
  }
  onTestFinished(async () => {
    await Promise.all(queues.map((queue) => queue.close({ deadlineMs: 0 })));
    await network.close();
  });
  return { clock, network, server, queues, kept, backend };
}

describe('a credential that is refused in several processes', () => {
  it('is refreshed by one at a time, and once in all where the others look for it first', async () => {
    const { clock, network, server, queues, kept } = await shared(3);
    network.online = false;
    for (const queue of queues) {
      for (let n = 0; n < 20; n += 1) await queue.enqueue({ method: 'POST', url: `${ORIGIN}/notes`, body: { n } });
    }
    network.online = true;
    await clock.advance(5 * MINUTE_MS);
    expect(kept).toMatchObject({ refreshes: 1, most: 1 });
    expect(server.ledger.applied()).toBe(60);
  });

  it('is refreshed all the same where the one that had the lease is gone', async () => {
    const { clock, server, queues, kept, backend } = await shared(1);
    const [queue] = queues as [QueueManager];
    const now = clock.now();
    const lease = { key: 'refresh:api', holder: 'gone', permits: 1, now, expiresAt: now + 20_000 };
    expect(await backend.shared.acquire(lease)).toBe(true);
    await queue.enqueue({ method: 'POST', url: `${ORIGIN}/notes`, body: {} });
    await clock.advance(15_000);
    expect(kept.refreshes).toBe(0);
    await clock.advance(5 * MINUTE_MS);
    expect(kept.refreshes).toBe(1);
    expect(server.ledger.applied()).toBe(1);
  });
});
