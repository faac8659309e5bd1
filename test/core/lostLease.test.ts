import { expect, it } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Transport, TransportResult } from '../../src/queue/types/transport.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { at, deferred } from './harness.ts';

it('a late answer to a lost attempt leaves the lease of the next one alone', async () => {
  const clock = new FakeClock();
  const sent: ReturnType<typeof deferred<TransportResult>>[] = [];
  const transport: Transport = {
    send: () => {
      const answer = deferred<TransportResult>();
      sent.push(answer);
      return answer.promise;
    },
    close: async () => undefined,
  };
  const hooked = hookBackend(new MemoryBackend(), {});
  let isFrozen = true;
  let renewed: readonly number[] = [];
  const requests: typeof hooked.requests = {
    ...hooked.requests,
    // A process that stands still renews nothing.
    renew: (query) => {
      renewed = query.leases.map(({ token }) => token);
      return isFrozen ? Promise.resolve(query.leases.map(() => true)) : hooked.requests.renew(query);
    },
  };
  const config = { leaseMs: 3_000, attemptTimeoutMs: 600_000 };
  const queue = new QueueManager({ config, clock, backend: { ...hooked, requests }, transport });
  await queue.start();
  const { id } = await queue.enqueue({ method: 'PUT', url: at('/door'), body: 'open' });
  expect(await clock.advanceUntil(() => sent.length === 2, 20_000)).toBe(true);
  isFrozen = false;
  const response = { status: 204, headers: [], body: new Uint8Array() };
  sent[0]?.resolve({ phase: 'answered', response });
  await clock.advance(10_000);
  expect(sent).toHaveLength(2);
  expect(renewed).toEqual([2]);
  sent[1]?.resolve({ phase: 'answered', response });
  await clock.settle();
  expect(await queue.get(id)).toMatchObject({ state: 'succeeded' });
  const closing = queue.close();
  await clock.advance(10_000);
  await closing;
});
