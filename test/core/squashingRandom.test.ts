import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../src/client/ApiClient.ts';
import type { Resource } from '../../src/client/Resource.ts';
import { holdfastError } from '../../src/errors.ts';
import type { Json } from '../../src/queue/types/request.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { RestApi } from '../support/RestApi.ts';
import { world } from './harness.ts';

type Fields = { readonly [key: string]: Json };
/** What is done to a thing, in words the model knows. */
type Change = { readonly kind: 'create' | 'update' | 'replace'; readonly fields: Fields } | { readonly kind: 'delete' };

const FIELDS = ['a', 'b', 'c'];
const MINUTE_MS = 60_000;

/** What a server does that is asked in this order. */
function applied(changes: readonly Change[]): Fields | undefined {
  let thing: Fields | undefined;
  for (const change of changes) {
    if (change.kind === 'delete') thing = undefined;
    else if (change.kind === 'update') thing = thing && { ...thing, ...change.fields };
    else thing = { ...change.fields };
  }
  return thing;
}

/** Random changes of a few things, awaited or not, online or not, with crashes; each with all that was accepted of it, in order. */
async function play(seed: number) {
  const random = seededRandom(seed);
  const below = (n: number): number => Math.floor(random.number() * n);
  const test = await world({ zones: { api: { origins: [TEST_ORIGIN], idempotency: 'ietf' } } }, seed);
  const api = new RestApi();
  test.network.serve(TEST_ORIGIN, { respond: api.respond });
  const open = (): Resource =>
    new ApiClient({ queue: test.queue, baseUrl: TEST_ORIGIN }).resource('thing', { path: '/things', squash: true });
  let things = open();
  const names: { readonly id: string; readonly accepted: Change[]; isThere: boolean }[] = [];
  let pending: Promise<unknown>[] = [];
  const make = (): void => {
    const id = test.queue.localId('thing');
    const fields = { a: below(9), n: names.length };
    const one = { id, accepted: [] as Change[], isThere: true };
    names.push(one);
    note(one, { kind: 'create', fields }, things.create(fields, { localId: id }).accepted());
  };
  const note = (one: (typeof names)[number], change: Change, accepted: Promise<unknown>): void => {
    one.accepted.push(change);
    const undo = (error: unknown): void => {
      expect(holdfastError(error)?.code).toBe('REQUEST_INVALID');
      one.accepted.splice(one.accepted.indexOf(change), 1);
    };
    pending.push(accepted.catch(undo));
  };
  for (let step = 0; step < 60; step += 1) {
    const one = names[below(names.length)];
    const dice = below(20);
    if (one === undefined || dice === 0) make();
    else if (dice === 1) test.network.online = !test.network.online;
    else if (dice === 2) await test.clock.advance(below(20_000));
    else if (dice === 3 && step % 3 === 0) {
      await Promise.all(pending);
      await test.clock.settle();
      pending = [];
      await test.crash();
      things = open();
      await test.clock.settle();
    } else if (one.isThere) {
      const fields = { [FIELDS[below(3)] as string]: below(100), n: step };
      if (dice < 14) note(one, { kind: 'update', fields }, things.update(one.id, fields).accepted());
      else if (dice < 18) {
        const whole = { a: 0, b: 0, c: 0, ...fields };
        note(one, { kind: 'replace', fields: whole }, things.replace(one.id, whole).accepted());
      } else {
        one.isThere = false;
        note(one, { kind: 'delete' }, things.delete(one.id).accepted());
      }
    }
    if (below(3) > 0) {
      await Promise.all(pending);
      pending = [];
    }
  }
  await Promise.all(pending);
  test.network.online = true;
  await test.clock.advance(30 * MINUTE_MS);
  const counts = await test.queue.counts();
  return { test, api, names, counts };
}

describe('changes of things of which any may become one', () => {
  it.each(Array.from({ length: 30 }, (_, n) => n + 1))(
    'lead to what they would lead to one by one (seed %i)',
    async (seed) => {
      const { test, api, names, counts } = await play(seed);
      expect(counts).toMatchObject({ ready: 0, scheduled: 0, blocked: 0, sending: 0, unknown: 0, held: 0, dead: 0 });
      const made: Fields[] = [];
      for (const { id, accepted } of names) {
        const serverId = await test.queue.serverId(id);
        const thing = serverId === undefined ? undefined : api.at(`/things/${serverId}`);
        const { id: _, ...fields } = thing ?? {};
        const wanted = applied(accepted);
        expect(thing === undefined ? undefined : fields, id).toEqual(wanted);
        if (wanted !== undefined) made.push(wanted);
      }
      expect(api.all('/things')).toHaveLength(made.length);
    },
  );
});
