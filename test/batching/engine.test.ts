import { describe, expect, it } from 'vitest';
import { record } from '../core/harness.ts';
import { batchWorld, enqueueAll, get, paths, post, put, ZONE } from './support/world.ts';

describe('requests that wait', () => {
  it('share a call, and each gets its own answer', async () => {
    const one = await batchWorld();
    const sent = record(one.test.queue, 'batch:sent');
    one.answerItem = ({ path, body }) => ({ status: path.endsWith('/3') ? 404 : 201, body: { path, body } });
    const accepted = await enqueueAll(
      one,
      paths(5).map((path) => post(path)),
    );
    await one.test.clock.advance(20);
    expect(one.calls).toEqual([paths(5)]);
    const ends = await Promise.all(accepted.map((request) => request.settled()));
    expect(ends.map(({ state }) => state)).toEqual(['succeeded', 'succeeded', 'dead', 'succeeded', 'succeeded']);
    const bodies = ends.map(({ response }) => JSON.parse(new TextDecoder().decode(response?.body)).path);
    expect(bodies).toEqual(paths(5));
    expect(sent).toMatchObject([{ zone: ZONE, channel: `${ZONE}|list`, adapter: 'list', size: 5, status: 200 }]);
    expect(one.test.queue.zones.get(ZONE).concurrency.inUse).toBe(0);
  });

  it('go in as many calls as their number needs, at once where a call is full', async () => {
    const one = await batchWorld();
    await enqueueAll(
      one,
      paths(50).map((path) => put(path)),
    );
    await one.test.clock.settle();
    expect(one.calls.map((call) => call.length)).toEqual([20, 20, 10]);
    expect((await one.test.queue.counts()).succeeded).toBe(50);
  });

  it('wait for others no longer than the window', async () => {
    const one = await batchWorld({ config: { batchTimeoutMs: 40 } });
    await one.test.queue.enqueue(put('/a'));
    await one.test.clock.advance(30);
    await one.test.queue.enqueue(put('/b'));
    expect(one.calls).toEqual([]);
    await one.test.clock.advance(10);
    expect(one.calls).toEqual([['/a', '/b']]);
  });

  it('go at once when one of them is urgent', async () => {
    const one = await batchWorld({ config: { batchTimeoutMs: 1_000 } });
    await one.test.queue.enqueue(put('/a'));
    await one.test.clock.settle();
    expect(one.calls).toEqual([]);
    await one.test.queue.enqueue(put('/b'), { priority: 8 });
    await one.test.clock.settle();
    expect(one.calls).toEqual([['/b', '/a']]);
  });

  it('are not kept waiting any more once waiting brought nobody', async () => {
    const one = await batchWorld();
    for (const path of paths(8)) {
      await one.test.queue.enqueue(put(path));
      await one.test.clock.advance(200);
    }
    one.calls.length = 0;
    await one.test.queue.enqueue(put('/late'));
    await one.test.clock.settle();
    expect(one.calls).toEqual([['/late']]);
    expect(one.test.queue.zones.get(ZONE).batches).toEqual([
      { channel: `${ZONE}|list`, adapter: 'list', size: 20, windowMs: 0 },
    ]);
    await enqueueAll(
      one,
      paths(20, '/together').map((path) => put(path)),
    );
    await one.test.clock.settle();
    expect(one.calls.at(-1)).toHaveLength(20);
  });

  it('go singly where batching is off, or the adapter takes them not', async () => {
    const off = await batchWorld({ config: { batchingEnabled: false } });
    await enqueueAll(
      off,
      paths(3).map((path) => put(path)),
    );
    await off.test.clock.advance(50);
    expect(off.calls).toEqual(paths(3).map((path) => [path]));
    const on = await batchWorld();
    await enqueueAll(on, [put('/alone/1'), put('/alone/2'), put('/a'), put('/b')]);
    await on.test.clock.advance(50);
    expect(on.calls.toSorted()).toEqual([['/a', '/b'], ['/alone/1'], ['/alone/2']]);
  });
});

describe('identical reads', () => {
  it('share one member of a batch', async () => {
    const one = await batchWorld();
    const answers = ['/a', '/b', '/a', '/a'].map((path) => one.test.queue.fetch(get(path).url));
    await one.test.clock.advance(20);
    expect(one.calls).toEqual([['/a', '/b']]);
    expect(await Promise.all(answers.map(async (answer) => (await answer).json()))).toEqual(['/a', '/b', '/a', '/a']);
  });
});
