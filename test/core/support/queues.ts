import { afterEach, expect } from 'vitest';
import type { QueueManager } from '../../../src/queue/core/QueueManager.ts';
import type { Counts } from '../../../src/queue/core/report.ts';
import type { RequestHandle, RequestOptions, Settled } from '../../../src/queue/types/calls.ts';
import type { QueueEventMap, QueueEventName } from '../../../src/queue/types/events.ts';
import type { TestQueue, TestQueueOptions } from '../../../src/testing/createTestQueue.ts';
import { createTestQueue, TEST_ORIGIN } from '../../../src/testing/createTestQueue.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** The zone of the test server, with the options given; `keyed` makes it know requests by their key. */
export function zone(options: object = {}): { readonly api: { readonly origins: readonly string[] } } {
  return { api: { origins: [TEST_ORIGIN], ...options } };
}

/** A zone whose server knows requests by their key. */
export const KEYED = zone({ idempotency: 'stripe' });

/** Starts test queues that are closed after each test. Their permits must all have come back by then. */
export function testQueues(): (options?: TestQueueOptions) => Promise<TestQueue> {
  const tests: TestQueue[] = [];
  afterEach(async () => {
    for (const test of tests.splice(0)) await close(test);
  });
  return async (options) => {
    const test = await createTestQueue(options);
    tests.push(test);
    return test;
  };
}

/** Closes, and lets the time pass that closing may take: calls that hang are cut off at its deadline. */
export async function close(test: TestQueue, withinMs = MINUTE_MS): Promise<void> {
  let isClosed = false;
  const closing = test.close().finally(() => {
    isClosed = true;
  });
  expect(await test.clock.advanceUntil(() => isClosed, withinMs), 'closed').toBe(true);
  await closing;
}

export function url(path: string): string {
  return `${TEST_ORIGIN}${path}`;
}

/** Calls without waiting for more than acceptance: durable, and nobody waits for its end. */
export function enqueue(
  queue: QueueManager,
  method: string,
  path: string,
  body: unknown = {},
  options: RequestOptions & { readonly headers?: Record<string, string> } = {},
) {
  const { headers, ...rest } = options;
  const hasBody = method !== 'GET' && method !== 'DELETE';
  return queue.enqueue({ method, url: url(path), headers, body: hasBody ? body : undefined }, rest);
}

/** A caller that waits: its handle, and what it is told once it is told. */
export interface Caller {
  readonly handle: RequestHandle;
  readonly settled: Promise<Settled>;
  /** What it was told so far. */
  readonly told: () => Settled | undefined;
}

export function call(
  queue: QueueManager,
  method: string,
  path: string,
  body: unknown = {},
  options: RequestOptions & { readonly headers?: Record<string, string> } = {},
): Caller {
  const { headers, ...rest } = options;
  const hasBody = method !== 'GET' && method !== 'DELETE';
  const handle = queue.call({ method, url: url(path), headers, body: hasBody ? body : undefined }, rest);
  let told: Settled | undefined;
  const settled = handle.settled();
  settled.then(
    (result) => {
      told = result;
    },
    () => undefined, // whoever cares awaits `settled`
  );
  return { handle, settled, told: () => told };
}

/** True when nothing can move any more: all ended or held. */
export function isDrained(counts: Counts): boolean {
  return counts.ready + counts.scheduled + counts.blocked + counts.sending + counts.unknown === 0;
}

/** Lets time pass until all requests ended or are held; fails when that takes longer. */
export async function drain(test: TestQueue, withinMs: number): Promise<Counts> {
  const isDone = await test.clock.advanceUntil(async () => isDrained(await test.queue.counts()), withinMs);
  const counts = await test.queue.counts();
  expect(isDone, `not drained after ${withinMs} ms: ${JSON.stringify(counts)}`).toBe(true);
  return counts;
}

/** Every permit has come back. */
export async function expectNoPermitsHeld(queue: QueueManager): Promise<void> {
  const { zones } = await queue.health();
  expect(zones.filter((one) => one.inFlight !== 0)).toEqual([]);
}

/** Collects events of the queue's present life. */
export function collect<N extends QueueEventName>(queue: QueueManager, name: N): QueueEventMap[N][] {
  const events: QueueEventMap[N][] = [];
  queue.on(name, (event) => events.push(event));
  return events;
}

/** Nothing can move by itself. */
export async function expectIdle(test: TestQueue): Promise<void> {
  let isIdle = false;
  void test.queue.idle().then(() => {
    isIdle = true;
  });
  expect(await test.clock.advanceUntil(() => isIdle, 1_000), 'idle').toBe(true);
}
