import { randomUUID } from 'node:crypto';
import type { RedisBackendOptions } from '../../../src/queue/backends/redis/RedisBackend.ts';
import { RedisBackend } from '../../../src/queue/backends/redis/RedisBackend.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { NewRequest } from '../../../src/queue/types/request.ts';
import type { EnqueueResult } from '../../../src/queue/types/store.ts';
import { systemClock } from '../../../src/system/clock.ts';

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

export function newRequest(fields: Partial<NewRequest> = {}): NewRequest {
  return {
    id: randomUUID(),
    zone: 'api',
    channel: 'api',
    sender: '',
    ephemeral: false,
    content: { method: 'POST', path: '/notes', headers: [], body: 'hello' },
    effect: 'action',
    harmless: false,
    lane: null,
    after: [],
    refs: [],
    principal: 'ann',
    auth: 'none',
    client: null,
    key: null,
    fingerprint: null,
    digest: null,
    join: { rule: 'none' },
    idempotencyKey: null,
    base: null,
    priority: 5,
    rank: { form: 'value', value: 0 },
    notBefore: null,
    expiresAt: null,
    acceptedAt: systemClock.now(),
    trace: null,
    tags: [],
    durable: true,
    replayOf: null,
    bytes: 10,
    ...fields,
  };
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
