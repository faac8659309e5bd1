import { describe, expect, it } from 'vitest';
import { Baseline } from '../../../src/queue/strategies/breaker/Baseline.ts';
import { CallWindow } from '../../../src/queue/strategies/breaker/CallWindow.ts';
import { Latency } from '../../../src/queue/strategies/breaker/Latency.ts';
import { BREAKER_DEFAULTS } from '../../../src/queue/strategies/breaker/policy.ts';
import { failsInARow, failsTooOften, leastFailureRate } from '../../../src/queue/strategies/breaker/rules.ts';
import { seededRandom } from '../../../src/testing/seededRandom.ts';

describe('the window', () => {
  it('holds what lies within it, by the count of every single call', () => {
    const { number } = seededRandom('window');
    const window = new CallWindow(30_000);
    const calls: { readonly at: number; readonly failed: boolean; readonly slow: boolean }[] = [];
    for (let at = 0; at < 600_000; at += number() < 0.01 ? 40_000 * number() : 1_000 * number()) {
      const call = { at, failed: number() < 0.3, slow: number() < 0.2 };
      calls.push(call);
      window.add(call.failed, call.slow, at);
      const oldest = (Math.floor(at / 2_000) - 14) * 2_000;
      const kept = calls.filter((one) => one.at >= oldest);
      expect(window).toMatchObject({
        calls: kept.length,
        failures: kept.filter(({ failed }) => failed).length,
        slow: kept.filter(({ slow }) => slow).length,
      });
    }
  });
});

describe('the lower bound of a failure rate', () => {
  it.each([
    [3, 10, 0.1078],
    [9, 30, 0.1666],
    [15, 30, 0.3315],
    [10, 10, 0.7225],
    [0, 10, 0],
  ])('of %i failures in %i calls is %d', (failures, calls, bound) => {
    expect(leastFailureRate(failures, calls)).toBeCloseTo(bound, 4);
  });
});

describe('the rule of the failure rate', () => {
  const baselineOf = (rate: number) => {
    const baseline = new Baseline();
    baseline.set(rate);
    return baseline;
  };

  it.each([
    ['too few calls', 9, 9, 0.05, false],
    ['three of the fewest calls', 10, 3, 0.05, true],
    ['two of the fewest calls', 10, 2, 0.05, false],
    ['what the zone usually fails', 30, 8, 0.1, false],
    ['above the threshold, but not beyond chance', 10, 6, 0.25, false],
    ['above the threshold and beyond chance', 30, 19, 0.25, true],
  ])('with %s: %i calls, %i failures at a baseline of %d: %s', (_, calls, failures, rate, opens) => {
    expect(failsTooOften({ calls, failures, slow: 0 }, baselineOf(rate), 10)).toBe(opens);
  });

  it.each([
    [0, 0.3],
    [0.1, 0.3],
    [0.2, 0.5],
    [0.25, 0.6],
    [0.9, 0.6],
  ])('at a baseline of %d has a threshold of %d', (rate, threshold) => {
    expect(baselineOf(rate).threshold).toBeCloseTo(threshold, 10);
  });
});

describe('the rule of the run', () => {
  it.each([
    [4, 4, 0.05, false],
    [5, 5, 0, true],
    [5, 30, 0.05, true],
    [5, 30, 0.2, false],
    [6, 30, 0.2, false],
    [7, 30, 0.2, true],
    [7, 300, 0.2, false],
    [8, 300, 0.2, true],
  ])('of %i failures at %i calls in the window and a baseline of %d: %s', (run, calls, baseline, opens) => {
    expect(failsInARow(run, calls, baseline, BREAKER_DEFAULTS)).toBe(opens);
  });
});

describe('the rule of a short run', () => {
  it('grants also a zone that never failed that it may', () => {
    const policy = { ...BREAKER_DEFAULTS, consecutiveFailures: 2 };
    expect(failsInARow(2, 30, 0, policy)).toBe(false);
    expect(failsInARow(3, 30, 0, policy)).toBe(true);
  });
});

describe('the baseline', () => {
  it('is learned in about a minute at first, and in ten minutes later', () => {
    const baseline = new Baseline();
    for (let second = 0; second <= 60; second++) baseline.learn(0.2, 30_000, second * 1_000);
    expect(baseline.rate).toBeCloseTo(0.05 + 0.15 * (1 - Math.exp(-1)), 2);
    for (let second = 61; second <= 1_000; second++) baseline.learn(0.2, 30_000, second * 1_000);
    expect(baseline.rate).toBeCloseTo(0.2, 1);
    for (let second = 1_001; second <= 1_600; second++) baseline.learn(0, 30_000, second * 1_000);
    expect(baseline.rate).toBeCloseTo(0.2 * Math.exp(-1), 1);
  });

  it('is not overthrown by one call after an idle hour', () => {
    const baseline = new Baseline();
    for (let second = 0; second < 1_000; second++) baseline.learn(0.2, 30_000, second * 1_000);
    const before = baseline.rate;
    baseline.learn(0, 30_000, 4_600_000);
    expect(baseline.rate).toBeGreaterThan(before * 0.95);
  });

  it('stays within its bounds', () => {
    const baseline = new Baseline();
    for (let second = 0; second < 10_000; second++) baseline.learn(1, 30_000, second * 1_000);
    expect(baseline.rate).toBe(0.25);
  });
});

describe('what is slow', () => {
  it('is nothing until enough calls were seen', () => {
    const latency = new Latency();
    for (let call = 0; call < 99; call++) latency.learn(50);
    expect(latency.slowMs).toBe(Number.POSITIVE_INFINITY);
    latency.learn(50);
    expect(latency.slowMs).toBe(2_000);
  });

  it('is three times the usual 95th percentile, where that is more', () => {
    const { number } = seededRandom('latency');
    const latency = new Latency();
    let sum = 0;
    for (let call = 0; call < 20_000; call++) {
      latency.learn(1_000 + 2_000 * number());
      if (call >= 10_000) sum += latency.slowMs / 3;
    }
    expect(sum / 10_000).toBeGreaterThan(2_700);
    expect(sum / 10_000).toBeLessThan(3_100);
  });
});
