import { describe, expect, it } from 'vitest';
import { Spill } from '../../../src/queue/backends/spill/Spill.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { EnqueueResult } from '../../../src/queue/types/store.ts';
import { accept, CLOCK, claimAll, emptied, enqueue, idsIn, recordOf, request, useWorld } from './support.ts';

const world = useWorld();

const LIMITS = { maxSize: 1_000_000, maxBytes: 1_000_000_000 };

function why(result: EnqueueResult | undefined): string | undefined {
  return result?.status === 'refused' ? result.why : result?.status;
}

describe('what is declared of a request', () => {
  it('is kept in the spill and on the way to the store', async () => {
    const backend = await world().open();
    const intent = { localId: 'urn:x', yields: '/key', onUnknown: 'resend' } as const;
    world().fail();
    const ids = [
      await accept(backend, { onFailure: 'cascade', intent, base: { v: 1 } }),
      await accept(backend, { onFailure: 'halt' }),
      await accept(backend, { onFailure: 'continue' }),
      await accept(backend),
    ];
    const declared = [
      { onFailure: 'cascade', intent, base: { v: 1 } },
      { onFailure: 'halt', base: null },
      { onFailure: 'continue' },
      {},
    ];
    for (const [n, id] of ids.entries()) expect(await recordOf(backend, id)).toMatchObject(declared[n] ?? {});
    world().recover();
    await emptied(await world().spill());
    const store = await world().store();
    for (const [n, id] of ids.entries()) expect(await recordOf(store, id)).toMatchObject(declared[n] ?? {});
    expect('onFailure' in (await recordOf(store, ids[3] as string))).toBe(false);
    expect('intent' in (await recordOf(store, ids[3] as string))).toBe(false);
  });
});

describe('a request that takes the place of another', () => {
  it('is refused during an outage, and taken without', async () => {
    const backend = await world().open();
    const old = await accept(backend, { lane: 'a' });
    world().fail();
    const fresh = request({ lane: 'a', replaces: { id: old } });
    const other = request({ lane: 'a' });
    const results = await enqueue(backend, [fresh, other]);
    expect(results.map(why)).toEqual(['replaced', 'accepted']);
    const { replaces: _, ...without } = fresh;
    expect((await enqueue(backend, [without])).map(why)).toEqual(['accepted']);
    world().recover();
    await emptied(await world().spill());
    expect(await idsIn(await world().store())).toEqual([old, other.id, fresh.id]);
  });

  it('refuses an atomic batch', async () => {
    const backend = await world().open();
    const old = await accept(backend, { lane: 'a' });
    world().fail();
    const batch = [request(), request({ lane: 'a', replaces: { id: old } })];
    expect((await enqueue(backend, batch, { atomic: true })).map(why)).toEqual(['neighbour', 'replaced']);
    expect(await idsIn(await world().spill())).toEqual([]);
  });

  it('is in doubt when it comes again without, where it may have arrived', async () => {
    const spill = new Spill(await world().spill(), 'store', CLOCK);
    const batch = { atomic: false, now: CLOCK.now(), limits: LIMITS, claim: null } as const;
    const [arrived, plain] = [request({ lane: 'a', replaces: { id: request().id } }), request()];
    expect((await spill.put({ ...batch, requests: [arrived] }, true)).map(why)).toEqual(['replaced']);
    const { replaces: _, ...without } = arrived;
    expect((await spill.put({ ...batch, requests: [without, plain] }, false)).map(why)).toEqual([
      'accepted',
      'accepted',
    ]);
    const entries = await spill.look([arrived.id, plain.id]);
    expect(entries.map((entry) => entry?.standing)).toEqual(['attempted', 'waiting']);
  });
});

describe('a request that fails in the spill', () => {
  /** The store fails; what was with it then is in doubt, unlike what comes later. */
  const doubt = async (backend: Backend): Promise<string> => {
    world().fail();
    return accept(backend);
  };

  it.each(['halt', 'cascade'] as const)('holds the next of its lane until a person decides (%s)', async (onFailure) => {
    const backend = await world().open();
    const store = await world().store();
    const good = await accept(store);
    const doubted = await doubt(backend);
    const late = { lane: 'a', expiresAt: CLOCK.now() + 60_000, onFailure } as const;
    const failed = await accept(backend, late);
    const next = await accept(backend, { lane: 'a', key: 'k', digest: 'd', after: [good] });
    const last = await accept(backend, { lane: 'a' });
    const expired = await backend.requests.expire({ now: CLOCK.now() + 120_000, limit: 9 });
    expect(expired.ended.map(({ id, state }) => [id, state])).toEqual([[failed, 'dead']]);
    expect(await recordOf(backend, next)).toMatchObject({ state: 'scheduled', reason: 'spilled' });
    world().recover();
    await emptied(await world().spill());
    expect(await recordOf(store, failed)).toMatchObject({ state: 'dead', reason: 'expired', onFailure });
    expect(await recordOf(store, next)).toMatchObject({
      state: 'held',
      reason: 'dependency',
      lane: 'a',
      key: 'k',
      after: [good],
    });
    expect(await recordOf(store, last)).toMatchObject({ state: 'blocked', reason: 'lane' });
    const told = await backend.requests.expire({ now: CLOCK.now(), limit: 9 });
    expect(told.moved.map(({ id, state, reason }) => [id, state, reason])).toEqual([[next, 'held', 'dependency']]);
    expect((await claimAll(store)).map(({ id }) => id)).toEqual([good, doubted]);
  });

  it('and whose next one is called off lets the others go on', async () => {
    const backend = await world().open();
    await doubt(backend);
    const failed = await accept(backend, { lane: 'a', onFailure: 'halt' });
    const next = await accept(backend, { lane: 'a' });
    const last = await accept(backend, { lane: 'a' });
    const call = (id: string, state: 'dead' | 'cancelled', reason: 'discarded' | 'caller') =>
      backend.requests.amend({
        now: CLOCK.now(),
        changes: [{ id, from: ['ready', 'scheduled', 'blocked'], to: { state, reason } }],
      });
    expect(await call(failed, 'dead', 'discarded')).toMatchObject([{ status: 'amended', state: 'dead', moved: [] }]);
    expect(await call(next, 'cancelled', 'caller')).toMatchObject([{ status: 'amended', state: 'cancelled' }]);
    world().recover();
    await emptied(await world().spill());
    expect(await recordOf(await world().store(), last)).toMatchObject({ state: 'ready' });
  });
});
