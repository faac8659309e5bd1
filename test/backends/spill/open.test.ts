import { writeFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { SpillingBackend } from '../../../src/queue/backends/spill/SpillingBackend.ts';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import { opening } from '../sqlite/support.ts';
import { accept, CLOCK, claimAll, emptied, idsIn, recordOf, useWorld } from './support.ts';

const world = useWorld();

describe('opening while the store is away', () => {
  it('resolves, accepts, and goes on by itself when the store is there', async () => {
    await (await world().store()).close();
    world().fail();
    const backend = await world().open();
    const calls = vi.fn();
    backend.requests.watch(calls);
    const id = await accept(backend);
    expect(await recordOf(backend, id)).toMatchObject({ id, state: 'scheduled' });
    await expect(claimAll(backend)).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
      details: { mayBeDone: false },
      cause: { code: 'BACKEND_UNAVAILABLE' },
    });
    await expect(backend.requests.count({})).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
    expect(calls).not.toHaveBeenCalled();
    world().recover();
    await emptied(await world().spill());
    await expect.poll(() => calls.mock.calls.length).toBeGreaterThan(0);
    calls.mockClear();
    const store = await world().store();
    expect(await idsIn(store)).toEqual([id]);
    await accept(store);
    await expect.poll(() => calls.mock.calls.length).toBeGreaterThan(0);
    expect(await claimAll(backend)).toHaveLength(2);
  });

  it('can be followed by a close at once', async () => {
    await (await world().store()).close();
    world().fail();
    const backend = await world().open();
    const id = await accept(backend);
    await backend.close();
    expect(await idsIn(await world().spill())).toEqual([id]);
  });

  it('answers from memory what the store had kept for ever', async () => {
    const first = await world().open();
    const value = { secret: [1, 2] };
    await first.shared.set({ key: 'k', value, expiresAt: null, now: CLOCK.now() });
    await first.shared.set({ key: 'brief', value, expiresAt: 2e12, now: CLOCK.now() });
    const kept = await first.shared.get({ key: 'k', now: CLOCK.now() });
    await first.shared.get({ key: 'brief', now: CLOCK.now() });
    await first.close();
    world().fail();
    const backend = await world().open();
    expect(await backend.shared.get({ key: 'k', now: CLOCK.now() })).toEqual(kept);
    expect(kept?.value).toEqual(value);
    await expect(backend.shared.get({ key: 'brief', now: CLOCK.now() })).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
    });
  });
});

describe('opening', () => {
  it('rejects with what waiting does not mend', async () => {
    writeFileSync(world().storePath, 'no database, but long enough to be taken for one at first glance'.repeat(20));
    await expect(world().open()).rejects.toMatchObject({ code: 'BACKEND_CORRUPT' });
  });

  it('rejects without a spill', async () => {
    writeFileSync(world().spillPath, 'no database, but long enough to be taken for one at first glance'.repeat(20));
    const backend = world().make();
    await expect(backend.open(opening('me'))).rejects.toMatchObject({ code: 'BACKEND_CORRUPT' });
    await expect(backend.requests.count({})).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' });
  });

  it('has the durability of the weaker of store and spill', () => {
    const { storePath, spillPath } = world();
    const of = 'store';
    const full = new SQLiteBackend({ path: storePath });
    const normal = new SQLiteBackend({ path: spillPath, durability: 'normal' });
    const durability = (primary: SQLiteBackend, spill: SQLiteBackend): string =>
      new SpillingBackend({ primary, spill, of, clock: CLOCK }).capabilities.durability;
    expect([durability(full, full), durability(full, normal), durability(normal, full)]).toEqual([
      'disk',
      'process',
      'process',
    ]);
  });
});
