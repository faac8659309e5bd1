import assert from 'node:assert/strict';
import type { MovedRequest } from '../../queue/types/moved.ts';
import type { EndedRequest, NewRequest } from '../../queue/types/request.ts';
import type { Trial } from './Trial.ts';

/** What the failure of a request did to others, in one step. */
export interface Aftermath {
  readonly ended: readonly EndedRequest[];
  readonly moved: readonly MovedRequest[];
}

/** A request that is about to end dead. */
export interface Doomed {
  readonly id: string;
  readonly fail: () => Promise<Aftermath>;
}

type Death = (t: Trial, fields: Partial<NewRequest>) => Promise<Doomed>;

/** A channel of their own: a claim that finds one expired leases none of those that come forward. */
const DOOMED = { channel: 'doomed', rank: { form: 'value', value: -100 } } as const;

/** What a step told, less the request that failed: where it is told itself, that is after all that ended with it. */
function others(id: string, step: Aftermath): Aftermath {
  assert.equal(step.ended.at(-1)?.id, id, 'the one that failed ended last');
  return { ended: step.ended.slice(0, -1), moved: step.moved };
}

/** Every verb that ends a request dead. */
export const DEATHS: Readonly<Record<string, Death>> = Object.freeze({
  async settle(t, fields) {
    const held = await t.take({ ...DOOMED, ...fields });
    const fail = async (): Promise<Aftermath> => {
      const settled = await t.settle(held, { state: 'dead', reason: 'rejected' });
      assert.equal(settled.status, 'settled');
      const { endedSeq } = await t.get(held.id);
      for (const other of settled.ended) assert.ok(other.endedSeq < (endedSeq ?? 0), 'the one that failed ended last');
      return settled;
    };
    return { id: held.id, fail };
  },

  async 'another settlement'(t, fields) {
    const { id } = await t.accept({ ...DOOMED, ...fields });
    const other = await t.take({ channel: 'settled' });
    const fail = async (): Promise<Aftermath> => {
      const settled = await t.succeed(other, { end: [{ id, state: 'dead', reason: 'dropped' }] });
      assert.equal(settled.status, 'settled');
      return others(id, settled);
    };
    return { id, fail };
  },

  async amend(t, fields) {
    const { id } = await t.accept({ ...DOOMED, ...fields });
    return { id, fail: async () => others(id, await t.move(id, { state: 'dead', reason: 'discarded' })) };
  },

  async expire(t, fields) {
    const { id } = await t.accept({ ...DOOMED, expiresAt: t.now + 5, ...fields });
    const fail = async (): Promise<Aftermath> => {
      t.now += 5;
      return others(id, await t.requests.expire({ now: t.now, limit: 9 }));
    };
    return { id, fail };
  },

  async claim(t, fields) {
    const { id } = await t.accept({ ...DOOMED, expiresAt: t.now + 5, ...fields });
    const fail = async (): Promise<Aftermath> => {
      t.now += 5;
      const channels = [{ channel: DOOMED.channel, senders: [''], calls: 9, perCall: 1 }];
      const query = { worker: t.worker, now: t.now, leaseUntil: t.leaseNow + 100, channels };
      return others(id, await t.requests.claim(query));
    };
    return { id, fail };
  },

  async recover(t, fields) {
    const { id } = await t.accept({ ...DOOMED, sender: 'process:gone', ephemeral: true, ...fields });
    const fail = async (): Promise<Aftermath> => {
      const { ended, recovered } = await t.recover();
      return others(id, { ended, moved: recovered });
    };
    return { id, fail };
  },
} satisfies Record<string, Death>);
