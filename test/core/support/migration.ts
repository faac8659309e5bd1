import { afterEach, expect } from 'vitest';
import { MemoryBackend } from '../../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../../src/queue/backends/memory/MemoryStorage.ts';
import type { MigrateOptions } from '../../../src/queue/core/migration/migrateOptions.ts';
import { migrateQueue } from '../../../src/queue/core/migration/migrateQueue.ts';
import type { RedisOptions } from '../../../src/queue/types/redis.ts';
import type { Progress, StoredRequest } from '../../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import type { Clock } from '../../../src/system/clock.ts';
import { carried } from '../../../src/testing/conformance/carried.ts';
import type { ConformanceStore } from '../../../src/testing/conformance/index.ts';
import { ids, Trial } from '../../../src/testing/conformance/Trial.ts';
import { redisStore } from '../../conformance/support/redisStore.ts';
import { sqliteStore } from '../../conformance/support/sqliteStore.ts';

export { carried };

export type Kind = 'memory' | 'sqlite' | 'redis';

export function memoryStore(): ConformanceStore {
  const store = new MemoryStorage();
  return { handle: () => new MemoryBackend({ store }), dispose: async () => undefined };
}

/** Two empty stores with a handle on each, and a move from one to the other. */
export interface Pair {
  readonly from: Trial;
  readonly to: Trial;
  readonly clock: Clock;
  move(options?: MigrateOptions): ReturnType<typeof migrateQueue>;
}

/** Makes pairs of stores that are removed after each test. `redis` tells where a server is, for those of that kind. */
export function pairs(redis?: () => RedisOptions): (from?: Kind, to?: Kind) => Promise<Pair> {
  const stores: ConformanceStore[] = [];
  afterEach(async () => {
    for (const store of stores.splice(0)) await store.dispose();
  });
  const make = async (kind: Kind): Promise<ConformanceStore> => {
    if (kind === 'memory') return memoryStore();
    return kind === 'sqlite' ? sqliteStore() : redisStore(redis?.() ?? {});
  };
  const open = async (kind: Kind): Promise<Trial> => {
    const store = await make(kind);
    stores.push(store);
    return Trial.start(store);
  };
  return async (fromKind = 'memory', toKind = 'memory') => {
    const [from, to] = [await open(fromKind), await open(toKind)];
    const clock = clockOf(from);
    return { from, to, clock, move: (options) => migrateQueue(from.backend, to.backend, { clock, ...options }) };
  };
}

/** The time of a trial. Nothing of a move waits for time. */
export function clockOf(trial: Trial): Clock {
  return {
    now: () => trial.now,
    monotonicNow: () => trial.leaseNow,
    schedule: () => {
      throw new Error('a move sets no timer');
    },
  };
}

/** All that is stored, in order. */
export async function allOf(trial: Trial): Promise<readonly StoredRequest[]> {
  const { requests } = await trial.requests.find({ filter: {}, order: 'accepted', after: null, limit: 10_000 });
  return requests;
}

/** What is stored of requests, but for their place in this store. */
export async function recordsOf(trial: Trial, ids: readonly string[]): Promise<unknown[]> {
  const records = await trial.requests.get({ ids });
  return records.map((record) => {
    if (record === undefined) return undefined;
    const { seq: _, result, ...rest } = record;
    return { ...rest, result: result === null ? null : { ...result, body: [...(result.body ?? [])] } };
  });
}

/** Ids in the order in which they are to be had, each ended before the next. */
export async function drain(trial: Trial, senders: readonly string[] = ['']): Promise<string[]> {
  const order: string[] = [];
  for (;;) {
    const [next] = await trial.claim(1, { senders });
    if (next === undefined) return order;
    order.push(next.id);
    expect((await trial.succeed({ id: next.id, token: next.lease?.token ?? 0 })).status).toBe('settled');
  }
}

const ATTEMPT = {
  n: 3,
  at: 1_699_999_999_000,
  phase: 'answered',
  outcome: 'notApplied',
  status: 503,
  error: null,
  origin: 'https://api.example.com',
} as const;
export const TRIED: Progress = { ...NO_PROGRESS, faults: 2, delayMs: 700, attempts: [ATTEMPT] };

/** One request in each state in which it can be moved, with all that can have become of it there. */
export async function fillAllStates(t: Trial): Promise<string[]> {
  const conflict = { status: 412, headers: [['etag', '"2"']] as const, body: new Uint8Array([1, 2, 3]) };
  const fields: Parameters<Trial['request']>[0][] = [
    { tags: ['first'], key: 'k1', digest: 'd1', rank: { form: 'value', value: 7 } },
    { carried: carried({ reason: 'retry', token: 3, firstSentAt: 5, progress: TRIED, callers: 2 }) },
    {
      carried: carried({ reason: 'retry', dueAt: t.now + 500, firstSentAt: 9, progress: TRIED }),
      sender: 'client:crm',
    },
    { notBefore: t.now + 900, expiresAt: t.now + 5_000, base: { v: 1 } },
    {
      lane: 'l',
      content: { method: 'PUT', path: '/ünïcode?q=1', headers: [['a', 'b']], body: new Uint8Array([0, 255]) },
    },
    { lane: 'l', carried: carried({ reason: 'retry', dueAt: t.now + 700 }) },
    { after: [t.id(1)], priority: 9, trace: 'tr' },
    { lane: 'm', carried: carried({ isHeld: true, reason: 'auth' }), sender: 'principal:ann', auth: 'live' },
    { carried: carried({ isHeld: true, reason: 'conflict', result: conflict, told: true, firstSentAt: 3 }) },
    { lane: 'm', carried: carried({ isHeld: true, reason: 'upgrade' }), idempotencyKey: 'ik', replayOf: t.id(999) },
  ];
  const requests = fields.map((one) => t.request(one));
  const results = await t.enqueue(requests);
  expect(results.map(({ status }) => status)).toEqual(fields.map(() => 'accepted'));
  return ids(requests);
}
