import { describe, expect, it } from 'vitest';
import type { Database } from '../../../src/queue/backends/sqlite/driver.ts';
import { packChange, packSettlement } from '../../../src/queue/backends/sqlite/pack.ts';
import type { RequestFilter } from '../../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import type { NextDueQuery } from '../../../src/queue/types/store.ts';
import { enqueueOf, openHere, successOf } from './inProcess.ts';
import { NOW, newRequest, useStore } from './support.ts';

const store = useStore();
const CHANNEL = { channel: 'api', senders: ['', 'process:gone'] };
const CHANNELS = [CHANNEL];

/** Whole tables that are read on purpose: small by nature, or asked for by a filter that nothing indexes. */
const SMALL =
  /SCAN (meta|place|counter|alias|flow_group|worker|sqlite_master|json_each)\b|SCAN request USING COVERING INDEX request_sending/;

/** Plays every verb once so that every statement of theirs is compiled, and gives their texts. */
function statements(): { readonly texts: string[]; readonly plan: (sql: string) => string[] } {
  const seen = new Set<string>();
  const { run, database } = openHere(store.path(), (sql) => seen.add(sql));
  const requests = [
    newRequest({ key: 'k', lane: 'l', digest: 'd', fingerprint: 'f', join: { rule: 'window', since: 0 } }),
    newRequest({ lane: 'l', digest: 'd', join: { rule: 'tail' } }),
    newRequest({ notBefore: NOW + 5 }),
    newRequest({ expiresAt: NOW + 10 }),
    newRequest({ sender: 'process:gone', ephemeral: true }),
    newRequest({ sender: 'process:gone', lane: 'm' }),
    newRequest({ sender: 'process:gone', lane: 'm', notBefore: NOW + 1 }),
  ];
  const [first, second, third] = requests.map(({ id }) => id) as [string, string, string];
  run('enqueue', enqueueOf(requests, 1));
  run('enqueue', enqueueOf([newRequest({ after: [first, second] }), newRequest({ key: 'k' })]));
  const [now, , ...rest] = enqueueOf([newRequest()]);
  run('enqueue', [now, true, ...rest]);
  const claim = { worker: 'w', now: NOW + 6, leaseUntil: 5, channels: [{ ...CHANNEL, calls: 3, perCall: 1 }] };
  run('claim', claim);
  const asked = { ...CHANNEL, calls: 1, perCall: 1, parts: [{ channel: 'api', calls: 1 }] };
  run('claim', { ...claim, channels: [{ ...asked, probe: 'fresh' }, asked] });
  run('renew', { leases: [first, 1], leaseUntil: 9 });
  run('settle', successOf(first));
  run('settle', [NOW, [[second, 1, 4, 0, null, null, false, false, null, null, null]]]);
  run('claimUnknown', { worker: 'w', now: NOW + 9, until: NOW + 99, limit: 2, channels: CHANNELS });
  run('amend', [
    NOW,
    [{ id: third, from: 0x3ff, neverSent: false, callers: null, to: null, patch: { rank: 1, base: '1', body: null } }],
  ]);
  playFlows(run);
  run('nextDueAt', { channels: CHANNELS, after: null });
  run('nextDueAt', { channels: CHANNELS, after: NOW });
  run('recover', { worker: 'w', now: NOW, leaseNow: 99, limit: 9, bootId: 'boot', dead: [] });
  run('expire', { now: NOW + 99, limit: 9 });
  run('get', [first]);
  run('find', { filter: {}, order: 'accepted', after: null, limit: 9 });
  run('find', { filter: { ids: [first], key: 'k' }, order: 'accepted', after: null, limit: 9 });
  run('find', { filter: { zone: 'api' }, order: 'ended', after: null, limit: 9 });
  run('count', null);
  playEntities(run);
  run('purge', { now: NOW, limit: 9, keepAfter: 99, ids: null, succeededMs: 0, deadMs: 0, maxRecords: 0, maxBytes: 0 });
  run('bindings', ['x']);
  run('sharedSet', ['k', '1', null, NOW, null]);
  run('sharedList', ['k', NOW, 9]);
  run('acquire', ['k', 'h', 1, NOW, NOW + 1]);
  run('release', ['k', 'h']);
  run('take', ['k', 1, 1, 1, NOW]);
  run('append', [['s', NOW, '1']]);
  run('history', ['s', 0, 9]);
  run('trim', ['s', 1, 0]);
  run('scheduleSet', ['s', NOW, '1', null]);
  run('scheduleSet', ['s', NOW, '1', 1]);
  run('enqueue', enqueueOf([newRequest({ fires: { name: 's', version: 2, dueAt: NOW, data: 1 } })]));
  run('scheduleGet', ['s']);
  run('scheduleList', [null, 9]);
  run('scheduleDue', [NOW, 9, null, '']);
  run('scheduleDue', [NOW, 9, 1, 's']);
  run('scheduleNext', null);
  run('scheduleDelete', ['s', null]);
  return {
    texts: [...seen].filter((sql) => /^\s*(SELECT|UPDATE|DELETE|INSERT)/.test(sql)),
    plan: (sql) => planOf(database, sql),
  };
}

