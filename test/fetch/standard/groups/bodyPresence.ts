import { expect } from 'vitest';
import { expectNativeRejection } from '../support/rejections.ts';
import { EVERY_BYTE } from '../support/routes.ts';
import type { Case, Group } from '../support/types.ts';

function bodiless(name: string, method: string, path: string, status: number): Case {
  return {
    name: `is null after ${name}`,
    run: async (fetch, site) => {
      const answer = await fetch(site.url(path), { method });
      expect([answer.status, answer.body, answer.bodyUsed]).toEqual([status, null, false]);
      expect([answer.type, answer.url]).toEqual(['basic', site.url(path)]);
      expect(await answer.text()).toBe('');
      expect(answer.bodyUsed).toBe(false);
    },
  };
}

/** Whether there is a body, and how it can be read. */
export const BODY_PRESENCE: Group = {
  name: 'the body of a response',
  cases: [
    bodiless('HEAD', 'HEAD', '/text', 200),
    bodiless('HEAD that finds nothing', 'HEAD', '/status/404', 404),
    bodiless('HEAD of an encoded body', 'HEAD', '/encoded/gzip', 200),
    ...[204, 205, 304].flatMap((status) =>
      ['GET', 'POST'].map((method) => bodiless(`${status} to ${method}`, method, `/status/${status}`, status)),
    ),
    {
      name: 'is there where it is empty',
      run: async (fetch, site) => {
        for (const method of ['GET', 'POST']) {
          const answer = await fetch(site.url('/empty'), { method });
          expect(answer.body).toBeInstanceOf(ReadableStream);
          expect((await answer.arrayBuffer()).byteLength).toBe(0);
        }
      },
    },
    {
      name: 'is read as text, JSON, bytes, blob and form',
      run: async (fetch, site) => {
        expect(await (await fetch(site.url('/text'))).text()).toBe('hello');
        expect(await (await fetch(site.url('/json'))).json()).toEqual({ a: [1, 2] });
        expect(Buffer.from(await (await fetch(site.url('/bytes'))).arrayBuffer()).equals(EVERY_BYTE)).toBe(true);
        const blob = await (await fetch(site.url('/bytes'))).blob();
        expect([blob.size, blob.type]).toEqual([256, 'image/x']);
        const url = site.answer('/form', (_, response) => {
          response.writeHead(200, { 'content-type': 'application/x-www-form-urlencoded' }).end('a=1&b=2');
        });
        expect([...(await (await fetch(url)).formData())]).toEqual([
          ['a', '1'],
          ['b', '2'],
        ]);
      },
    },
    {
      name: 'is read as an async iterable of bytes',
      run: async (fetch, site) => {
        const { body } = await fetch(site.url('/bytes'));
        const chunks: Uint8Array[] = [];
        for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
          expect(chunk).toBeInstanceOf(Uint8Array);
          chunks.push(chunk);
        }
        expect(Buffer.concat(chunks).equals(EVERY_BYTE)).toBe(true);
      },
    },
    {
      name: 'is read by a byte reader into memory of the caller',
      run: async (fetch, site) => {
        const { body } = await fetch(site.url('/bytes'));
        const reader = (body as ReadableStream<Uint8Array>).getReader({ mode: 'byob' });
        const { value } = await reader.read(new Uint8Array(16));
        expect([...(value ?? [])]).toEqual([...EVERY_BYTE.subarray(0, 16)]);
        await reader.cancel();
      },
    },
    {
      name: 'is read once',
      run: async (fetch, site) => {
        const seen = await expectNativeRejection(fetch, async (one) => {
          const answer = await one(site.url('/text'));
          expect([answer.bodyUsed, await answer.text(), answer.bodyUsed]).toEqual([false, 'hello', true]);
          return await answer.text();
        });
        expect(seen).toMatchObject({ name: 'TypeError', message: expect.stringContaining('already been read') });
      },
    },
    {
      name: 'that is no JSON is rejected as such',
      run: async (fetch, site) => {
        const seen = await expectNativeRejection(fetch, async (one) => (await one(site.url('/text'))).json());
        expect(seen.class).toBe(SyntaxError);
      },
    },
    {
      name: 'of a megabyte comes whole',
      run: async (fetch, site) => {
        const bytes = Buffer.alloc(3_000_000, EVERY_BYTE);
        const url = site.answer('/large', (_, response) => void response.end(bytes));
        expect(Buffer.from(await (await fetch(url)).arrayBuffer()).equals(bytes)).toBe(true);
      },
    },
    {
      name: 'may be cancelled, which breaks off the connection',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/held'));
        await answer.body?.cancel();
        const received = await site.arrived('/held');
        await received.closed;
        expect(received.isBrokenOff()).toBe(true);
        expect(await (await fetch(site.url('/text'))).text()).toBe('hello');
      },
    },
    {
      name: 'may be left unread, often, and others still come',
      run: async (fetch, site) => {
        const unread: Response[] = [];
        for (let n = 0; n < 40; n += 1) unread.push(await fetch(site.url(`/text?${n}`)));
        expect(await (await fetch(site.url('/text'))).text()).toBe('hello');
        expect(unread.every(({ bodyUsed }) => !bodyUsed)).toBe(true);
        expect(await unread[0]?.text()).toBe('hello');
      },
    },
    {
      name: 'may be left unread after writes, and others still come',
      run: async (fetch, site) => {
        for (let n = 0; n < 40; n += 1) await fetch(site.url('/bytes'), { method: 'PUT', body: String(n) });
        expect(await (await fetch(site.url('/text'), { method: 'POST' })).text()).toBe('hello');
      },
    },
  ],
};
