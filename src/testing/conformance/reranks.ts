import assert from 'node:assert/strict';
import type { PurgeQuery } from '../../queue/types/housekeeping.ts';
import type { RankForm, RankRaise } from '../../queue/types/request.ts';
import { group } from './group.ts';
import type { Accepted, Trial } from './Trial.ts';
import { ids } from './Trial.ts';

const KEPT = { succeededMs: 1e12, deadMs: 1e12, maxRecords: 1e9, maxBytes: 1e12 };

const turn = (flow: string, weight = 1, of = 'api'): RankRaise => ({ form: 'flow', group: of, flow, weight });
const valued = (value: number): RankRaise => ({ form: 'value', value });
const FORMS = [valued(7), { form: 'negatedSeq' }, turn('f', 2), turn('g', 4, 'other')] as const;

const ranked = async (t: Trial, { id }: Pick<Accepted, 'id'>) => {
  const { rank, rankGroup } = await t.get(id);
  return [rank, rankGroup];
};

/** What a form gives the only request there is, which has its flows to itself. */
function expected(form: RankForm, seq: number, before: number): [number, string | undefined] {
  if (form.form === 'value') return [form.value, undefined];
  if (form.form === 'negatedSeq') return [-seq, undefined];
  return [before + 1 / form.weight, form.group];
}

function purge(t: Trial, query: Partial<PurgeQuery> = {}) {
  return t.requests.purge({
    now: t.now,
    limit: 100_000,
    keepAfter: Number.MAX_SAFE_INTEGER,
    retention: KEPT,
    ...query,
  });
}

