import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLane, laneKey } from '../../src/queue/strategies/lane.ts';

describe('defaultLane', () => {
  it.each([
    ['PUT', '/doors/1', '/doors/1'],
    ['patch', '/doors/1?notify=1', '/doors/1'],
    ['DELETE', '/doors/1?a=/b?c', '/doors/1'],
    ['POST', '/doors', null],
    ['GET', '/doors/1', null],
    ['QUERY', '/doors', null],
  ])('of %s %s is %s', (method, path, lane) => {
    expect(defaultLane(method, path)).toBe(lane);
  });
});

describe('laneKey', () => {
  it('is different for different principals, zones or lanes', () => {
    // A tiny alphabet with the digits and the separator of the encoding makes collisions likely where they are possible.
    const part = fc.string({ unit: fc.constantFrom('1', '2', ':', 'a'), maxLength: 5 });
    const triple = fc.record({ principal: part, zone: part, lane: part });
    fc.assert(
      fc.property(triple, triple, (a, b) => {
        const same = a.principal === b.principal && a.zone === b.zone && a.lane === b.lane;
        return (laneKey(a) === laneKey(b)) === same;
      }),
      { numRuns: 2_000 },
    );
  });
});
