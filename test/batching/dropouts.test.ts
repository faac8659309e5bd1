import { describe, expect, it } from 'vitest';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import type { Credential } from '../../src/queue/types/auth.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { seededRandom } from '../../src/testing/seededRandom.ts';
import { applyThenReset, park, refuse, slow, unavailable } from '../../src/testing/serverSteps.ts';
import { deferred } from '../core/harness.ts';
import { rig } from '../gates/support/world.ts';
import { BATCH_PATH, listProtocol } from './support/protocol.ts';
import type { BatchWorld } from './support/world.ts';
import { batchWorld, enqueueAll, get, paths, post, put, ZONE } from './support/world.ts';

function inUse(one: BatchWorld): number {
  return one.test.queue.zones.get(ZONE).concurrency.inUse;
}

describe('a member that does not go', () => {
  it('for want of a credential keeps nobody back', async () => {
    let calls = 0;
    const auth = {
      credential(): Credential {
        calls += 1;
        // Asked at acceptance for each of three; then for the first of them at the send.
        const principal = calls === 4 ? 'somebody else' : 'me';
        return { headers: [['authorization', 'Bearer x']], version: 1, principal };
      },
    };
    const one = await batchWorld({ zone: { auth } });
    await enqueueAll(
      one,
      paths(3).map((path) => post(path)),
    );
    await one.test.clock.advance(50);
    expect(one.calls).toEqual([paths(3).slice(1)]);
    expect((await one.test.queue.counts()).succeeded).toBe(2);
    expect(inUse(one)).toBe(0);
  });

  it('for a provider that fails keeps nobody back, and nobody is left who would hold the permit', async () => {
    let isBroken = false;
    const auth = {
      credential(): Credential {
        if (isBroken) throw new Error('no token');
        return { headers: [['authorization', 'Bearer x']], version: 1, principal: 'me' };
      },
    };
    const one = await batchWorld({ zone: { auth } });
    await enqueueAll(
      one,
      paths(3).map((path) => post(path)),
    );
    isBroken = true;
    await one.test.clock.advance(50);
    expect(one.calls).toEqual([]);
    expect(inUse(one)).toBe(0);
    isBroken = false;
    await one.test.clock.advance(60_000);
    expect(one.calls).toEqual([paths(3)]);
  });

  it('in time goes by itself, while the others go without it', async () => {
    const late = deferred<Credential>();
    let calls = 0;
    const credential: Credential = { headers: [['authorization', 'Bearer x']], version: 1, principal: 'me' };
    const auth = {
      credential(): Credential | Promise<Credential> {
        calls += 1;
        return calls === 4 ? late.promise : credential;
      },
    };
    const one = await batchWorld({ zone: { auth } });
    await enqueueAll(
      one,
      paths(3).map((path) => post(path)),
    );
    await one.test.clock.advance(1_000);
    expect(one.calls).toEqual([paths(3).slice(1)]);
    expect(inUse(one)).toBe(1);
    late.resolve(credential);
    await one.test.clock.advance(50);
    expect(one.calls.at(-1)).toEqual(['/things/1']);
    expect((await one.test.queue.counts()).succeeded).toBe(3);
    expect(inUse(one)).toBe(0);
  });

  it('as its caller left leaves the call of the others whole', async () => {
    const one = await batchWorld();
    one.server.script.next(park);
    const leaving = new AbortController();
    const answers = [
      one.test.queue.fetch(get('/a').url, { signal: leaving.signal }),
      one.test.queue.fetch(get('/b').url),
      one.test.queue.fetch(get('/c').url),
    ];
    await one.test.clock.advance(20);
    expect(one.calls).toEqual([['/a', '/b', '/c']]);
    leaving.abort();
    await expect(answers[0]).rejects.toThrow('aborted');
    one.server.release();
    await one.test.clock.advance(20);
    expect(await (await answers[1])?.json()).toBe('/b');
    expect(await (await answers[2])?.json()).toBe('/c');
    expect(one.calls).toHaveLength(1);
    expect(inUse(one)).toBe(0);
  });

  it('closes the wire once all have left, and gives the permit back', async () => {
    const one = await batchWorld();
    one.server.script.next(park);
    const leaving = new AbortController();
    const answers = ['/a', '/b'].map((path) => one.test.queue.fetch(get(path).url, { signal: leaving.signal }));
    await one.test.clock.advance(20);
    expect(one.test.network.underWay).toBe(1);
    leaving.abort();
    for (const answer of answers) await expect(answer).rejects.toThrow('aborted');
    await one.test.clock.settle();
    expect(one.test.network.underWay).toBe(0);
    expect(inUse(one)).toBe(0);
  });

  it('past its deadline at the send is not sent', async () => {
    const one = await batchWorld({ config: { batchTimeoutMs: 100 } });
    const { clock, queue } = one.test;
    const late = await queue.enqueue(put('/late'), { deadline: clock.now() + 50 });
    await queue.enqueue(put('/a'));
    await queue.enqueue(put('/b'));
    await clock.advance(200);
    expect(one.calls).toEqual([['/a', '/b']]);
    expect(await queue.get(late.id)).toMatchObject({ state: 'dead', reason: 'expired' });
  });
});

