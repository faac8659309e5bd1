import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { HeapNode } from '../../../src/queue/backends/memory/Heap.ts';
import { Heap } from '../../../src/queue/backends/memory/Heap.ts';

const node = (): HeapNode => ({ heapKey: 0, heapTie: 0, heapIndex: -1 });

it('the least key above a bound is that of a look at all', () => {
  const keys = fc.array(fc.integer({ min: -20, max: 20 }), { maxLength: 60 });
  fc.assert(
    fc.property(keys, fc.array(fc.nat({ max: 59 })), fc.integer({ min: -22, max: 22 }), (pushed, removed, bound) => {
      const heap = new Heap<HeapNode>();
      const nodes = pushed.map(node);
      for (const [tie, one] of nodes.entries()) heap.push(one, pushed[tie] ?? 0, tie);
      for (const index of new Set(removed)) if (nodes[index] !== undefined) heap.remove(nodes[index]);
      const above = [...heap].map(({ heapKey }) => heapKey).filter((key) => key > bound);
      expect(heap.keyAbove(bound)).toBe(above.length === 0 ? undefined : Math.min(...above));
      expect(heap.keyAbove(Number.NEGATIVE_INFINITY)).toBe(heap.top()?.heapKey);
    }),
  );
});

it('reads nothing of what lies later', () => {
  const heap = new Heap<HeapNode>();
  let reads = 0;
  for (let tie = 0; tie < 1_000; tie += 1) heap.push(node(), tie, tie);
  for (const one of heap) {
    const { heapKey } = one;
    Object.defineProperty(one, 'heapKey', {
      get: () => {
        reads += 1;
        return heapKey;
      },
    });
  }
  expect(heap.keyAbove(9)).toBe(10);
  expect(reads).toBeLessThanOrEqual(21);
});
