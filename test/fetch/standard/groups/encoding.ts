import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { EVERY_BYTE } from '../support/routes.ts';
import type { Case, Group } from '../support/types.ts';

function decoded(coding: string, method: string): Case {
  return {
    name: `${coding} is decoded after ${method}, and still named`,
    run: async (fetch, site) => {
      const answer = await fetch(site.url(`/encoded/${coding}`), { method });
      expect(answer.headers.get('content-encoding')).toBe(coding);
      expect(Buffer.from(await answer.arrayBuffer()).equals(EVERY_BYTE)).toBe(true);
    },
  };
}

/** Encodings of content. */
export const ENCODING: Group = {
  name: 'encoded bodies',
  cases: [
    ...['gzip', 'deflate', 'br'].flatMap((coding) => ['GET', 'POST'].map((method) => decoded(coding, method))),
    {
      name: 'text that was compressed is text',
      run: async (fetch, site) => {
        const url = site.answer('/text/gzip', (_, response) => {
          response.writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'application/json' });
          response.end(gzipSync('{"name":"grün"}'));
        });
        expect(await (await fetch(url)).json()).toEqual({ name: 'grün' });
        const clone = (await fetch(url)).clone();
        expect(await clone.text()).toBe('{"name":"grün"}');
      },
    },
    {
      name: 'an unknown encoding is left as it is',
      run: async (fetch, site) => {
        const url = site.answer('/unknown', (_, response) => {
          response.writeHead(200, { 'content-encoding': 'x-own' }).end(EVERY_BYTE);
        });
        expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(EVERY_BYTE)).toBe(true);
      },
    },
    {
      name: 'each of equal calls is decoded once',
      run: async (fetch, site) => {
        const answers = await Promise.all([1, 2, 3].map(() => fetch(site.url('/encoded/gzip'))));
        for (const one of answers) expect(Buffer.from(await one.arrayBuffer()).equals(EVERY_BYTE)).toBe(true);
      },
    },
    {
      name: 'JSON that is marked UTF-8 by bytes is read',
      run: async (fetch, site) => {
        const url = site.answer('/bom', (_, response) => void response.end('\ufeff{"a":"☃"}'));
        expect(await (await fetch(url)).json()).toEqual({ a: '☃' });
        expect((await (await fetch(url)).arrayBuffer()).byteLength).toBe(14);
      },
    },
  ],
};
