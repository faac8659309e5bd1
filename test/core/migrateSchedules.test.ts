import { describe, expect, it } from 'vitest';
import { abandonMigration } from '../../src/queue/core/migration/abandonMigration.ts';
import { migrateQueue } from '../../src/queue/core/migration/migrateQueue.ts';
import type { Json } from '../../src/queue/types/request.ts';
import type { Trial } from '../../src/testing/conformance/Trial.ts';
import { dieAt, tick } from './support/dying.ts';
import type { Pair } from './support/migration.ts';
import { pairs } from './support/migration.ts';

const pair = pairs();

const PLANS: readonly { readonly name: string; readonly dueIn: number | null; readonly data: Json }[] = [
  { name: 'due', dueIn: 0, data: { cron: '0 0 * * *', body: 'ü' } },
  { name: 'later', dueIn: 5.5, data: 'no fields' },
  { name: 'none', dueIn: 7, data: null },
  { name: 'over', dueIn: null, data: { list: [1, { moving: true }] } },
];

async function fill({ from }: Pair): Promise<void> {
  for (const { name, dueIn, data } of PLANS) {
    await from.backend.schedules.set({ name, dueAt: dueIn === null ? null : from.now + dueIn, data });
  }
}

/** What is stored of schedules, but for their versions. */
async function plansIn(t: Trial): Promise<unknown[]> {
  const schedules = await t.backend.schedules.list({ after: null, limit: 99 });
  return schedules.map(({ name, dueAt, data }) => ({ name, dueAt, data }));
}

function plansAt(now: number): unknown[] {
  return PLANS.map(({ name, dueIn, data }) => ({ name, dueAt: dueIn === null ? null : now + dueIn, data }));
}

/** Fires what is due in a store, for the last time. */
async function fire(t: Trial, at: number, fired: string[]): Promise<void> {
  for (const { name, version, data } of await t.backend.schedules.due({ now: at, limit: 99 })) {
    const [result] = await t.enqueue([
      t.request({ id: `${t.id(0)}-${name}`, fires: { name, version, dueAt: null, data } }),
    ]);
    if (result?.status === 'accepted') fired.push(name);
  }
}

describe('schedules of a store that is moved', () => {
  it.each([
    ['memory', 'sqlite'],
    ['sqlite', 'memory'],
  ] as const)('go along (%s to %s)', async (from, to) => {
    const stores = await pair(from, to);
    await fill(stores);
    expect(await stores.move({ limit: 3 })).toMatchObject({ moved: 0, schedules: 4 });
    expect(await plansIn(stores.to)).toEqual(plansAt(stores.from.now));
    expect(await plansIn(stores.from)).toEqual([]);
    expect(await stores.move()).toMatchObject({ schedules: 0 });
  });

  it('stay where only some requests are moved', async () => {
    const stores = await pair();
    await fill(stores);
    expect(await stores.move({ filter: { zone: 'api' } })).toMatchObject({ schedules: 0 });
    expect(await plansIn(stores.from)).toEqual(plansAt(stores.from.now));
    expect(await plansIn(stores.to)).toEqual([]);
  });

  it('give way to those of the same name', async () => {
    const stores = await pair();
    await fill(stores);
    const theirs = { name: 'due', dueAt: 1, data: 'theirs' };
    await stores.to.backend.schedules.set(theirs);
    await stores.move();
    expect((await plansIn(stores.to))[0]).toEqual(theirs);
    expect(await plansIn(stores.from)).toEqual([]);
  });

  it('are never due in both, and fire once, wherever a move dies', async () => {
    for (let n = 1, died = true; died; n += 1) {
      const stores = await pair();
      const { from, to, clock } = stores;
      const due = from.now + 99;
      await fill(stores);
      died = await dieAt(stores, n);
      const [here, there] = await Promise.all([from, to].map((t) => t.backend.schedules.due({ now: due, limit: 9 })));
      const both = here?.filter(({ name }) => there?.some((other) => other.name === name));
      expect(both, `died at ${n}`).toEqual([]);
      const fired: string[] = [];
      await fire(n % 2 === 0 ? from : to, due, fired);
      tick(stores);
      await migrateQueue(from.backend, to.backend, { clock });
      await fire(from, due, fired);
      await fire(to, due, fired);
      expect(fired.toSorted(), `died at ${n}`).toEqual(['due', 'later', 'none']);
      expect(await plansIn(from), `died at ${n}`).toEqual([]);
      expect(await plansIn(to)).toHaveLength(4);
    }
  });

  it('are finished by a later call for some requests, where they were set aside', async () => {
    for (let n = 1, died = true; died; n += 1) {
      const stores = await pair();
      const { from, to, clock } = stores;
      await fill(stores);
      died = await dieAt(stores, n);
      tick(stores);
      await migrateQueue(from.backend, to.backend, { clock, filter: { zone: 'other' } });
      const all = [...(await plansIn(from)), ...(await plansIn(to))] as { readonly name: string }[];
      expect(
        all.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
        `died at ${n}`,
      ).toEqual(plansAt(clock.now() - 60_001));
    }
  });

  it('are as they were where the other store is gone, but for those it had', async () => {
    for (let n = 1, died = true; died; n += 1) {
      const stores = await pair();
      const { from, to, clock } = stores;
      await fill(stores);
      died = await dieAt(stores, n);
      const had = ((await plansIn(to)) as { readonly name: string }[]).map(({ name }) => name);
      tick(stores);
      await abandonMigration(from.backend, null, { clock });
      const left = (await plansIn(from)) as { readonly name: string }[];
      const plans = plansAt(clock.now() - 60_001) as { readonly name: string }[];
      expect(left, `died at ${n}`).toEqual(plans.filter(({ name }) => left.some((one) => one.name === name)));
      for (const { name } of plans) expect(had.includes(name) || left.some((one) => one.name === name)).toBe(true);
    }
  });

  it('fire once where they fire while they are moved', async () => {
    const stores = await pair();
    const { from, to, clock } = stores;
    await fill(stores);
    const fired: string[] = [];
    const { schedules } = from.backend;
    // Between the look at one and its being set aside.
    const list: typeof schedules.list = async (query) => {
      const found = await schedules.list(query);
      await fire(from, from.now, fired);
      return found;
    };
    await migrateQueue({ ...from.backend, ...bound(from), schedules: { ...schedules, list } }, to.backend, { clock });
    await fire(to, from.now + 99, fired);
    expect(fired).toEqual(['due', 'later', 'none']);
    expect(await plansIn(from)).toEqual([]);
  });
});

function bound({ backend }: Trial) {
  return {
    capabilities: backend.capabilities,
    open: backend.open.bind(backend),
    keepAlive: backend.keepAlive.bind(backend),
    close: backend.close.bind(backend),
  };
}
