import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DropKind, LimitChange } from '../../../src/queue/strategies/limits/ConcurrencyLimit.ts';
import { ConcurrencyLimit } from '../../../src/queue/strategies/limits/ConcurrencyLimit.ts';

const ADAPTIVE = { min: 1, max: 50, initial: 10, adaptive: true };
const DROPS: readonly DropKind[] = ['timeout', 'unavailable', 'throttled', 'refused'];

function limitOf(options: Partial<typeof ADAPTIVE> = {}) {
  const changes: LimitChange[] = [];
  const limit = new ConcurrencyLimit({ ...ADAPTIVE, ...options, changed: (change) => changes.push(change) });
  return { limit, changes };
}

/** So many calls one after the other, each with all permits in use. */
function succeed(limit: ConcurrencyLimit, calls: number, durationMs = 10, from = 0): number {
  let now = from;
  for (let call = 0; call < calls; call += 1) {
    now += durationMs;
    limit.succeeded(limit.limit, durationMs, now);
  }
  return now;
}

describe('the limit on calls under way', () => {
  it('grows by about one for each round of successes', () => {
    const { limit, changes } = limitOf();
    succeed(limit, 11);
    expect(limit.limit).toBe(11);
    expect(changes).toEqual([{ from: 10, to: 11, cause: 'success' }]);
  });

  it('does not grow while it is not used up', () => {
    const { limit } = limitOf();
    for (let call = 0; call < 1_000; call += 1) limit.succeeded(8, 10, call * 10);
    expect(limit.limit).toBe(10);
  });

  it('grows from 9 of 10 permits in use', () => {
    const { limit } = limitOf();
    for (let call = 0; call < 11; call += 1) limit.succeeded(9, 10, call * 10);
    expect(limit.limit).toBe(11);
  });

  it('leaves 1 again', () => {
    const { limit } = limitOf({ initial: 1 });
    succeed(limit, 1);
    expect(limit.limit).toBe(2);
  });

  it.each([
    ['timeout', 10, 9],
    ['unavailable', 10, 9],
    ['throttled', 10, 5],
    ['refused', 10, 5],
    ['timeout', 3, 2],
    ['timeout', 1, 1],
    ['refused', 1, 1],
    ['refused', 3, 1],
    ['timeout', 50, 45],
  ] as const)('goes, by a call that ended as %s, from %i to %i', (kind, initial, expected) => {
    const { limit, changes } = limitOf({ initial });
    limit.dropped(kind, 0);
    expect(limit.limit).toBe(expected);
    expect(changes).toEqual(initial === expected ? [] : [{ from: initial, to: expected, cause: kind }]);
  });

  it('is lowered to a whole number, from which it has to grow by a whole one', () => {
    const { limit } = limitOf({ initial: 15 });
    limit.dropped('timeout', 0);
    succeed(limit, 13, 10, 100);
    expect(limit.limit).toBe(13);
    succeed(limit, 1, 10, 1_000);
    expect(limit.limit).toBe(14);
  });

  it('is lowered once by k calls that fail within a second', () => {
    const { limit, changes } = limitOf({ initial: 50 });
    for (let call = 0; call < 50; call += 1) limit.dropped('timeout', 5_000 + call * 19);
    expect(limit.limit).toBe(45);
    expect(changes).toHaveLength(1);
    limit.dropped('timeout', 6_000);
    expect(limit.limit).toBe(40);
  });

  it('is lowered once by k calls that fail within the usual duration of a call', () => {
    const { limit } = limitOf({ initial: 50, max: 50 });
    const now = succeed(limit, 200, 8_000);
    for (let call = 0; call < 50; call += 1) limit.dropped('timeout', now + call * 150);
    expect(limit.limit).toBe(45);
    limit.dropped('timeout', now + 8_000);
    expect(limit.limit).toBe(40);
  });

  it('is not raised again by calls that began before it was lowered', () => {
    const { limit } = limitOf();
    limit.dropped('refused', 1_000);
    for (let call = 0; call < 9; call += 1) limit.succeeded(9, 500, 1_001 + call);
    expect(limit.limit).toBe(5);
    for (let call = 0; call < 6; call += 1) limit.succeeded(5, 500, 1_500 + call);
    expect(limit.limit).toBe(6);
  });

  it('takes over at once what the server allows, and grows no further', () => {
    const { limit, changes } = limitOf();
    limit.capped(3, 0);
    expect(limit.limit).toBe(3);
    expect(changes).toEqual([{ from: 10, to: 3, cause: 'capped' }]);
    succeed(limit, 100, 10);
    expect(limit.limit).toBe(3);
  });

  it('is not lowered twice for what the server said and for the calls it refused meanwhile', () => {
    const { limit } = limitOf();
    limit.capped(4, 0);
    limit.dropped('throttled', 10);
    expect(limit.limit).toBe(4);
  });

  it('grows again when the server takes its word back', () => {
    const { limit } = limitOf();
    limit.capped(3, 0);
    limit.capped(Number.POSITIVE_INFINITY, 0);
    expect(limit.limit).toBe(3);
    succeed(limit, 4);
    expect(limit.limit).toBe(4);
  });

  it('is not moved by a server that says nonsense', () => {
    const { limit } = limitOf({ min: 2 });
    limit.capped(Number.NaN, 0);
    limit.capped(1_000, 0);
    expect(limit.limit).toBe(10);
    limit.capped(-5, 0);
    expect(limit.limit).toBe(2);
  });

  it('is constant where it does not adapt', () => {
    const { limit, changes } = limitOf({ adaptive: false });
    succeed(limit, 100);
    for (const kind of DROPS) limit.dropped(kind, 100_000);
    limit.capped(1, 200_000);
    expect(limit.limit).toBe(10);
    expect(changes).toEqual([]);
  });

  it('keeps what it learned when it is changed', () => {
    const { limit, changes } = limitOf();
    limit.dropped('refused', 0);
    limit.update({ max: 20, initial: 15 });
    expect(limit.limit).toBe(5);
    limit.update({ min: 7, max: undefined });
    expect(limit.limit).toBe(7);
    limit.update({ min: 1, max: 4 });
    expect(limit.limit).toBe(4);
    limit.update({ adaptive: false });
    expect(limit.limit).toBe(4);
    limit.update({ max: 30 });
    expect(limit.limit).toBe(15);
    limit.update({ adaptive: true });
    expect(limit.limit).toBe(15);
    expect(changes.map(({ cause }) => cause)).toEqual(['refused', 'updated', 'updated', 'updated']);
  });

  it('obeys what the server said earlier once it adapts', () => {
    const { limit } = limitOf({ adaptive: false });
    limit.capped(3, 0);
    limit.update({ adaptive: true });
    expect(limit.limit).toBe(3);
  });

  const step = fc.record({
    afterMs: fc.integer({ min: 0, max: 3_000 }),
    what: fc.constantFrom(...DROPS, 'success' as const, 'capped' as const),
    size: fc.integer({ min: 0, max: 60 }),
  });

  it('is whole and within its bounds whatever happens, and each change is told once', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 1, max: 5 }), (steps, min) => {
        const { limit, changes } = limitOf({ min, max: 25 });
        let now = 0;
        let before = limit.limit;
        for (const { afterMs, what, size } of steps) {
          now += afterMs;
          const told = changes.length;
          if (what === 'success') limit.succeeded(size, size * 100, now);
          else if (what === 'capped') limit.capped(size, now);
          else limit.dropped(what, now);
          const after = limit.limit;
          expect(Number.isInteger(after) && after >= min && after <= 25).toBe(true);
          expect(changes.slice(told).map(({ from, to }) => [from, to])).toEqual(
            after === before ? [] : [[before, after]],
          );
          before = after;
        }
      }),
    );
  });

  it('falls by drops no oftener than once in a second', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        let now = 0;
        const fellAt: number[] = [];
        const limit = new ConcurrencyLimit({
          ...ADAPTIVE,
          changed: ({ from, to, cause }) => {
            if (to < from && cause !== 'capped') fellAt.push(now);
          },
        });
        for (const { afterMs, what, size } of steps) {
          now += afterMs;
          if (what === 'success' || what === 'capped') limit.succeeded(size, 10, now);
          else limit.dropped(what, now);
        }
        for (const [index, at] of fellAt.entries()) {
          if (index > 0) expect(at - (fellAt[index - 1] ?? 0)).toBeGreaterThanOrEqual(1_000);
        }
      }),
    );
  });
});
