import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BatchSize } from '../../src/queue/strategies/batching/BatchSize.ts';
import { BatchWindow } from '../../src/queue/strategies/batching/BatchWindow.ts';
import { FoldedShare } from '../../src/queue/strategies/batching/FoldedShare.ts';
import { foldBatches } from '../../src/queue/strategies/batching/foldBatches.ts';

/** Full batches of which each request takes so many ms. */
function answerFull(size: BatchSize, times: number, msEach = 1): void {
  for (let n = 0; n < times; n += 1) size.answered(size.size, size.size * msEach);
}

describe('the size of a batch', () => {
  it('begins with what was declared, halves with a failure and grows by one with each full batch', () => {
    const size = new BatchSize(20);
    expect(size.size).toBe(20);
    size.failed(20);
    expect(size.size).toBe(10);
    answerFull(size, 3);
    expect(size.size).toBe(13);
    answerFull(size, 100);
    expect(size.size).toBe(20);
  });

  it('halves once for failures of batches that were under way together', () => {
    const size = new BatchSize(20);
    for (let n = 0; n < 5; n += 1) size.failed(20);
    expect(size.size).toBe(10);
  });

  it('does not grow with batches that are not full, nor while requests take longer in them', () => {
    const size = new BatchSize(20);
    size.failed(20);
    for (let n = 0; n < 50; n += 1) size.answered(5, 5);
    answerFull(size, 1, 5);
    expect(size.size).toBe(10);
  });

  it('goes by what was too large, and tries that again only after a long calm', () => {
    const size = new BatchSize(20);
    size.tooLarge(12);
    expect(size.size).toBe(6);
    answerFull(size, 40);
    expect(size.size).toBe(11);
    answerFull(size, 100);
    expect(size.size).toBe(20);
  });

  it('comes back from one, at which no batch says anything', () => {
    const size = new BatchSize(4);
    for (let n = 0; n < 3; n += 1) size.failed(size.size);
    expect(size.size).toBe(1);
    size.wentAlone(100);
    expect(size.size).toBe(2);
  });

  it('stays between one and what was declared, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('answered' as const), n: fc.integer({ min: 1, max: 60 }), ms: fc.nat(10_000) }),
      fc.record({ kind: fc.constant('tooLarge' as const), n: fc.integer({ min: 2, max: 60 }), ms: fc.constant(0) }),
      fc.record({ kind: fc.constant('failed' as const), n: fc.integer({ min: 1, max: 60 }), ms: fc.constant(0) }),
      fc.record({ kind: fc.constant('wentAlone' as const), n: fc.nat(60), ms: fc.constant(0) }),
    );
    void fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(step), (max, steps) => {
        const size = new BatchSize(max);
        for (const { kind, n, ms } of steps) {
          if (kind === 'answered') size.answered(n, ms);
          else size[kind](n);
          if (size.size < 1 || size.size > max || !Number.isInteger(size.size)) return false;
        }
        return true;
      }),
    );
  });
});

describe('the window of a batch', () => {
  it('shrinks to nothing while it brings nobody, and opens again where others wait anyhow', () => {
    const window = new BatchWindow(10);
    for (let n = 0; n < 5; n += 1) window.found(1);
    expect(window.ms).toBe(0);
    window.found(0);
    expect(window.ms).toBe(0);
    for (let n = 0; n < 5; n += 1) window.found(7);
    expect(window.ms).toBe(10);
  });
});

describe('what is claimed for each call', () => {
  it('is no more than went out when more had to be given back than that saved, and grows again', () => {
    const share = new FoldedShare(20);
    share.folded(10, 5, 50);
    expect(share.perCall).toBe(2);
    for (let n = 0; n < 40; n += 1) share.folded(4, 2, 0);
    expect(share.perCall).toBe(20);
    share.folded(0, 0, 5);
    expect(share.perCall).toBe(1);
  });

  it('stays while calls that are saved are worth what is given back', () => {
    const share = new FoldedShare(20);
    for (let n = 0; n < 10; n += 1) share.folded(10, 1, 10);
    expect(share.perCall).toBe(20);
    share.folded(1, 1, 19);
    expect(share.perCall).toBe(1);
  });
});

describe('folding', () => {
  it('keeps all requests and their order, and holds its limits', () => {
    const request = fc.record({
      key: fc.constantFrom(null, 'a', 'b', 'c'),
      bytes: fc.integer({ min: 0, max: 40 }),
    });
    const limits = fc.record({ items: fc.integer({ min: 1, max: 6 }), bytes: fc.integer({ min: 1, max: 60 }) });
    void fc.assert(
      fc.property(fc.array(request), limits, (given, { items, bytes }) => {
        const numbered = given.map((one, n) => ({ ...one, n }));
        const batches = foldBatches(numbered, { items, bytes });
        const numbers = batches.flat().map(({ n }) => n);
        expect(numbers.toSorted((a, b) => a - b)).toEqual(numbered.map(({ n }) => n));
        expect(batches.map(([first]) => first?.n)).toEqual(batches.map(([first]) => first?.n).toSorted(byNumber));
        for (const batch of batches) {
          expect(batch.map(({ n }) => n)).toEqual(batch.map(({ n }) => n).toSorted(byNumber));
          expect(new Set(batch.map(({ key }) => key)).size).toBe(1);
          if (batch.length === 1) continue;
          expect(batch[0]?.key).not.toBeNull();
          expect(batch.length).toBeLessThanOrEqual(items);
          expect(batch.reduce((sum, one) => sum + one.bytes, 0)).toBeLessThanOrEqual(bytes);
        }
      }),
    );
  });

  it('needs no more calls than fill up one after the other', () => {
    const requests = Array.from({ length: 45 }, () => ({ key: 'a', bytes: 1 }));
    expect(foldBatches(requests, { items: 20, bytes: 1_000 }).map((batch) => batch.length)).toEqual([20, 20, 5]);
  });
});

function byNumber(a: number | undefined, b: number | undefined): number {
  return (a ?? 0) - (b ?? 0);
}
