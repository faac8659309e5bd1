import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { MemoryBackend } from '../../src/queue/backends/memory/MemoryBackend.ts';
import { MemoryStorage } from '../../src/queue/backends/memory/MemoryStorage.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import type { ServerStep } from '../../src/testing/serverSteps.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import { arrivals, at, folder, onFile, realServer, record } from './harness.ts';

const ANN = { principal: 'ann' };

describe('a user who leaves one of two processes', () => {
  it('has left the other one of the same file as well, and comes back to both', async () => {
    const server = await realServer();
    const path = join(await folder(), 'queue.db');
    const zones = { api: { origins: [server.origin] } };
    const [a, b] = [await onFile(path, { zones }), await onFile(path, { zones })];
    const post = (queue: QueueManager, body: string) =>
      queue.enqueue({ method: 'POST', url: `${server.origin}/notes`, body }, { ...ANN, lane: 'notes' });
    for (const queue of [a, b]) queue.pause();
    await post(a, '1');
    await post(b, '2');
    expect(await a.principals.leave('ann')).toMatchObject({ sealed: 2 });
    expect(await b.principals.list()).toEqual([{ principal: 'ann', sealed: true, counts: { held: 2 } }]);
    const held = record(b, 'request:held');
    for (const queue of [a, b]) queue.resume();
    const third = await post(b, '3');
    expect(await third.settled()).toMatchObject({ state: 'held', error: { code: 'AUTH_REQUIRED' } });
    await b.enqueue({ method: 'POST', url: `${server.origin}/notes`, body: 'bob' }, { principal: 'bob' });
    await b.idle();
    expect(held).toMatchObject([{ requestId: third.id, reason: 'principal' }]); // by the process that has its caller
    expect(arrivals(server)).toEqual(['POST /notes bob']);
    await b.close();

    const c = await onFile(path, { zones });
    expect(await c.principals.enter('ann')).toBe(3);
    await server.ledger.until((ledger) => ledger.applied() === 4);
    expect(arrivals(server).slice(1)).toEqual(['POST /notes 1', 'POST /notes 2', 'POST /notes 3']);
  });

  it('is away for the other one as soon as that hears of anything', async () => {
    const [clock, store] = [new FakeClock(), new MemoryStorage()];
    const network = new FakeNetwork({ clock });
    const server = network.serve(TEST_ORIGIN);
    const open = async () => {
      const queue = new QueueManager({ clock, transport: network, backend: new MemoryBackend({ store }) });
      await queue.start();
      onTestFinished(() => queue.close());
      return queue;
    };
    const [a, b] = [await open(), await open()];
    server.script.next({ ...refuse({ status: 503 }), delayMs: 1_000 } as ServerStep);
    const { id } = await b.enqueue({ method: 'POST', url: at('/notes'), body: 'x' }, ANN);
    await b.enqueue({ method: 'POST', url: at('/notes'), body: 'y' }, { ...ANN, notBefore: clock.now() + 5_000 });
    expect(await a.principals.leave('ann')).toMatchObject({ sealed: 1 });
    await clock.advance(60_000);
    expect(await a.get(id)).toMatchObject({ state: 'held', reason: 'principal' });
    expect(server.ledger.entries).toHaveLength(1);
  });
});
