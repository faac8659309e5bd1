import { describe, expect, it } from 'vitest';
import { KindWeights, LEAST_WEIGHT, MOST_WEIGHT } from '../../src/queue/strategies/scheduling/KindWeights.ts';
import { flowOfKind, kindOf } from '../../src/queue/strategies/scheduling/kindOf.ts';

const MINUTE_MS = 60_000;

describe('the kind of a request', () => {
  it.each([
    ['GET', '/users', 'GET /users'],
    ['GET', '/users/42?full=1', 'GET /users/*'],
    ['PUT', '/v2/Users/9b1c1c0e-4a55-4c1f-8f1e-2d7f0a9d3b11/photo#x', 'PUT /v2/users/*/photo'],
    ['POST', `/files/${'x'.repeat(50)}`, 'POST /files/*'],
    ['POST', '/', 'POST /'],
    ['GET', '/a/b/c/d/e/f/g/h', 'GET /a/b/c/d/e/f'],
  ])('of %s %s is %s', (method, path, kind) => {
    expect(kindOf({ method, path })).toBe(kind);
  });

  it('is counted in one of a bounded number of flows, the same in every process', () => {
    const flows = new Set(Array.from({ length: 20_000 }, (_, n) => flowOfKind(`GET /${n}/x`)));
    expect(flows.size).toBeLessThanOrEqual(1_021);
    expect(flowOfKind('GET /users/*')).toBe(flowOfKind('GET /users/*'));
  });
});

describe('the weight of a kind', () => {
  const learned = (calls: Record<string, readonly [isSuccess: boolean, durationMs: number]>) => {
    const weights = new KindWeights();
    for (let n = 0; n < 10; n += 1) for (const [kind, call] of Object.entries(calls)) weights.ended(kind, ...call, 0);
    return weights;
  };

  it('is 1 until a minute has shown more', () => {
    const weights = learned({ fast: [true, 10], slow: [true, 100] });
    expect([weights.weightOf('fast', MINUTE_MS - 1), weights.weightOf('slow', 1)]).toEqual([1, 1]);
    expect(weights.weightOf('never', 2 * MINUTE_MS)).toBe(1);
  });

  it('is its success over its duration, relative to the median of the kinds', () => {
    const weights = learned({
      fast: [true, 10],
      usual: [true, 20],
      slow: [true, 80],
      failing: [false, 20],
      other: [true, 20],
    });
    const of = (kind: string) => weights.weightOf(kind, MINUTE_MS);
    expect([of('fast'), of('usual'), of('slow'), of('other')]).toEqual([2, 1, 0.25, 1]);
    expect(of('failing')).toBeCloseTo(1 / 11);
  });

  it('stays within bounds, whatever is told of it', () => {
    const weights = learned({
      instant: [true, 0],
      usual: [true, 1_000],
      also: [true, 1_000],
      stuck: [false, 1e9],
      odd: [true, Number.NaN],
      past: [true, -5],
    });
    const of = (kind: string) => weights.weightOf(kind, MINUTE_MS);
    expect([of('instant'), of('stuck'), of('odd'), of('past')]).toEqual([MOST_WEIGHT, LEAST_WEIGHT, 1, 1]);
  });

  it('follows what changed within some minutes, and keeps what was not seen again', () => {
    const weights = learned({ one: [true, 10], other: [true, 40], third: [true, 20] });
    let kept = 0;
    for (let minute = 1; minute <= 8; minute += 1) {
      for (let n = 0; n < 10; n += 1) {
        weights.ended('one', true, 80, minute * MINUTE_MS);
        weights.ended('third', true, 20, minute * MINUTE_MS);
      }
      if (minute === 4) kept = weights.weightOf('other', minute * MINUTE_MS);
    }
    expect(weights.weightOf('one', 9 * MINUTE_MS)).toBeLessThan(1);
    expect(weights.weightOf('other', 9 * MINUTE_MS)).toBe(kept);
  });

  it('is of a bounded number of kinds, those that were not seen for the longest being forgotten', () => {
    const weights = learned({ fast: [true, 1], usual: [true, 10], also: [true, 10] });
    expect(weights.weightOf('fast', MINUTE_MS)).toBe(10);
    for (let n = 0; n < 10_000; n += 1) weights.ended(`kind ${n}`, true, 10, MINUTE_MS);
    expect(weights.size).toBe(256);
    expect(weights.weightOf('fast', MINUTE_MS)).toBe(1);
  });
});
