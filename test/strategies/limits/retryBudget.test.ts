import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RetryKind } from '../../../src/queue/strategies/limits/RetryBudget.ts';
import { RetryBudget } from '../../../src/queue/strategies/limits/RetryBudget.ts';

const MAX_DEFER_MS = 600_000;

function budgetOf({ tokens = 50, perMinute = 6, maxDeferMs = MAX_DEFER_MS } = {}) {
  const seen = { exhausted: 0 };
  const budget = new RetryBudget({ tokens, perMinute, maxDeferMs, exhausted: () => (seen.exhausted += 1) });
  return { budget, seen };
}

function emptied() {
  const made = budgetOf();
  for (let retry = 0; retry < 10; retry += 1) made.budget.spend('transient', 0);
  return made;
}

describe('the retry budget', () => {
  it.each([
    ['transient', 10],
    ['timeout', 5],
    ['throttled', 50],
  ] as const)('pays for retries of kind %s: %i of them', (kind, affordable) => {
    const { budget, seen } = budgetOf();
    for (let retry = 0; retry < affordable; retry += 1) expect(budget.spend(kind, 0)).toBe(0);
    expect(budget.tokens).toBe(0);
    expect(seen.exhausted).toBe(0);
    budget.spend(kind, 0);
    expect(seen.exhausted).toBe(1);
  });

  it('earns one token by a success, up to what it holds', () => {
    const { budget } = emptied();
    budget.succeeded(false);
    expect(budget.tokens).toBe(1);
    for (let call = 0; call < 100; call += 1) budget.succeeded(false);
    expect(budget.tokens).toBe(50);
  });

  it.each(['transient', 'timeout', 'throttled'] as const)('gives back what a retry of kind %s cost', (kind) => {
    const { budget } = budgetOf();
    for (let retry = 0; retry < 3; retry += 1) budget.spend(kind, 0);
    const { tokens } = budget;
    budget.succeeded(true);
    expect(budget.tokens).toBe(Math.min(50, tokens + 1 + { transient: 5, timeout: 10, throttled: 1 }[kind]));
  });

  it('gives nothing back for retries that were put off instead of paid', () => {
    const { budget } = emptied();
    for (let retry = 0; retry < 10; retry += 1) budget.spend('timeout', 0);
    budget.succeeded(true);
    expect(budget.tokens).toBe(1 + 2.5);
  });

  it('gives back the average of what was paid, and none of it twice', () => {
    const { budget } = budgetOf({ tokens: 100 });
    for (const kind of ['transient', 'timeout', 'timeout', 'timeout'] as const) budget.spend(kind, 0);
    for (let call = 0; call < 3; call += 1) budget.succeeded(true);
    expect(budget.tokens).toBe(65 + 3 + 3 * 8.75);
  });

  it('lets six retries a minute through when it is empty', () => {
    const { budget } = emptied();
    const passed = [];
    for (let now = 0; now < 300_000; now += 10_000) passed.push(budget.spend('transient', now));
    expect(passed).toEqual(passed.map(() => 0));
  });

  it('puts a burst off one behind the other, ten seconds apart', () => {
    const { budget } = emptied();
    const deferred = Array.from({ length: 61 }, () => budget.spend('timeout', 7));
    expect(deferred).toEqual(deferred.map((_, index) => index * 10_000));
  });

  it.each([200, 1_000, 20_000])('spreads %i retries evenly over the longest time allowed', (retries) => {
    const { budget } = emptied();
    const tenths = Array.from({ length: 10 }, () => 0);
    for (let retry = 0; retry < retries; retry += 1) {
      const deferMs = budget.spend('transient', 0);
      expect(deferMs).toBeLessThanOrEqual(MAX_DEFER_MS);
      const tenth = Math.min(9, Math.floor((10 * deferMs) / MAX_DEFER_MS));
      tenths[tenth] = (tenths[tenth] ?? 0) + 1;
    }
    for (const count of tenths) expect(Math.abs(count - retries / 10)).toBeLessThanOrEqual(4);
  });

  it('does not queue behind places that a long silence has passed', () => {
    const { budget } = emptied();
    for (let retry = 0; retry < 500; retry += 1) budget.spend('transient', 0);
    expect(budget.spend('transient', 2 * MAX_DEFER_MS)).toBe(0);
    expect(budget.spend('transient', 2 * MAX_DEFER_MS)).toBe(10_000);
  });

  it('pays again as soon as the zone earns', () => {
    const { budget } = emptied();
    for (let retry = 0; retry < 500; retry += 1) budget.spend('transient', 0);
    for (let call = 0; call < 5; call += 1) budget.succeeded(false);
    expect(budget.spend('transient', 1)).toBe(0);
  });

  it('tells of a dry spell once, and of the next one after half is back', () => {
    const { budget, seen } = emptied();
    for (let retry = 0; retry < 100; retry += 1) {
      budget.spend('transient', retry * 1_000);
      for (let call = 0; call < 3; call += 1) budget.succeeded(false);
    }
    expect(seen.exhausted).toBe(1);
    for (let call = 0; call < 25; call += 1) budget.succeeded(false);
    for (let retry = 0; retry < 20; retry += 1) budget.spend('transient', 200_000);
    expect(seen.exhausted).toBe(2);
  });

  it('pays a retry that costs more than it can hold with all it holds', () => {
    const { budget } = budgetOf({ tokens: 3 });
    expect(budget.spend('timeout', 0)).toBe(0);
    expect(budget.tokens).toBe(0);
  });

  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 20_000 }),
    what: fc.constantFrom<RetryKind | 'success' | 'recovered'>(
      'transient',
      'timeout',
      'throttled',
      'success',
      'recovered',
    ),
  });

  it('never refuses, never puts off for longer than it may, and never holds too much or less than nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.integer({ min: 0, max: 100_000 }), (steps, maxDeferMs) => {
        const { budget } = budgetOf({ maxDeferMs });
        let now = 0;
        for (const { afterMs, what } of steps) {
          now += afterMs;
          if (what === 'success' || what === 'recovered') budget.succeeded(what === 'recovered');
          else {
            const deferMs = budget.spend(what, now);
            expect(deferMs >= 0 && deferMs <= maxDeferMs).toBe(true);
          }
          expect(budget.tokens >= 0 && budget.tokens <= 50).toBe(true);
        }
      }),
    );
  });
});
