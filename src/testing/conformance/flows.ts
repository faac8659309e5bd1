import assert from 'node:assert/strict';
import type { NewRequest, RankForm } from '../../queue/types/request.ts';
import { group } from './group.ts';
import type { Accepted, Trial } from './Trial.ts';
import { ids, LEASE_MS } from './Trial.ts';

const BATCH = 500;

const turn = (flow: string, weight = 1, of = 'api'): RankForm => ({ form: 'flow', group: of, flow, weight });
const valued = (value: number): RankForm => ({ form: 'value', value });

/** Accepts so many requests of a flow, which they carry as their trace. */
async function fill(t: Trial, flow: string, count: number, weight = 1, fields: Partial<NewRequest> = {}) {
  for (let left = count; left > 0; left -= BATCH) {
    const requests = Array.from({ length: Math.min(left, BATCH) }, () =>
      t.request({ rank: turn(flow, weight), trace: flow, ...fields }),
    );
    await t.enqueue(requests);
  }
}

/** The flows of the next requests, claimed in chunks. */
async function picks(t: Trial, count: number, chunk: number): Promise<string[]> {
  const flows: string[] = [];
  while (flows.length < count) {
    const claimed = await t.claim(Math.min(chunk, count - flows.length));
    if (claimed.length === 0) break;
    for (const { trace } of claimed) flows.push(trace ?? '');
  }
  return flows;
}

const shareOf = (flows: readonly string[], flow: string): number => flows.filter((one) => one === flow).length;

async function rankOf(t: Trial, { id }: Pick<Accepted, 'id'>): Promise<number> {
  return (await t.get(id)).rank;
}

/** The rank that the next request of a new flow gets: where the time of its group stands. */
async function standsAt(t: Trial, of = 'api'): Promise<number> {
  const { id } = t.request();
  const probe = await t.accept({ channel: 'elsewhere', rank: turn(`probe ${id}`, 1, of) });
  return (await rankOf(t, probe)) - 1;
}

const FLOW = { rank: turn('f') };

