import { describe, expect, it } from 'vitest';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Credential } from '../../src/queue/types/auth.ts';
import { FakeClock } from '../../src/testing/FakeClock.ts';
import { park } from '../../src/testing/serverSteps.ts';
import { arrivals, at, deferred, errorOf, folder, onFile, realServer, record, world } from './harness.ts';

const post = (body: unknown = 'x') => ({ method: 'POST', url: at('/notes'), body });

/** What keeps a process alive, but for what was there before. */
function opened(before: readonly string[]): string[] {
  const rest = [...before];
  return process.getActiveResourcesInfo().filter((name) => {
    const index = rest.indexOf(name);
    if (index !== -1) rest.splice(index, 1);
    return index === -1;
  });
}

describe('close', () => {
  it('is one promise for all who call it, and emits queue:closed once', async () => {
    const test = await world();
    const events = record(test.queue, 'queue:closed');
    const closing = test.queue.close();
    expect(test.queue.close({ deadlineMs: 1 })).toBe(closing);
    await closing;
    await test.queue.close();
    await test.queue[Symbol.asyncDispose]();
    expect(events).toHaveLength(1);
  });

  it('works before start, and while it starts', async () => {
    const never = new QueueManager();
    await never.close();
    const starting = new QueueManager();
    const started = starting.start();
    await starting.close();
    await started;
    expect((await errorOf(() => starting.enqueue(post()))).code).toBe('QUEUE_CLOSED');
  });

  it('comes at the end of await using', async () => {
    let kept: QueueManager | undefined;
    {
      await using queue = new QueueManager();
      await queue.start();
      kept = queue;
    }
    expect((await errorOf(() => kept?.counts())).code).toBe('QUEUE_CLOSED');
  });

  it('stores what was given in the same turn', async () => {
    const test = await world();
    test.queue.pause();
    const one = test.queue.enqueue(post());
    const form = test.queue.enqueue(post(new Blob(['x'])));
    const closing = test.queue.close();
    expect((await one).id).toBeTypeOf('string');
    expect((await form).id).toBeTypeOf('string');
    await closing;
    expect(await (await test.crash()).counts()).toMatchObject({ ready: 2 });
  });

  it('waits for what is under way and tells its caller', async () => {
    const test = await world();
    test.server.script.next(park);
    const settled = test.queue.call(post()).settled();
    await test.clock.settle();
    let isClosed = false;
    const closing = test.queue.close().then(() => {
      isClosed = true;
    });
    await test.clock.advance(5_000);
    expect(isClosed).toBe(false);
    test.server.release();
    await test.clock.settle();
    await closing;
    expect(await settled).toMatchObject({ state: 'succeeded' });
  });

  it('claims nothing more while it waits', async () => {
    const test = await world({ maxConcurrency: 1 });
    test.server.script.always(park);
    await test.queue.enqueue(post('1'));
    await test.queue.enqueue(post('2'));
    await test.clock.settle();
    const closing = test.queue.close();
    await test.clock.settle();
    test.server.release();
    await test.clock.settle();
    await closing;
    expect(arrivals(test.server)).toEqual(['POST /notes 1']);
    const { succeeded, ready, sending } = await (await test.crash()).counts();
    expect([succeeded, ready + sending]).toEqual([1, 1]);
  });

  it('gives up waiting at its deadline, and settles by what is known', async () => {
    const clock = new FakeClock();
    const server = await realServer();
    server.script.always(park);
    const path = `${await folder()}/q.db`;
    const queue = new QueueManager({ clock, config: { backend: { kind: 'sqlite', path } } });
    await queue.start();
    const handle = queue.call({ method: 'POST', url: `${server.origin}/a`, body: 'x' });
    const { id } = await handle.accepted();
    const settled = handle.settled();
    await server.ledger.until(({ entries }) => entries.length === 1);
    const closing = queue.close({ deadlineMs: 1_000 });
    await clock.settle();
    await clock.advance(1_001);
    expect((await settled).error).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    await closing;
    const after = await onFile(path, { dispatch: false });
    expect(await after.get(id)).toMatchObject({ state: 'held', reason: 'unknown' });
  });

  it('rejects waiting callers with QUEUE_CLOSED, which says that their requests are stored', async () => {
    const test = await world();
    test.queue.pause();
    const handle = test.queue.call(post());
    const settled = errorOf(handle.settled());
    const { id } = await handle.accepted();
    await test.queue.close();
    expect(await settled).toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: true, id } });
    const again = await test.crash();
    await test.clock.settle();
    expect(await again.get(id)).toMatchObject({ state: 'succeeded' });
  });

  it('does not say that a call is stored whose credential never came', async () => {
    const test = await world();
    const token = deferred<Credential>();
    const client = { name: 'slow', auth: { credential: () => token.promise } };
    test.queue.register(client);
    const handle = test.queue.call(post(), {}, client);
    const accepted = errorOf(handle.accepted());
    const settled = errorOf(handle.settled());
    const closing = test.queue.close({ deadlineMs: 1_000 });
    await test.clock.advance(3_000);
    await closing;
    expect(await accepted).toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: false } });
    expect(await settled).toMatchObject({ code: 'QUEUE_CLOSED', details: { accepted: false } });
    token.resolve({ headers: [['authorization', 'x']], version: 1 });
    await test.clock.settle();
    expect((await (await test.crash()).find({})).requests).toEqual([]);
  });

  it('rejects those who wait for idle', async () => {
    const test = await world();
    test.network.online = false;
    await test.queue.enqueue(post());
    const idle = errorOf(test.queue.idle());
    await test.clock.settle();
    const closing = test.queue.close();
    await test.clock.advance(60_000);
    await closing;
    expect((await idle).code).toBe('QUEUE_CLOSED');
  });

  it('leaves no timer', async () => {
    const test = await world();
    test.network.online = false;
    test.queue.subscribe({}, () => undefined, { durable: 'all' });
    await test.queue.enqueue(post(), { deadline: test.clock.now() + 1e6 });
    await test.queue.enqueue(post(), { notBefore: test.clock.now() + 1e6 });
    const waiting = test.queue
      .call(post())
      .settled()
      .catch(() => undefined);
    await test.clock.advance(10_000);
    const closing = test.queue.close();
    await test.clock.advance(30_000);
    await closing;
    await waiting;
    await test.clock.settle();
    expect(test.clock.pending).toBe(0);
  });

  it.each(['memory', 'sqlite'] as const)('leaves no open handle on %s with real connections', async (kind) => {
    const server = await realServer();
    const backend = kind === 'memory' ? { kind } : { kind, path: `${await folder()}/q.db` };
    const before = process.getActiveResourcesInfo();
    const queue = new QueueManager({ config: { backend } });
    await queue.start();
    const stop = queue.subscribe({}, () => undefined, { durable: 'all' });
    for (let n = 0; n < 20; n += 1) await queue.enqueue({ method: 'POST', url: `${server.origin}/a`, body: `${n}` });
    await queue.call({ method: 'GET', url: `${server.origin}/a` }).settled();
    await queue.idle();
    await stop();
    await queue.close();
    await server.close();
    await new FakeClock().settle();
    expect(opened(before)).toEqual([]);
  });

  it('keeps a process alive for a waiting caller only', async () => {
    const test = await world();
    test.queue.pause();
    await test.queue.enqueue(post());
    await test.clock.settle();
    expect(test.clock.keepingAlive).toBe(0);
    const handle = test.queue.call(post('y'));
    const settled = handle.settled();
    await test.clock.settle();
    expect(test.clock.keepingAlive).toBe(1);
    await handle.cancel();
    await settled;
    await test.clock.settle();
    expect(test.clock.keepingAlive).toBe(0);
  });
});