/** A newcomer in another's place, local ids bound in a lane that goes on, a failure that takes others along. */
function playEntities(run: ReturnType<typeof openHere>['run']): void {
  const [root, behind, waiting] = ['root', 'behind', 'waiting'];
  const cascade = { onFailure: 'cascade' } as const;
  const result = { status: 200, headers: [], body: null };
  run('enqueue', enqueueOf([newRequest({ id: root, lane: 'e', channel: 'e', ...cascade })]));
  run('enqueue', enqueueOf([newRequest({ id: behind, lane: 'e' }), newRequest({ id: waiting, after: [root] })]));
  run('enqueue', enqueueOf([newRequest({ id: 'newer', lane: 'e', replaces: { id: behind } })]));
  run('enqueue', enqueueOf([newRequest({ id: 'done', lane: 'e', replaces: { id: 'newer', result } })]));
  run('enqueue', enqueueOf([newRequest({ lane: 'e' })]));
  const alias = { local: 'e', server: 'f' };
  const bind = [{ localId: 'x', serverId: 7, type: 'note', zone: 'api', requestId: root, boundAt: NOW, alias }];
  run('amend', [NOW, [packChange({ id: root, from: ['ready'], bind })]]);
  run('enqueue', enqueueOf([newRequest({ lane: 'f' })]));
  openHere(store.path()).run('count', null);
  const channels = [{ channel: 'e', senders: [''], calls: 1, perCall: 1 }];
  run('claim', { worker: 'w', now: NOW, leaseUntil: 5, channels });
  const next = { state: 'dead', reason: 'rejected' } as const;
  const patch = { base: 1, content: newRequest().content };
  run('settle', [NOW, [packSettlement({ id: root, token: 1, next, progress: NO_PROGRESS, patch })]]);
  run('find', { filter: { bundle: root }, order: 'ended', after: null, limit: 9 });
  run('find', { filter: { bundle: root, state: 'dead' }, order: 'accepted', after: null, limit: 9 });
  run('count', { bundle: root });
}

/** A turn that is computed, given anew, leased and forgotten. */
function playFlows(run: ReturnType<typeof openHere>['run']): void {
  const rank = { form: 'flow', group: 'g', flow: 'f', weight: 1 } as const;
  const [one, lent] = [newRequest({ channel: 'f', rank }), newRequest({ channel: 'f', lane: 'f' })];
  run('enqueue', enqueueOf([one, lent, newRequest({ channel: 'f', lane: 'f', rank })]));
  run('amend', [NOW, [packChange({ id: one.id, from: ['ready'], patch: { rank, raise: rank } })]]);
  const channels = [{ channel: 'f', senders: [''], calls: 9, perCall: 1 }];
  run('claim', { worker: 'w', now: NOW, leaseUntil: 5, channels });
}

