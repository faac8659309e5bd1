import { describe, expect, it } from 'vitest';
import { packChange, packSettlement } from '../../../src/queue/backends/sqlite/pack.ts';
import type { Verb, Verbs } from '../../../src/queue/backends/sqlite/protocol.ts';
import type { NewRequest } from '../../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import type { Change } from '../../../src/queue/types/store.ts';
import { enqueueOf, openHere, successOf } from './inProcess.ts';
import { NOW, newRequest, useStore } from './support.ts';

const files = useStore();
const DIED = { state: 'dead', reason: 'rejected' } as const;

/** A store whose verbs tell how many statements of each kind they ran, the transaction's own included. */
function counting() {
  let ran: string[] = [];
  const { run } = openHere(files.path(), undefined, (sql) => ran.push(sql));
  const counted = <V extends Verb>(verb: V, takes: Verbs[V]['takes']): string => {
    ran = [];
    run(verb, takes);
    const kinds = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'COMMIT'];
    return kinds.map((kind) => ran.filter((sql) => sql.trimStart().startsWith(kind)).length).join(' ');
  };
  return {
    enqueue: (requests: NewRequest[], calls = 0) => counted('enqueue', enqueueOf(requests, calls)),
    claim: () =>
      counted('claim', {
        worker: 'w',
        now: NOW,
        leaseUntil: 9,
        channels: [{ channel: 'api', senders: [''], calls: 1, perCall: 1 }],
      }),
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
  claim();
  settle(lone.id);
  const accepted = { first: enqueue([first]), behind: enqueue([second]), waiting: enqueue([third]) };
  const rest = { claim: claim(), succeed: succeed(first.id) };
  claim();
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
