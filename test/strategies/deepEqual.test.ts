import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deepEqual, equalAsSets } from '../../src/queue/strategies/deepEqual.ts';
import { assertJson, assertNow, fieldOf, isJson } from '../../src/queue/strategies/jsonValue.ts';
import type { Json } from '../../src/queue/types/request.ts';
import { anyJson } from './support/json.ts';

const parsed = (text: string): Json => JSON.parse(text) as Json;

function nested(depth: number): Json {
  let value: Json = 1;
  for (let left = depth; left > 0; left -= 1) value = [value];
  return value;
}

describe('deepEqual', () => {
  it.each([
    ['0', 'false', false],
    ['0', '""', false],
    ['0', 'null', false],
    ['""', 'false', false],
    ['null', 'false', false],
    ['0', '-0', true],
    ['1', '"1"', false],
    ['{"a":1,"b":2}', '{"b":2,"a":1}', true],
    ['{"a":null}', '{}', false],
    ['{"a":null}', '{"b":null}', false],
    ['{}', '[]', false],
    ['[1,2]', '[2,1]', false],
    ['[1]', '[1,1]', false],
    ['[[null]]', '[[0]]', false],
    ['{"__proto__":{"a":1}}', '{}', false],
    ['{"__proto__":{"a":1}}', '{"__proto__":{"a":1}}', true],
    ['{"__proto__":{"a":1}}', '{"__proto__":{"a":2}}', false],
    ['{"toString":1}', '{"valueOf":1}', false],
    ['{"constructor":0}', '{"constructor":0}', true],
  ])('says of %s and %s: %s', (a, b, expected) => {
    expect(deepEqual(parsed(a), parsed(b))).toBe(expected);
    expect(deepEqual(parsed(b), parsed(a))).toBe(expected);
  });

  it('is true of a copy, and only of what has the same text in the same order', () => {
    fc.assert(fc.property(anyJson, (value) => deepEqual(value, structuredClone(value))));
    fc.assert(fc.property(anyJson, anyJson, (a, b) => JSON.stringify(a) !== JSON.stringify(b) || deepEqual(a, b)));
  });

  it('takes what is too deep for different, and does not run out of stack', () => {
    expect(deepEqual(nested(150), nested(150))).toBe(true);
    expect(deepEqual(nested(5_000), nested(5_000))).toBe(false);
  });
});

describe('equalAsSets', () => {
  it.each([
    ['[1,2]', '[2,1]', true],
    ['[1,2,1]', '[2,1]', true],
    ['[]', '[]', true],
    ['[]', '[null]', false],
    ['[0]', '[false]', false],
    ['[1]', '["1"]', false],
    ['[{"a":1,"b":2}]', '[{"b":2,"a":1}]', true],
    ['[[1,2]]', '[[2,1]]', false],
    ['[1,2]', '[1,3]', false],
    ['"a"', '"a"', true],
    ['null', '[]', false],
  ])('says of the elements of %s and %s: %s', (a, b, expected) => {
    expect(equalAsSets(parsed(a), parsed(b))).toBe(expected);
    expect(equalAsSets(parsed(b), parsed(a))).toBe(expected);
  });

  it('takes elements that are too deep for different', () => {
    expect(equalAsSets([nested(300)], [nested(301)])).toBe(false);
  });
});

describe('a JSON value', () => {
  it('is what JSON can write and read as it is', () => {
    fc.assert(fc.property(anyJson, (value) => isJson(value)));
    const sparse: unknown[] = [];
    sparse[1] = 1;
    const others = [undefined, NaN, Infinity, 1n, Symbol('a'), () => 1, new Date(0), new Map(), /a/, sparse];
    for (const other of [...others, Promise.resolve(1), { a: undefined }, [new Set()], nested(5_000)]) {
      expect(isJson(other)).toBe(false);
    }
    expect(isJson(Object.assign(Object.create(null), { a: 1 }))).toBe(true);
  });

  it('has the fields it has itself, whatever they are called', () => {
    expect(fieldOf({}, 'toString')).toBe(null);
    expect(fieldOf({}, '__proto__')).toBe(null);
    expect(fieldOf({ a: 0 }, 'a')).toBe(0);
  });

  it('is asked of what functions give, and a rejection that comes too late is caught', async () => {
    expect(() => assertJson(new Date(0), 'it')).toThrow('it is not JSON');
    expect(() => assertJson(Promise.reject(new Error('late')), 'it')).toThrow('promise');
    expect(() => assertNow(Promise.resolve(1), 'it')).toThrow('promise');
    expect(() => assertNow(undefined, 'it')).not.toThrow();
    await Promise.resolve();
  });
});
