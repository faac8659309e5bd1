import type { RequestStore } from '../../types/store.ts';
import type { Observer } from './Observer.ts';
import { packChange, packEnqueue, packSettlement } from './pack.ts';
import type { Call } from './protocol.ts';
import { unpackAmendResult, unpackEnqueueResult, unpackRecord, unpackSettleResult } from './unpack.ts';

interface Surroundings {
  readonly watch: RequestStore['watch'];
  /** Who judges other workers; there once the store is open. */
  readonly observer: () => Observer | undefined;
}

/** The store of requests, as calls to the thread that owns the database. */
export function requestsOver(call: Call, { watch, observer }: Surroundings): RequestStore {
  return {
    enqueue: (batch) =>
      call('enqueue', packEnqueue(batch), (results) =>
        results.map((result, index) => unpackEnqueueResult(result, batch.requests[index]?.id ?? '')),
      ),
    claim: (query) => call('claim', query, ({ claimed, ...rest }) => ({ claimed: claimed.map(unpackRecord), ...rest })),
    claimUnknown: (query) => call('claimUnknown', query, (claimed) => claimed.map(unpackRecord)),
    renew: ({ leases, leaseUntil }) =>
      call('renew', { leases: leases.flatMap(({ id, token }) => [id, token]), leaseUntil }, (renewed) => renewed),
    settle: ({ now, settlements }) =>
      call('settle', [now, settlements.map(packSettlement)], (results) => results.map(unpackSettleResult)),
    amend: ({ now, changes }) =>
      call('amend', [now, changes.map(packChange)], (results) => results.map(unpackAmendResult)),
    async recover(query) {
      // Who is dead is judged here, where processes can be asked about; the repair checks that nothing changed since.
      const workers = await call('workers', null, (found) => found);
      const judge = observer();
      const bootId = judge?.identity.bootId ?? '';
      return call(
        'recover',
        { ...query, bootId, dead: judge?.dead(workers, query.leaseNow) ?? [] },
        (result) => result,
      );
    },
    expire: (query) => call('expire', query, (result) => result),
    get: ({ ids }) =>
      call('get', ids, (records) => records.map((record) => (record === undefined ? undefined : unpackRecord(record)))),
    find: (query) => call('find', query, ({ records, next }) => ({ requests: records.map(unpackRecord), next })),
    count: ({ filter }) => call('count', filter ?? null, (counts) => counts),
    purge: ({ now, limit, keepAfter, ids, retention }) =>
      call('purge', { now, limit, keepAfter, ids: ids ?? null, ...retention }, (result) => result),
    nextDueAt: (query) => call('nextDueAt', query, (at) => at),
    bindings: ({ localIds }) => call('bindings', localIds, (found) => found),
    watch,
  };
}
