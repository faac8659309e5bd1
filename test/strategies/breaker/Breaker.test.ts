import { describe, expect, it } from 'vitest';
import { Bench } from './support/Bench.ts';

const HOUR_MS = 3_600_000;
const { POSITIVE_INFINITY } = Number;

describe('a closed breaker', () => {
  it('lets everything through', () => {
    const { breaker } = new Bench();
    expect(breaker.status(0)).toBe('closed');
    expect(breaker.allows(0)).toBe(POSITIVE_INFINITY);
    expect(breaker.share(0)).toBe(1);
    expect(breaker.nextAt(0)).toBe(POSITIVE_INFINITY);
  });

  it('opens in a total outage at 1 request/s', () => {
    const bench = new Bench();
    expect(bench.open()).toBe(4_000);
    expect(bench.story).toEqual(['closed→open consecutiveFailures']);
    expect(bench.changes[0]).toMatchObject({ at: 4_000, calls: 5, failureRate: 1, openMs: 5_000, tries: 1 });
  });

  it('opens by its failure rate where successes lie between the failures', () => {
    const bench = new Bench();
    for (let index = 0; index < 10; index++) bench.call(index % 2 === 0 ? 'success' : 'failure', index * 500);
    expect(bench.story).toEqual(['closed→open failureRate']);
    expect(bench.changes[0]).toMatchObject({ calls: 10, failureRate: 0.5, threshold: 0.3 });
  });

  it('stays closed at a low failure rate', () => {
    const bench = new Bench();
    for (let index = 0; index < 1_000; index++) bench.call(index % 5 === 0 ? 'failure' : 'success', index * 1_000);
    expect(bench.changes).toEqual([]);
  });

  it('does not open on one failure after an idle hour', () => {
    const bench = new Bench();
    bench.calls(5, 'success', 0);
    bench.calls(4, 'failure', 5_000);
    bench.call('failure', HOUR_MS);
    expect(bench.breaker.status(HOUR_MS)).toBe('closed');
    expect(bench.breaker.window(HOUR_MS)).toEqual({ calls: 1, failures: 1, slow: 0 });
  });

  it('shows an empty window after an idle time, without a call', () => {
    const bench = new Bench();
    bench.calls(4, 'failure', 0);
    expect(bench.breaker.window(33_999)).toMatchObject({ calls: 0 });
  });

  it('opens on a run of failures at two requests per minute', () => {
    const bench = new Bench();
    bench.calls(5, 'failure', 0, 30_000);
    expect(bench.story).toEqual(['closed→open consecutiveFailures']);
  });

  it('takes a longer run where the zone fails often anyway', () => {
    const bench = new Bench();
    bench.breaker.restore({ v: 1, state: 'closed', openUntil: null, tries: 0, baseline: 0.25, updatedAt: 0 }, 0, 0);
    const until = bench.calls(20, 'success', 0);
    bench.calls(5, 'failure', until + 1_000);
    expect(bench.breaker.status(until + 5_000)).toBe('closed');
    bench.calls(3, 'failure', until + 6_000);
    expect(bench.story).toEqual(['closed→open consecutiveFailures']);
  });

  it('does not count its own rejections, nor what was cancelled', () => {
    const bench = new Bench();
    bench.calls(1_000, 'ignored', 0, 10);
    expect(bench.breaker.window(10_000)).toEqual({ calls: 0, failures: 0, slow: 0 });
    expect(bench.changes).toEqual([]);
  });

  it('opens when nine in ten calls are slow', () => {
    const bench = new Bench({ slowCallMs: 500 });
    bench.calls(2, 'success', 0, 100);
    bench.calls(17, 'success', 200, 100, 501);
    expect(bench.breaker.isDegraded(1_900)).toBe(false);
    bench.call('success', 1_900, 501);
    expect(bench.story).toEqual(['closed→open slowCalls']);
  });

  it('is only degraded when six in ten calls are slow', () => {
    const bench = new Bench({ slowCallMs: 500 });
    bench.calls(8, 'success', 0, 100);
    bench.calls(12, 'success', 800, 100, 501);
    expect(bench.breaker.isDegraded(2_000)).toBe(true);
    expect(bench.breaker.isDegraded(HOUR_MS)).toBe(false);
    expect(bench.changes).toEqual([]);
  });

  it('does not open on a few slow calls', () => {
    const bench = new Bench({ slowCallMs: 500 });
    bench.calls(19, 'success', 0, 100, 501);
    expect(bench.changes).toEqual([]);
  });

  it('does not get used to most calls being slow', () => {
    const bench = new Bench();
    const until = bench.calls(200, 'success', 0, 1_000, 100);
    for (let index = 1; index <= 1_000; index++)
      bench.call('success', until + index * 1_000, index % 4 === 0 ? 100 : 2_500);
    expect(bench.breaker.isDegraded(until + 1_000_000)).toBe(true);
    expect(bench.changes).toEqual([]);
  });

  it('takes what is always slow for usual', () => {
    const bench = new Bench();
    bench.calls(500, 'success', 0, 1_000, 8_000);
    expect(bench.breaker.isDegraded(500_000)).toBe(false);
    expect(bench.changes).toEqual([]);
  });

  it('opens when a fast zone becomes slow', () => {
    const bench = new Bench();
    const until = bench.calls(200, 'success', 0, 1_000, 100);
    bench.calls(40, 'success', until + 1_000, 1_000, 2_001);
    expect(bench.story[0]).toBe('closed→open slowCalls');
  });

  it('opens for as long as the server asks, also when it would open for less itself', () => {
    const bench = new Bench();
    bench.breaker.hinted(HOUR_MS, 0);
    expect(bench.story).toEqual(['closed→open serverHint']);
    expect(bench.breaker.nextAt(0)).toBe(HOUR_MS);
    expect(bench.breaker.allows(HOUR_MS - 1)).toBe(0);
    expect(bench.breaker.status(HOUR_MS)).toBe('halfOpen');
  });

  it('opens for no longer than the server asks, however often that fails', () => {
    const bench = new Bench();
    bench.breaker.hinted(1_000, 0);
    expect(bench.breaker.nextAt(0)).toBe(1_000);
    bench.breaker.hinted(3_000, 1_000);
    expect(bench.breaker.nextAt(1_000)).toBe(3_000);
    expect(bench.breaker.tries).toBe(0);
  });

  it('ignores a hint that is over or no time', () => {
    const bench = new Bench();
    for (const until of [-1, 10, Number.NaN, POSITIVE_INFINITY]) bench.breaker.hinted(until, 10);
    expect(bench.changes).toEqual([]);
  });

  it('learns what is usual, and the threshold follows', () => {
    const bench = new Bench();
    for (let index = 0; index < 3_600; index++) bench.call(index % 5 === 0 ? 'failure' : 'success', index * 1_000);
    expect(bench.breaker.baseline).toBeCloseTo(0.2, 1);
    expect(bench.breaker.threshold).toBeCloseTo(0.5, 1);
  });

  it('is evictable when idle', () => {
    const bench = new Bench();
    bench.call('success', 0);
    expect(bench.breaker.isEvictable(29_000)).toBe(false);
    expect(bench.breaker.isEvictable(31_000)).toBe(true);
  });
});

