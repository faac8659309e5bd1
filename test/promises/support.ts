import { afterEach } from 'vitest';
import type { TestQueue, TestQueueOptions } from '../../src/testing/createTestQueue.ts';
import { createTestQueue, TEST_ORIGIN } from '../../src/testing/createTestQueue.ts';

const tests: TestQueue[] = [];

afterEach(async () => {
  for (const test of tests.splice(0)) await test.close();
});

/** A test queue that is closed after the test. */
export async function start(options: TestQueueOptions = {}): Promise<TestQueue> {
  const test = await createTestQueue(options);
  tests.push(test);
  return test;
}

export function url(path: string): string {
  return `${TEST_ORIGIN}${path}`;
}

/** `method path body` of what the server applied, in order. */
export function applied(test: TestQueue): string[] {
  return test.server.ledger.entries
    .filter((entry) => entry.outcome === 'applied')
    .map(({ request }) => `${request.method} ${request.path} ${request.body}`);
}

/** `method path` of everything that arrived, in order. */
export function arrived(test: TestQueue): string[] {
  return test.server.ledger.entries.map(({ request }) => `${request.method} ${request.path}`);
}

/** Lets time pass until nothing is on its way, for at most `withinMs`. */
export async function drained(test: TestQueue, withinMs = 3_600_000): Promise<boolean> {
  return test.clock.advanceUntil(async () => {
    const { ready, scheduled, blocked, sending, unknown } = await test.queue.counts();
    return ready + scheduled + blocked + sending + unknown === 0;
  }, withinMs);
}