export const flowsGroup = group('flows', (test, handles) => {
  test('with work waiting get calls in proportion to their weights', async (t) => {
    const weights = { a: 1, b: 2, c: 3.5, d: 13.5 };
    for (const [flow, weight] of Object.entries(weights)) await fill(t, flow, weight * 510, weight);
    const flows = await picks(t, 10_000, 250);
    assert.equal(flows.length, 10_000);
    for (const [flow, weight] of Object.entries(weights)) {
      const due = weight * 500;
      assert.ok(Math.abs(shareOf(flows, flow) - due) <= due * 0.02, `${flow}: ${shareOf(flows, flow)} of ${due}`);
    }
  });

  test('that were idle get no credit', async (t) => {
    await fill(t, 'idle', 1);
    await fill(t, 'busy', 60);
    await picks(t, 41, 5);
    await fill(t, 'idle', 20);
    const next = await picks(t, 20, 3);
    assert.ok(Math.abs(shareOf(next, 'idle') - 10) <= 1, next.join());
  });

  test('that were alone are not made to wait for that', async (t) => {
    await fill(t, 'alone', 60);
    await picks(t, 40, 5);
    await fill(t, 'late', 20);
    const next = await picks(t, 20, 3);
    assert.ok(Math.abs(shareOf(next, 'alone') - 10) <= 1, next.join());
  });

  test('wait for one round when they are new, however much waits of others', async (t) => {
    for (const flow of ['a', 'b', 'c']) await fill(t, flow, 300);
    await picks(t, 90, 10);
    await fill(t, 'new', 1);
    assert.ok((await picks(t, 8, 1)).includes('new'));
  });

  test('are not delayed by ten thousand waiting requests of another', async (t) => {
    await fill(t, 'heavy', 10_000);
    await fill(t, 'light', 20);
    const next = await picks(t, 42, 7);
    assert.equal(shareOf(next, 'light'), 20, next.join());
  });

  test('keep the order of acceptance', async (t) => {
    const own: string[] = [];
    for (let n = 0; n < 30; n += 1) {
      own.push((await t.accept({ rank: turn('own', 0.3 + (n % 4)) })).id);
      await t.accept({ rank: turn(`other ${n % 3}`, 2) });
    }
    const claimed: string[] = [];
    while (claimed.length < 60) claimed.push(...ids(await t.claim(7)));
    assert.deepEqual(
      claimed.filter((id) => own.includes(id)),
      own,
    );
  });

  test('share one time over what their group is stored under', async (t) => {
    const names = ['api', 'api!critical', 'api!bulk'];
    for (let n = 0; n < 30; n += 1) {
      await t.accept({ channel: names[n % 3] as string, rank: turn('a'), trace: 'a' });
    }
    const parts = names.map((channel) => ({ channel, calls: 100 }));
    const asked = { channel: 'api', senders: [''], perCall: 1, parts };
    await t.claim(0, { channels: [{ ...asked, calls: 20 }] });
    await t.accept({ channel: 'api!bulk', rank: turn('b'), trace: 'b' });
    const next = await t.claim(0, { channels: [{ ...asked, calls: 2 }] });
    assert.deepEqual(next.map(({ trace }) => trace).sort(), ['a', 'b']);
  });

  test('of another group have a time of their own', async (t) => {
    await fill(t, 'a', 5);
    await picks(t, 5, 5);
    assert.equal(await standsAt(t), 5);
    assert.equal(await standsAt(t, 'other'), 0);
  });

  test('are told of by the records: group and rank', async (t) => {
    const { id } = await t.accept({ rank: turn('f', 4) });
    const plain = await t.accept();
    const found = await t.get(id);
    assert.deepEqual([found.rank, found.rankGroup], [0.25, 'api']);
    assert.ok(!('rankGroup' in (await t.get(plain.id))));
    const claimed = await t.claim(2, {});
    assert.deepEqual(claimed.map(({ rankGroup }) => rankGroup).sort(), ['api', undefined]);
  });

  test('of any name are kept apart', async (t) => {
    const names = ['', 'a', 'a\u0000', 'ä', '1:a', '\uffff'];
    for (const of of names) for (const flow of names) await t.accept({ rank: turn(flow, 1, of), trace: 'x' });
    for (const of of names) {
      for (const flow of names) assert.equal(await rankOf(t, await t.accept({ rank: turn(flow, 1, of) })), 2);
    }
  });

  test('move on when a request is leased as it is accepted', async (t) => {
    const claim = {
      worker: t.worker,
      leaseUntil: t.leaseNow + LEASE_MS,
      allowance: [{ channel: 'api', calls: 9 }],
    };
    for (let n = 0; n < 3; n += 1) assert.equal((await t.accept(FLOW, { claim })).state, 'sending');
    assert.equal(await standsAt(t), 3);
  });

  test('do not move on by a retry, a look while unknown or a request without a flow', async (t) => {
    const held = await t.take(FLOW);
    await t.settle(held, { state: 'ready', reason: 'retry' });
    const again = await t.lease(held.id);
    await t.settle(again, { state: 'unknown', reason: 'unanswered', dueAt: t.now });
    await t.requests.claimUnknown({
      worker: t.worker,
      now: t.now,
      until: t.now + 9,
      limit: 1,
      channels: [{ channel: 'api', senders: [''] }],
    });
    await t.take({ rank: valued(77) });
    assert.equal(await standsAt(t), 1);
  });

  test('send what comes back after the time has gone past it in turns with what is new of others', async (t) => {
    for (let n = 0; n < 30; n += 1) {
      const held = await t.take({ ...FLOW, trace: 'f' });
      await t.settle(held, { state: 'scheduled', reason: 'retry', dueAt: t.now + 100 });
    }
    await fill(t, 'before', 3);
    t.now += 100;
    await fill(t, 'f', 30);
    const first = await picks(t, 9, 1);
    assert.equal(shareOf(first, 'before'), 3, first.join());
    await fill(t, 'after', 10);
    const next = await picks(t, 30, 1);
    assert.ok(Math.abs(shareOf(next, 'after') - 10) <= 1, next.join());
    assert.equal((await picks(t, 99, 10)).length, 30 + 30 + 3 + 10 - 9 - 30);
  });

  test('give what comes back a turn beside the backlog of its flow, and none to what nobody has gone past', async (t) => {
    const tried = await t.take(FLOW);
    await t.settle(tried, { state: 'ready', reason: 'retry' });
    assert.equal(await rankOf(t, tried), 1);
    const waiting = [await t.accept(FLOW), await t.accept(FLOW)];
    for (const { id } of waiting) await t.amend({ id, from: ['ready'], to: { state: 'held', reason: 'operator' } });
    await fill(t, 'f', 50);
    await picks(t, 11, 1);
    for (const { id } of waiting) await t.amend({ id, from: ['held'], to: { state: 'ready', reason: 'released' } });
    assert.deepEqual([await rankOf(t, waiting[0] as Accepted), await rankOf(t, waiting[1] as Accepted)], [14, 15]);
    assert.equal(await rankOf(t, await t.accept(FLOW)), 54);
  });

  test('leave its turn to what was leased and not tried, whatever the time has gone past', async (t) => {
    const [first, second] = [await t.take(FLOW), await t.take(FLOW)];
    await fill(t, 'f', 5);
    await picks(t, 3, 3);
    for (const one of [first, second]) {
      await t.settle(one, { state: 'ready', reason: 'accepted' }, { notSent: true });
    }
    assert.deepEqual([await rankOf(t, first), await rankOf(t, second)], [1, 2]);
    assert.equal((await t.get(first.id)).reason, 'accepted');
    assert.equal(await rankOf(t, await t.accept(FLOW)), 8);
    const [next] = await t.claim(1);
    assert.equal(next?.id, first.id);
  });

  test('let a lane that was blocked catch up in turns with others, though those in it lend it old ranks', async (t) => {
    const head = await t.take({ ...FLOW, lane: 'l', trace: 'lane' });
    await fill(t, 'f', 20, 1, { lane: 'l', trace: 'lane' });
    await t.settle(head, { state: 'scheduled', reason: 'retry', dueAt: t.now + 100 });
    await fill(t, 'other', 40);
    await picks(t, 30, 1);
    t.now += 100;
    const flows: string[] = [];
    for (let n = 0; n < 20; n += 1) {
      const [one] = await t.claim(1);
      if (one === undefined) break;
      flows.push(one.trace ?? '');
      await t.succeed({ id: one.id, token: one.lease?.token ?? 0 });
    }
    assert.equal(shareOf(flows, 'other'), 10, flows.join());
  });

  test('pay nothing for a request that joins', async (t) => {
    const first = await t.accept({ ...FLOW, key: 'k', digest: 'd' });
    const [joined] = await t.enqueue([t.request({ ...FLOW, key: 'k', digest: 'd' })]);
    assert.equal(joined?.status, 'joined');
    assert.equal(await rankOf(t, first), 1);
    assert.equal(await rankOf(t, await t.accept(FLOW)), 2);
  });

  test('lend a request that is joined their better turn', async (t) => {
    await fill(t, 'f', 9);
    const led = await t.accept({ ...FLOW, key: 'k', digest: 'd' });
    await t.enqueue([t.request({ rank: turn('other'), key: 'k', digest: 'd' })]);
    assert.equal(await rankOf(t, led), 1);
    assert.equal(await rankOf(t, await t.accept({ rank: turn('other') })), 1);
  });

  test('pay nothing for what takes the place of another, unless its own turn is better', async (t) => {
    await fill(t, 'f', 3);
    const old = await t.accept({ ...FLOW, lane: 'l' });
    const second = await t.accept({ ...FLOW, lane: 'l', replaces: { id: old.id } });
    assert.equal(await rankOf(t, second), 4);
    assert.equal(await rankOf(t, await t.accept(FLOW)), 5);
    const third = await t.accept({ rank: turn('other', 2), lane: 'l', replaces: { id: second.id } });
    assert.equal(await rankOf(t, third), 0.5);
    assert.equal(await rankOf(t, await t.accept({ rank: turn('other', 2) })), 1);
    const result = { status: 200, headers: [], body: null };
    await t.accept({ rank: turn('g', 100), lane: 'l', replaces: { id: third.id, result } });
    assert.equal(await rankOf(t, await t.accept({ rank: turn('g') })), 1);
  });

  test('pay nothing for a batch that is refused, nor for one offered again', async (t) => {
    const request = t.request(FLOW);
    await t.enqueue([request]);
    await t.enqueue([request]);
    const claim = { worker: t.worker, leaseUntil: t.leaseNow + LEASE_MS, allowance: [{ channel: 'new', calls: 9 }] };
    const refused = [t.request({ ...FLOW, channel: 'new' }), t.request({ after: [t.id(999)] })];
    const results = await t.enqueue(refused, { atomic: true, claim });
    assert.deepEqual(
      results.map(({ status }) => status),
      ['refused', 'refused'],
    );
    assert.equal(await standsAt(t), 0);
    assert.equal(await rankOf(t, await t.accept(FLOW)), 2);
  });

  test('give the head of a lane the turn of one behind it, with its group', async (t) => {
    const head = await t.accept({ rank: valued(50), lane: 'l' });
    await t.accept({ rank: turn('f', 1, 'g'), lane: 'l' });
    const last = await t.accept({ rank: turn('f', 4, 'g'), lane: 'l' });
    assert.deepEqual([(await t.get(head.id)).rank, (await t.get(head.id)).rankGroup], [1, 'g']);
    const held = await t.lease(head.id);
    assert.equal(await standsAt(t, 'g'), 1);
    await t.succeed(held);
    await t.amend({ id: last.id, from: ['blocked'], patch: { rank: valued(-1) } });
    const [next] = await t.claim(1);
    assert.deepEqual([next?.rank, next?.rankGroup], [-1, undefined]);
  });

  test('take any weight, within bounds', async (t) => {
    const weights = [Number.NaN, 0, -3, Number.MIN_VALUE, Number.POSITIVE_INFINITY, 1e9];
    const ranks: number[] = [];
    for (const [n, weight] of weights.entries())
      ranks.push(await rankOf(t, await t.accept({ rank: turn(`${n}`, weight) })));
    assert.deepEqual(ranks, [1, 1e6, 1e6, 1e6, 1e-6, 1e-6]);
  });

  handles('outlive the handle', async (t) => {
    await fill(t, 'f', 5);
    await picks(t, 3, 3);
    await t.backend.close();
    const other = await t.open('worker-2');
    const requests = [t.request(FLOW), t.request({ rank: turn('new') })];
    await other.requests.enqueue({
      requests,
      atomic: false,
      now: t.now,
      limits: { maxSize: 99, maxBytes: 9999 },
      claim: null,
    });
    const found = await other.requests.get({ ids: ids(requests) });
    assert.deepEqual(
      found.map((one) => one?.rank),
      [6, 4],
    );
  });

  handles('are shared by handles that take turns', async (t) => {
    const other = await t.open('worker-2');
    for (let n = 1; n <= 4; n += 1) {
      const request = t.request({ ...FLOW, channel: 'shared' });
      const handle = n % 2 === 0 ? other : t.backend;
      await handle.requests.enqueue({
        requests: [request],
        atomic: false,
        now: t.now,
        limits: { maxSize: 99, maxBytes: 9999 },
        claim: null,
      });
      const [claimed] = await t.claim(1, { channel: 'shared' }, n % 2 === 0 ? t.backend : other);
      assert.equal(claimed?.rank, n);
    }
  });
});
