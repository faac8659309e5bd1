import { onTestFinished } from 'vitest';
import { QueueManager } from '../../../../src/queue/core/QueueManager.ts';
import type { GroundConfig } from './Ground.ts';
import type { StoreAt } from './stores.ts';
import { backendAt } from './stores.ts';

/** A started queue in real time, closed with the test. */
export async function liveQueue(at: StoreAt, config: GroundConfig): Promise<QueueManager> {
  const queue = new QueueManager({ config, backend: backendAt(at) });
  onTestFinished(() => queue.close({ deadlineMs: 1_000 }));
  await queue.start();
  return queue;
}
