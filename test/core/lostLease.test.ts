import { expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Transport, TransportResult } from '../../src/queue/types/transport.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { at, deferred } from './harness.ts';

/** A queue whose process stands still until it is `thawed`, as nothing renews its leases, over calls that are answered by hand. */
async function frozen() {
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
  const renewed: number[][] = [];
  const requests: typeof hooked.requests = {
    ...hooked.requests,
    renew: (query) => {
      renewed.push(query.leases.map(({ token }) => token));
      return isFrozen ? Promise.resolve(query.leases.map(() => true)) : hooked.requests.renew(query);
    },
  };
  const config = { leaseMs: 3_000, attemptTimeoutMs: 600_000 };
  const queue = new QueueManager({ config, clock, backend: { ...hooked, requests }, transport });
  await queue.start();
  onTestFinished(async () => {
    for (const { resolve } of sent) resolve(DONE);
    const closing = queue.close();
    await clock.advance(10_000);
    await closing;
  });
  const thaw = (): void => {
    isFrozen = false;
  };
  return { clock, queue, sent, renewed, thaw };
}

const DONE: TransportResult = { phase: 'answered', response: { status: 204, headers: [], body: new Uint8Array() } };

it('a late answer to a lost attempt leaves the lease of the next one alone', async () => {
  const { clock, queue, sent, renewed, thaw } = await frozen();
  const { id } = await queue.enqueue({ method: 'PUT', url: at('/door'), body: 'open' });
  expect(await clock.advanceUntil(() => sent.length === 2, 20_000)).toBe(true);
  thaw();
  sent[0]?.resolve(DONE);
  await clock.advance(10_000);
  expect(sent).toHaveLength(2);
  expect(renewed.at(-1)).toEqual([2]);
  sent[1]?.resolve(DONE);
  await clock.settle();
  expect(await queue.get(id)).toMatchObject({ state: 'succeeded' });
});

it('a caller who would rather not wait hears how the attempt ended that came after the lost one', async () => {
  const { clock, queue, sent, thaw } = await frozen();
  const init = { method: 'PUT', body: 'open', queue: { offline: 'reject' } } as const;
  const answers: number[] = [];
  const call = queue.fetch(at('/door'), init).then(({ status }) => void answers.push(status));
  expect(await clock.advanceUntil(() => sent.length === 1, 1_000)).toBe(true);
  // From here on it waits for the end of the attempt, to take its call back then if it can.
  queue.pause();
  await clock.settle();
  queue.resume();
  expect(await clock.advanceUntil(() => sent.length === 2, 20_000)).toBe(true);
  thaw();
  sent[1]?.resolve(DONE);
  await clock.advance(1_000);
  expect(answers).toEqual([204]);
  await call;
});
