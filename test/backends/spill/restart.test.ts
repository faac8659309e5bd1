import { afterEach, describe, expect, it } from 'vitest';
import { entryOf } from '../../../src/queue/backends/spill/Entry.ts';
import { Spill } from '../../../src/queue/backends/spill/Spill.ts';
import type { Backend } from '../../../src/queue/types/backend.ts';
import type { Child } from '../../processes/support/child.ts';
import { startChild } from '../../processes/support/child.ts';
import { accept, all, CLOCK, emptied, enqueue, idsIn, recordOf, request, useWorld } from './support.ts';

const world = useWorld();
const SPILLER = new URL('./spiller.mjs', import.meta.url);
const children: Child[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) await child.kill();
});

async function start(worker: string): Promise<Child> {
  const { storePath: store, spillPath: spill } = world();
  const child = startChild(SPILLER, [JSON.stringify({ worker, store, spill })]);
  children.push(child);
  await child.line('open');
  return child;
}

function acceptedBy({ lines }: Child): string[] {
  return lines.filter((line) => line.startsWith('accepted ')).map((line) => line.split(' ')[1] ?? '');
}

/** Whether every lane of every worker is in the order of the numbers its requests have. */
async function expectOrdered(store: Backend): Promise<void> {
  const byLane = new Map<string | null, string[]>();
  for (const { id, lane } of await all(store)) byLane.set(lane, [...(byLane.get(lane) ?? []), id]);
  for (const ids of byLane.values()) expect(ids).toEqual([...ids].sort());
}

describe('a spill', () => {
  it('outlives the process, and is moved by the next one before anything new', async () => {
    const backend = await world().open();
    world().fail();
    const ids = [await accept(backend, { lane: 'a' }), await accept(backend, { lane: 'a' })];
    await backend.close();
    const heir = await world()
      .open('heir')
      .catch((error: unknown) => error);
    expect(heir).not.toBeInstanceOf(Error);
    world().recover();
    ids.push(await accept(heir as Backend, { lane: 'a' }));
    await emptied(await world().spill());
    expect(await idsIn(await world().store())).toEqual(ids);
  });

  it('takes in at the close what waits to be let in', async () => {
    const backend = await world().open();
    world().fail();
    const calls = Array.from({ length: 5 }, () => request({ lane: 'a' }));
    const answers = Promise.all(calls.map((one) => enqueue(backend, [one])));
    await backend.close();
    expect((await answers).flat().map(({ status }) => status)).toEqual(calls.map(() => 'accepted'));
    expect(await idsIn(await world().spill())).toEqual(calls.map(({ id }) => id));
  });

  it('goes on where a process was killed that had written down how a request ends', async () => {
    const backend = await world().open();
    world().fail();
    const ids = [await accept(backend, { lane: 'a' }), await accept(backend), await accept(backend)];
    await backend.close();
    const file = await world().spill();
    const spill = new Spill(file, 'store', CLOCK);
    const [first, second, third] = (await all(file)).map(entryOf);
    if (first === undefined || second === undefined || third === undefined) throw new Error('three were spilled');
    await spill.decide(first, { state: 'held', reason: 'dependency' });
    await spill.decide(second, { state: 'superseded', reason: 'squashed' }, { replayedAs: 'twin' });
    // The store has learned of this one, and it was not deleted here.
    const to = { state: 'superseded', reason: 'moved' } as const;
    await file.requests.amend({ now: CLOCK.now(), changes: [{ id: ids[2] ?? '', from: ['ready'], to }] });
    world().recover();
    await world().open('heir');
    await emptied(file);
    const store = await world().store();
    expect(await recordOf(store, ids[0] ?? '')).toMatchObject({ state: 'held', reason: 'dependency', lane: 'a' });
    expect(await recordOf(store, ids[1] ?? '')).toMatchObject({ state: 'superseded', replayedAs: 'twin' });
    expect(await store.requests.get({ ids: [ids[2] ?? ''] })).toEqual([undefined]);
  });

  it('is refused where the file has something else in it', async () => {
    const store = await world().store();
    await accept(store);
    await store.close();
    const queue = { path: 'spill.path', got: 'requests of a queue' };
    const { storePath } = world();
    const problems = { code: 'CONFIG_INVALID', details: { problems: [expect.objectContaining(queue)] } };
    await expect(world().open('me', { spillPath: storePath })).rejects.toMatchObject(problems);
    await (await world().open()).close();
    await expect(world().open('me', { of: 'another' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it('loses and doubles nothing when processes are killed while they spill and move', async () => {
    const store = await world().store();
    const accepted: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      const child = await start(`w${round}`);
      world().fail();
      child.tell({ from: 0, count: 400 });
      await child.line(round % 2 === 0 ? 'done 0' : `accepted w${round}-000200`);
      const before = (await idsIn(store)).length;
      world().recover();
      // Killed at another moment of the move each time.
      const grown = async (): Promise<number> => (await idsIn(store)).length - before;
      await expect.poll(grown, { interval: 1, timeout: 30_000 }).toBeGreaterThan(round * 60);
      await child.kill();
      accepted.push(...acceptedBy(child));
    }
    const last = await world().open('heir');
    await emptied(await world().spill());
    await last.close();
    const stored = await idsIn(store);
    expect(new Set(stored).size).toBe(stored.length);
    expect(accepted.filter((id) => !stored.includes(id))).toEqual([]);
    await expectOrdered(store);
  });

  it('is shared by processes, each of which keeps its order', async () => {
    const store = await world().store();
    await (await world().open()).close();
    const [one, two] = await Promise.all([start('a'), start('b')]);
    world().fail();
    one.tell({ from: 0, count: 300 });
    two.tell({ from: 0, count: 300 });
    await Promise.all([one.line('done 0'), two.line('done 0')]);
    one.tell({ from: 300, count: 300 });
    two.tell({ from: 300, count: 300 });
    world().recover();
    await Promise.all([one.line('done 300'), two.line('done 300')]);
    one.tell({ from: 600, count: 300 });
    two.tell({ from: 600, count: 300 });
    await Promise.all([one.line('done 600'), two.line('done 600')]);
    await emptied(await world().spill());
    expect([...acceptedBy(one), ...acceptedBy(two)].sort()).toEqual((await idsIn(store)).sort());
    expect(await idsIn(store)).toHaveLength(1800);
    await expectOrdered(store);
  });
});
