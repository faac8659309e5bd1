import { expect, it, onTestFinished } from 'vitest';
import type { QueueOptions } from '../../src/queue/core/config/options.ts';
import { QueueManager } from '../../src/queue/core/QueueManager.ts';
import type { Backend } from '../../src/queue/types/backend.ts';
import type { Logger } from '../../src/queue/types/logger.ts';
import { systemClock } from '../../src/system/clock.ts';
import { hookBackend } from '../../src/testing/backendHooks.ts';
import { TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';
import { FakeNetwork } from '../../src/testing/FakeNetwork.ts';
import { deferred, record } from '../core/harness.ts';
import { DIST, describe as describeEnd, startChild } from '../processes/support/child.ts';
import type { FaultStore, StoreAt } from '../replay/faults/support/stores.ts';
import { backendAt, describeStores } from '../replay/faults/support/stores.ts';
import { acceptAll, sentTo } from './support/queues.ts';

const CHILD = new URL('./support/rankChild.mjs', import.meta.url);
/** Of two steps. */
const REQUESTS = 300;
const POINTS = [
  { what: 'amend', when: 'before', nth: 1 },
  { what: 'amend', when: 'during', nth: 1 },
  { what: 'amend', when: 'after', nth: 1 },
  { what: 'amend', when: 'during', nth: 2 },
  // The first says which strategy it is, the second how far the first step got.
  { what: 'mark', when: 'after', nth: 1 },
  { what: 'mark', when: 'during', nth: 2 },
  { what: 'mark', when: 'after', nth: 2 },
] as const;
/** A process looks at the strategy every five seconds; what was accepted under the one before is looked for within fifteen. */
const LOOKS = 6;
const TOGETHER = { timeout: 180_000 };
const range = (count: number) => Array.from({ length: count }, (_, n) => n);

/** A queue in real time on a store that others share. It claims nothing before `go`, and tells what it heard of the strategy. */
async function member(at: StoreAt, config: Omit<QueueOptions, 'backend'>) {
  const warnings: string[] = [];
  const versions: (number | undefined)[] = [];
  const waiting = new Set<() => void>();
  const heard = (): void => {
    for (const check of [...waiting]) check();
  };
  const silent = (): void => undefined;
  const warn = (message: string): void => {
    warnings.push(message);
    heard();
  };
  const logger: Logger = { debug: silent, info: silent, error: silent, warn };
  const { promise: isOpen, resolve: open } = deferred();
  const store = hookBackend(backendAt(at), { before: (verb) => (verb === 'claim' ? isOpen : undefined) });
  const { shared } = store;
  const backend: Backend = {
    ...store,
    shared: {
      async get(query) {
        const value = await shared.get(query);
        if (query.key !== 'strategy') return value;
        versions.push(value?.version);
        heard();
        return value;
      },
      set: (query) => shared.set(query),
      list: (query) => shared.list(query),
      delete: (query) => shared.delete(query),
      acquire: (query) => shared.acquire(query),
      release: (query) => shared.release(query),
      take: (query) => shared.take(query),
    },
  };
  const network = new FakeNetwork({ clock: systemClock });
  const server = network.serve(TEST_ORIGIN);
  const queue = new QueueManager({
    config: { logger, ...config },
    backend,
    transport: { isPunctual: true, send: (call) => network.send(call), close: () => Promise.resolve() },
  });
  onTestFinished(() => {
    open();
    return queue.close({ deadlineMs: 1_000 });
  });
  await queue.start();
  queue.pause();
  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return;
        waiting.delete(check);
        resolve();
      };
      waiting.add(check);
      check();
    });
  const go = (): void => {
    open();
    queue.resume();
  };
  return { queue, server, warnings, versions, until, go };
}

describeStores('what waits', (store: FaultStore) => {
  it('has its rank once where a process was killed at any step of giving it anew', TOGETHER, async () => {
    const ends = POINTS.map(async (point) => {
      const at = await store.make();
      const child = startChild(CHILD, [JSON.stringify({ dist: DIST, backend: at, requests: REQUESTS, point })]);
      const end = await child.ended;
      expect(end, describeEnd(end)).toMatchObject({ lines: ['accepted'], signal: 'SIGKILL' });
      const { queue, server, go } = await member(at, { priorityStrategy: 'weighted' });
      const events = record(queue, 'queue:reranked');
      await new Promise((resolve) => queue.on('queue:reranked', resolve));
      const { requests } = await queue.find({ state: 'ready' }, { limit: 1_000 });
      const wrong = requests.filter(({ rank }, n) => Math.abs(rank - (n + 1) / 5) > 1e-6);
      go();
      await queue.idle();
      const sent = sentTo(server).toSorted((a, b) => a - b);
      return { point, waited: requests.length, wrong: wrong.length, told: events.length, sent };
    });
    const expected = { waited: REQUESTS, wrong: 0, told: 1, sent: range(REQUESTS) };
    expect(await Promise.all(ends)).toEqual(POINTS.map((point) => ({ point, ...expected })));
  });

  it('ends in the order that was set last by processes that are configured differently', TOGETHER, async () => {
    const at = await store.make();
    const one = await member(at, {});
    await acceptAll(
      one.queue,
      range(REQUESTS).map(() => ({})),
    );
    const other = await member(at, { priorityStrategy: 'weighted' });
    await one.until(() => one.warnings.length > 0);
    await acceptAll(one.queue, [{}, {}], REQUESTS);
    await acceptAll(other.queue, [{}, {}], REQUESTS + 2);
    await one.queue.setStrategy({ priorityStrategy: 'lifo' });
    await other.until(() => other.warnings.length > 0);
    await acceptAll(other.queue, [{}], REQUESTS + 4);
    await Promise.all(
      [one, other].map(({ versions, until }) => {
        const seen = versions.length;
        return until(() => versions.length >= seen + LOOKS);
      }),
    );
    const { requests } = await one.queue.find({}, { limit: 1_000 });
    expect(requests).toHaveLength(REQUESTS + 5);
    expect(requests.filter(({ rank, seq }) => rank !== -seq)).toHaveLength(0);
    for (const { warnings } of [one, other]) {
      expect(warnings).toEqual(['another process set another strategy, which is followed from now on']);
    }
    const last = [one, other].flatMap(({ versions }) => versions.slice(-2));
    expect(new Set(last).size).toBe(1);
    for (const { go } of [one, other]) go();
    await Promise.all([one, other].map(({ queue }) => queue.idle()));
    const sent = [one, other].flatMap(({ server }) => sentTo(server));
    expect(sent.toSorted((a, b) => a - b)).toEqual(range(REQUESTS + 5));
  });
});
