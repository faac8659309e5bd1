import { loadBetterSqlite3 } from '../../../src/queue/backends/sqlite/betterSqlite3.ts';
import { connect } from '../../../src/queue/backends/sqlite/connection.ts';
import type { Database } from '../../../src/queue/backends/sqlite/driver.ts';
import { Group } from '../../../src/queue/backends/sqlite/Group.ts';
import { packEnqueue, packSettlement } from '../../../src/queue/backends/sqlite/pack.ts';
import type { PackedEnqueue, Verb, Verbs } from '../../../src/queue/backends/sqlite/protocol.ts';
import { Reserve } from '../../../src/queue/backends/sqlite/Reserve.ts';
import { Patience } from '../../../src/queue/backends/sqlite/waiting.ts';
import type { SendingLimit } from '../../../src/queue/types/claimTerms.ts';
import type { NewRequest } from '../../../src/queue/types/request.ts';
import { NO_PROGRESS } from '../../../src/queue/types/request.ts';
import { LIMITS, NOW } from './support.ts';

const ignore = (_sql: string): void => undefined;

/** The database's own thread, here: its verbs in groups, and the connection to look behind them. Tells what it compiles and runs. */
export function openHere(path: string, watch = ignore, ran = ignore) {
  const driver = loadBetterSqlite3();
  const open = (file: string): Database => {
    const database = driver.open(file);
    return {
      ...database,
      prepare: (sql) => {
        watch(sql);
        const { run, get, all } = database.prepare(sql);
        const telling =
          <A extends unknown[], R>(ask: (...values: A) => R) =>
          (...values: A): R => {
            ran(sql);
            return ask(...values);
          };
        return { run: telling(run), get: telling(get), all: telling(all) };
      },
    };
  };
  const patience = new Patience(100, 1);
  const database = connect({ open }, { path, durability: 'full', patience });
  const group = new Group(database, patience, new Reserve(path));
  return {
    database,
    group,
    /** One verb in a group of its own. */
    run<V extends Verb>(verb: V, takes: Verbs[V]['takes']): Verbs[V]['gives'] {
      const { answers, errors } = group.run([[verb, takes]], () => undefined);
      if (errors[0] !== undefined) throw errors[0][1];
      return answers[0] as Verbs[V]['gives'];
    },
  };
}

export function enqueueOf(requests: readonly NewRequest[], calls = 0, within?: readonly SendingLimit[]): PackedEnqueue {
  const claim = { worker: 'w', leaseUntil: 1e9, allowance: [{ channel: 'api', calls, within }] };
  return packEnqueue({ requests, atomic: false, now: NOW, limits: LIMITS, claim: calls === 0 ? null : claim });
}

export function successOf(id: string, token = 1): Verbs['settle']['takes'] {
  const next = { state: 'succeeded', reason: 'applied' } as const;
  const result = { status: 200, headers: [], body: new Uint8Array(200) };
  return [NOW, [packSettlement({ id, token, next, progress: NO_PROGRESS, result })]];
}