export const reranksGroup = group('ranks', (test) => {
  test('are computed anew by an amendment, from each form to each other', async (t) => {
    const last = new Map<string, number>();
    const give = (form: RankForm, seq: number): [number, string | undefined] => {
      if (form.form !== 'flow') return expected(form, seq, 0);
      const given = expected(form, seq, last.get(form.flow) ?? 0);
      last.set(form.flow, given[0]);
      return given;
    };
    for (const from of FORMS) {
      for (const to of FORMS) {
        const { id, seq } = await t.accept({ rank: from });
        assert.deepEqual(await ranked(t, { id }), give(from, seq));
        await t.amend({ id, from: ['ready'], patch: { rank: to } });
        assert.deepEqual(await ranked(t, { id }), give(to, seq), `${from.form} to ${to.form}`);
      }
    }
  });

  test('given in bounded batches bring what waits into the order of another strategy', async (t) => {
    const accepted: Accepted[] = [];
    for (let n = 0; n < 24; n += 1)
      accepted.push(await t.accept({ rank: valued(1.7e12 + n), trace: n < 18 ? 'a' : 'b' }));
    const changes = accepted.map(({ id }, n) => ({
      id,
      from: ['ready'] as const,
      patch: { rank: turn(n < 18 ? 'a' : 'b') },
    }));
    for (let n = 0; n < 24; n += 5) await t.requests.amend({ now: t.now, changes: changes.slice(n, n + 5) });
    const flows = (await t.claim(12)).map(({ trace }) => trace);
    assert.equal(flows.filter((flow) => flow === 'b').length, 6);
  });

  test('of a lane given in the order of acceptance leave the head with the best of the new ones', async (t) => {
    const [head, second, third] = [1, 2, 3].map((n) => ({ lane: 'l', rank: valued(n) }));
    const lane = [await t.accept(head), await t.accept(second), await t.accept(third)] as const;
    const rerank = async (ranks: readonly number[]) => {
      for (const [n, { id }] of lane.entries()) {
        await t.amend({ id, from: ['ready', 'blocked'], patch: { rank: valued(ranks[n] as number) } });
      }
    };
    await rerank([900, 800, 950]);
    assert.equal((await t.get(lane[0].id)).rank, 800);
    await rerank([30, 20, 10]);
    assert.equal((await t.get(lane[0].id)).rank, 10);
    await rerank([100, 200, 300]);
    assert.equal((await t.get(lane[0].id)).rank, 100);
  });

  test('lent to a head stay when the one that lent gets a worse one', async (t) => {
    const head = await t.accept({ lane: 'l', rank: valued(9) });
    const next = await t.accept({ lane: 'l', rank: valued(2) });
    await t.amend({ id: next.id, from: ['blocked'], patch: { rank: turn('f', 0.01) } });
    assert.deepEqual(await ranked(t, head), [2, undefined]);
    await t.amend({ id: head.id, from: ['ready'], patch: { rank: turn('g', 0.001) } });
    assert.deepEqual(await ranked(t, head), [1000, 'api']);
  });

  test('are raised by a patch to the better one alone, at no cost', async (t) => {
    const one = await t.accept({ rank: turn('f') });
    const raise = (rank: RankRaise) => t.amend({ id: one.id, from: ['ready'], patch: { raise: rank } });
    await raise(valued(5));
    await raise({ form: 'flow', group: 'api', flow: 'f', weight: 1 });
    assert.deepEqual(await ranked(t, one), [1, 'api']);
    await raise({ form: 'flow', group: 'api', flow: 'g', weight: 4 });
    assert.deepEqual(await ranked(t, one), [0.25, 'api']);
    await raise(valued(-2));
    assert.deepEqual(await ranked(t, one), [-2, undefined]);
    assert.deepEqual(await ranked(t, await t.accept({ rank: turn('g', 4) })), [0.25, 'api']);
  });

  test('of flows are not given to what has ended', async (t) => {
    const id = await t.done({ rank: valued(3) });
    await t.amend({ id, from: ['succeeded'], patch: { rank: turn('f'), raise: { form: 'value', value: 1 } } });
    assert.deepEqual(await ranked(t, { id }), [3, undefined]);
    assert.deepEqual(await ranked(t, await t.accept({ rank: turn('f') })), [1, 'api']);
  });

  test('of flows that have been served are forgotten by purges, in steps', async (t) => {
    const requests = Array.from({ length: 3000 }, (_, n) => t.request({ rank: turn(`once ${n}`) }));
    for (let n = 0; n < 3000; n += 500) await t.enqueue(requests.slice(n, n + 500));
    assert.equal((await purge(t)).more, false);
    for (let n = 0; n < 6; n += 1) await t.claim(500);
    const steps: boolean[] = [];
    do steps.push((await purge(t, { limit: 1000 })).more);
    while (steps.at(-1) === true && steps.length < 9);
    assert.deepEqual(steps, [true, true, true, false]);
    assert.deepEqual(await ranked(t, await t.accept({ rank: turn('once 7') })), [2, 'api']);
  });

  test('of flows that are never served do not accumulate', async (t) => {
    for (let round = 0; round < 6; round += 1) {
      const requests = Array.from({ length: 500 }, (_, n) => t.request({ rank: turn(`gone ${round} ${n}`) }));
      await t.enqueue(requests);
      const to = { state: 'cancelled', reason: 'caller' } as const;
      await t.requests.amend({ now: t.now, changes: requests.map(({ id }) => ({ id, from: ['ready'], to })) });
    }
    assert.equal((await purge(t, { limit: 3000 })).more, true);
    // all are of one rank: with those that exceed, the others have been reached as well
    assert.equal((await purge(t, { limit: 1 })).more, false);
    assert.deepEqual(await ranked(t, await t.accept({ rank: turn('gone 0 0') })), [2, 'api']);
  });

  test('of a group that nobody used for long begin anew', async (t) => {
    await t.done({ rank: turn('f', 0.1) });
    t.now += 100;
    const retention = { ...KEPT, deadMs: 50 };
    await purge(t, { retention });
    assert.deepEqual(await ranked(t, await t.accept({ rank: turn('f') })), [11, 'api']);
    await t.claim();
    t.now += 101;
    await purge(t, { retention });
    assert.deepEqual(await ranked(t, await t.accept({ rank: turn('f') })), [1, 'api']);
  });

  test('of one value are the order of acceptance', async (t) => {
    const first = [await t.accept(), await t.accept(), await t.accept()];
    assert.deepEqual(ids(await t.claim(2)), ids(first.slice(0, 2)));
    const last = await t.accept();
    assert.deepEqual(ids(await t.claim()), ids([first[2] as Accepted, last]));
  });

  test('of the negated place put the newest first, also those that come between claims', async (t) => {
    const rank = { form: 'negatedSeq' } as const;
    const [a, b, c] = [await t.accept({ rank }), await t.accept({ rank }), await t.accept({ rank })];
    assert.deepEqual(ids(await t.claim(1)), [c.id]);
    const [d, e] = [await t.accept({ rank }), await t.accept({ rank })];
    assert.deepEqual(ids(await t.claim(3)), [e.id, d.id, b.id]);
    assert.deepEqual(ids(await t.claim()), [a.id]);
  });

  test('by deadline put the earliest first, whenever it was accepted', async (t) => {
    const due = async (inMs: number) => t.accept({ rank: valued(t.now + inMs), expiresAt: t.now + inMs });
    const [late, soon] = [await due(500), await due(100)];
    const middle = await due(300);
    assert.deepEqual(ids(await t.claim(1)), [soon.id]);
    const first = await due(50);
    assert.deepEqual(ids(await t.claim()), ids([first, middle, late]));
  });

  test('that age by priority bound the wait of the least under a constant load of the greatest', async (t) => {
    const ageingMs = 100;
    const accept = (priority: number) =>
      t.accept({ priority, acceptedAt: t.now, rank: valued(t.now - priority * ageingMs) });
    const least = await accept(1);
    const start = t.now;
    const before: number[] = [];
    while (before.length < 400) {
      t.now += 10;
      await accept(10);
      await accept(10);
      const [claimed] = await t.claim(1);
      if (claimed?.id === least.id) break;
      before.push((claimed?.acceptedAt ?? 0) - start);
    }
    assert.equal(Math.max(...before), 9 * ageingMs - 10);
    assert.equal(before.length, 178);
  });
});
