import { expect } from 'vitest';
import type { Received } from '../support/exchange.ts';
import { nativeFetch } from '../support/nativeFetch.ts';
import type { Site } from '../support/site.ts';
import type { Case, FetchInit, Group } from '../support/types.ts';

/** Headers as sent, names in lower case: the case of names is not part of their meaning. */
function headersOf({ rawHeaders }: Received): string[] {
  const lines: string[] = [];
  for (let n = 0; n < rawHeaders.length; n += 2) lines.push(`${rawHeaders[n]?.toLowerCase()}: ${rawHeaders[n + 1]}`);
  return lines.sort();
}

function same(name: string, init: () => FetchInit): Case {
  return {
    name: `${name} is on the wire what native fetch sends`,
    run: async (fetch, site) => {
      for (const one of [nativeFetch, fetch]) await (await one(site.url('/echo?a=%20b'), init())).text();
      const [native, given] = site.requests as [Received, Received];
      expect([given.method, given.path, headersOf(given)]).toEqual([native.method, native.path, headersOf(native)]);
      expect((await given.body).equals(await native.body)).toBe(true);
    },
  };
}

const HEADERS: [string, string][] = [
  ['X-Name', 'one'],
  ['x-name', 'two'],
  ['x-empty', ''],
  ['x-space', '  padded\t'],
  ['x-latin', 'J\xfcrgen'],
  ['Cookie', 'a=1'],
  ['Origin', 'http://elsewhere'],
  ['User-Agent', 'own/1.0'],
  ['Accept', 'text/x'],
  ['Idempotency-Key', 'key-1'],
  ['Authorization', 'Bearer secret'],
];

async function requestLine(send: (url: string) => Promise<Response>, site: Site): Promise<string | undefined> {
  const { origin, heads } = await site.raw('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  await (await send(`${origin}/x`)).text();
  return heads[0]?.split('\r\n')[0];
}

/** What the server gets. */
export const WIRE: Group = {
  name: 'the wire',
  cases: [
    same('a bare call', () => ({})),
    same('a call with headers', () => ({ headers: HEADERS })),
    same('a text', () => ({ method: 'POST', body: 'grün', headers: HEADERS })),
    same('a write without a body', () => ({ method: 'POST' })),
    same('a write with an empty body', () => ({ method: 'PUT', body: '' })),
    same('bytes without a type', () => ({ method: 'PATCH', body: new Uint8Array([0, 200, 255]) })),
    same('form fields', () => ({ method: 'POST', body: new URLSearchParams({ a: '1' }) })),
    same('DELETE', () => ({ method: 'DELETE' })),
    same('DELETE with a body', () => ({ method: 'DELETE', body: '{}' })),
    same('OPTIONS', () => ({ method: 'OPTIONS' })),
    same('a call that must not be cached', () => ({ cache: 'no-store' })),
    same('a call that must be validated', () => ({ cache: 'no-cache' })),
    same('a call with a condition', () => ({ headers: { 'If-None-Match': '"a"', Range: 'bytes=0-1' } })),
    same('a call with a referrer', () => ({ referrer: 'http://127.0.0.1/page', referrerPolicy: 'unsafe-url' })),
    ...['get', 'post', 'put', 'delete', 'options', 'patch', 'PATCH', 'Query', 'M-SEARCH'].map((method) => ({
      name: `method ${method} is written as native fetch writes it`,
      run: async (fetch: Parameters<Case['run']>[0], site: Site) => {
        const native = await requestLine((url) => nativeFetch(url, { method }), site);
        expect(await requestLine((url) => fetch(url, { method }), site)).toBe(native);
        expect(native).toMatch(/^\S+ \/x HTTP\/1\.1$/);
      },
    })),
    {
      name: 'the options of a queue are not on the wire',
      run: async (fetch, site) => {
        const init: FetchInit = { method: 'POST', body: 'text', queue: { priority: 'high', tags: ['tag-of-mine'] } };
        await (await fetch(site.url('/text'), init)).text();
        expect(headersOf(site.requests[0] as Received).join()).not.toMatch(/tag-of-mine|priority/);
      },
    },
  ],
};