describe('an open breaker', () => {
  it('lets nothing through before its time', () => {
    const bench = new Bench();
    const at = bench.open();
    expect(bench.breaker.allows(at)).toBe(0);
    expect(bench.breaker.nextAt(at)).toBe(at + 5_000);
    expect(bench.breaker.status(at + 4_999)).toBe('open');
    expect(bench.breaker.status(at + 5_000)).toBe('halfOpen');
    expect(bench.changes.at(-1)).toMatchObject({ at: at + 5_000, reason: 'due', openMs: null });
  });

  it('ignores calls that were started all the same', () => {
    const bench = new Bench();
    const at = bench.open();
    bench.calls(10, 'failure', at, 100);
    bench.calls(10, 'success', at, 100);
    expect(bench.changes).toHaveLength(1);
    expect(bench.breaker.window(at)).toMatchObject({ calls: 5 });
  });

  it('stays open up to a quarter longer by chance', () => {
    const bench = new Bench({}, () => 0.999_999);
    const at = bench.open();
    expect(bench.breaker.nextAt(at) - at).toBeCloseTo(6_250, 1);
  });

  it('doubles its time with each opening, up to the longest', () => {
    const bench = new Bench();
    let at = bench.open();
    const times: number[] = [];
    for (let index = 0; index < 9; index++) {
      const next = bench.breaker.nextAt(at);
      times.push((next - at) / 1_000);
      at = next;
      bench.call('failure', at);
    }
    expect(times).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
  });

  it('stays open for longer when the server asks again', () => {
    const bench = new Bench();
    const at = bench.open();
    bench.breaker.hinted(at + 60_000, at);
    bench.breaker.hinted(at + 30_000, at);
    expect(bench.breaker.nextAt(at)).toBe(at + 60_000);
    expect(bench.story.slice(1)).toEqual(['open→open serverHint']);
    expect(bench.breaker.tries).toBe(1);
  });

  it('is never evictable, however idle', () => {
    const bench = new Bench();
    bench.open();
    bench.breaker.hinted(24 * HOUR_MS, 4_000);
    expect(bench.breaker.isEvictable(20 * HOUR_MS)).toBe(false);
    expect(bench.breaker.isEvictable(30 * HOUR_MS)).toBe(false);
  });

  it('closes when the machine itself was off the network, and opens as if that had not been', () => {
    const bench = new Bench();
    const late = bench.breaker.started(0);
    const at = bench.open();
    const { baseline } = bench.breaker;
    bench.breaker.freeze(at + 1_000);
    bench.breaker.ended(late, 'failure', 5_000, at + 1_000);
    expect(bench.story.slice(1)).toEqual(['open→closed frozen']);
    expect(bench.breaker).toMatchObject({ baseline, tries: 0 });
    expect(bench.breaker.window(at + 1_000)).toMatchObject({ calls: 0 });
    bench.open(at + 2_000);
    expect(bench.changes.at(-1)).toMatchObject({ at: at + 6_000, tries: 1, openMs: 5_000 });
  });

  it('closes on a reset, and forgets its openings', () => {
    const bench = new Bench();
    const at = bench.open();
    bench.breaker.reset(at);
    expect(bench.story.slice(1)).toEqual(['open→closed reset']);
    expect(bench.breaker.tries).toBe(0);
    expect(bench.breaker.window(at)).toMatchObject({ calls: 0 });
  });
});

