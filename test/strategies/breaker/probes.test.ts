import { describe, expect, it } from 'vitest';
import { Bench } from './support/Bench.ts';

/** Half open from here on. */
const AT = 9_000;

function halfOpen(): Bench {
  const bench = new Bench();
  bench.open();
  expect(bench.breaker.status(AT)).toBe('halfOpen');
  return bench;
}

describe('a half-open breaker', () => {
  it('lets one of 50 callers through', () => {
    const { breaker } = halfOpen();
    let through = 0;
    for (let caller = 0; caller < 50; caller++) {
      if (breaker.allows(AT) === 0) continue;
      breaker.started(AT);
      through++;
    }
    expect(through).toBe(1);
  });

  it('allows one probe, then two, then four at once, and recovers after three successes', () => {
    const { breaker } = halfOpen();
    expect(breaker.allows(AT)).toBe(1);
    const first = breaker.started(AT);
    expect(breaker.allows(AT)).toBe(0);
    breaker.ended(first, 'success', 10, AT + 10);
    expect(breaker.allows(AT + 10)).toBe(2);
    const [second, third] = [breaker.started(AT + 10), breaker.started(AT + 10)];
    expect(breaker.allows(AT + 10)).toBe(0);
    breaker.ended(second, 'success', 10, AT + 20);
    expect(breaker.allows(AT + 20)).toBe(3);
    breaker.ended(third, 'success', 10, AT + 20);
    expect(breaker.status(AT + 20)).toBe('recovering');
  });

  it('opens when the first probe fails', () => {
    const bench = halfOpen();
    bench.call('failure', AT);
    expect(bench.story.at(-1)).toBe('halfOpen→open probeFailed');
    expect(bench.changes.at(-1)).toMatchObject({ tries: 2, openMs: 10_000 });
  });

  it('recovers in spite of one later failure', () => {
    const bench = halfOpen();
    bench.call('success', AT);
    bench.call('failure', AT);
    bench.calls(2, 'success', AT, 0);
    expect(bench.story.at(-1)).toBe('halfOpen→recovering probeSucceeded');
  });

  it('opens when two later probes fail', () => {
    const bench = halfOpen();
    bench.calls(2, 'success', AT, 0);
    bench.calls(2, 'failure', AT, 0);
    expect(bench.story.at(-1)).toBe('halfOpen→open probeFailed');
  });

  it('is not stuck by a probe that hangs: its lease lapses, which is a failure', () => {
    const bench = halfOpen();
    const hung = bench.breaker.started(AT);
    expect(bench.breaker.nextAt(AT)).toBe(AT + 5_000);
    expect(bench.breaker.status(AT + 5_000)).toBe('open');
    expect(bench.changes.at(-1)).toMatchObject({ at: AT + 5_000, reason: 'probeFailed', tries: 2 });
    expect(bench.breaker.nextAt(AT + 5_000)).toBe(AT + 15_000);
    expect(bench.breaker.status(AT + 6_000)).toBe('open');
    bench.breaker.ended(hung, 'failure', 7_000, AT + 7_000);
    expect(bench.breaker.allows(AT + 15_000)).toBe(1);
  });

  it('recovers a zone that is slow: a late answer is proof, and the next probes get the time it took', () => {
    const { breaker } = halfOpen();
    const first = breaker.started(AT);
    expect(breaker.status(AT + 5_000)).toBe('open');
    breaker.ended(first, 'success', 8_000, AT + 8_000);
    expect(breaker.status(AT + 8_000)).toBe('halfOpen');
    let at = AT + 8_000;
    for (let probe = 0; probe < 3; probe++) {
      const permit = breaker.started(at);
      at += 8_000;
      breaker.ended(permit, 'success', 8_000, at);
    }
    expect(breaker.status(at)).toBe('recovering');
  });

  it('is not stuck by a permit that is lost, also when nobody looks for an hour', () => {
    const bench = halfOpen();
    bench.breaker.started(AT);
    const later = AT + 3_600_000;
    expect(bench.breaker.allows(later)).toBe(1);
    expect(bench.changes.slice(-2).map(({ at, reason }) => [at - AT, reason])).toEqual([
      [5_000, 'probeFailed'],
      [15_000, 'due'],
    ]);
  });

  it('does not count the late result of a lapsed probe a second time', () => {
    const bench = halfOpen();
    bench.call('success', AT);
    const lapsing = bench.breaker.started(AT);
    expect(bench.breaker.allows(AT + 5_000)).toBe(2);
    bench.breaker.ended(lapsing, 'failure', 6_000, AT + 6_000);
    expect(bench.breaker.status(AT + 6_000)).toBe('halfOpen');
    bench.breaker.ended(lapsing, 'success', 6_000, AT + 6_000);
    bench.call('success', AT + 6_000);
    expect(bench.breaker.status(AT + 6_000)).toBe('halfOpen');
    bench.call('success', AT + 6_000);
    expect(bench.breaker.status(AT + 6_000)).toBe('recovering');
  });

  it('does not close on probes that are cancelled, but gives them out again', () => {
    const bench = halfOpen();
    bench.calls(50, 'ignored', AT, 0);
    expect(bench.breaker.status(AT)).toBe('halfOpen');
    expect(bench.breaker.allows(AT)).toBe(1);
    bench.call('failure', AT);
    expect(bench.breaker.status(AT)).toBe('open');
  });

  it('ignores late results of calls that started before it opened', () => {
    const bench = new Bench();
    const late = Array.from({ length: 20 }, () => bench.breaker.started(0));
    bench.open();
    late.slice(0, 10).forEach((permit) => void bench.breaker.ended(permit, 'success', AT, AT));
    late.slice(10, 15).forEach((permit) => void bench.breaker.ended(permit, 'failure', AT, AT));
    expect(bench.breaker.status(AT)).toBe('halfOpen');
    bench.recover(AT);
    late.slice(15).forEach((permit) => void bench.breaker.ended(permit, 'failure', AT, AT + 1));
    expect(bench.breaker.status(AT + 1)).toBe('recovering');
    expect(bench.breaker.window(AT + 1)).toMatchObject({ calls: 0 });
  });

  it('ignores a probe of an earlier half-open time', () => {
    const bench = halfOpen();
    const early = bench.breaker.started(AT);
    expect(bench.breaker.status(AT + 15_000)).toBe('halfOpen');
    bench.breaker.started(AT + 15_000);
    bench.breaker.ended(early, 'failure', 15_000, AT + 15_001);
    bench.breaker.ended(early, 'ignored', 15_000, AT + 15_001);
    expect(bench.breaker.status(AT + 15_001)).toBe('halfOpen');
    expect(bench.breaker.allows(AT + 15_001)).toBe(0);
  });

  it('ignores a call that was started without a free probe', () => {
    const bench = halfOpen();
    bench.breaker.started(AT);
    bench.call('failure', AT);
    expect(bench.breaker.status(AT)).toBe('halfOpen');
  });

  it('opens for as long as the server asks', () => {
    const bench = halfOpen();
    bench.call('failure', AT);
    bench.breaker.hinted(AT + 120_000, AT);
    expect(bench.breaker.nextAt(AT)).toBe(AT + 120_000);
    expect(bench.breaker.tries).toBe(2);
  });
});
