import { describe, expect, it } from 'vitest';
import { isAuthentic } from '../../src/queue/strategies/authentic.ts';
import type { HeaderList } from '../../src/queue/types/request.ts';

const HTTP = 'http://api.test';
const HTTPS = 'https://api.test';
const JSON_BODY: HeaderList = [['content-type', 'application/json']];
const PAGE: HeaderList = [['content-type', 'text/html; charset=utf-8']];

function judge(
  origin: string,
  answer: { readonly status: number; readonly headers?: HeaderList; readonly body?: string },
  more: {
    readonly headers?: HeaderList;
    readonly fetch?: object;
    readonly origins?: readonly string[];
    readonly expect?: Parameters<typeof isAuthentic>[2]['expect'];
  } = {},
): boolean {
  const { headers = JSON_BODY, fetch, origins = [origin], expect: expected } = more;
  const content = { method: 'POST', path: '/notes', headers, body: '{}', ...(fetch !== undefined && { fetch }) };
  const body = new TextEncoder().encode(answer.body ?? 'x');
  return isAuthentic(
    { content },
    { status: answer.status, headers: answer.headers ?? [], body },
    { origin, origins, expect: expected },
  );
}

describe('an answer on plain http', () => {
  it.each([
    ['a page to who speaks JSON', { status: 200, headers: PAGE }, {}, false],
    ['a page to who speaks something else', { status: 200, headers: PAGE }, { headers: [] }, true],
    [
      'a page to who accepts one',
      { status: 200, headers: PAGE },
      { headers: [['accept', 'text/html, application/json']] as HeaderList },
      true,
    ],
    ['a page to a call of fetch', { status: 200, headers: PAGE }, { fetch: {} }, true],
    ['a page about an error', { status: 502, headers: PAGE }, {}, true],
    ['JSON', { status: 200, headers: JSON_BODY }, {}, true],
    [
      'a redirect to a sign-in page',
      { status: 302, headers: [['location', 'http://login.test/']] as HeaderList },
      {},
      false,
    ],
    ['a redirect to itself', { status: 303, headers: [['location', '/notes/1']] as HeaderList }, {}, true],
    [
      'a redirect to an alias',
      { status: 307, headers: [['location', 'http://b.test/']] as HeaderList },
      { origins: [HTTP, 'http://b.test'] },
      true,
    ],
    ['a redirect to nowhere', { status: 302 }, {}, true],
  ] as const)('that is %s: %#', (_, answer, more, expected) => {
    expect(judge(HTTP, answer, more)).toBe(expected);
  });
});

describe('an answer on https', () => {
  it('is believed, unless more was asked for', () => {
    expect(judge(HTTPS, { status: 200, headers: PAGE })).toBe(true);
    const types = { contentTypes: ['application/json'], header: null };
    expect(judge(HTTPS, { status: 200, headers: PAGE }, { expect: types })).toBe(false);
    expect(
      judge(HTTPS, { status: 200, headers: [['content-type', 'application/json; charset=utf-8']] }, { expect: types }),
    ).toBe(true);
    expect(judge(HTTPS, { status: 204, body: '' }, { expect: types })).toBe(true);
    const marked = { contentTypes: null, header: { name: 'x-api', value: null } };
    expect(judge(HTTPS, { status: 200, headers: [['x-api', '7']] }, { expect: marked })).toBe(true);
    expect(judge(HTTPS, { status: 200 }, { expect: marked })).toBe(false);
    const valued = { contentTypes: null, header: { name: 'server', value: 'ours' } };
    expect(judge(HTTPS, { status: 500, headers: [['server', 'Ours']] }, { expect: valued })).toBe(true);
    expect(judge(HTTPS, { status: 500, headers: [['server', 'theirs']] }, { expect: valued })).toBe(false);
  });
});