describe('a recovering breaker', () => {
  const recovering = () => {
    const bench = new Bench();
    bench.open();
    bench.recover(9_000);
    return bench;
  };

  it('raises the share from a tenth to all of it within the ramp', () => {
    const { breaker } = recovering();
    expect(breaker.status(9_000)).toBe('recovering');
    expect([0, 3_000, 6_000, 15_000, 30_000, 54_000].map((ms) => breaker.share(9_000 + ms))).toEqual([
      0.1, 0.1, 0.1, 0.25, 0.5, 0.9,
    ]);
    expect(breaker.allows(9_000)).toBe(POSITIVE_INFINITY);
    expect(breaker.nextAt(9_000)).toBe(POSITIVE_INFINITY);
    expect(breaker.status(69_000)).toBe('closed');
    expect(breaker.share(69_000)).toBe(1);
  });

  it('opens again by its failure rate, for twice as long', () => {
    const bench = recovering();
    for (let index = 0; index < 10; index++) bench.call(index % 2 === 0 ? 'success' : 'failure', 10_000 + index);
    expect(bench.story.at(-1)).toBe('recovering→open relapsed');
    expect(bench.changes.at(-1)).toMatchObject({ tries: 2, openMs: 10_000, calls: 10 });
  });

  it('opens again by a run', () => {
    const bench = recovering();
    bench.calls(5, 'failure', 10_000);
    expect(bench.story.at(-1)).toBe('recovering→open relapsed');
  });

  it('does not open again on the usual failures', () => {
    const bench = recovering();
    for (let index = 0; index < 50; index++)
      bench.call(index % 5 === 4 ? 'failure' : 'success', 10_000 + index * 1_000);
    expect(bench.breaker.status(69_000)).toBe('closed');
  });

  it('does not take the failures of the ramp for usual', () => {
    const bench = recovering();
    const { baseline } = bench.breaker;
    for (let index = 0; index < 50; index++)
      bench.call(index % 5 === 4 ? 'failure' : 'success', 10_000 + index * 1_000);
    expect(bench.breaker.baseline).toBe(baseline);
  });

  it('is not evictable before its openings are forgotten', () => {
    const { breaker } = recovering();
    expect(breaker.isEvictable(69_000 + 299_999)).toBe(false);
    expect(breaker.isEvictable(69_000 + 300_000)).toBe(true);
  });

  it('is judged by what came after the outage', () => {
    const bench = recovering();
    expect(bench.breaker.window(9_000)).toEqual({ calls: 0, failures: 0, slow: 0 });
  });

  it('counts its calls on when the ramp is over', () => {
    const bench = recovering();
    const permit = bench.breaker.started(60_000);
    bench.breaker.ended(permit, 'failure', 10_000, 70_000);
    expect(bench.breaker.window(70_000)).toMatchObject({ calls: 1, failures: 1 });
  });

  it('starts at the first open time again after five minutes closed', () => {
    const early = recovering();
    early.open(69_000 + 295_000);
    expect(early.changes.at(-1)).toMatchObject({ tries: 2, openMs: 10_000 });
    const late = recovering();
    late.open(69_000 + 296_000);
    expect(late.changes.at(-1)).toMatchObject({ tries: 1, openMs: 5_000 });
  });
});