describe('permits', () => {
  it('that lack for what was claimed leave it as if nobody had claimed it', async () => {
    const adapter = listProtocol({ key: ({ path }) => path.split('/')[1] ?? '' });
    const one = await batchWorld({ adapter, zone: { maxConcurrency: 1 } });
    const kinds = ['/k1', '/k2', '/k3', '/k4'];
    await enqueueAll(
      one,
      paths(20).map((path, index) => post(`${kinds[index % 4]}${path}`)),
    );
    await one.test.clock.advance(1_000);
    expect((await one.test.queue.counts()).succeeded).toBe(20);
    expect([...one.applied.values()].every((times) => times === 1)).toBe(true);
    const { requests } = await one.test.queue.find({});
    for (const { progress } of requests) expect(progress).toMatchObject({ faults: 0, unresolved: false });
    expect(inUse(one)).toBe(0);
  });

  it('that are fewer than the kinds that wait in turn still carry as many of one as were found', async () => {
    const adapter = listProtocol({ key: ({ path }) => path.split('/')[1] ?? '' });
    const one = await batchWorld({ adapter, zone: { maxConcurrency: 1 }, config: { maxBatchSize: 20 } });
    await enqueueAll(
      one,
      paths(400).map((path, index) => post(`/k${index % 2}${path}`)),
    );
    await one.test.clock.advance(10_000);
    expect([...one.applied.values()]).toEqual(Array(400).fill(1));
    // Twenty calls would be full ones; 400 would be none shared.
    expect(one.calls.length).toBeLessThan(50);
  });

  it('that lack cost no flow its turns: what was claimed and not sent keeps them', async () => {
    const adapter = listProtocol({ key: ({ path }) => path.split('/')[1] ?? '' });
    const flows = { by: 'tag', weights: { a: 1, b: 3 } } as const;
    const config = { priorityStrategy: 'weighted', flows } as const;
    const one = await batchWorld({ adapter, zone: { maxConcurrency: 1 }, config });
    one.test.queue.pause();
    const tags = ['a', 'b'];
    const requests = paths(1_600).map((path, n) => ({
      request: post(`/${tags[n % 2]}${path}`),
      tag: tags[n % 2] ?? '',
    }));
    await one.test.queue.enqueueMany(requests.map(({ request, tag }) => ({ request, options: { tags: [tag] } })));
    one.test.queue.resume();
    await one.test.clock.advance(20_000);
    const sent = one.calls.flat();
    expect(sent).toHaveLength(1_600);
    for (const picks of [400, 700, 1_000]) {
      const share = sent.slice(0, picks).filter((path) => path.startsWith('/b/')).length / picks;
      expect(Math.abs(share - 0.75)).toBeLessThan(0.02);
    }
  });

  it('are one for a call, and a rate that counts requests counts all of it', async () => {
    const zone = { rateLimit: { max: 10, perMs: 60_000, burst: 10, algorithm: 'slidingWindow' } } as const;
    const each = await batchWorld({ adapter: listProtocol({ countsAs: 'each' }), zone });
    await enqueueAll(
      each,
      paths(30).map((path) => put(path)),
    );
    await each.test.clock.advance(1_000);
    expect(each.calls.flat()).toHaveLength(10);
    const counted = await batchWorld({ zone });
    await enqueueAll(
      counted,
      paths(30).map((path) => put(path)),
    );
    await counted.test.clock.advance(1_000);
    expect(counted.calls.flat()).toHaveLength(30);
  });

  it('of what goes singly are not used up by members, on a store that is shared', async () => {
    const zones = { [ZONE]: { origins: [TEST_ORIGIN], batch: listProtocol(), maxConcurrency: 2 } };
    const one = await rig({ isShared: true, config: { batchingEnabled: true, zones } });
    one.server.script.always((request) => (request.path === BATCH_PATH ? park : refuse({ status: 200 })));
    await one.queue.enqueueMany(paths(20).map((path) => ({ request: put(path) })));
    await one.clock.settle();
    expect(one.network.underWay).toBe(1);
    await one.queue.enqueue(put('/alone'));
    await one.clock.advance(50);
    expect((await one.queue.counts()).succeeded).toBe(1);
    one.server.script.clear();
  });
});

