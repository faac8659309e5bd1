import { expect } from 'vitest';
import type { Group } from '../support/types.ts';

/** What a response is, beside what it says. */
export const IDENTITY: Group = {
  name: 'the response',
  cases: [
    {
      name: 'is of the classes of the platform',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/text'));
        expect(answer).toBeInstanceOf(Response);
        expect(answer.constructor).toBe(Response);
        expect(Object.getPrototypeOf(answer)).toBe(Response.prototype);
        expect(answer.headers).toBeInstanceOf(Headers);
        expect(answer.body).toBeInstanceOf(ReadableStream);
        expect(Object.prototype.toString.call(answer)).toBe('[object Response]');
        expect(await answer.text()).toBe('hello');
      },
    },
    {
      name: 'is of type basic, after every method',
      run: async (fetch, site) => {
        for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY']) {
          const answer = await fetch(site.url('/text'), { method });
          expect([method, answer.type]).toEqual([method, 'basic']);
          await answer.text();
        }
      },
    },
    {
      name: 'tells status, text and ok as they came',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/text'));
        const { status, statusText, ok, redirected, bodyUsed } = answer;
        expect({ status, statusText, ok, redirected, bodyUsed }).toEqual({
          status: 200,
          statusText: 'Fine',
          ok: true,
          redirected: false,
          bodyUsed: false,
        });
        await answer.text();
        expect(answer.bodyUsed).toBe(true);
      },
    },
    {
      name: 'has the URL without its fragment',
      run: async (fetch, site) => {
        for (const fragment of ['', '#', '#part', '#a/b?c']) {
          const answer = await fetch(site.url(`/text?a=b%20c${fragment}`));
          expect(answer.url).toBe(site.url('/text?a=b%20c'));
          await answer.text();
        }
      },
    },
    {
      name: 'has the URL as it was parsed',
      run: async (fetch, site) => {
        const answer = await fetch(`${site.origin}/a/../text?q=ü`);
        expect(answer.url).toBe(site.url('/text?q=%C3%BC'));
        await answer.text();
      },
    },
    {
      name: 'can be extended and given properties',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/json'));
        expect(Object.isExtensible(answer)).toBe(true);
        Object.assign(answer, { config: { url: 'x' } });
        Object.defineProperty(answer, 'data', { value: await answer.json(), configurable: true, writable: true });
        expect(answer).toMatchObject({ config: { url: 'x' }, data: { a: [1, 2] } });
      },
    },
    {
      name: 'cannot have its headers changed',
      run: async (fetch, site) => {
        const { headers } = await fetch(site.url('/json'));
        const change = { name: 'TypeError', message: 'immutable' };
        expect(() => headers.set('content-type', 'text/x')).toThrow(expect.objectContaining(change));
        expect(() => headers.append('x-name', 'value')).toThrow(expect.objectContaining(change));
        expect(() => headers.delete('content-type')).toThrow(expect.objectContaining(change));
        expect(headers.get('content-type')).toBe('application/json');
      },
    },
    {
      name: 'clones to one that tells the same',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/text#part'));
        const clone = answer.clone();
        for (const one of [answer, clone]) {
          expect([one.url, one.type, one.statusText]).toEqual([site.url('/text'), 'basic', 'Fine']);
          expect(() => one.headers.set('x-name', 'value')).toThrow(TypeError);
        }
        expect(await Promise.all([answer.text(), clone.text()])).toEqual(['hello', 'hello']);
      },
    },
    {
      name: 'can be wrapped by a Response of the caller',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/text'));
        const wrapped = new Response(answer.body, answer);
        wrapped.headers.set('x-name', 'value');
        expect([wrapped.statusText, await wrapped.text()]).toEqual(['Fine', 'hello']);
      },
    },
    {
      name: 'is one of its own for each of equal calls',
      run: async (fetch, site) => {
        const answers = await Promise.all([1, 2, 3].map(() => fetch(site.url('/json'))));
        expect(new Set(answers).size).toBe(3);
        expect(new Set(answers.map((one) => one.headers)).size).toBe(3);
        Object.assign(answers[0] as Response, { data: 1 });
        expect(answers[1]).not.toHaveProperty('data');
        for (const one of answers) {
          expect([one.url, one.type, await one.json()]).toEqual([site.url('/json'), 'basic', { a: [1, 2] }]);
        }
      },
    },
    {
      name: 'of one of equal calls may be cancelled or left unread',
      run: async (fetch, site) => {
        const [cancelled, unread, read] = await Promise.all([1, 2, 3].map(() => fetch(site.url('/bytes'))));
        await cancelled?.body?.cancel();
        expect(unread?.bodyUsed).toBe(false);
        expect((await read?.arrayBuffer())?.byteLength).toBe(256);
        expect((await unread?.arrayBuffer())?.byteLength).toBe(256);
      },
    },
  ],
};
