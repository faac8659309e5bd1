import type { History, SharedState, SharedValue } from '../../types/backend.ts';
import type { Json } from '../../types/request.ts';
import type { Unpacker } from './msgpack.ts';
import { MOST } from './pack.ts';
import type { RedisLink } from './RedisLink.ts';

const READ = { writes: false } as const;
const WRITE = { writes: true } as const;

/** Small shared values, semaphores and buckets, as calls of the script. */
export function sharedStateOver(link: () => RedisLink): SharedState {
  return {
    async get({ key, now }) {
      const answer = await link().call('sharedGet', [key, now], READ);
      return answer.array() === 0 || answer.isNothing() ? undefined : readValue(answer);
    },
    async set({ key, value, expiresAt, now, ifVersion }) {
      const payload = [key, JSON.stringify(value), expiresAt ?? false, now, ifVersion ?? false];
      return (await first(link().call('sharedSet', payload, WRITE))).numberOrNull() ?? undefined;
    },
    delete: async ({ key }) => (await first(link().call('sharedDelete', [key], WRITE))).boolean(),
    async list({ prefix, now, limit }) {
      const answer = await link().call('sharedList', [prefix, now, Math.min(limit, MOST)], READ);
      return answer.list((one) => {
        one.array();
        return { key: one.text(), ...readValue(one) };
      });
    },
    acquire: async ({ key, holder, permits, now, expiresAt }) =>
      (await first(link().call('acquire', [key, holder, permits, now, expiresAt], WRITE))).boolean(),
    release: async ({ key, holder }) => (await first(link().call('release', [key, holder], WRITE))).boolean(),
    async take({ key, cost, ratePerSecond, burst, now }) {
      const answer = await first(link().call('take', [key, cost, ratePerSecond, burst, now], WRITE));
      return answer.numberOrNull() ?? Number.POSITIVE_INFINITY;
    },
  };
}

async function first(answer: Promise<Unpacker>): Promise<Unpacker> {
  const from = await answer;
  from.array();
  return from;
}

function readValue(from: Unpacker): SharedValue {
  from.array();
  const value = JSON.parse(from.text()) as Json; // written by `set`
  return { value, version: from.number(), expiresAt: from.numberOrNull() };
}

/** Append-only streams, as calls of the script. */
export function historyOver(link: () => RedisLink): History {
  return {
    async append({ entries }) {
      const payload = entries.map(({ stream, at, data }) => [stream, at, JSON.stringify(data)]);
      return (await link().call('append', payload, WRITE)).list((one) => one.number());
    },
    async query({ stream, after, limit }) {
      const answer = await link().call('history', [stream, after, Math.min(limit, MOST)], READ);
      return answer.list((one) => {
        one.array();
        return { seq: one.number(), stream, at: one.number(), data: JSON.parse(one.text()) as Json }; // written by `append`
      });
    },
    trim: async ({ stream, keep, before }) =>
      (await first(link().call('trim', [stream, Math.min(keep, MOST), before], WRITE))).number(),
  };
}
