import { describe, expect, it } from 'vitest';
import { BREAKER_DEFAULTS } from '../../../src/queue/strategies/breaker/policy.ts';
import { Bench } from './support/Bench.ts';

describe('an isolated breaker', () => {
  it('lets nothing through until each who isolated it has released it', () => {
    const bench = new Bench();
    bench.breaker.isolate(0);
    bench.breaker.isolate(0);
    bench.breaker.release(1);
    expect(bench.breaker.status(1)).toBe('isolated');
    expect(bench.breaker.allows(1)).toBe(0);
    expect(bench.breaker.nextAt(1)).toBe(Number.POSITIVE_INFINITY);
    expect(bench.breaker.isEvictable(3_600_000)).toBe(false);
    bench.breaker.release(2);
    bench.breaker.release(3);
    expect(bench.breaker.allows(3)).toBe(Number.POSITIVE_INFINITY);
    expect(bench.story).toEqual(['closed→isolated isolated', 'isolated→closed released']);
  });

  it('does not end by time', () => {
    const bench = new Bench();
    bench.breaker.isolate(0);
    expect(bench.breaker.status(86_400_000)).toBe('isolated');
  });

  it('counts calls that were under way, and decides nothing on them', () => {
    const bench = new Bench();
    const permits = Array.from({ length: 20 }, () => bench.breaker.started(0));
    bench.breaker.isolate(0);
    permits.forEach((permit) => void bench.breaker.ended(permit, 'failure', 10, 10));
    bench.breaker.release(20);
    expect(bench.breaker.status(20)).toBe('closed');
    bench.call('failure', 30);
    expect(bench.breaker.status(30)).toBe('open');
  });

  it('is open again where it was open before, and half open where its time is over', () => {
    const bench = new Bench();
    const at = bench.open();
    bench.breaker.isolate(at);
    bench.breaker.release(at + 1_000);
    expect(bench.breaker.status(at + 1_000)).toBe('open');
    bench.breaker.isolate(at + 2_000);
    bench.breaker.release(at + 60_000);
    expect(bench.story.slice(-2)).toEqual(['isolated→open released', 'open→halfOpen due']);
    expect(bench.changes.at(-1)).toMatchObject({ at: at + 60_000 });
  });

  it('calls off its probes', () => {
    const bench = new Bench();
    const at = bench.open() + 5_000;
    const probe = bench.breaker.started(at);
    bench.breaker.isolate(at);
    bench.breaker.ended(probe, 'failure', 10, at + 10);
    bench.breaker.release(at + 20);
    expect(bench.breaker.status(at + 20)).toBe('halfOpen');
    expect(bench.breaker.allows(at + 20)).toBe(1);
  });

  it('starts the ramp anew when released while recovering', () => {
    const bench = new Bench();
    const at = bench.open() + 5_000;
    bench.recover(at);
    bench.breaker.isolate(at + 30_000);
    bench.breaker.release(at + 90_000);
    expect(bench.breaker.status(at + 90_000)).toBe('recovering');
    expect(bench.breaker.share(at + 90_000)).toBe(0.1);
  });

  it('heeds a hint of the server when released', () => {
    const bench = new Bench();
    bench.breaker.isolate(0);
    bench.breaker.hinted(60_000, 10);
    expect(bench.story).toEqual(['closed→isolated isolated']);
    bench.breaker.release(20);
    expect(bench.breaker.nextAt(20)).toBe(60_000);
  });
});

describe('a disabled breaker', () => {
  it('lets everything through whatever happens', () => {
    const bench = new Bench();
    const at = bench.open();
    bench.breaker.disable(at);
    bench.breaker.disable(at);
    bench.calls(100, 'failure', at, 10);
    bench.breaker.hinted(at + 60_000, at + 1_000);
    expect(bench.breaker.advise(at + 60_000, at + 1_000)).toBe(false);
    expect(bench.breaker.status(at + 1_000)).toBe('disabled');
    expect(bench.breaker.allows(at + 1_000)).toBe(Number.POSITIVE_INFINITY);
    expect(bench.story.slice(1)).toEqual(['open→disabled disabled']);
  });

  it('judges again once enabled, with what it saw', () => {
    const bench = new Bench();
    bench.breaker.disable(0);
    bench.calls(20, 'failure', 0, 10);
    bench.breaker.enable(200);
    bench.breaker.enable(200);
    expect(bench.breaker.status(200)).toBe('closed');
    bench.call('failure', 210);
    expect(bench.story).toEqual(['closed→disabled disabled', 'disabled→closed enabled', 'closed→open failureRate']);
  });

  it('stays as it is when it is disabled twice', () => {
    const bench = new Bench();
    bench.breaker.disable(0);
    const permit = bench.breaker.started(0);
    bench.breaker.disable(10);
    bench.breaker.ended(permit, 'failure', 20, 20);
    expect(bench.breaker.window(20)).toMatchObject({ failures: 1 });
  });

  it('is not enabled where it was not disabled', () => {
    const bench = new Bench();
    bench.breaker.enable(bench.open());
    expect(bench.story).toEqual(['closed→open consecutiveFailures']);
  });

  it('can be isolated', () => {
    const bench = new Bench();
    bench.breaker.disable(0);
    bench.breaker.isolate(0);
    expect(bench.breaker.allows(0)).toBe(0);
    bench.breaker.release(0);
    expect(bench.breaker.status(0)).toBe('disabled');
  });
});

describe('another policy', () => {
  it('leaves the window as it is', () => {
    const bench = new Bench();
    bench.calls(4, 'failure', 0);
    bench.breaker.update({ ...BREAKER_DEFAULTS, minimumCalls: 3 });
    expect(bench.breaker.window(3_000)).toEqual({ calls: 4, failures: 4, slow: 0 });
    bench.call('failure', 4_000);
    expect(bench.breaker.status(4_000)).toBe('open');
  });

  it.each([
    [60_000, 30],
    [30_000, 30],
    [15_000, 16],
    [3_000, 4],
  ])('with a window of %i ms keeps the calls within it', (windowMs, calls) => {
    const bench = new Bench();
    const now = bench.calls(30, 'success', 0);
    bench.breaker.update({ ...BREAKER_DEFAULTS, windowMs });
    const kept = bench.breaker.window(now).calls;
    expect(kept).toBeLessThanOrEqual(calls);
    expect(kept).toBeGreaterThanOrEqual(Math.min(30, windowMs / 1_000 - 2));
    expect(bench.breaker.window(now + windowMs + 4_000).calls).toBe(0);
  });

  it('does not shorten an open time', () => {
    const bench = new Bench();
    const at = bench.open();
    bench.breaker.update({ ...BREAKER_DEFAULTS, openMs: 10 });
    expect(bench.breaker.nextAt(at)).toBe(at + 5_000);
  });
});
