import { describe, expect, it } from 'vitest';
import { holdfastError } from '../../../src/errors.ts';
import { SPILLED_SEQ } from '../../../src/queue/backends/spill/Entry.ts';
import type { RequestFilter } from '../../../src/queue/types/request.ts';
import type { FindResult, RequestPatch } from '../../../src/queue/types/store.ts';
import { accept, all, CLOCK, claimAll, emptied, enqueue, idsIn, read, recordOf, request, useWorld } from './support.ts';

const world = useWorld();

describe('an outage of the store', () => {
  it('does not keep a request from being accepted, as one that waits', async () => {
    const backend = await world().open();
    world().fail();
    const one = request({ lane: 'note:1', after: [request().id], base: { version: 3 }, tags: ['import'] });
    const [result] = await enqueue(backend, [one]);
    expect(result).toMatchObject({ status: 'accepted', id: one.id, state: 'scheduled', token: null, dueAt: null });
    const { rank, join, ...fields } = one;
    const record = await recordOf(backend, one.id);
    expect(record).toMatchObject({ ...fields, state: 'scheduled', reason: 'spilled', dueAt: null, lease: null });
    expect(record.seq).toBeGreaterThan(SPILLED_SEQ);
    expect([rank, join]).toEqual([{ form: 'value', value: 0 }, { rule: 'none' }]);
  });

  it('ends with every request in the store, once and in the order of the calls', async () => {
    const backend = await world().open();
    const before = await accept(backend, { lane: 'a' });
    world().fail();
    const calls = Array.from({ length: 40 }, (_, n) => request({ lane: `lane${n % 3}` }));
    const results = await Promise.all(calls.map((one) => enqueue(backend, [one])));
    expect(results.flat().every(({ status }) => status === 'accepted')).toBe(true);
    world().recover();
    const after = request({ lane: 'lane1' });
    await enqueue(backend, [after]);
    await emptied(await world().spill());
    const stored = await all(await world().store());
    expect(stored.map(({ id }) => id)).toEqual([before, ...calls.map(({ id }) => id), after.id]);
    expect(stored.slice(0, 5).map(({ state }) => state)).toEqual(['ready', 'ready', 'ready', 'ready', 'blocked']);
    expect(stored.every(({ seq }) => seq < SPILLED_SEQ)).toBe(true);
  });

  it('is over for newcomers once everything spilled is moved', async () => {
    const backend = await world().open();
    world().fail();
    await accept(backend);
    world().recover();
    await emptied(await world().spill());
    const one = request();
    const claim = { worker: 'me', leaseUntil: 1e12, allowance: [{ channel: 'api', calls: 5 }] };
    await claimAll(backend);
    await expect.poll(async () => (await enqueue(backend, [request()]))[0]).toMatchObject({ state: 'ready' });
    await claimAll(backend);
    expect((await enqueue(backend, [one], { claim }))[0]).toMatchObject({ state: 'sending', token: 1 });
  });

  it('leaves what is spilled unsent', async () => {
    const backend = await world().open();
    const stored = await accept(backend);
    world().fail();
    await accept(backend);
    const spill = await world().spill();
    expect(await idsIn(spill)).toHaveLength(1);
    world().recover();
    const claimed = await claimAll(await world().store('me'));
    expect(claimed.map(({ id }) => id)).toContain(stored);
    expect((await all(spill)).every(({ state }) => state !== 'sending')).toBe(true);
  });

  it('rejects the other verbs', async () => {
    const backend = await world().open();
    world().fail();
    await accept(backend);
    const unavailable = (error: unknown): boolean => holdfastError(error, 'BACKEND_UNAVAILABLE') !== undefined;
    await expect(claimAll(backend)).rejects.toSatisfy(unavailable);
    await expect(backend.keepAlive({ worker: 'me', leaseNow: 1 })).rejects.toSatisfy(unavailable);
    await expect(backend.shared.delete({ key: 'k' })).rejects.toSatisfy(unavailable);
    await expect(backend.history.append({ entries: [{ stream: 's', at: 1, data: 1 }] })).rejects.toSatisfy(unavailable);
  });
});