function planOf(database: Database, sql: string): string[] {
  const statement = database.prepare(`EXPLAIN QUERY PLAN ${sql}`);
  const values = sql
    .replace(/'[^']*'/g, '')
    .split('?')
    .slice(1)
    .map(() => 1);
  return statement.all(...values).map((row) => String(row[3]));
}

/** 200 ready requests, and after them two in each other state in each of the zones. Questions to them, and the plans of those. */
function fewAmongMany(zones: readonly string[]) {
  const { run: prepare, database } = openHere(store.path());
  prepare('enqueue', enqueueOf(Array.from({ length: 200 }, () => newRequest())));
  for (const zone of zones) prepare('enqueue', enqueueOf(Array.from({ length: 18 }, () => newRequest({ zone }))));
  database.exec(`UPDATE request SET state = 1 + (seq - 201) % 9 WHERE seq > 200;
    UPDATE request SET ended_seq = seq WHERE state > 5;
    DELETE FROM counter; INSERT INTO counter SELECT place, state, count(*), sum(bytes) FROM request GROUP BY place, state`);
  const compiled: string[] = [];
  const { run } = openHere(store.path(), (sql) => compiled.push(sql));
  /** Of the statements compiled since the last call that search for requests. */
  const plans = (): string[] => {
    const searching = compiled.splice(0).filter((sql) => sql.includes('FROM request WHERE'));
    return searching.map((sql) => planOf(database, sql).join('; '));
  };
  plans();
  return {
    page(filter: RequestFilter, limit = 9): { seqs: unknown[]; plans: string[] } {
      const { records } = run('find', { filter, order: 'accepted', after: null, limit });
      return { seqs: records.map((record) => record[0]), plans: plans() };
    },
    nextDueAt(query: NextDueQuery): { at: number | null; plans: string[] } {
      return { at: run('nextDueAt', query), plans: plans() };
    },
    count(filter: RequestFilter): { n: number[]; plans: string[] } {
      return { n: run('count', filter).map((row) => row.count), plans: plans() };
    },
  };
}

describe('the statements of the SQLite store', () => {
  it('search by an index and never walk a table', () => {
    const { texts, plan } = statements();
    expect(texts.length).toBeGreaterThan(40);
    const walks = texts.flatMap((sql) =>
      plan(sql)
        .filter((step) => step.includes('SCAN') && !SMALL.test(step))
        .map((step) => `${step} in ${sql}`),
    );
    expect(walks).toEqual([]);
  });

  it('sort nothing where the order is that of an index', () => {
    const { texts, plan } = statements();
    // Few, and sorted therefore: what ended with one request.
    const ofMany = texts.filter((sql) => !sql.includes('bundle = ?'));
    const hot = ofMany.filter((sql) =>
      /state = [014] AND (r\.)?place = \?.*ORDER BY|min\((due|rank|expires)\)|ended_seq >/.test(sql),
    );
    expect(hot.length).toBeGreaterThan(5);
    for (const sql of hot) {
      expect(plan(sql).join('; '), sql).toMatch(/USING (COVERING )?INDEX request_/);
      expect(plan(sql).join('; '), sql).not.toContain('TEMP B-TREE');
    }
  });
});

