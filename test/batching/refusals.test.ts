import { describe, expect, it } from 'vitest';
import { refusalOf } from '../../src/queue/strategies/batching/refusal.ts';
import { resetBeforeApply, slow } from '../../src/testing/serverSteps.ts';
import { record } from '../core/harness.ts';
import { listProtocol } from './support/protocol.ts';
import { batchWorld, enqueueAll, get, paths, post, put, ZONE } from './support/world.ts';

const isEach = (times: Iterable<number>): boolean => [...times].every((one) => one === 1);

describe('a server that takes no batches', () => {
  it.each([404, 405, 403, 501])(
    'but answers %i is sent each request singly, and hardly a batch any more',
    async (status) => {
      const one = await batchWorld();
      one.answerCall = () => ({ status });
      await enqueueAll(
        one,
        paths(60).map((path) => post(path)),
      );
      await one.test.clock.advance(5_000);
      expect((await one.test.queue.counts()).succeeded).toBe(60);
      expect([one.applied.size, isEach(one.applied.values())]).toEqual([60, true]);
      expect(one.calls.filter((call) => call.length > 1).length).toBeLessThanOrEqual(10);
    },
  );

  it('but answers 500 is sent each request singly in the end', async () => {
    const one = await batchWorld({ config: { maxBatchSize: 100 } });
    one.answerCall = () => ({ status: 500 });
    await enqueueAll(
      one,
      paths(200).map((path) => put(path)),
    );
    await one.test.clock.advance(600_000);
    expect((await one.test.queue.counts()).succeeded).toBe(200);
    const tries = new Map<string, number>();
    for (const path of one.calls.flat()) tries.set(path, (tries.get(path) ?? 0) + 1);
    expect(Math.max(...tries.values())).toBeLessThanOrEqual(3);
  });

  it('is asked again by two after many went singly', async () => {
    const one = await batchWorld();
    let takesBatches = false;
    one.answerCall = () => (takesBatches ? undefined : { status: 404 });
    await enqueueAll(
      one,
      paths(20).map((path) => put(path)),
    );
    await one.test.clock.advance(1_000);
    expect(one.test.queue.zones.get(ZONE).batches).toMatchObject([{ size: 1 }]);
    takesBatches = true;
    for (let round = 0; round < 20; round += 1) {
      await enqueueAll(
        one,
        paths(20, `/more/${round}`).map((path) => put(path)),
      );
      await one.test.clock.advance(1_000);
    }
    expect(one.test.queue.zones.get(ZONE).batches[0]?.size).toBeGreaterThan(1);
    expect(Math.max(...one.calls.slice(-10).map((call) => call.length))).toBeGreaterThan(1);
  });
});

describe('a refusal of a whole call', () => {
  it('that may be the fault of one is found out by halves', async () => {
    const one = await batchWorld();
    const split = record(one.test.queue, 'batch:split');
    one.answerCall = (items) => (items.some(({ path }) => path === '/things/3') ? { status: 409 } : undefined);
    one.answerItem = ({ path }) => (path === '/things/3' ? { status: 409 } : undefined);
    const accepted = await enqueueAll(
      one,
      paths(16).map((path) => put(path)),
    );
    await one.test.clock.advance(1_000);
    const ends = await Promise.all(accepted.map((request) => request.settled()));
    expect(ends.map(({ response }) => response?.status).filter((status) => status === 409)).toHaveLength(1);
    expect(split.map(({ from, to }) => [from, to])).toEqual([
      [16, 8],
      [8, 4],
      [4, 2],
      [2, 1],
    ]);
  });

  it('that leads elsewhere is no answer to a read, which is asked by itself', async () => {
    const one = await batchWorld();
    one.answerCall = () => ({ status: 302, headers: [['location', '/sign-in']] });
    const accepted = await enqueueAll(one, [...paths(3).map(get), ...paths(3, '/posts').map((path) => post(path))]);
    await one.test.clock.advance(1_000);
    const states = await Promise.all(accepted.map(async ({ id }) => (await one.test.queue.get(id))?.state));
    expect(states.slice(0, 3)).toEqual(Array(3).fill('succeeded'));
    expect(one.calls.slice(1)).toEqual(paths(3).map((path) => [path]));
    expect(states.slice(3)).toEqual(Array(3).fill('held'));
    expect(one.test.queue.zones.get(ZONE).concurrency.inUse).toBe(0);
  });

  it('is read by what its status speaks of', () => {
    expect([400, 409, 413, 422].map(refusalOf)).toEqual(['halves', 'halves', 'halves', 'halves']);
    expect([403, 404, 405, 501].map(refusalOf)).toEqual(['singly', 'singly', 'singly', 'singly']);
    expect([401, 408, 429, 500, 502, 503].map(refusalOf)).toEqual(['all', 'all', 'all', 'all', 'all', 'all']);
  });
});

