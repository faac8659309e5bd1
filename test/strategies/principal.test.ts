import { describe, expect, it } from 'vitest';
import { derivePrincipal } from '../../src/queue/strategies/principal.ts';
import type { HeaderList } from '../../src/queue/types/request.ts';

const KEY = new Uint8Array(32).fill(7);
const basic = (text: string): HeaderList => [['authorization', `Basic ${Buffer.from(text).toString('base64')}`]];
const jwt = (claims: object): HeaderList => [
  ['authorization', `Bearer e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`],
];

describe('derivePrincipal', () => {
  it.each([
    ['no credential', [], '', 'anonymous'],
    ['a Basic user', basic('ada:pass'), '', 'basic:ada'],
    ['a Basic user with colons in the password', basic('ada:p:q'), '', 'basic:ada'],
    ['a JWT', jwt({ iss: 'https://id', sub: '7' }), '', 'jwt:https://id|7'],
    ['a JWT without issuer', jwt({ sub: '7' }), '', 'jwt:|7'],
    ['bars in claims', jwt({ iss: 'a|b', sub: 'c%7C' }), '', 'jwt:a%7Cb|c%257C'],
  ] as const)('names %s', (_, secret, query, principal) => {
    expect(derivePrincipal(secret as HeaderList, query, KEY)).toBe(principal);
  });

  it.each([
    ['an opaque token', [['authorization', 'Bearer abc']], ''],
    ['a JWT without subject', jwt({ iss: 'x' }), ''],
    ['a subject that is no text', jwt({ sub: { a: 1 } }), ''],
    ['three dots that are no JWT', [['authorization', 'Bearer a.b.c']], ''],
    ['Basic without a user name', basic(':key'), ''],
    ['Basic without a colon', basic('key'), ''],
    ['an API key', [['x-api-key', 'k']], ''],
    ['a query parameter', [], 'access_token=k'],
  ] as const)('digests %s', (_, secret, query) => {
    const principal = derivePrincipal(secret as HeaderList, query, KEY);
    expect(principal).toMatch(/^key:[0-9a-f]{32}$/);
    expect(derivePrincipal(secret as HeaderList, query, new Uint8Array(32))).not.toBe(principal);
  });

  it('keeps the same user through a new password and a renewed token', () => {
    expect(derivePrincipal(basic('ada:1'), '', KEY)).toBe(derivePrincipal(basic('ada:2'), '', KEY));
    const token = (exp: number) => derivePrincipal(jwt({ iss: 'i', sub: 's', exp }), '', KEY);
    expect(token(1)).toBe(token(2));
  });

  it('tells two opaque tokens apart, and does not mind the order of headers and parameters', () => {
    const of = (value: string) => derivePrincipal([['authorization', value]], '', KEY);
    expect(of('Bearer a')).not.toBe(of('Bearer b'));
    const a: HeaderList = [
      ['x-api-key', '1'],
      ['cookie', '2'],
    ];
    expect(derivePrincipal(a, 'token=1&sig_token=2', KEY)).toBe(
      derivePrincipal([...a].reverse(), 'sig_token=2&token=1', KEY),
    );
  });
});
