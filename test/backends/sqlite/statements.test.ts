import { describe, expect, it } from 'vitest';
import { loadBetterSqlite3 } from '../../../src/queue/backends/sqlite/betterSqlite3.ts';
import { packChange, packSettlement } from '../../../src/queue/backends/sqlite/pack.ts';
import type { Verb, Verbs } from '../../../src/queue/backends/sqlite/protocol.ts';
import type { SendingLimit } from '../../../src/queue/types/claimTerms.ts';
import type { NewRequest, RequestFilter } from '../../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import type { Change, ClaimQuery } from '../../../src/queue/types/store.ts';
import { enqueueOf, openHere, successOf } from './inProcess.ts';
import { NOW, newRequest, useStore } from './support.ts';

const files = useStore();
const DIED = { state: 'dead', reason: 'rejected' } as const;

type Channel = ClaimQuery['channels'][number];

function claimOf(channels: readonly Partial<Channel>[]): ClaimQuery {
  const asked = { channel: 'api', senders: [''], calls: 1, perCall: 1 };
  return { worker: 'w', now: NOW, leaseUntil: 9, channels: channels.map((terms) => ({ ...asked, ...terms })) };
}

/** A store whose verbs tell how many statements of each kind they ran, the transaction's own included. */
function counting() {
  let ran: string[] = [];
  let looks = 0;
  const { run } = openHere(files.path(), undefined, (sql) => {
    ran.push(sql);
    if (sql.includes('r.state = 0')) looks += 1;
  });
  const counted = <V extends Verb>(verb: V, takes: Verbs[V]['takes']): string => {
    ran = [];
    run(verb, takes);
    const kinds = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'COMMIT'];
    return kinds.map((kind) => ran.filter((sql) => sql.trimStart().startsWith(kind)).length).join(' ');
  };
  return {
    enqueue: (requests: NewRequest[], calls = 0, within?: readonly SendingLimit[]) =>
      counted('enqueue', enqueueOf(requests, calls, within)),
    claim: (...channels: Partial<Channel>[]) => counted('claim', claimOf(channels)),
    leased: (...channels: Partial<Channel>[]) => run('claim', claimOf(channels)).claimed.length,
    /** For what is ready, since it was opened. */
    looks: () => looks,
    succeed: (id: string) => counted('settle', successOf(id)),
    settle: (id: string) =>
      counted('settle', [NOW, [packSettlement({ id, token: 1, next: DIED, progress: NO_PROGRESS })]]),
    amend: (change: Change) => counted('amend', [NOW, [packChange(change)]]),
    count: () => Object.fromEntries(run('count', null).map((row) => [row.state, row.count])),
  };
}

/** Selects, inserts, updates, deletes, commits of the verbs in the life of plain requests, as they were before there were entities. */
const PLAIN = {
  alone: '0 3 1 0 1',
  leasedAtOnce: '1 3 1 0 1',
  first: '1 3 1 0 1',
  behind: '1 3 1 0 1',
  waiting: '2 4 2 0 1',
  claim: '2 2 1 0 1',
  succeed: '5 5 3 0 1',
  die: '4 4 4 0 1',
};

/** The lives of some plain requests in a lane of that name, with the failure of one that another waits for. */
function play({ enqueue, claim, succeed, settle }: ReturnType<typeof counting>, lane: string): typeof PLAIN {
  const [single, lone, first, second] = [newRequest(), newRequest(), newRequest({ lane }), newRequest({ lane })];
  const third = newRequest({ after: [second.id] });
  const leasedAtOnce = enqueue([single], 1);
  settle(single.id);
  const alone = enqueue([lone]);
  claim({});
  settle(lone.id);
  const accepted = { first: enqueue([first]), behind: enqueue([second]), waiting: enqueue([third]) };
  const rest = { claim: claim({}), succeed: succeed(first.id) };
  claim({});
  return { leasedAtOnce, alone, ...accepted, ...rest, die: settle(second.id) };
}

