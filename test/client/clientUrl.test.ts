import { describe, expect, it } from 'vitest';
import { ClientUrl } from '../../src/client/clientUrl.ts';

const below = (base: string) => new ClientUrl(base);

describe('the URL of a call', () => {
  it.each([
    ['https://a.example/v1', '/notes', 'https://a.example/v1/notes'],
    ['https://a.example/v1/', 'notes', 'https://a.example/v1/notes'],
    ['https://a.example/v1//', '/notes/', 'https://a.example/v1/notes/'],
    ['https://a.example/v1', '', 'https://a.example/v1'],
    ['https://a.example/v1', '?a=b', 'https://a.example/v1?a=b'],
    ['https://a.example', '', 'https://a.example/'],
    ['https://A.example:443', '/a', 'https://a.example/a'],
    ['https://a.example', '?a=b', 'https://a.example/?a=b'],
    ['https://a.example/v1', '/notes:batch', 'https://a.example/v1/notes:batch'],
    ['https://a.example/v1', 'notes:batch', 'https://a.example/v1/notes:batch'],
    ['https://a.example/v1', '/a b/gr\u00fcn', 'https://a.example/v1/a%20b/gr%C3%BCn'],
    ['https://a.example/v1', '/a/.well-known/b..c', 'https://a.example/v1/a/.well-known/b..c'],
    ['https://a.example/v1', '/a?path=../b', 'https://a.example/v1/a?path=../b'],
    ['https://a.example/v1', 'https://a.example/v2/next?page=2', 'https://a.example/v2/next?page=2'],
  ])('of %s and %s is %s', (base, path, expected) => {
    expect(below(base).resolve(path)).toBe(expected);
  });

  it('has the query of the path and that of the options', () => {
    const url = below('https://a.example/v1');
    expect(url.resolve('/a', { b: 1, c: [true, 'x y'], d: undefined, e: [] })).toBe(
      'https://a.example/v1/a?b=1&c=true&c=x+y',
    );
    expect(url.resolve('/a?z=0', { b: 'a&b' })).toBe('https://a.example/v1/a?z=0&b=a%26b');
    expect(url.resolve('/a', new URLSearchParams([['b', '1']]))).toBe('https://a.example/v1/a?b=1');
    expect(url.resolve('/a', {})).toBe('https://a.example/v1/a');
  });

  it.each([
    'https://b.example/notes',
    'http://a.example/notes',
    'https://a.example:8443/',
    'https://user:pass@a.example/',
    '//b.example/notes',
    '/../admin',
    '/a/./b',
    'a/..',
    '..',
    '/%2e%2E/admin',
    '/.%2e/admin',
    'https://a.example/v1/../admin',
    '/a\\..\\b',
    '/a#b',
    '/a\tb',
    '/a\r\nb',
  ])('refuses %j rather than rewriting it', (path) => {
    expect(() => below('https://a.example/v1').resolve(path)).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID' }),
    );
  });

  it.each([{ a: null }, { a: {} }, { a: [null] }, { a: Symbol('a') }])('refuses the query %o', (query) => {
    const resolve = () => below('https://a.example').resolve('/', query as never);
    expect(resolve).toThrow(expect.objectContaining({ code: 'REQUEST_INVALID' }));
  });
});

describe('a base URL', () => {
  it.each([
    'nonsense',
    '/v1',
    'ftp://a.example',
    'https://u:secret@a.example',
    'https://a.example?a=b',
    'https://a.example#b',
  ])('is refused when it is %s, without showing it', (base) => {
    expect(() => below(base)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => below(base)).not.toThrow(/secret/);
  });
});
