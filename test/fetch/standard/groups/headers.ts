import { expect } from 'vitest';
import type { Answer } from '../support/exchange.ts';
import { nativeFetch } from '../support/nativeFetch.ts';
import type { Group } from '../support/types.ts';

const many: Answer = (_, response) => {
  response.setHeader('Set-Cookie', ['a=1; Path=/', 'b=2; Expires=Wed, 21 Oct 2037 07:28:00 GMT', 'a=3']);
  response.setHeader('X-Many', ['one', 'two']);
  response.setHeader('X-Name', 'J\xfcrgen');
  response.setHeader('X-Empty', '');
  response.setHeader('Content-Type', 'text/plain');
  // A text would take the headers along into UTF-8.
  response.end(Buffer.from('hello'));
};

const COOKIES = ['a=1; Path=/', 'b=2; Expires=Wed, 21 Oct 2037 07:28:00 GMT', 'a=3'];

/** The headers of a response. */
export const HEADERS: Group = {
  name: 'the headers of a response',
  cases: [
    {
      name: 'are iterated in pairs of strings, in every way',
      run: async (fetch, site) => {
        const { headers } = await fetch(site.answer('/many', many));
        const pairs: [string, string][] = [];
        for (const pair of headers) pairs.push(pair);
        expect(pairs.every((pair) => Array.isArray(pair) && pair.length === 2)).toBe(true);
        expect([...headers.entries()]).toEqual(pairs);
        expect([...headers.keys()]).toEqual(pairs.map(([name]) => name));
        expect([...headers.values()]).toEqual(pairs.map(([, value]) => value));
        const told: [string, string][] = [];
        headers.forEach((value, name) => {
          told.push([name, value]);
        });
        expect(told).toEqual(pairs);
        expect(Object.fromEntries(headers.entries())['x-many']).toBe('one, two');
        expect(new Headers(headers).get('x-many')).toBe('one, two');
      },
    },
    {
      name: 'are in lower case and sorted',
      run: async (fetch, site) => {
        const names = [...(await fetch(site.answer('/many', many))).headers.keys()];
        expect(names).toEqual([...names].sort());
        expect(names).toEqual(names.map((name) => name.toLowerCase()));
      },
    },
    {
      name: 'keep every cookie apart',
      run: async (fetch, site) => {
        const { headers } = await fetch(site.answer('/many', many));
        expect(headers.getSetCookie()).toEqual(COOKIES);
        expect([...headers].filter(([name]) => name === 'set-cookie').map(([, value]) => value)).toEqual(COOKIES);
        expect(headers.get('set-cookie')).toBe(COOKIES.join(', '));
      },
    },
    {
      name: 'keep every cookie apart in a clone and for each of equal calls',
      run: async (fetch, site) => {
        const answers = await Promise.all([1, 2].map(() => fetch(site.answer('/many', many))));
        for (const one of answers) {
          expect(one.clone().headers.getSetCookie()).toEqual(COOKIES);
          expect(one.headers.getSetCookie()).toEqual(COOKIES);
        }
      },
    },
    {
      name: 'join what came more than once, keep Latin-1 and empty values',
      run: async (fetch, site) => {
        const { headers } = await fetch(site.answer('/many', many));
        expect(headers.get('X-MANY')).toBe('one, two');
        expect(headers.get('x-name')).toBe('J\xfcrgen');
        expect([headers.has('x-empty'), headers.get('x-empty')]).toEqual([true, '']);
        expect(headers.get('x-absent')).toBeNull();
      },
    },
    {
      name: 'are those native fetch gives, for every kind of body',
      run: async (fetch, site) => {
        site.answer('/many', many);
        for (const path of ['/many', '/text', '/empty', '/encoded/gzip', '/encoded/br', '/redirect/302?to=/bytes']) {
          const both = await Promise.all([fetch(site.url(path)), nativeFetch(site.url(path))]);
          const [given, native] = both.map(({ headers }) => [...headers].filter(([name]) => name !== 'date'));
          expect([path, given]).toEqual([path, native]);
          await Promise.all(both.map((one) => one.arrayBuffer()));
        }
      },
    },
  ],
};
