import { describe, expect, it } from 'vitest';
import { loadBetterSqlite3 } from '../../../src/queue/backends/sqlite/betterSqlite3.ts';
import { connect } from '../../../src/queue/backends/sqlite/connection.ts';
import { MIGRATIONS } from '../../../src/queue/backends/sqlite/migrations/migrations.ts';
import { Patience } from '../../../src/queue/backends/sqlite/waiting.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import { LIMITS, NOW, newRequest, opening, useStore } from './support.ts';

const store = useStore();

/** As the first version wrote them: one that failed once, one that waits for it and in its lane, a dead letter, a binding. */
const FIRST_VERSION_ROWS = `
UPDATE meta SET seq = 3, ended_seq = 1;
INSERT INTO place(id, zone, channel, sender) VALUES (1, 'api', 'api', '');
INSERT INTO counter(place, state, n, bytes) VALUES (1, 0, 0, 0), (1, 1, 1, 10), (1, 2, 1, 10), (1, 3, 0, 0), (1, 7, 1, 10);
INSERT INTO request(seq, id, place, state, reason, flags, rank, due, token, first_sent, line, waits, callers, priority, accepted, bytes, lane, principal, progress)
  VALUES (1, 'first', 1, 1, 15, 180, 0, 1700000000005, 1, 1700000000000, 2842703857060925, 0, 1, 5, 1700000000000, 10, 'note', 'ann',
    '{"faults":1,"delayMs":0,"unresolved":false,"failingSince":null,"servedBefore":null,"probes":0,"attempts":[]}');
INSERT INTO request(seq, id, place, state, reason, flags, rank, token, line, waits, callers, priority, accepted, bytes, lane, principal)
  VALUES (2, 'second', 1, 2, 17, 68, 0, 0, 2842703857060925, 1, 1, 5, 1700000000000, 10, 'note', 'ann');
INSERT INTO request(seq, id, place, state, reason, flags, rank, token, waits, callers, priority, accepted, ended, ended_seq, bytes, principal, key, digest)
  VALUES (3, 'failed', 1, 7, 8, 4, 0, 0, 0, 1, 5, 1700000000000, 1700000000000, 1, 10, 'ann', 'k', 'd');
INSERT INTO content(seq, head, body) VALUES
  (1, '[1,"PUT","/notes/1",[],"action",[],[],"none",null,null,null,null,null,[],null,{"redirect":"manual"}]', NULL),
  (2, '[1,"POST","/notes",[["content-type","text/plain"]],"action",["first"],[],"none",null,null,null,null,null,["t"],null]', 'hello'),
  (3, '[1,"POST","/notes",[["content-type","text/plain"]],"action",[],[],"none",null,null,null,null,null,[],null]', 'hello');
INSERT INTO result(seq, status, headers, body) VALUES (1, 503, '[]', x'0102');
INSERT INTO wait(predecessor, waiter) VALUES (1, 2);
INSERT INTO binding(local_id, server_id, type, zone, request_id) VALUES ('local', '7', 'note', 'api', 'long-gone');
`;

/** The second version wrote these as the first one did. */
function write(path: string, version: number): void {
  const patience = new Patience(100, 1);
  const migrations = MIGRATIONS.slice(0, version);
  const database = connect(loadBetterSqlite3(), { path, durability: 'full', patience, migrations });
  database.exec(FIRST_VERSION_ROWS);
  database.close();
}

async function openFirstVersion(version = 1) {
  write(store.path(), version);
  const handle = store.handle();
  await handle.open(opening('w'));
  return handle.requests;
}

