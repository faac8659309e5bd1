import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Problem } from '../../src/errors.ts';
import { assertHeaders, createHeaderRules, joinQuery } from '../../src/queue/strategies/headers.ts';
import type { HeaderList } from '../../src/queue/types/request.ts';

const NONE: ReadonlySet<string> = new Set();
const splitHeaders = (headers: HeaderList, secrets: ReadonlySet<string>) =>
  createHeaderRules(secrets).splitHeaders(headers);
const splitQuery = (path: string, secrets: ReadonlySet<string>) => createHeaderRules(secrets).splitQuery(path);

describe('splitHeaders', () => {
  it.each([
    ['authorization', 'secret'],
    ['Proxy-Authorization', 'secret'],
    ['Cookie', 'secret'],
    ['X-Api-Key', 'secret'],
    ['x-apikey', 'secret'],
    ['API_KEY', 'secret'],
    ['x-csrf-token', 'secret'],
    ['x-amz-security-token', 'secret'],
    ['X-OAuth-Scopes', 'secret'],
    ['x-hub-signature', 'secret'],
    ['x-client-secret', 'secret'],
    ['x-credentials', 'secret'],
    ['X-Password', 'secret'],
    ['x-passwd', 'secret'],
    ['Ocp-Apim-Subscription-Key', 'secret'],
    ['x-functions-key', 'secret'],
    ['X-Access-Key', 'secret'],
    ['privateKey', 'secret'],
    ['x-jwt-assertion', 'secret'],
    ['UserName', 'secret'],
    ['x-partition-key', 'stored'],
    ['x-signal', 'stored'],
    ['x-authority', 'stored'],
    ['x-author', 'stored'],
    ['X-Authorised-By', 'secret'],
    ['accept', 'stored'],
    ['Content-Type', 'stored'],
    ['if-match', 'stored'],
    ['Idempotency-Key', 'stored'],
    ['traceparent', 'volatile'],
    ['User-Agent', 'volatile'],
    ['x-stainless-retry-count', 'volatile'],
    ['Date', 'volatile'],
    ['Host', 'dropped'],
    ['content-length', 'dropped'],
    ['Connection', 'dropped'],
    ['Transfer-Encoding', 'dropped'],
    ['accept-encoding', 'dropped'],
  ] as const)('says that %s is %s', (name, kind) => {
    const split = splitHeaders([[name, 'v']], new Set(['username']));
    const found = (['stored', 'secret', 'volatile'] as const).filter((part) => split[part].length > 0);
    expect(found).toEqual(kind === 'dropped' ? [] : [kind]);
    for (const part of found) expect(split[part]).toEqual([[name.toLowerCase(), 'v']]);
  });

  it('drops what Connection names, but never loses a credential by it', () => {
    const headers: HeaderList = [
      ['Connection', 'close, X-Hop'],
      ['x-hop', '1'],
      ['authorization', 'a'],
      ['connection', 'authorization'],
    ];
    expect(splitHeaders(headers, NONE)).toEqual({ stored: [], secret: [['authorization', 'a']], volatile: [] });
  });

  it('keeps order and repeated names', () => {
    const headers: HeaderList = [
      ['B', '1'],
      ['a', '2'],
      ['b', '3'],
    ];
    expect(splitHeaders(headers, NONE).stored).toEqual([
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ]);
  });

  it('stores nothing whose name speaks of a secret, and loses nothing else', () => {
    const word = fc.constantFrom(
      'secret',
      'Token',
      'api-key',
      'APIKEY',
      'auth',
      'Signature',
      'credential',
      'x',
      'Accept',
      '-',
    );
    const name = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join('-'));
    const rules = createHeaderRules(new Set(['X-Mine']));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string()), { maxLength: 8 }), (headers) => {
        const { stored, secret, volatile } = rules.splitHeaders([...headers, ['x-mine', 'v']]);
        expect(stored.some(([n]) => /secret|token|api-?key|auth|signature|credential|x-mine/.test(n))).toBe(false);
        expect(stored.length + secret.length + volatile.length).toBe(headers.length + 1);
      }),
    );
  });

  it('answers alike after more names than it remembers', () => {
    const rules = createHeaderRules(NONE);
    for (let i = 0; i < 2_000; i++) rules.splitHeaders([[`X-${i}`, '']]);
    expect(rules.splitHeaders([['X-Token', 'v']]).secret).toEqual([['x-token', 'v']]);
  });
});

describe('splitQuery', () => {
  it.each([
    ['/a', '/a', ''],
    ['/a?b=1', '/a?b=1', ''],
    ['/a?api_key=k&b=1', '/a?b=1', 'api_key=k'],
    ['/a?access_token=k', '/a', 'access_token=k'],
    ['/a?b=1&X-Amz-Signature=s&c=2&apiKey=k', '/a?b=1&c=2', 'X-Amz-Signature=s&apiKey=k'],
    ['/a?sv=2024-11-04&sig=s&sp=r', '/a?sv=2024-11-04&sp=r', 'sig=s'],
    ['/a?user=u&password=p&hmac=h', '/a?user=u', 'password=p&hmac=h'],
    ['/a?signed=1&key=7&code=8', '/a?signed=1&key=7&code=8', ''],
    ['/a?api%5Fkey=k', '/a', 'api%5Fkey=k'],
    ['/a?%zz=1&token=%zz', '/a?%zz=1', 'token=%zz'],
    ['/a?mine=1', '/a', 'mine=1'],
    ['/a?author=bob', '/a?author=bob', ''],
    ['/a?pageToken=7&next_token=8', '/a?pageToken=7&next_token=8', ''],
    ['/token?x=auth', '/token?x=auth', ''],
  ])('splits %s', (given, path, secretQuery) => {
    expect(splitQuery(given, new Set(['Mine']))).toEqual({ path, secretQuery });
  });

  it('gives back all parameters when they are joined again', () => {
    const name = fc.constantFrom('a', 'b', 'token', 'api_key', 'x-secret');
    const parameter = fc.tuple(name, fc.nat(9)).map(([n, v]) => `${n}=${v}`);
    fc.assert(
      fc.property(fc.array(parameter, { minLength: 1, maxLength: 6 }), (parameters) => {
        const { path, secretQuery } = splitQuery(`/p?${parameters.join('&')}`, NONE);
        expect(/token|api_key|secret/.test(path)).toBe(false);
        const joined = joinQuery(path, secretQuery).slice('/p?'.length).split('&');
        expect(joined.sort()).toEqual([...parameters].sort());
      }),
    );
  });
});

describe('assertHeaders', () => {
  it.each([
    ['a value with a line break', [['a', 'b\r\nX: 1']]],
    ['a value with a null', [['a', '\0']]],
    ['a value outside Latin-1', [['a', '✓']]],
    ['an empty name', [['', 'b']]],
    ['a name with a space', [['a b', 'c']]],
    ['a name with a line break', [['a\n', 'c']]],
    ['a pseudo header', [[':path', 'c']]],
  ])('finds %s', (_, headers) => {
    const problems: Problem[] = [];
    assertHeaders(headers as unknown as HeaderList, problems);
    expect(problems).toHaveLength(1);
  });

  it('lets what may be sent pass', () => {
    const problems: Problem[] = [];
    assertHeaders(
      [
        ['X-Name!', 'a\tb é ~'],
        ['b', ''],
      ],
      problems,
    );
    expect(problems).toEqual([]);
  });

  it('never repeats a value', () => {
    const problems: Problem[] = [];
    assertHeaders([['authorization', 's3cret\n']], problems);
    expect(JSON.stringify(problems)).not.toContain('s3cret');
  });
});
