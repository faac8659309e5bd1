import { describe, expect, it } from 'vitest';
import { holdfastError } from '../../../src/errors.ts';
import type { NewRequest } from '../../../src/queue/types/request.ts';
import type { EnqueueResult } from '../../../src/queue/types/store.ts';
import { accept, emptied, enqueue, idsIn, read, request, useWorld } from './support.ts';

const world = useWorld();

const fires = { name: 's', version: 1, dueAt: 20, data: 'fired' };
const DUE = { name: 's', version: 1, dueAt: 10, data: 'set' };

function firing(fields: Partial<NewRequest> = {}): NewRequest {
  return request({ fires, ...fields });
}

function why(result: EnqueueResult | undefined): string | undefined {
  return result?.status === 'refused' ? result.why : result?.status;
}

async function open() {
  const backend = await world().open();
  await backend.schedules.set({ name: 's', dueAt: 10, data: 'set' });
  return backend;
}

describe('schedules beside a spill', () => {
  it('are those of the store, and cannot be asked for while it is away', async () => {
    const backend = await open();
    expect(await (await world().store()).schedules.due({ now: 10, limit: 9 })).toEqual([DUE]);
    expect(await (await world().spill()).schedules.nextDueAt()).toBe(null);
    world().fail();
    const error = await backend.schedules.set({ name: 't', dueAt: 1, data: 1 }).catch((reason: unknown) => reason);
    expect(holdfastError(error, 'BACKEND_UNAVAILABLE')).toBeDefined();
    world().recover();
    expect(await read(() => backend.schedules.list({ after: null, limit: 9 }))).toEqual([DUE]);
  });

  it('stay due when a firing cannot reach the store, and what comes with it is spilled', async () => {
    const backend = await open();
    world().fail();
    const plain = [request(), request()] as const;
    const lost = firing();
    expect((await enqueue(backend, [plain[0], lost])).map(why)).toEqual(['accepted', 'away']);
    expect((await enqueue(backend, [firing(), plain[1]])).map(why)).toEqual(['away', 'accepted']);
    expect(await idsIn(await world().spill())).toHaveLength(2);
    world().recover();
    await emptied(await world().spill());
    expect(await read(() => backend.schedules.due({ now: 10, limit: 9 }))).toEqual([DUE]);
    await expect.poll(async () => (await enqueue(backend, [lost])).map(why)).toEqual(['accepted']);
    expect(await backend.schedules.nextDueAt()).toBe(20);
    expect(await idsIn(await world().store())).toEqual([...plain.map(({ id }) => id), lost.id]);
  });

  it('refuse an atomic batch of which one fires while the store is away', async () => {
    const backend = await open();
    world().fail();
    expect((await enqueue(backend, [request(), firing()], { atomic: true })).map(why)).toEqual(['neighbour', 'away']);
    expect(await idsIn(await world().spill())).toEqual([]);
  });

  it('fire only behind what was spilled before', async () => {
    const backend = await open();
    world().fail();
    const before = await accept(backend, { lane: 'l' });
    world().recover();
    const next = firing({ lane: 'l' });
    await expect.poll(async () => (await enqueue(backend, [next])).map(why)).toEqual(['accepted']);
    await emptied(await world().spill());
    expect(await idsIn(await world().store())).toEqual([before, next.id]);
  });
});
