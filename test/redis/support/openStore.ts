import { randomUUID } from 'node:crypto';
import type { RedisBackendOptions } from '../../../src/queue/backends/redis/RedisBackend.ts';
import { RedisBackend } from '../../../src/queue/backends/redis/RedisBackend.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { NewRequest } from '../../../src/queue/types/request.ts';
import type { EnqueueResult } from '../../../src/queue/types/store.ts';
import { systemClock } from '../../../src/system/clock.ts';

export { newRequest } from '../../backends/newRequest.ts';

export const NO_LIMITS = { maxSize: 1_000_000, maxBytes: 1_000_000_000 };

/** An opened store as a queue would have it: judged by the server's clock. */
export async function openStore(
  options: RedisBackendOptions,
  { leaseMs = 30_000, worker = randomUUID() }: { readonly leaseMs?: number; readonly worker?: string } = {},
): Promise<Backend> {
  const backend = new RedisBackend(options, { clock: systemClock });
  const identity = { worker, bootId: 'boot', pidNamespace: 'pid', pid: 1, processStart: '1' };
  await backend.open({
    identity,
    now: systemClock.now(),
    leaseNow: systemClock.monotonicNow(),
    leaseMs,
    isGone: () => false,
  });
  return backend;
}

export function enqueue(backend: Backend, ...requests: readonly NewRequest[]): Promise<EnqueueResult[]> {
  return backend.requests.enqueue({
    requests,
    atomic: false,
    now: systemClock.now(),
    limits: NO_LIMITS,
    claim: null,
  });
}