describe('the question for the next due time', () => {
  it.each([null, NOW])('seeks the first entry after the bound (%s) in each index', (after) => {
    const { nextDueAt } = fewAmongMany(['api']);
    expect(nextDueAt({ channels: CHANNELS, after }).plans).toEqual([
      'SEARCH request USING COVERING INDEX request_due (place=? AND due>?)',
      'SEARCH request USING COVERING INDEX request_unknown (place=? AND due>?)',
      'SEARCH request USING INDEX request_expiry (place=? AND expires>?)',
    ]);
  });

  it('gives the same with any bound below the first', () => {
    const { run } = openHere(store.path());
    run('enqueue', enqueueOf([newRequest({ notBefore: NOW + 5 }), newRequest({ expiresAt: NOW + 7 })]));
    const ask = (after: number | null) => run('nextDueAt', { channels: CHANNELS, after });
    const bounds = [null, Number.NEGATIVE_INFINITY, 0, NOW + 4.5, NOW + 5, NOW + 7, Number.POSITIVE_INFINITY];
    expect(bounds.map(ask)).toEqual([NOW + 5, NOW + 5, NOW + 5, NOW + 5, NOW + 7, null, null]);
  });
});

describe('a question for what ended with a request', () => {
  it.each(['accepted', 'ended'] as const)('reads the bundle alone, in the order %s', (order) => {
    const compiled: string[] = [];
    const { run, database } = openHere(store.path(), (sql) => compiled.push(sql));
    run('find', { filter: { bundle: 'x', state: 'dead' }, order, after: null, limit: 9 });
    const searches = compiled.filter((sql) => sql.includes('AND bundle = ?'));
    expect(searches.length).toBe(1);
    for (const sql of searches) expect(planOf(database, sql)[0]).toContain('USING INDEX request_bundle (bundle=?');
  });
});

describe('a question by state', () => {
  const BY_INDEX = [
    ['scheduled', 201, 'SEARCH request USING INDEX request_due (place=?)'],
    ['blocked', 202, 'SEARCH request USING INDEX request_blocked (place=?)'],
    ['sending', 203, 'SCAN request USING INDEX request_sending'],
    ['unknown', 204, 'SEARCH request USING INDEX request_unknown (place=?)'],
    ['held', 205, 'SEARCH request USING INDEX request_held (place=?)'],
    ['dead', 207, 'SEARCH request USING INDEX request_ended (state=? AND ended_seq>?)'],
  ] as const;

  it.each(BY_INDEX)('reads only what is %s, by the index of that state', (state, seq, plan) => {
    const { page, count } = fewAmongMany(['api']);
    const found = page({ state, principal: 'ann' });
    expect(found.seqs).toEqual([seq, seq + 9]);
    expect(found.plans).toEqual([expect.stringContaining(plan.replace('(place=?)', '(place=?'))]);
    const counted = count({ state, principal: 'ann' });
    expect(counted.n).toEqual([2]);
    expect(counted.plans).toEqual([expect.stringContaining(plan)]);
  });

  it.each(['blocked', 'held'] as const)('goes on in the index where what is %s is in one place', (state) => {
    const { page } = fewAmongMany(['api']);
    const { plans } = page({ state, reason: 'accepted' });
    expect(plans).toEqual([`SEARCH request USING INDEX request_${state} (place=? AND rowid>?)`]);
  });

  it('merges places and states in the order of acceptance', () => {
    const { page } = fewAmongMany(['a', 'b']);
    const found = page({ state: ['held', 'scheduled', 'dead'] });
    expect(found.seqs).toEqual([201, 205, 207, 210, 214, 216, 219, 223, 225]);
    expect(found.plans).toHaveLength(3);
    expect(page({ state: ['held', 'dead'], zone: 'b' }).seqs).toEqual([223, 225, 232, 234]);
  });

  it('walks the table in its order where the state is that of many', () => {
    const { page } = fewAmongMany(['api']);
    expect(page({ state: ['ready', 'held'] }, 2)).toEqual({
      seqs: [1, 2],
      plans: ['SEARCH request USING INTEGER PRIMARY KEY (rowid>?)'],
    });
  });

  it('reads nothing where no request is in that state', () => {
    const { page, count } = fewAmongMany([]);
    expect(page({ state: ['held', 'dead'], reason: 'auth' })).toEqual({ seqs: [], plans: [] });
    expect(count({ state: 'held', reason: 'auth' })).toEqual({ n: [], plans: [] });
  });
});
