import { describe, expect, it } from 'vitest';
import { enqueueOf, openHere, successOf } from './inProcess.ts';
import { NOW, newRequest, useStore } from './support.ts';

const store = useStore();
const CHANNEL = { channel: 'api', senders: ['', 'process:gone'] };
const CHANNELS = [CHANNEL];

/** Whole tables that are read on purpose: small by nature, or asked for by a filter that nothing indexes. */
const SMALL =
  /SCAN (meta|place|counter|worker|sqlite_master|json_each)\b|SCAN request USING COVERING INDEX request_sending/;

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
  run('renew', { leases: [first, 1], leaseUntil: 9 });
  run('settle', successOf(first));
  run('settle', [NOW, [[second, 1, 4, 0, null, null, false, false, null, null, null]]]);
  run('claimUnknown', { worker: 'w', now: NOW + 9, until: NOW + 99, limit: 2, channels: CHANNELS });
  run('amend', [
    NOW,
    [{ id: third, from: 0x3ff, neverSent: false, callers: null, to: null, patch: { rank: 1, base: '1', body: null } }],
  ]);
  run('nextDueAt', CHANNELS);
  run('recover', { worker: 'w', now: NOW, leaseNow: 99, limit: 9, bootId: 'boot', dead: [] });
  run('expire', { now: NOW + 99, limit: 9 });
  run('get', [first]);
  run('find', { filter: {}, order: 'accepted', after: null, limit: 9 });
  run('find', { filter: { ids: [first], key: 'k' }, order: 'accepted', after: null, limit: 9 });
  run('find', { filter: { zone: 'api' }, order: 'ended', after: null, limit: 9 });
  run('count', null);
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
  return {
    texts: [...seen].filter((sql) => /^\s*(SELECT|UPDATE|DELETE|INSERT)/.test(sql)),
    plan: (sql) => {
      const statement = database.prepare(`EXPLAIN QUERY PLAN ${sql}`);
      const values = sql
        .replace(/'[^']*'/g, '')
        .split('?')
        .slice(1)
        .map(() => 1);
      return statement.all(...values).map((row) => String(row[3]));
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
    const hot = texts.filter((sql) =>
      /state = [014] AND place = \?.*ORDER BY|min\((due|rank|expires)\)|ended_seq >/.test(sql),
    );
    expect(hot.length).toBeGreaterThan(5);
    for (const sql of hot) {
      expect(plan(sql).join('; '), sql).toMatch(/USING (COVERING )?INDEX request_/);
      expect(plan(sql).join('; '), sql).not.toContain('TEMP B-TREE');
    }
  });
});
