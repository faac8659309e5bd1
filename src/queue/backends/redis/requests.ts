import type { WorkerIdentity } from '../../types/backend.ts';
import type { Binding } from '../../types/binding.ts';
import type { StoredRequest } from '../../types/request.ts';
import type { ClaimResult, RequestStore } from '../../types/store.ts';
import type { Caller } from './call.ts';
import { count, find } from './find.ts';
import { idBytes, idOf } from './hex.ts';
import type { Packable, Unpacker } from './msgpack.ts';
import { MOST, packChange, packClaim, packEnqueue, packSettlement } from './pack.ts';
import type { RedisLink } from './RedisLink.ts';
import { releaseAccepted, releaseClaimed } from './release.ts';
import type { Verb } from './script.ts';
import { readAmendResult, readEnded, readEnqueueResult, readMoved, readRecord, readSettleResult } from './unpack.ts';

export interface Surroundings {
  /** Ends the promise where the store is not open. */
  readonly link: () => RedisLink;
  readonly watch: RequestStore['watch'];
  readonly identity: () => WorkerIdentity;
  /** Names of workers of this machine that surely no longer run. */
  readonly gone: (workers: Unpacker) => string[];
}

const READ = { writes: false } as const;

/** The store of requests, as calls of the script. */
export function requestsOver({ link, watch, identity, gone }: Surroundings): RequestStore {
  const ask = async <T>(
    verb: Verb,
    payload: (link: RedisLink) => Packable,
    read: (answer: Unpacker) => T,
    options: Parameters<RedisLink['call']>[2] = READ,
  ): Promise<T> => {
    const open = link();
    return read(await open.call(verb, payload(open), options));
  };
  const write = { writes: true } as const;
  return {
    async enqueue(batch) {
      const { requests, claim } = batch;
      const read = (answer: Unpacker) => {
        let index = 0;
        return answer.list((one) => readEnqueueResult(one, requests[index++]?.id ?? ''));
      };
      const undo =
        claim === null ? undefined : (answer: Unpacker, open: Caller) => releaseAccepted(open, read(answer), batch.now);
      return ask('enqueue', ({ packer }) => packEnqueue(batch, packer), read, { writes: true, undo });
    },
    claim: (query) =>
      ask('claim', () => packClaim(query), readClaim, {
        writes: true,
        undo: (answer, open) => releaseClaimed(open, readClaim(answer).claimed, query.now),
      }),
    claimUnknown: ({ worker, now, until, limit, channels }) =>
      ask(
        'claimUnknown',
        () => [worker, now, until, limit, channels.map(({ channel, senders }) => [channel, senders])],
        (answer) => readClaim(answer).claimed as StoredRequest[],
        write,
      ),
    renew: ({ leases, leaseUntil }) =>
      leases.length === 0
        ? ask(
            'look',
            () => false,
            () => [],
          )
        : ask(
            'renew',
            () => [leaseUntil, leases.map(({ id, token }) => [idBytes(id), token])],
            (answer) => answer.list((one) => one.boolean()),
            write,
          ),
    settle: ({ now, settlements }) =>
      ask(
        'settle',
        ({ packer }) => [now, settlements.map((one) => packSettlement(one, packer))],
        (answer) => answer.list(readSettleResult),
        write,
      ),
    amend: ({ now, changes }) =>
      ask(
        'amend',
        ({ packer }) => [now, changes.map((change) => packChange(change, packer))],
        (answer) => answer.list(readAmendResult),
        write,
      ),
    async recover({ worker, now, leaseNow, limit }) {
      // Whether a process still runs can only be told here, on its machine.
      const dead = await ask('workers', () => false, gone, { writes: false, leaseNow });
      // After an outage nobody could give a sign of life: everyone gets the time to. The connection may have come back just now.
      if (link().isBackJustNow) return { recovered: [], ended: [], more: false };
      const read = (answer: Unpacker) => {
        answer.array();
        return { recovered: readMoved(answer), ended: readEnded(answer), more: answer.boolean() };
      };
      return ask('recover', () => [worker, now, limit, identity().bootId, dead], read, { writes: true, leaseNow });
    },
    expire: ({ now, limit }) =>
      ask(
        'expire',
        () => [now, limit],
        (answer) => {
          answer.array();
          return { ended: readEnded(answer), moved: readMoved(answer) };
        },
        write,
      ),
    get: ({ ids }) =>
      ask(
        'get',
        () => ids.map(idBytes),
        (answer) => answer.list((one) => (one.isNothing() ? undefined : readRecord(one))),
      ),
    find: async (query) => find(link(), query),
    count: async ({ filter }) => count(link(), filter),
    purge: ({ now, limit, keepAfter, ids, retention }) =>
      ask(
        'purge',
        () => [
          now,
          Math.min(limit, MOST),
          keepAfter,
          ids === undefined ? false : ids.map(idBytes),
          retention.succeededMs,
          retention.deadMs,
          retention.maxRecords,
          retention.maxBytes,
        ],
        (answer) => {
          answer.array();
          return { ids: answer.list((one) => idOf(one.bytes())), more: answer.boolean() };
        },
        write,
      ),
    nextDueAt: ({ channels, after }) =>
      ask(
        'nextDueAt',
        () => [channels.map(({ channel, senders }) => [channel, senders]), after ?? false],
        (answer) => {
          answer.array();
          return answer.numberOrNull();
        },
      ),
    bindings: ({ localIds }) =>
      ask(
        'bindings',
        () => localIds,
        (answer) => answer.list((one) => (one.isNothing() ? undefined : (JSON.parse(one.text()) as Binding))),
      ),
    watch,
  };
}

function readClaim(answer: Unpacker): ClaimResult {
  answer.array();
  return { claimed: answer.list(readRecord), ended: readEnded(answer), moved: readMoved(answer) };
}
