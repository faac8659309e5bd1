import { expect, it, onTestFinished } from 'vitest';
import { createGauges } from '../../src/system/gauges.ts';

/** Lets the event loop turn for so long; `blocking`: in one turn. */
async function spend(ms: number, blocking = false): Promise<void> {
  const end = performance.now() + ms;
  while (performance.now() < end) if (!blocking) await new Promise((resolve) => setImmediate(resolve));
}

it('the gauges of the system tell by how much the event loop was late since the last look', async () => {
  const gauges = createGauges();
  onTestFinished(() => gauges.stop());
  expect(gauges.eventLoopDelayMs()).toBe(0);
  gauges.start();
  await spend(100);
  gauges.eventLoopDelayMs();
  // From one tick to the next.
  await spend(60);
  await spend(300, true);
  await spend(60);
  const delayMs = gauges.eventLoopDelayMs();
  expect(delayMs).toBeGreaterThan(200);
  // Nothing has come in since.
  expect(gauges.eventLoopDelayMs()).toBe(delayMs);
  // What was late before counts no more, however busy the machine is now and then.
  await expect
    .poll(async () => {
      await spend(100);
      return gauges.eventLoopDelayMs();
    })
    .toBeLessThan(200);
  gauges.stop();
  expect(gauges.eventLoopDelayMs()).toBe(0);
});

it('the gauges of the system tell how much of the heap is used', () => {
  const used = createGauges().heapUsed();
  expect(used).toBeGreaterThan(0);
  expect(used).toBeLessThan(1);
});
