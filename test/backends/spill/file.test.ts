import { describe, expect, it } from 'vitest';
import type { Entry } from '../../../src/queue/backends/spill/Entry.ts';
import { Spill } from '../../../src/queue/backends/spill/Spill.ts';
import { SQLiteBackend } from '../../../src/queue/backends/sqlite/SQLiteBackend.ts';
import type { NewRequest } from '../../../src/queue/types/request.ts';
import { opening } from '../sqlite/support.ts';
import { CLOCK, request, useWorld } from './support.ts';

const world = useWorld();
const NO_LIMITS = { maxSize: 1e6, maxBytes: 1e9 };

/** A spill as one process has it open. */
async function open(worker = 'me'): Promise<Spill> {
  const spill = new Spill(world().owned(new SQLiteBackend({ path: world().spillPath })), 'store', CLOCK);
  await spill.open(opening(worker));
  return spill;
}

function put(spill: Spill, requests: readonly NewRequest[], mayHaveArrived = false): Promise<unknown> {
  const batch = { requests, atomic: false, now: CLOCK.now(), limits: NO_LIMITS, claim: null };
  return spill.put(batch, mayHaveArrived);
}

function cancel(spill: Spill, { record }: Entry): Promise<unknown> {
  const to = { state: 'cancelled', reason: 'caller' } as const;
  const from = ['ready', 'scheduled', 'blocked'] as const;
  return spill.backend.requests.amend({ now: CLOCK.now(), changes: [{ id: record.id, from, to }] });
}

async function entries(spill: Spill): Promise<readonly Entry[]> {
  return (await spill.page(100)).entries;
}

describe('a spill file that processes share', () => {
  it('does not hand over what another process cancelled since it was read', async () => {
    const [mine, other] = [await open(), await open('other')];
    await put(mine, [request(), request()]);
    const read = await entries(mine);
    await cancel(other, (await entries(other))[1] as Entry);
    expect(await mine.attempt(read)).toBeUndefined();
    expect((await entries(mine)).map(({ standing }) => standing)).toEqual(['attempted', 'decided']);
  });

  it('keeps what another process joined since it was read', async () => {
    const [mine, other] = [await open(), await open('other')];
    const keyed = { key: 'k', digest: 'd' };
    await put(mine, [request(keyed), request()]);
    const attempted = (await mine.attempt(await entries(mine))) ?? [];
    await put(other, [request(keyed)]);
    expect(await mine.remove(attempted)).toBe(false);
    expect((await entries(mine)).map(({ record }) => record.callers)).toEqual([2]);
    expect(await mine.remove(await entries(mine))).toBe(true);
    expect(await entries(mine)).toEqual([]);
  });

  it('lets one process decide how a request ends', async () => {
    const [mine, other] = [await open(), await open('other')];
    await put(mine, [request()], true);
    const [entry] = (await entries(mine)) as [Entry];
    expect(await other.decide(entry, { state: 'held', reason: 'dependency' })).toMatchObject({ standing: 'decided' });
    expect(await mine.decide(entry, { state: 'dead', reason: 'discarded' })).toBeUndefined();
    expect(await entries(mine)).toMatchObject([{ standing: 'decided', record: { state: 'held' } }]);
  });

  it('lets one process move at a time, and the next as soon as that one stops', async () => {
    const [mine, other] = [await open(), await open('other')];
    expect([await mine.mayMove('me'), await other.mayMove('other'), await mine.mayMove('me')]).toEqual([
      true,
      false,
      true,
    ]);
    await mine.stopMoving('me');
    expect(await other.mayMove('other')).toBe(true);
  });

  it('is read in pages that fit into memory', async () => {
    const spill = await open();
    const large = Array.from({ length: 4 }, () => request({ bytes: 3_000_000 }));
    await put(spill, large);
    const page = await spill.nextPage();
    expect([page.entries.length, page.isLast]).toEqual([1, false]);
    await spill.remove(await entries(spill));
    await put(spill, [request(), request()]);
    expect(await spill.nextPage()).toMatchObject({ entries: { length: 2 }, isLast: true });
  });
});
