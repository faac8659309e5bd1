import { describe, expect, it } from 'vitest';
import { holdfastError } from '../../../src/errors.ts';
import { EndQueue } from '../../../src/queue/strategies/breaker/EndQueue.ts';
import type { TraceCall } from '../../../src/queue/strategies/breaker/simulate.ts';
import { simulate } from '../../../src/queue/strategies/breaker/simulate.ts';

/** One call each second; those within [from, until) fail. */
function outage(seconds: number, from: number, until: number, durationMs?: number): TraceCall[] {
  return Array.from({ length: seconds }, (_, second) => ({
    at: second * 1_000,
    ok: second < from || second >= until,
    durationMs,
  }));
}

describe('the calls under way', () => {
  it('end in order of time, and those of one time in the order they started', () => {
    const ends = new EndQueue();
    for (const [permit, at] of [5, 3, 5, 1, 3].entries()) ends.add(permit, true, 1, at);
    expect(ends.lastAt).toBe(5);
    const order: number[] = [];
    for (let end = ends.takeUntil(4); end !== undefined; end = ends.takeUntil(4)) order.push(end.permit);
    expect(order).toEqual([3, 1, 4]);
    expect([ends.takeUntil(5)?.permit, ends.takeUntil(5)?.permit, ends.takeUntil(5)]).toEqual([0, 2, undefined]);
  });
});

describe('a simulation', () => {
  it('of a sound zone lets everything through', () => {
    expect(simulate({}, outage(3_600, 0, 0), { fault: null })).toEqual({
      calls: 3_600,
      letThrough: 3_600,
      refused: 0,
      failures: 0,
      spanMs: 3_599_000,
      opens: [],
      timeToOpenMs: null,
      falseOpensPerHour: 0,
      status: 'closed',
      baseline: expect.closeTo(0, 3),
      threshold: 0.3,
    });
  });

  it('of an outage tells when it opened, and lets the zone recover', () => {
    const result = simulate({}, outage(900, 300, 330), { fault: { from: 300_000, until: 330_000 } });
    expect(result.timeToOpenMs).toBe(4_000);
    expect(result.opens[0]).toMatchObject({ at: 304_000, from: 'closed', reason: 'consecutiveFailures' });
    expect(result.opens.slice(1).map(({ reason }) => reason)).toEqual(['probeFailed', 'probeFailed']);
    expect(result.falseOpensPerHour).toBe(0);
    expect(result.failures).toBe(7);
    expect(result.letThrough + result.refused).toBe(900);
    expect(result.status).toBe('closed');
  });

  it('sends as much of the ramp as the share allows', () => {
    const result = simulate({ openMs: 1_000 }, outage(120, 0, 5), { random: () => 0 });
    const probes = 3;
    const ramp = result.letThrough - 5 - probes - (120 - 8 - 60);
    expect(ramp).toBeGreaterThan(25);
    expect(ramp).toBeLessThan(35);
  });

  it('sees the end of a call when it has ended', () => {
    const result = simulate({}, outage(60, 0, 60, 10_000));
    expect(result.opens[0]).toMatchObject({ at: 14_000 });
    expect(result.timeToOpenMs).toBe(14_000);
  });

  it('lets a probe lapse that takes too long', () => {
    const trace = [...outage(5, 0, 5), { at: 10_500, ok: true, durationMs: 60_000 }, { at: 16_000, ok: true }];
    expect(simulate({}, trace).opens.map(({ at, reason }) => [at, reason])).toEqual([
      [4_000, 'consecutiveFailures'],
      [15_500, 'probeFailed'],
    ]);
  });

  it('counts openings outside the fault as false', () => {
    const trace = outage(1_800, 0, 10);
    expect(simulate({}, trace, { fault: null }).falseOpensPerHour).toBeCloseTo(2, 1);
    expect(simulate({}, trace, { fault: { from: 0, until: 10_000 } }).falseOpensPerHour).toBe(0);
    expect(simulate({}, trace).falseOpensPerHour).toBeNull();
  });

  it('takes no time to open where it was open already', () => {
    const result = simulate({ openMs: 60_000 }, outage(120, 0, 120), { fault: { from: 20_000, until: 120_000 } });
    expect(result.timeToOpenMs).toBe(0);
  });

  it('of an empty trace is empty', () => {
    expect(simulate({}, [], { fault: null })).toMatchObject({ calls: 0, spanMs: 0, falseOpensPerHour: 0 });
  });

  it('gives the same twice', () => {
    const trace = outage(3_600, 10, 1_000, 300);
    expect(simulate({}, trace)).toEqual(simulate({}, trace));
  });

  it('takes what is undefined in a policy for absent', () => {
    const trace = outage(60, 20, 60);
    expect(simulate({ openMs: undefined }, trace)).toEqual(simulate({}, trace));
  });

  it.each([
    [{ consecutiveFailure: 5 }, 'policy.consecutiveFailure', "a known name (did you mean 'consecutiveFailures'?)"],
    [{ openMs: Number.NaN }, 'policy.openMs', 'a number from 0'],
    [{ windowMs: null }, 'policy.windowMs', 'a number from 0'],
  ])('refuses the policy %j', (policy, path, expected) => {
    let thrown: unknown;
    try {
      simulate(policy as object, []);
    } catch (error) {
      thrown = error;
    }
    expect(holdfastError(thrown, 'CONFIG_INVALID')?.details.problems).toMatchObject([{ path, expected }]);
  });

  it.each([
    ['earlier than the one before it', [5, 4]],
    ['at no time', [5, Number.NaN]],
  ])('refuses a call %s', (_, times) => {
    let thrown: unknown;
    try {
      simulate(
        {},
        times.map((at) => ({ at, ok: true })),
      );
    } catch (error) {
      thrown = error;
    }
    expect(holdfastError(thrown, 'CONFIG_INVALID')?.details.problems).toEqual([
      { path: 'trace[1].at', expected: 'a time from 5 on', got: String(times[1]) },
    ]);
  });
});
