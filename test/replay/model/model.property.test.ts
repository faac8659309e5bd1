import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { env } from '../../conformance/support/env.ts';
import { judge } from './judge.ts';
import { live } from './live.ts';
import { print } from './print.ts';
import { scenario } from './scenario.ts';
import { Tally } from './Tally.ts';

/** `npm run test:deep` makes 1,000, `npm run simulate` 10,000. A failure prints its seed and path; MODEL_SEED repeats the run. */
const numRuns = Number(env('MODEL_RUNS') ?? 150);
/** A change is judged by the same worlds each time; at a desk they are new ones. */
const seed = env('MODEL_SEED') ?? (env('CI') === undefined ? undefined : '20261122');
/** Shrinking lives through some hundred worlds more: it is cut short, so that a failure is told before the test's own time is up. */
const stopAfterMs = 60_000 + numRuns * 1_000;
/** Share of the runs in which nothing may be held, where keys, versions or probes tell what became of a request; of few runs, chance has its share. */
const leastFree = (runs: number): number => (runs < 1_000 ? 0.85 : 0.95);
const TELL_EVERY = 250;

/** What is told beside the verdict: see scripts/simulate.mjs. */
function tell(what: 'progress' | 'summary', text: string): void {
  if (env('MODEL_TELL')?.includes(what) === true) process.stdout.write(`${text}\n`);
}

describe('a world of random requests, faults and crashes', () => {
  it('ends as if the requests had been made one after another, but for what the queue reports', {
    timeout: 2 * stopAfterMs,
  }, async () => {
    const tally = new Tally();
    await fc.assert(
      fc.asyncProperty(scenario, async (world) => {
        const history = await live(world);
        const findings = judge(history);
        if (findings.length > 0) expect.fail(print(world, history, findings));
        tally.add(history);
        if (tally.runs % TELL_EVERY === 0) tell('progress', `${tally.runs} of ${numRuns} runs`);
      }),
      {
        numRuns,
        interruptAfterTimeLimit: stopAfterMs,
        markInterruptAsFailure: true,
        ...(seed !== undefined && { seed: Number(seed) }),
      },
    );
    tell('summary', tally.summary());
    expect(tally.runs).toBe(numRuns);
    for (const flavour of ['keyed', 'probed', 'conditional'] as const) {
      const { runs, free } = tally.of(flavour);
      expect(free, `${flavour} runs without anything held\n${tally.summary()}`).toBeGreaterThanOrEqual(leastFree(runs));
    }
  });

  it('is the same world again for the same seed', { timeout: 60_000 }, async () => {
    for (const world of fc.sample(scenario, { numRuns: 5, seed: 20_261_122 })) {
      const [one, two] = [await live(world), await live(world)];
      expect(two).toEqual(one);
    }
  });
});
