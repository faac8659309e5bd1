import { describe, expect, it } from 'vitest';
import { instantMs, laterOf } from '../../src/queue/strategies/instant.ts';

describe('instantMs', () => {
  it.each([
    ['2024-05-01T10:00:00Z', 1_714_557_600_000],
    ['2024-05-01t12:00:00.5+02:00', 1_714_557_600_500],
    ['2024-05-01 12:00:00.123999+0200', 1_714_557_600_123],
    ['Wed, 01 May 2024 10:00:00 GMT', 1_714_557_600_000],
    [1_714_557_600, 1_714_557_600_000],
    [1_714_557_600_000, 1_714_557_600_000],
    ['2024-05-01T10:00:00', undefined],
    ['2024-13-01T10:00:00Z', undefined],
    ['2024-05-01', undefined],
    ['1714557600', undefined],
    ['', undefined],
    [-1, undefined],
    [null, undefined],
    [{}, undefined],
    [undefined, undefined],
  ] as const)('reads %j as %s', (value, ms) => {
    expect(instantMs(value)).toBe(ms);
  });
});

describe('laterOf', () => {
  it.each([
    [2, 1, 'local'],
    [0, 1, 'remote'],
    [1, 1, undefined],
    ['2024-05-01T10:00:00Z', '2024-05-01T09:00:00Z', 'local'],
    ['2024-05-01T10:00:00+02:00', '2024-05-01T09:00:00Z', 'remote'],
    ['2024-05-01T10:00:00Z', '2024-05-01T12:00:00+02:00', undefined],
    ['2024-05-01T10:00:00.000001Z', '2024-05-01T10:00:00.000002Z', 'remote'],
    ['2024-05-01T10:00:00.1Z', '2024-05-01T10:00:00.09Z', 'local'],
    ['2024-05-01T10:00:01', '2024-05-01T10:00:00', 'local'],
    ['2024-05-01T10:00:01', '2024-05-01T10:00:00Z', undefined],
    ['Wed, 01 May 2024 10:00:00 GMT', '2024-05-01T09:00:00Z', 'local'],
    ['yesterday', '2024-05-01T09:00:00Z', undefined],
    ['b', 'a', undefined],
    [1_714_557_600, '2024-05-01T09:00:00Z', undefined],
    [null, 1, undefined],
    [undefined, undefined, undefined],
    [true, false, undefined],
  ] as const)('of %j and %j is %s', (local, remote, side) => {
    expect(laterOf(local, remote)).toBe(side);
  });
});
