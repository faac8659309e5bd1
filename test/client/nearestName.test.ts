import { describe, expect, it } from 'vitest';
import { nearestName } from '../../src/nearestName.ts';

const KEYS = ['priority', 'maxSize', 'maxBytes', 'lane', 'maxConcurrency'];

describe('the nearest name', () => {
  it.each([
    ['prioritty', 'priority'],
    ['maxsize', 'maxSize'],
    ['maxByte', 'maxBytes'],
    ['lanes', 'lane'],
    ['maxConcurency', 'maxConcurrency'],
    ['prio', 'priority'],
  ])('of %s is %s', (name, expected) => {
    expect(nearestName(name, KEYS)).toBe(expected);
  });

  it.each(['colour', 'x', '', 'pr', 'max'])('of %j is none', (name) => {
    expect(nearestName(name, KEYS)).toBeUndefined();
  });
});
