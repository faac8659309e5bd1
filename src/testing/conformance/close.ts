import assert from 'node:assert/strict';
import { holdfastError } from '../../errors.ts';
import type { Backend } from '../../queue/types/backend.ts';
import { NO_PROGRESS } from '../../queue/types/request.ts';
import { group } from './group.ts';
import type { Trial } from './Trial.ts';
import { NO_LIMITS } from './Trial.ts';

/** Every verb of a backend that answers by a promise. */
function verbs({ requests, schedules, shared, history }: Backend, t: Trial): Record<string, () => Promise<unknown>> {
  const { now, leaseNow, worker } = t;
  const channels = [{ channel: 'api', senders: [''], calls: 1, perCall: 1 }];
  const retention = { succeededMs: 0, deadMs: 0, maxRecords: 0, maxBytes: 0 };
  const settlement = {
    id: t.id(1),
    token: 1,
    next: { state: 'succeeded', reason: 'applied' },
    progress: NO_PROGRESS,
  } as const;
  return {
    enqueue: () => requests.enqueue({ requests: [t.request()], atomic: false, now, limits: NO_LIMITS, claim: null }),
    claim: () => requests.claim({ worker, now, leaseUntil: leaseNow, channels }),
    claimUnknown: () => requests.claimUnknown({ worker, now, until: now, limit: 1, channels }),
    renew: () => requests.renew({ worker, leases: [], leaseUntil: leaseNow }),
    settle: () => requests.settle({ now, settlements: [settlement] }),
    amend: () => requests.amend({ now, changes: [] }),
    recover: () => requests.recover({ worker, now, leaseNow, limit: 1 }),
    expire: () => requests.expire({ now, limit: 1 }),
    get: () => requests.get({ ids: [] }),
    find: () => requests.find({ filter: {}, order: 'accepted', after: null, limit: 1 }),
    count: () => requests.count({}),
    purge: () => requests.purge({ now, limit: 1, keepAfter: 0, retention }),
    nextDueAt: () => requests.nextDueAt({ channels, after: null }),
    bindings: () => requests.bindings({ localIds: [] }),
    'schedules.set': () => schedules.set({ name: 's', dueAt: null, data: 1 }),
    'schedules.get': () => schedules.get({ names: [] }),
    'schedules.list': () => schedules.list({ after: null, limit: 1 }),
    'schedules.delete': () => schedules.delete({ name: 's' }),
    'schedules.due': () => schedules.due({ now, limit: 1 }),
    'schedules.nextDueAt': () => schedules.nextDueAt(),
    'shared.get': () => shared.get({ key: 'k', now }),
    'shared.set': () => shared.set({ key: 'k', value: 1, expiresAt: null, now }),
    'shared.delete': () => shared.delete({ key: 'k' }),
    'shared.list': () => shared.list({ prefix: '', now, limit: 1 }),
    'shared.acquire': () => shared.acquire({ key: 'k', holder: 'h', permits: 1, now, expiresAt: now + 1 }),
    'shared.release': () => shared.release({ key: 'k', holder: 'h' }),
    'shared.take': () => shared.take({ key: 'k', cost: 1, ratePerSecond: 1, burst: 1, now }),
    'history.append': () => history.append({ entries: [] }),
    'history.query': () => history.query({ stream: 's', after: 0, limit: 1 }),
    'history.trim': () => history.trim({ stream: 's', keep: 0, before: 0 }),
  };
}

async function assertUnavailable(t: Trial, handle: Backend): Promise<void> {
  for (const [name, verb] of Object.entries(verbs(handle, t))) {
    const error = await verb().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(
      holdfastError(error, 'BACKEND_UNAVAILABLE'),
      `${name} rejects with BACKEND_UNAVAILABLE, not ${String(error)}`,
    );
  }
  const alive = handle.keepAlive({ worker: t.worker, leaseNow: t.leaseNow });
  await assert.rejects(alive, (error) => holdfastError(error, 'BACKEND_UNAVAILABLE') !== undefined);
}

export const closeGroup = group('open and close', (test, handles) => {
  test('capabilities are frozen and say what it is', async (t) => {
    const { capabilities } = t.backend;
    assert.ok(Object.isFrozen(capabilities));
    assert.ok(capabilities.kind.length > 0);
    assert.ok(['none', 'process', 'disk', 'replicated'].includes(capabilities.durability));
  });

  test('open is idempotent', async (t) => {
    const { id } = await t.accept();
    await t.backend.open(t.opening(t.worker));
    await t.stands(id, 'ready');
  });

  handles('a verb before open rejects', async (t) => {
    await assertUnavailable(t, t.unopened());
  });

  test('a verb after close rejects', async (t) => {
    await t.backend.close();
    await assertUnavailable(t, t.backend);
  });

  test('close is idempotent, also at once', async (t) => {
    await Promise.all([t.backend.close(), t.backend.close()]);
    await t.backend.close();
  });

  handles('close keeps what is stored', async (t) => {
    const { id } = await t.accept();
    await t.backend.close();
    const heir = await t.open('worker-2');
    assert.equal((await t.get(id, heir)).state, 'ready');
  });

  handles('closing one handle leaves the others open', async (t) => {
    const other = await t.open('worker-2');
    await other.close();
    await t.accept();
  });

  test('verbs called before close are answered', async (t) => {
    const answer = t.enqueue([t.request()]);
    const closed = t.backend.close();
    assert.equal((await answer)[0]?.status, 'accepted');
    await closed;
  });
});
