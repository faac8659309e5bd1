import { expect } from 'vitest';
import { rejection } from '../support/rejections.ts';
import { echoOf } from '../support/routes.ts';
import type { Group } from '../support/types.ts';

const none: { readonly fetch?: typeof fetch } = {};

/** What can be told of the function itself, and how SDKs call it. */
export const SHAPE: Group = {
  name: 'the function',
  cases: [
    {
      name: 'is named fetch and takes one argument that must be there',
      run: async (fetch) => {
        expect({ name: fetch.name, length: fetch.length, type: typeof fetch }).toEqual({
          name: 'fetch',
          length: 1,
          type: 'function',
        });
      },
    },
    {
      name: 'works without its object',
      run: async (fetch, site) => {
        for (const self of [undefined, null, none, globalThis]) {
          const answer: Response = await fetch.call(self, site.url('/text'));
          expect(await answer.text()).toBe('hello');
        }
        const { detached } = { detached: fetch };
        expect(await (await detached(site.url('/text'))).text()).toBe('hello');
      },
    },
    {
      name: 'returns a promise of the platform',
      run: async (fetch, site) => {
        const promise = fetch(site.url('/text'));
        expect(promise).toBeInstanceOf(Promise);
        expect(promise.constructor).toBe(Promise);
        await (await promise).text();
      },
    },
    {
      name: 'rejects what is wrong, and never throws',
      run: async (fetch) => {
        const bare = fetch as (...given: unknown[]) => Promise<Response>;
        expect(await rejection(bare())).toBeInstanceOf(TypeError);
        expect(await rejection(bare(Symbol('url')))).toBeInstanceOf(TypeError);
        expect(await rejection(bare('not a url'))).toBeInstanceOf(TypeError);
        expect(await rejection(bare('http://127.0.0.1/', 5))).toBeInstanceOf(TypeError);
      },
    },
    {
      name: 'runs what it is given before it returns',
      run: async (fetch, site) => {
        const seen: string[] = [];
        const init = {
          get method() {
            seen.push('method');
            return 'POST';
          },
        };
        const answer = fetch(site.url('/text'), init);
        expect(seen).not.toEqual([]);
        await (await answer).text();
      },
    },
    {
      name: 'does not see what is changed after the call',
      run: async (fetch, site) => {
        const headers = new Headers({ 'x-name': 'before' });
        const body = new URLSearchParams({ a: 'before' });
        const init = { method: 'POST', headers, body };
        const bytes = new Uint8Array([1, 2, 3]);
        const [first, second] = [
          fetch(site.url('/echo'), init),
          fetch(site.url('/echo/bytes'), { ...init, body: bytes }),
        ];
        headers.set('x-name', 'after');
        body.set('a', 'after');
        bytes.fill(9);
        init.method = 'PUT';
        const echo = await echoOf(await first);
        expect(echo).toMatchObject({ method: 'POST', headers: { 'x-name': 'before' } });
        expect(atob(echo.body)).toBe('a=before');
        expect([...Buffer.from((await echoOf(await second)).body, 'base64')]).toEqual([1, 2, 3]);
      },
    },
  ],
};
