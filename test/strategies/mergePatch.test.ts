import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepEqual } from '../../src/queue/strategies/deepEqual.ts';
import { valueAt, valueNamed } from '../../src/queue/strategies/jsonPointer.ts';
import { applyMergePatch, composeMergePatches, mergePatchBetween } from '../../src/queue/strategies/mergePatch.ts';
import type { Json } from '../../src/queue/types/request.ts';
import { anyJson, anyObject } from './support/json.ts';

const parsed = (text: string): Json => JSON.parse(text) as Json;

describe('a merge patch', () => {
  // The cases of RFC 7396, appendix A.
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', '{}'],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['["a","b"]', '["c","d"]', '["c","d"]'],
    ['{"a":"b"}', '["c"]', '["c"]'],
    ['{"a":"foo"}', 'null', 'null'],
    ['{"a":"foo"}', '"bar"', '"bar"'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ['[1,2]', '{"a":"b","c":null}', '{"a":"b"}'],
    ['{}', '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ['{"__proto__":1}', '{"__proto__":{"a":1}}', '{"__proto__":{"a":1}}'],
  ])('makes of %s with %s: %s', (target, patch, result) => {
    const made = applyMergePatch(parsed(target), parsed(patch));
    expect(deepEqual(made, parsed(result))).toBe(true);
  });

  it('composed of two does what they do in a row', () => {
    let composed = 0;
    fc.assert(
      fc.property(anyJson, anyObject, anyObject, (target, first, second) => {
        const both = composeMergePatches(first, second);
        if (both === undefined) return true;
        composed += 1;
        return deepEqual(applyMergePatch(target, both), applyMergePatch(applyMergePatch(target, first), second));
      }),
    );
    expect(composed).toBeGreaterThan(10);
  });

  it('cannot be composed where an object takes the place of another value', () => {
    expect(composeMergePatches({ a: null }, { a: { b: 1 } })).toBe(undefined);
    expect(composeMergePatches({ x: { a: [1] } }, { x: { a: { b: 1 } } })).toBe(undefined);
    expect(composeMergePatches({ a: { b: 1 } }, { a: null })).toEqual({ a: null });
  });

  it('between two states makes the second of the first', () => {
    const withoutNulls = (value: Json): Json => applyMergePatch(null, value);
    fc.assert(
      fc.property(anyObject, anyObject, (from, wanted) => {
        const to = withoutNulls(wanted);
        return deepEqual(applyMergePatch(from, mergePatchBetween(from, to)), to);
      }),
    );
    expect(mergePatchBetween({ a: 1, b: { c: 1, d: 2 } }, { a: 1, b: { c: 3 } })).toEqual({ b: { c: 3, d: null } });
  });
});

describe('a JSON pointer', () => {
  const document: Json = { '': 0, a: [{ b: false }, null], 'x/y': 1, 'm~n': 2, n: { '/': 3 } };

  it.each([
    ['', document],
    ['/', 0],
    ['/a/0/b', false],
    ['/a/1', null],
    ['/x~1y', 1],
    ['/m~0n', 2],
    ['/n/~1', 3],
    ['/a/2', undefined],
    ['/a/-', undefined],
    ['/a/01', undefined],
    ['/a/length', undefined],
    ['/a/0/b/c', undefined],
    ['/toString', undefined],
    ['a', undefined],
  ] as const)('%s points at %j', (pointer, value) => {
    expect(valueAt(document, pointer)).toEqual(value);
  });

  it('may be a bare name of a field', () => {
    expect(valueNamed(document, 'x/y')).toBe(1);
    expect(valueNamed(document, '/x~1y')).toBe(1);
    expect(valueNamed(document, 'constructor')).toBe(undefined);
    expect(valueNamed([1], '0')).toBe(undefined);
  });
});