describe('what was stored for an adapter', () => {
  it('that its process does not have is sent singly', async () => {
    const storage = new MemoryStorage();
    const zones = { [ZONE]: { origins: [TEST_ORIGIN], batch: listProtocol() } };
    const before = await rig({ storage, config: { batchingEnabled: true, dispatch: false, zones } });
    for (const priority of [1, 5, 10]) {
      for (const path of paths(3, `/p${priority}`)) await before.queue.enqueue(put(path), { priority });
    }
    await before.close();
    const after = await rig({ storage, config: { zones } });
    await after.clock.advance(5_000);
    expect((await after.queue.counts()).succeeded).toBe(9);
    expect(after.server.ledger.entries.map(({ request }) => request.path)).not.toContain(BATCH_PATH);
  });
});

describe('whatever becomes of its calls', () => {
  const steps = [
    undefined,
    undefined,
    applyThenReset,
    unavailable(1),
    slow(300),
    refuse({ status: 413 }),
    refuse({ status: 400 }),
    refuse({ status: 500 }),
    refuse({ status: 424 }),
  ];

  it.each([1, 2, 3, 4, 5, 6])('every request ends, and every permit comes back (seed %i)', async (seed) => {
    const { number: random } = seededRandom(seed);
    const one = await batchWorld({ seed, config: { maxAttempts: 50, batchTimeoutMs: 5 } });
    one.answerItem = () =>
      random() < 0.1 ? { status: [424, 404, 503, 429][Math.floor(random() * 4)] ?? 404 } : undefined;
    one.server.script.always(
      () => (random() < 0.5 ? undefined : steps[Math.floor(random() * steps.length)]) ?? slow(1),
    );
    const leaving: AbortController[] = [];
    for (let round = 0; round < 12; round += 1) {
      const requests = paths(Math.ceil(random() * 25), `/r${round}`).map((path) => {
        const make = [get, put, post][Math.floor(random() * 3)] ?? get;
        return random() < 0.1 ? make(`/alone${path}`) : make(path);
      });
      await enqueueAll(one, requests);
      const controller = new AbortController();
      leaving.push(controller);
      one.test.queue.fetch(get(`/aborted/${round}`).url, { signal: controller.signal }).catch(() => undefined);
      await one.test.clock.advance(Math.ceil(random() * 20));
      if (random() < 0.5) controller.abort();
    }
    one.server.script.clear();
    one.answerItem = () => undefined;
    for (const controller of leaving) controller.abort();
    await one.test.clock.advance(3_600_000);
    const { ready, scheduled, blocked, sending, unknown } = await one.test.queue.counts();
    expect({ ready, scheduled, blocked, sending, unknown }).toEqual({
      ready: 0,
      scheduled: 0,
      blocked: 0,
      sending: 0,
      unknown: 0,
    });
    expect(inUse(one)).toBe(0);
    // A write that cannot be repeated is never applied twice.
    for (const [what, times] of one.applied) if (what.startsWith('POST')) expect([what, times]).toEqual([what, 1]);
  });
});