describe('the statements of a verb', () => {
  it('are as many for plain requests as before there were entities', () => {
    const store = counting();
    store.enqueue([newRequest({ notBefore: NOW + 9 })]); // its place and counters are there
    expect(play(store, 'one')).toEqual(PLAIN);
  });

  it('are as many for plain requests in a store with aliases, bundles and replacements', () => {
    const store = counting();
    const [root, behind] = [
      newRequest({ lane: 'e', channel: 'e', onFailure: 'cascade' }),
      newRequest({ lane: 'e', channel: 'e' }),
    ];
    store.enqueue([newRequest({ notBefore: NOW + 9 }), root, behind, newRequest({ lane: 'l', channel: 'e' })]);
    store.enqueue([newRequest({ lane: 'e', channel: 'e', replaces: { id: behind.id } })]);
    const alias = { local: 'l', server: 's' };
    const binding = { localId: 'x', serverId: 7, type: 'note', zone: 'api', requestId: root.id, boundAt: NOW, alias };
    store.amend({ id: root.id, from: ['ready'], to: DIED, bind: [binding] });
    store.enqueue([newRequest({ lane: 's', channel: 'e' })]);
    expect(store.count()).toEqual({ dead: 2, superseded: 1, blocked: 1, ready: 1, scheduled: 1 });
    expect(play(store, 'one')).toEqual(PLAIN);
  });
});

describe('the statements of a claim', () => {
  const within = [
    { zone: 'api', sending: 100 },
    { zone: 'api', channel: 'api', sending: 90 },
  ];
  const part = (channel: string, calls = 9) => ({ channel, calls });
  const CHANNELS = ['c1', 'c2', 'c3', 'c4'];

  /** A store of many senders and channels of one zone, some of whose requests are being sent. */
  function crowded(): ReturnType<typeof counting> {
    const store = counting();
    const others = [1, 2, 3, 4].flatMap((n) => [{ channel: `c${n}` }, { sender: `client:${n}` }]);
    store.enqueue(others.map((place) => newRequest(place)));
    for (const place of others) store.leased({ channel: 'api', ...place, senders: [place.sender ?? ''] });
    store.enqueue(Array.from({ length: 9 }, () => newRequest()));
    return store;
  }

  /** As many, and so many selects more. */
  function more(counts: string, selects: number): string {
    const [selected, ...rest] = counts.split(' ');
    return [Number(selected) + selects, ...rest].join(' ');
  }

  it('are as many with limits of what is sending', () => {
    const { claim } = crowded();
    const plain = claim({ calls: 2 });
    expect(claim({ calls: 2, within })).toBe(plain);
  });

  it('are as many for the only part, and one look more for each other in which something is ready', () => {
    const { claim, enqueue, leased } = crowded();
    const plain = claim({ calls: 2 });
    expect(claim({ calls: 2, parts: [part('api')] })).toBe(plain);
    expect(claim({ calls: 2, parts: [part('api'), ...CHANNELS.map((name) => part(name))], within })).toBe(plain);
    enqueue(CHANNELS.slice(1).map((channel) => newRequest({ channel, rank: { form: 'value', value: 9 } })));
    expect(claim({ calls: 2, parts: [part('c2'), part('api'), part('c3')], within })).toBe(more(plain, 2));
    expect(leased({ parts: CHANNELS.map((name) => part(name)), calls: 9 })).toBe(3);
  });

  it('are none for a part without calls, whatever is due and past its deadline there', () => {
    const { claim, enqueue, leased, count } = crowded();
    const plain = claim({ calls: 2 });
    enqueue([
      newRequest({ channel: 'c1' }),
      newRequest({ channel: 'c1', expiresAt: NOW, rank: { form: 'value', value: -1 } }),
      newRequest({ channel: 'c1', sender: 'client:1', notBefore: NOW - 1 }),
    ]);
    const terms = { calls: 2, parts: [part('c1', 0), part('api')], senders: ['', 'client:1'] };
    expect(claim(terms)).toBe(plain);
    expect(claim({ ...terms, parts: [part('c1', 0)] })).toBe(claim());
    expect(claim({ ...terms, parts: [part('c1', 0)], probe: 'fresh' })).toBe(claim());
    expect(claim({ ...terms, parts: [] })).toBe(claim());
    expect(leased({ ...terms, parts: [part('c1'), part('api', 0)], calls: 9 })).toBe(2);
    expect(count()).toMatchObject({ dead: 1 });
  });

  it('are one look for each part that has no more behind what was past its deadline', () => {
    const { enqueue, leased, looks } = crowded();
    const over = { expiresAt: NOW, rank: { form: 'value', value: -1 } } as const;
    enqueue(['c1', 'c2'].flatMap((channel) => [newRequest({ channel, ...over }), newRequest({ channel })]));
    const before = looks();
    expect(leased({ calls: 9, parts: [part('c1', 3), part('c2', 3)] })).toBe(2);
    expect(looks() - before).toBe(2);
  });

  it('are none where there is no room, and none for channels that are not given', () => {
    const { claim, leased } = crowded();
    const full = [{ zone: 'api', sending: 8 }];
    expect(leased({ calls: 2, within: full })).toBe(0);
    expect(claim({ calls: 2, within: full })).toBe(claim());
    expect(claim({ calls: 2, within: full, probe: 'harmless' })).toBe(claim());
    expect(claim({ calls: 2, within: full, parts: [part('api'), part('c1')] })).toBe(claim());
    const none = { channel: 'none', within, parts: [part('none'), part('nothing')] };
    expect(claim({ within, parts: [part('api')] }, none)).toBe(claim({}));
  });

  it('are one more for a probe, which reads the body of the one it leases alone', () => {
    const { claim, enqueue } = crowded();
    const plain = claim({});
    expect(claim({ probe: 'harmless' })).toBe(more(plain, 1));
    expect(claim({ probe: 'fresh' })).toBe(more(plain, 1));
    enqueue([newRequest({ channel: 'c1' })]);
    const parts = [part('api', 1), part('c1', 1)];
    expect(claim({ probe: 'fresh', parts })).toBe(more(plain, 2));
    expect(claim({ probe: 'harmless', parts: [part('api', 1), part('c1', 0)] })).toBe(more(plain, 1));
  });

  it('are as many where an allowance has limits', () => {
    const store = counting();
    const allowed = (limits?: readonly SendingLimit[]) =>
      store.enqueue([newRequest({ sender: 'client:a' })], 9, limits);
    allowed();
    const plain = allowed();
    expect(allowed(within)).toBe(plain);
    expect(store.count()).toEqual({ sending: 3 });
    allowed([{ zone: 'api', sending: 3 }]);
    expect(store.count()).toEqual({ sending: 3, ready: 1 });
  });
});