describe('calls made one after the other under one permit', () => {
  it('leave out members whose deadline passes meanwhile', async () => {
    const one = await batchWorld();
    one.answerCall = () => ({ status: 404 });
    one.server.script.always(slow(100));
    const { clock, queue } = one.test;
    const deadline = clock.now() + 350;
    const late = await queue.enqueueMany(paths(8).map((path) => ({ request: put(path), options: { deadline } })));
    await clock.advance(10_000);
    const ends = await Promise.all(late.map(({ id }) => queue.get(id)));
    const dead = ends.filter((record) => record?.state === 'dead');
    expect(dead.length).toBeGreaterThanOrEqual(4);
    expect(dead.every((record) => record?.reason === 'expired' && record.progress.unresolved === false)).toBe(true);
    expect(one.applied.size).toBe(8 - dead.length);
  });
});

describe('many requests that share no call', () => {
  it('are hardly ever claimed in vain', async () => {
    const adapter = listProtocol({ maxItems: 50, key: ({ path }) => path });
    const one = await batchWorld({ adapter, zone: { maxConcurrency: 2 }, config: { maxBatchSize: 50 } });
    await enqueueAll(
      one,
      paths(1_500).map((path) => put(path)),
    );
    await one.test.clock.advance(60_000);
    expect((await one.test.queue.counts()).succeeded).toBe(1_500);
    const { requests } = await one.test.queue.find({}, { limit: 1_000 });
    // Each claim has a number of its own: the last is that of the attempt.
    const claims = requests.reduce((sum, { progress }) => sum + (progress.attempts.at(-1)?.n ?? 0), 0);
    expect(claims / requests.length).toBeLessThan(1.25);
  });
});

describe('a request that comes to nothing among others', () => {
  it('is read alone after it was missing twice', async () => {
    const adapter = listProtocol();
    const one = await batchWorld({
      adapter: {
        ...adapter,
        outcomes: (answers, members) => {
          const left = members.find(({ path }) => path === '/left-out')?.id;
          return adapter.outcomes(answers, members).filter(({ id }) => id !== left);
        },
      },
    });
    const { queue, clock } = one.test;
    const [leftOut] = await enqueueAll(one, [get('/left-out'), get('/other')]);
    await clock.advance(20);
    for (let round = 0; round < 3; round += 1) {
      // When it goes again, others always wait with it.
      queue.pause(ZONE);
      await clock.advance(90_000);
      await enqueueAll(
        one,
        paths(3, `/round/${round}`).map((path) => get(path)),
      );
      queue.resume(ZONE);
      await clock.advance(100);
    }
    const calls = one.calls.filter((call) => call.includes('/left-out')).map((call) => call.length > 1);
    expect(calls).toEqual([true, true, false]);
    expect(await one.test.queue.get(leftOut?.id ?? '')).toMatchObject({ state: 'succeeded' });
  });

  it('takes no other along when it breaks the connection each time', async () => {
    const one = await batchWorld();
    one.server.script.always(({ path, body }) =>
      path === '/poison' || body.includes('/poison') ? resetBeforeApply : undefined,
    );
    await enqueueAll(
      one,
      [...paths(9), '/poison'].map((path) => put(path)),
    );
    await one.test.clock.advance(600_000);
    const tries = one.server.ledger.entries.filter(({ request }) => request.path === '/batch').length;
    expect(tries).toBeLessThanOrEqual(8);
    expect((await one.test.queue.counts()).succeeded).toBe(9);
    expect(isEach(one.applied.values())).toBe(true);
  });
});
