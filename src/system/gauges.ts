import type { IntervalHistogram } from 'node:perf_hooks';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** How busy this process is. Costs nothing before it is started, and after it was stopped. */
export interface Gauges {
  start(): void;
  /** By how many ms the event loop was late, 99th percentile since the last look. */
  eventLoopDelayMs(): number;
  /** Share of the heap's limit that is used, 0 to 1. */
  heapUsed(): number;
  stop(): void;
}

const RESOLUTION_MS = 20;
const NS_PER_MS = 1e6;

export function createGauges(): Gauges {
  let histogram: IntervalHistogram | undefined;
  let lastMs = 0;
  return {
    start(): void {
      histogram ??= monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      histogram.enable();
    },
    eventLoopDelayMs(): number {
      // Nothing came in since the last look where the loop was blocked all the time: a reset now would lose what comes then.
      if (histogram === undefined || histogram.count === 0) return lastMs;
      // It counts from one tick to the next.
      lastMs = Math.max(0, histogram.percentile(99) / NS_PER_MS - RESOLUTION_MS);
      histogram.reset();
      return lastMs;
    },
    heapUsed(): number {
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      return used / limit;
    },
    stop(): void {
      histogram?.disable();
      histogram = undefined;
      lastMs = 0;
    },
  };
}