describe('the texts of statements', () => {
  it('are the same for what is looked for in two places and in many', () => {
    const compiled = new Set<string>();
    const { run } = openHere(files.path(), (sql) => compiled.add(sql));
    const [state, zone] = ['ready', 'api'] as const;
    const enterPlaces = (from: number, to: number): void => {
      for (let n = from; n < to; n += 1) run('enqueue', enqueueOf([newRequest({ channel: `c${n}` })]));
    };
    const lookEverywhere = (): void => {
      for (const filter of [{ state }, { zone }, { state, zone }]) {
        run('count', filter);
        run('find', { filter, order: 'accepted', after: null, limit: 100 });
      }
    };
    enterPlaces(0, 2);
    lookEverywhere();
    const before = [...compiled];
    enterPlaces(2, 20);
    lookEverywhere();
    expect([...compiled]).toEqual(before);
  });

  it('are the same for states in any order, and any reasons and tags, that are looked for', () => {
    const compiled = new Set<string>();
    const { run } = openHere(files.path(), (sql) => compiled.add(sql));
    run('enqueue', enqueueOf([newRequest({ tags: ['a', 'b'] })]));
    const look = (filter: RequestFilter): number => {
      for (const order of ['accepted', 'ended'] as const) run('find', { filter, order, after: null, limit: 9 });
      return run('count', filter).length;
    };
    expect(look({ ids: ['x', 'y'], state: ['ready', 'held'], reason: ['accepted', 'retry'], tags: ['a'] })).toBe(0);
    const before = [...compiled];
    expect(
      look({
        ids: ['x', 'y'],
        state: ['held', 'ready', 'ready'],
        reason: ['lane', 'retry', 'auth'],
        tags: ['b', 'a', 'c'],
      }),
    ).toBe(0);
    expect([...compiled]).toEqual(before);
  });

  it('are compiled once each, and what came of them is kept', () => {
    const database = loadBetterSqlite3().open(':memory:');
    expect(database.prepare('SELECT 1')).toBe(database.prepare('SELECT 1'));
    database.close();
  });
});
