import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/queue/strategies/canonicalJson.ts';
import type { FingerprintInput } from '../../src/queue/strategies/fingerprint.ts';
import { canonicalContent, digestOf } from '../../src/queue/strategies/fingerprint.ts';
import { loadXxhash } from '../../src/queue/strategies/xxhash.ts';

const request: FingerprintInput = {
  method: 'POST',
  zone: 'crm',
  path: '/notes?a=1&b=2',
  principal: 'basic:ada',
  lane: null,
  headers: [['content-type', 'application/json']],
  body: '{"a":1,"b":[{"c":2,"d":3}]}',
};
const digest = (changes: Partial<FingerprintInput>): string => digestOf(canonicalContent({ ...request, ...changes }));
const same = digest({});

const multipart = (boundary: string, content: string | Uint8Array): Partial<FingerprintInput> => {
  const parts = [
    `--${boundary}\r\ncontent-disposition: form-data; name="f"\r\n\r\n`,
    content,
    `\r\n--${boundary}--\r\n`,
  ];
  return {
    headers: [['content-type', `multipart/form-data; boundary=${boundary}`]],
    body: Buffer.concat(parts.map((part) => Buffer.from(part as string))),
  };
};

describe('canonicalContent', () => {
  it.each([
    ['the order of query parameters', { path: '/notes?b=2&a=1' }],
    ['the order of JSON keys', { body: '{"b":[{"d":3,"c":2}],"a":1}' }],
    ['white space in JSON', { body: ' { "a" : 1,\n"b":[ {"c":2,"d":3} ] } ' }],
    ['the case of the method and of header names', { method: 'post', headers: [['Content-Type', 'application/json']] }],
    ['text and its bytes', { body: Buffer.from('{"a":1,"b":[{"c":2,"d":3}]}') }],
  ] as const)('does not mind %s', (_, changes) => {
    expect(digest(changes)).toBe(same);
  });

  it.each([
    ['method', { method: 'PUT' }],
    ['zone', { zone: 'other' }],
    ['path', { path: '/note?a=1&b=2' }],
    ['query', { path: '/notes?a=2&b=1' }],
    ['principal', { principal: 'basic:bob' }],
    ['lane', { lane: '' }],
    ['headers', { headers: [...request.headers, ['accept', 'text/plain']] }],
    ['body', { body: '{"a":2,"b":[{"c":2,"d":3}]}' }],
    ['order of a list', { path: '/notes?b=2&b=1' }],
    ['absence of the body', { body: null }],
    ['emptiness of the body', { body: '' }],
  ] as const)('minds the %s', (_, changes) => {
    expect(digest(changes)).not.toBe(same);
  });

  it('keeps the order of parameters of one name', () => {
    expect(digest({ path: '/n?a=1&a=2' })).not.toBe(digest({ path: '/n?a=2&a=1' }));
  });

  it('tells no body from an empty one', () => {
    expect(digest({ body: null })).not.toBe(digest({ body: '' }));
  });

  it('does not mind the boundary of a multipart body, of text or of bytes', () => {
    const bytes = new Uint8Array([0xff, 0xfe, 0, 1]);
    for (const content of ['text', bytes]) {
      expect(digest(multipart('----x1', content))).toBe(digest(multipart('----y234', content)));
    }
    expect(digest(multipart('x', 'text'))).not.toBe(digest(multipart('x', 'other')));
    expect(digest(multipart('x', bytes))).not.toBe(digest(multipart('x', new Uint8Array([0xff, 0xfe, 0, 2]))));
  });

  it('tells a body that holds the placeholder of a boundary from one that was given it', () => {
    const canonical = String(canonicalContent({ ...request, ...multipart('zzz', 'v') } as FingerprintInput));
    const placeholder = /holdfast-canonical-boundary-\w+/.exec(canonical)?.[0] ?? '';
    expect(placeholder).not.toBe('');
    expect(digest(multipart('zzz', `--zzz`))).not.toBe(digest(multipart('yyy', `--${placeholder}`)));
  });

  it('is the same for any order of query parameters and JSON keys', () => {
    const entries = fc.uniqueArray(fc.tuple(fc.string(), fc.jsonValue()), { selector: ([key]) => key, maxLength: 6 });
    fc.assert(
      fc.property(entries, fc.infiniteStream(fc.nat()), (list, keys) => {
        const shuffled = list
          .map((entry) => ({ entry, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ entry }) => entry);
        const write = (of: typeof list) => ({
          path: `/p?${of.map(([key], index) => `${encodeURIComponent(key)}x=${list.findIndex(([k]) => k === key)}${index * 0}`).join('&')}`,
          body: `{${of.map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`).join(',')}}`,
        });
        expect(digest(write(shuffled))).toBe(digest(write(list)));
      }),
    );
  });
});

describe('canonicalJson', () => {
  it('means the same as the text it was made from', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.parse(canonicalJson(text) ?? '')).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['9007199254740993', '9007199254740992'],
    ['{"a":1,"a":2}', '{"a":2}'],
    ['[1,2]', '[2,1]'],
    ['"1"', '1'],
    ['1.0', '1'],
  ])('tells %s from %s', (a, b) => {
    expect(canonicalJson(a)).not.toBe(canonicalJson(b));
  });

  it.each(['', '{', '{"a"}', '[1,]', '{"a":1,}', '01', '"a', '"\n"', '1 2', 'nul', "{'a':1}", '"\\x"'])(
    'gives up on %j',
    (text) => {
      expect(canonicalJson(text)).toBeUndefined();
    },
  );

  it('survives deep nesting and long strings', () => {
    expect(canonicalJson('['.repeat(100_000))).toBeUndefined();
    const long = JSON.stringify({ b: 'x'.repeat(5_000_000), a: '\\"'.repeat(200_000) });
    expect(canonicalJson(long)?.length).toBe(long.length);
  });
});

describe('xxhash', () => {
  let hash: (data: string | Uint8Array) => string;
  beforeAll(async () => {
    hash = await loadXxhash();
  });

  it('gives 16 hex digits, alike for text and its bytes', () => {
    expect(hash('')).toBe('ef46db3751d8e999'); // the reference value of XXH64 with seed 0
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(hash(text)).toMatch(/^[0-9a-f]{16}$/);
        expect(hash(Buffer.from(text))).toBe(hash(text));
      }),
    );
  });
});