describe('what is spilled', () => {
  it('is listed after what the store has, and counted with it', async () => {
    const backend = await world().open();
    const stored = [await accept(backend), await accept(backend)];
    world().fail();
    const spilled = [await accept(backend, { tags: ['b'] }), await accept(backend), await accept(backend)];
    expect(await idsIn(backend)).toEqual([...stored, ...spilled]);
    const found = async (filter: RequestFilter, after: number | null = null, limit = 9): Promise<FindResult> =>
      read(() => backend.requests.find({ filter, order: 'accepted', after, limit }));
    const paged: string[] = [];
    for (let after: number | null = null; ; ) {
      const page = await found({}, after, 2);
      paged.push(...page.requests.map(({ id }) => id));
      if (page.next === null) break;
      after = page.next;
    }
    expect(paged).toEqual([...stored, ...spilled]);
    const counts = await read(() => backend.requests.count({}));
    expect(counts.map(({ state, count }) => [state, count])).toEqual([
      ['ready', 2],
      ['scheduled', 3],
    ]);
    expect((await found({ tags: ['b'] })).requests.map(({ id }) => id)).toEqual([spilled[0]]);
    expect(await read(() => backend.requests.count({ filter: { state: 'blocked' } }))).toEqual([]);
    const waiting = { state: ['scheduled', 'dead'], reason: ['spilled', 'expired'] } as const;
    expect((await found(waiting)).requests.map(({ id }) => id)).toEqual(spilled);
  });

  it('is accepted once per id and per key', async () => {
    const backend = await world().open();
    world().fail();
    const one = request({ key: 'k', digest: 'd' });
    await enqueue(backend, [one]);
    const again = await enqueue(backend, [
      one,
      request({ key: 'k', digest: 'd' }),
      request({ key: 'k', digest: 'other' }),
    ]);
    expect(again.map(({ status }) => status)).toEqual(['accepted', 'joined', 'refused']);
    expect(again[1]).toMatchObject({ id: one.id, state: 'scheduled' });
    expect(again[2]).toMatchObject({ why: 'keyConflict' });
    world().recover();
    await emptied(await world().spill());
    const [record, ...others] = await all(await world().store());
    expect(others).toEqual([]);
    expect(record).toMatchObject({ id: one.id, key: 'k', digest: 'd', callers: 2 });
  });

  it('is bounded by the limits of the call', async () => {
    const backend = await world().open();
    world().fail();
    const limits = { maxSize: 3, maxBytes: 1000 };
    const few = await enqueue(backend, [request(), request(), request({ bytes: 990 }), request()], { limits });
    expect(few.map((result) => (result.status === 'refused' ? result.why : result.status))).toEqual([
      'accepted',
      'accepted',
      'full',
      'accepted',
    ]);
    expect((await enqueue(backend, [request()], { limits }))[0]).toMatchObject({ status: 'refused', why: 'full' });
    world().recover();
    await emptied(await world().spill());
    expect(await idsIn(await world().store())).toHaveLength(3);
  });

  it('goes in whole or not at all, where that is asked for', async () => {
    const backend = await world().open();
    world().fail();
    await accept(backend, { key: 'k', digest: 'd' });
    const batch = [request(), request({ key: 'k', digest: 'other' })];
    const results = await enqueue(backend, batch, { atomic: true });
    expect(results.map((result) => (result.status === 'refused' ? result.why : result.status))).toEqual([
      'neighbour',
      'keyConflict',
    ]);
    expect(await idsIn(backend)).toHaveLength(1);
  });

  it('joins the last of its lane there, but in the store it stands for itself', async () => {
    const backend = await world().open();
    const tail = { lane: 'note:1', digest: 'd', join: { rule: 'tail' }, effect: 'absolute', harmless: true } as const;
    const other = { ...tail, lane: 'note:2' };
    const stored = [await accept(backend, tail), await accept(backend, other)];
    world().fail();
    const spilled = request(tail);
    const alone = request(other);
    const results = await enqueue(backend, [spilled, request(tail), alone]);
    expect(results).toMatchObject([
      { status: 'accepted' },
      { status: 'joined', id: spilled.id },
      { status: 'accepted', id: alone.id },
    ]);
    world().recover();
    await emptied(await world().spill());
    const store = await world().store();
    expect((await all(store)).map(({ id, callers }) => [id, callers])).toEqual([
      [stored[0], 1],
      [stored[1], 1],
      [spilled.id, 2],
      [alone.id, 1],
    ]);
  });

  it('can be called off, and is kept as cancelled', async () => {
    const backend = await world().open();
    world().fail();
    await accept(backend); // was with the store when that failed: whether it arrived is not known
    const id = await accept(backend);
    const off = {
      id,
      from: ['ready', 'scheduled', 'blocked', 'held'],
      neverSent: true,
      callers: 1,
      to: { state: 'cancelled', reason: 'caller' },
    } as const;
    const other = { id, from: ['held'], patch: { priority: 9 } } as const;
    const results = await backend.requests.amend({ now: CLOCK.now(), changes: [other, off, off] });
    expect(results.map(({ status }) => status)).toEqual(['refused', 'amended', 'refused']);
    expect(results[1]).toMatchObject({ state: 'cancelled', ended: [{ id, state: 'cancelled', reason: 'caller' }] });
    expect(await recordOf(backend, id)).toMatchObject({ state: 'cancelled', reason: 'caller' });
    world().recover();
    await emptied(await world().spill());
    expect(await recordOf(await world().store(), id)).toMatchObject({ state: 'cancelled', reason: 'caller' });
    expect(await claimAll(backend)).toHaveLength(1);
  });

  it('cannot be called off while nobody knows whether the store has it', async () => {
    const backend = await world().open();
    world().fail();
    const id = await accept(backend);
    const off = { id, from: ['scheduled'], to: { state: 'cancelled', reason: 'caller' } } as const;
    await expect(backend.requests.amend({ now: CLOCK.now(), changes: [off] })).rejects.toSatisfy(
      (error) => holdfastError(error, 'BACKEND_UNAVAILABLE') !== undefined,
    );
    expect((await recordOf(backend, id)).state).toBe('scheduled');
  });

  it('can be changed', async () => {
    const backend = await world().open();
    world().fail();
    await accept(backend);
    const id = await accept(backend, { base: { version: 1 } });
    const patch = { priority: 9, expiresAt: 2e12, base: { version: 2 } };
    const [result] = await backend.requests.amend({ now: CLOCK.now(), changes: [{ id, from: ['scheduled'], patch }] });
    expect(result).toMatchObject({ status: 'amended', state: 'scheduled' });
    expect(await recordOf(backend, id)).toMatchObject(patch);
    world().recover();
    await emptied(await world().spill());
    expect(await recordOf(await world().store(), id)).toMatchObject({ ...patch, state: 'ready' });
  });

  it('takes its turn among flows where the store has it, by the rank it was given last', async () => {
    const backend = await world().open();
    const rank = { form: 'flow', group: 'g', flow: 'f', weight: 2 } as const;
    await accept(backend, { rank });
    world().fail();
    await accept(backend);
    const ids = [await accept(backend, { rank }), await accept(backend, { rank }), await accept(backend, { rank })];
    const amend = async (id: string | undefined, patch: RequestPatch) => {
      const changes = [{ id: id as string, from: ['scheduled'] as const, patch }]; // they were accepted
      await backend.requests.amend({ now: CLOCK.now(), changes });
    };
    await amend(ids[0], { raise: { form: 'value', value: -9 } });
    await amend(ids[1], { rank: { form: 'value', value: 7 } });
    await amend(ids[1], { raise: { form: 'value', value: 6 } });
    await amend(ids[2], { rank: { form: 'value', value: 7 } });
    await amend(ids[2], { rank: { ...rank, flow: 'other' }, base: { version: 3 } });
    world().recover();
    await emptied(await world().spill());
    const stored = await Promise.all(ids.map(async (id) => recordOf(await world().store(), id)));
    const given = stored.map((one) => [one.rank, one.rankGroup, one.base]);
    expect(given).toEqual([
      [1, 'g', null],
      [6, undefined, null],
      [0.5, 'g', { version: 3 }],
    ]);
  });

  it('ends at its deadline', async () => {
    const backend = await world().open();
    world().fail();
    const doubted = await accept(backend, { expiresAt: CLOCK.now() - 1 });
    const id = await accept(backend, { expiresAt: CLOCK.now() - 1 });
    const { ended } = await backend.requests.expire({ now: CLOCK.now(), limit: 10 });
    expect(ended).toMatchObject([{ id, state: 'dead', reason: 'expired' }]);
    expect(await recordOf(backend, id)).toMatchObject({ state: 'dead', reason: 'expired' });
    expect((await recordOf(backend, doubted)).state).toBe('scheduled');
    const query = { filter: { state: 'dead' }, order: 'accepted', after: null, limit: 9 } as const;
    const dead = await read(() => backend.requests.find(query));
    expect(dead.requests.map((record) => record.id)).toEqual([id]);
    world().recover();
    await emptied(await world().spill());
    expect(await recordOf(await world().store(), id)).toMatchObject({ state: 'dead', reason: 'expired' });
  });
});
