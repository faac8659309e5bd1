import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  joinRaw,
  rawAt,
  rawItems,
  rawJson,
  rawMembers,
  rawScalar,
  wrapRaw,
} from '../../../src/client/batch/rawJson.ts';

const spaced = fc
  .json({ maxDepth: 4 })
  .chain((text) =>
    fc.constantFrom(
      text,
      ` ${text}\n`,
      JSON.stringify(JSON.parse(text), null, '\t'),
      `{"a":${text},"a":[ ${text} ,${text}]}`,
    ),
  );

describe('JSON as text', () => {
  it('is cut into what JSON.parse sees', () => {
    fc.assert(
      fc.property(spaced, (text) => {
        const raw = rawJson(text) as string;
        const value: unknown = JSON.parse(text);
        if (Array.isArray(value)) expect(rawItems(raw)?.map((item) => JSON.parse(item))).toEqual(value);
        else expect(rawItems(raw)).toBeUndefined();
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
        const members = rawMembers(raw) ?? [];
        expect(JSON.stringify(Object.fromEntries(members.map(([name, inner]) => [name, JSON.parse(inner)])))).toBe(
          JSON.stringify(value),
        );
        expect(JSON.stringify(JSON.parse(joinRaw(members)))).toBe(JSON.stringify(value));
      }),
    );
  });

  it('is found by a pointer at which it was put', () => {
    fc.assert(
      fc.property(fc.json(), fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 4 }), (text, names) => {
        const pointer = names.map((name) => `/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
        const raw = rawJson(text) as string;
        expect(rawAt(wrapRaw(raw, pointer), pointer)).toBe(raw);
      }),
    );
  });

  it('gives of repeated keys the last, and nothing where there is nothing', () => {
    expect(rawAt('{"a":1,"a":2}', '/a')).toBe('2');
    expect(rawAt('[{"a":[5]}]', '/0/a/0')).toBe('5');
    for (const pointer of ['/1', '/00', '/-', '/0/b', '/0/a/0/x', '/toString'])
      expect(rawAt('[{"a":[5]}]', pointer)).toBeUndefined();
  });

  it('has scalars by value or digits', () => {
    expect(['"a\\u0062"', '1.50', '-0', 'true', 'null', '{}', '[]', undefined].map(rawScalar)).toEqual([
      'ab',
      '1.50',
      '-0',
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('is nothing but whole JSON in UTF-8', () => {
    expect(rawJson(Buffer.from('\ufeff {"a":1}'))).toBe('{"a":1}');
    expect([null, '', '{', '{} {}', "{'a':1}", 'NaN', Buffer.from([0x22, 0xe9, 0x22])].map(rawJson)).toEqual(
      Array(7).fill(undefined),
    );
  });
});