describe('a store that the first version wrote', () => {
  it('gives its records without anything that came later', async () => {
    const requests = await openFirstVersion();
    const [first, second, failed] = await requests.get({ ids: ['first', 'second', 'failed'] });
    expect(first).toMatchObject({
      id: 'first',
      seq: 1,
      state: 'scheduled',
      reason: 'retry',
      dueAt: NOW + 5,
      lane: 'note',
    });
    expect(first?.content).toEqual({
      method: 'PUT',
      path: '/notes/1',
      headers: [],
      body: null,
      fetch: { redirect: 'manual' },
    });
    expect(first?.progress.faults).toBe(1);
    expect(first?.result).toEqual({ status: 503, headers: [], body: new Uint8Array([1, 2]) });
    expect(second).toMatchObject({ state: 'blocked', after: ['first'], tags: ['t'], content: { body: 'hello' } });
    expect(failed).toMatchObject({ state: 'dead', reason: 'discarded', endedSeq: 1, key: 'k' });
    for (const record of [first, second, failed]) {
      for (const name of ['onFailure', 'intent', 'bundle', 'replaces', 'rankGroup'])
        expect(record).not.toHaveProperty(name);
    }
    const bound = { localId: 'local', serverId: '7', type: 'note', zone: 'api', requestId: 'long-gone', boundAt: 0 };
    expect(await requests.bindings({ localIds: ['local'] })).toEqual([bound]);
  });

  it('goes on with them, and with what came later beside them', async () => {
    const requests = await openFirstVersion();
    const batch = { atomic: false, now: NOW + 9, limits: LIMITS, claim: null };
    const third = newRequest({ lane: 'note', onFailure: 'cascade' });
    const behind = newRequest({ lane: 'note', intent: { localId: 'x' } });
    expect(await requests.enqueue({ requests: [third, behind], ...batch })).toMatchObject([{ seq: 4 }, { seq: 5 }]);
    const claim = () =>
      requests.claim({
        worker: 'w',
        now: NOW + 9,
        leaseUntil: 9000,
        channels: [{ channel: 'api', senders: [''], calls: 9, perCall: 1 }],
      });
    const settle = (id: string, token: number, state: 'succeeded' | 'dead', reason: 'applied' | 'rejected') =>
      requests.settle({ now: NOW + 9, settlements: [{ id, token, next: { state, reason }, progress: NO_PROGRESS }] });
    expect((await claim()).claimed.map(({ id, lease }) => [id, lease?.token])).toEqual([['first', 2]]);
    await settle('first', 2, 'succeeded', 'applied');
    expect((await claim()).claimed.map(({ id }) => id)).toEqual(['second']);
    await settle('second', 1, 'succeeded', 'applied');
    expect((await claim()).claimed.map(({ id }) => id)).toEqual([third.id]);
    const [settled] = await settle(third.id, 1, 'dead', 'rejected');
    expect(settled).toMatchObject({ endedSeq: 5, ended: [{ id: behind.id, reason: 'abandoned', endedSeq: 4 }] });
    const { requests: bundle } = await requests.find({
      filter: { bundle: third.id },
      order: 'ended',
      after: null,
      limit: 9,
    });
    expect(bundle.map(({ id, intent }) => [id, intent])).toEqual([[behind.id, { localId: 'x' }]]);
  });

  it('forgets its bindings as old ones whose request is gone', async () => {
    const requests = await openFirstVersion();
    const retention = { succeededMs: 1000, deadMs: 1000, maxRecords: 99, maxBytes: 99_999 };
    await requests.purge({ now: NOW, limit: 9, keepAfter: 99, retention });
    expect(await requests.bindings({ localIds: ['local'] })).toEqual([undefined]);
  });
});

describe('a store that the version before fair queueing wrote', () => {
  it('gives what comes its turn, and what waits one when it is given a rank', async () => {
    const requests = await openFirstVersion(2);
    const rank = { form: 'flow', group: 'api', flow: 'f', weight: 2 } as const;
    const fresh = newRequest({ rank });
    await requests.enqueue({ requests: [fresh], atomic: false, now: NOW, limits: LIMITS, claim: null });
    const changes = [{ id: 'second', from: ['blocked'] as const, patch: { rank } }];
    await requests.amend({ now: NOW, changes });
    const found = await requests.get({ ids: ['first', 'second', fresh.id] });
    expect(found.map((one) => [one?.rank, one?.rankGroup])).toEqual([
      [0, undefined],
      [1, 'api'],
      [0.5, 'api'],
    ]);
  });
});
