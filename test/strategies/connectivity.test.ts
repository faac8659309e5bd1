import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Connectivity, ConnectivityEvidence } from '../../src/queue/strategies/connectivity.ts';
import {
  isClosed,
  isProbeDue,
  nextProbeAt,
  observe,
  probeStarted,
  UNKNOWN_CONNECTIVITY,
} from '../../src/queue/strategies/connectivity.ts';

const none = () => 0;

function stateAfter(...seen: readonly (readonly [ConnectivityEvidence, number])[]): Connectivity {
  return seen.reduce((state, [evidence, at]) => observe(state, evidence, at, none), UNKNOWN_CONNECTIVITY);
}

describe('connectivity', () => {
  it('is open until something speaks against it', () => {
    expect(isClosed(UNKNOWN_CONNECTIVITY)).toBe(false);
    expect(nextProbeAt(UNKNOWN_CONNECTIVITY)).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([
    [
      'three refused connections, at once',
      [
        ['unreachable', 0],
        ['unreachable', 0],
        ['unreachable', 1],
      ],
      'down',
    ],
    [
      'two refused connections',
      [
        ['unreachable', 0],
        ['unreachable', 60_000],
      ],
      'unknown',
    ],
    [
      'an answer between them',
      [
        ['unreachable', 0],
        ['unreachable', 1],
        ['reachable', 2],
        ['unreachable', 3],
      ],
      'up',
    ],
    [
      'three timeouts within 10 s',
      [
        ['unanswered', 0],
        ['unanswered', 1],
        ['unanswered', 9_999],
      ],
      'unknown',
    ],
    [
      'three timeouts over 10 s',
      [
        ['unanswered', 0],
        ['unanswered', 1],
        ['unanswered', 10_000],
      ],
      'down',
    ],
    [
      'a mix over 10 s',
      [
        ['unreachable', 0],
        ['unanswered', 5_000],
        ['unreachable', 10_000],
      ],
      'down',
    ],
    [
      'a mix within 10 s',
      [
        ['unreachable', 0],
        ['unreachable', 1],
        ['unanswered', 2],
        ['unreachable', 3],
      ],
      'unknown',
    ],
    [
      'neutral evidence between them',
      [
        ['unreachable', 0],
        ['unreachable', 1],
        ['neutral', 2],
        ['unreachable', 3],
      ],
      'down',
    ],
    ['no network', [['networkDown', 0]], 'down'],
    ['a captive portal', [['captive', 0]], 'captive'],
    [
      'an answer after the portal',
      [
        ['captive', 0],
        ['reachable', 1],
      ],
      'up',
    ],
    [
      'an answer while down',
      [
        ['networkDown', 0],
        ['reachable', 1],
      ],
      'up',
    ],
    [
      'a portal while down',
      [
        ['networkDown', 0],
        ['captive', 1],
      ],
      'captive',
    ],
  ] as const)('after %s', (_, seen, status) => {
    const state = stateAfter(...(seen as unknown as [ConnectivityEvidence, number][]));
    expect(state.status).toBe(status);
    expect(isClosed(state)).toBe(status === 'down' || status === 'captive');
  });

  it('probes after 5 s, then twice as late each time, at most 60 s, with up to 20 % on top', () => {
    let state = stateAfter(['networkDown', 1_000]);
    const delays: number[] = [];
    let now = 1_000;
    for (let i = 0; i < 6; i++) {
      delays.push(nextProbeAt(state) - now);
      now = nextProbeAt(state);
      state = probeStarted(state, now, none);
    }
    expect(delays).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
    expect(nextProbeAt(observe(UNKNOWN_CONNECTIVITY, 'networkDown', 0, () => 1))).toBe(6_000);
  });

  it('does not let calls still under way move the probe', () => {
    const state = stateAfter(['networkDown', 0]);
    for (const evidence of ['unreachable', 'unanswered', 'networkDown'] as const) {
      expect(observe(state, evidence, 4_000, none)).toBe(state);
    }
  });

  it('finds a probe due also when the clock was set back', () => {
    const state = stateAfter(['networkDown', 1_000_000]);
    expect(isProbeDue(state, 1_000_001)).toBe(false);
    expect(isProbeDue(state, 1_005_000)).toBe(true);
    expect(isProbeDue(state, 5)).toBe(true);
  });

  it('always has a next probe while closed, and none while open', () => {
    const step = fc.oneof(
      fc.constantFrom<ConnectivityEvidence | 'probe'>(
        'reachable',
        'unreachable',
        'unanswered',
        'networkDown',
        'captive',
        'neutral',
        'probe',
      ),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.nat(30_000)), { maxLength: 60 }), (steps) => {
        let now = 0;
        let state = UNKNOWN_CONNECTIVITY;
        for (const [what, elapsed] of steps) {
          now += elapsed;
          if (what === 'probe') state = probeStarted(state, now, none);
          else state = observe(state, what, now, none);
          expect(Number.isFinite(nextProbeAt(state))).toBe(isClosed(state));
          if (isClosed(state)) expect(nextProbeAt(state)).toBeLessThanOrEqual(now + 72_000);
        }
      }),
    );
  });
});
