import { expect, it, onTestFinished } from 'vitest';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { refuse } from '../../src/testing/serverSteps.ts';
import type { StoreAt } from '../replay/faults/support/stores.ts';
import { backendAt, describeStores } from '../replay/faults/support/stores.ts';
import { realServer } from './harness.ts';

const LETTERS = 40;

/** A queue with a connection of its own, as another process would have. */
async function open(backend: StoreAt, zone: string, options: QueueOptions = {}): Promise<QueueManager> {
  const queue = new QueueManager({ config: { zones: { api: { origins: [zone] } }, ...options, backend } });
  onTestFinished(() => queue.close({ deadlineMs: 500 }));
  await queue.start();
  return queue;
}

describeStores('two processes that look after the same dead letters', ({ make }) => {
  it('replay each of them once, whoever comes first, and purge what was replayed', async () => {
    const server = await realServer();
    const store = await make();
    const [a, b] = [await open(store, server.origin), await open(store, server.origin)];
    server.script.always(refuse({ status: 422, body: { error: { code: 'closed', message: 'no' } } }));
    const items = Array.from({ length: LETTERS }, (_, n) => ({
      request: { method: 'POST', url: `${server.origin}/tickets/${n}`, body: { n } },
    }));
    await a.enqueueMany(items);
    await a.idle();
    const groups = await b.deadLetters.groups();
    expect(groups).toEqual(await a.deadLetters.groups());
    expect(groups).toMatchObject({
      groups: [{ label: 'api POST /tickets/{id}: 422 rejected (closed: no)', count: LETTERS }],
      count: LETTERS,
    });
    const signature = groups.groups[0]?.signature;
    server.script.clear();
    const outcomes = await Promise.all([a, b].map((queue) => queue.deadLetters.replay({ signature })));
    for (const outcome of outcomes) expect(outcome).toMatchObject({ failed: 0, stoppedBy: null });
    expect(outcomes.reduce((sum, { done }) => sum + done, 0)).toBeGreaterThanOrEqual(LETTERS);
    await Promise.all([a.idle(), b.idle()]);
    expect(server.ledger.applied()).toBe(LETTERS);
    expect(await b.deadLetters.stats({ signature })).toMatchObject({
      count: LETTERS,
      replayed: LETTERS,
      untouched: 0,
      byStatus: { '4xx': LETTERS },
    });
    expect(await a.deadLetters.replay({ signature })).toMatchObject({ matched: 0 });
    const purged = await Promise.all([a, b].map((queue) => queue.deadLetters.purge({ replayed: true })));
    expect(purged.reduce((sum, { done }) => sum + done, 0)).toBe(LETTERS);
    expect(await a.deadLetters.total()).toBe(0);
    expect(await a.counts()).toMatchObject({ dead: 0, succeeded: LETTERS });
  });

  it('know of a replay by its end, where the mark was never made', async () => {
    const server = await realServer();
    const store = await make();
    const lost = new Error('the store is away');
    const before = (verb: string, query: unknown): void => {
      if (verb === 'amend' && JSON.stringify(query).includes('replayedAs')) throw lost;
    };
    const config = { zones: { api: { origins: [server.origin] } } };
    const queue = new QueueManager({ config, backend: hookBackend(backendAt(store), { before }) });
    onTestFinished(() => queue.close({ deadlineMs: 500 }));
    await queue.start();
    server.script.next(refuse({ status: 422 }));
    const { id } = await queue.enqueue({ method: 'POST', url: `${server.origin}/a`, body: 'x' });
    await queue.idle();
    expect(await queue.deadLetters.replay({ ids: [id] })).toMatchObject({ done: 0, failed: 1 });
    await queue.idle();
    const copy = (await queue.get(id))?.replayedAs ?? '';
    expect(await queue.get(copy)).toMatchObject({ state: 'succeeded', replayOf: id });
    expect(await queue.deadLetters.replay({ ids: [id] })).toMatchObject({ matched: 0 });
    expect(server.ledger.applied()).toBe(1);
  });

  it('let a replay end well whose letter was purged meanwhile', async () => {
    const server = await realServer();
    const queue = await open(await make(), server.origin);
    server.script.next(refuse({ status: 422 }));
    const { id } = await queue.enqueue({ method: 'POST', url: `${server.origin}/a`, body: 'x' });
    await queue.idle();
    queue.pause();
    await queue.deadLetters.replay({ ids: [id] });
    expect(await queue.deadLetters.purge({ ids: [id] })).toMatchObject({ matched: 1, done: 1, failed: 0 });
    queue.resume();
    await queue.idle();
    expect(await queue.counts()).toMatchObject({ dead: 0, succeeded: 1 });
    expect(server.ledger.applied()).toBe(1);
  });
});
