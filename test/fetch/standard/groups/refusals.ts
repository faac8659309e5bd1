import { expect } from 'vitest';
import { expectNativeRejection, rejection } from '../support/rejections.ts';
import type { Site } from '../support/site.ts';
import type { Case, Fetch, FetchInit, Group } from '../support/types.ts';

type Call = (fetch: Fetch, site: Site) => Promise<Response>;

const endless = () => new ReadableStream<Uint8Array>({ pull: (stream) => stream.enqueue(new Uint8Array(1)) });
const withInit =
  (init: FetchInit): Call =>
  (fetch, site) =>
    fetch(site.url('/echo'), init);

/** Calls that are wrong in themselves. */
const REFUSED: readonly (readonly [name: string, call: Call])[] = [
  ['GET with a body', withInit({ body: 'text' })],
  ['HEAD with a body', withInit({ method: 'HEAD', body: '' })],
  ['a relative URL', (fetch) => fetch('/text')],
  ['a URL that is none', (fetch) => fetch('http://')],
  ['credentials in the URL', (fetch, site) => fetch(site.origin.replace('//', '//user:secret@'))],
  ['CONNECT', withInit({ method: 'CONNECT' })],
  ['TRACE', withInit({ method: 'trace' })],
  ['a method that is none', withInit({ method: 'GET /' })],
  ['an invalid header value', withInit({ headers: { 'x-name': 'a\nb' } })],
  ['a header value beyond Latin-1', withInit({ headers: { 'x-name': '☃' } })],
  ['an invalid header name', withInit({ headers: { 'x name': 'a' } })],
  ['headers that are no pairs', withInit({ headers: [['a']] as unknown as [string, string][] })],
  ['a stream without duplex', withInit({ method: 'POST', body: endless() })],
  ['a redirect mode that is none', withInit({ redirect: 'sometimes' as 'follow' })],
  ['a signal that is none', withInit({ signal: {} as AbortSignal })],
  ['mode navigate', withInit({ mode: 'navigate' })],
  ['only-if-cached across origins', withInit({ cache: 'only-if-cached' })],
  ['a bad port', (fetch) => fetch('http://127.0.0.1:6000/')],
  ['a bad port with a body', (fetch) => fetch('https://127.0.0.1:25/', { method: 'POST', body: 'HELO' })],
];

const parity: readonly Case[] = REFUSED.map(([name, call]) => ({
  name: `${name} is rejected as native fetch rejects it, and not sent`,
  run: async (fetch, site) => {
    const seen = await expectNativeRejection(fetch, (one) => call(one, site));
    expect(seen.class).toBe(TypeError);
    expect(site.requests).toEqual([]);
  },
}));

/** What native fetch does not even try. */
export const REFUSALS: Group = {
  name: 'calls that cannot be sent',
  cases: [
    ...parity,
    {
      name: 'a Request that was used is rejected',
      run: async (fetch, site) => {
        await expectNativeRejection(fetch, async (one) => {
          const request = new Request(site.url('/echo'), { method: 'POST', body: 'text' });
          await request.text();
          return one(request);
        });
        expect(site.requests).toEqual([]);
      },
    },
    {
      name: 'a Request whose body is locked is rejected',
      run: async (fetch, site) => {
        await expectNativeRejection(fetch, async (one) => {
          const request = new Request(site.url('/echo'), { method: 'POST', body: 'text' });
          request.body?.getReader();
          return one(request);
        });
        expect(site.requests).toEqual([]);
      },
    },
    {
      name: 'bad input comes before an aborted signal',
      run: async (fetch) => {
        const signal = AbortSignal.abort(new Error('enough'));
        await expectNativeRejection(fetch, (one) => one('http://', { signal }));
        await expectNativeRejection(fetch, (one) => one('http://127.0.0.1/', { signal, body: 'text' }));
        await expectNativeRejection(fetch, (one) => one('http://127.0.0.1/', { signal, method: 'CONNECT' }));
      },
    },
    {
      name: 'an aborted signal comes before a bad port',
      run: async (fetch) => {
        const reason = new Error('enough');
        expect(await rejection(fetch('http://127.0.0.1:6000/', { signal: AbortSignal.abort(reason) }))).toBe(reason);
      },
    },
    {
      name: 'a bad port is told before the body is there',
      run: async (fetch) => {
        const seen = await expectNativeRejection(fetch, (one) => {
          const body = new ReadableStream({ pull: () => new Promise(() => undefined) });
          return one('http://127.0.0.1:6000/', { method: 'POST', body, duplex: 'half' });
        });
        expect(seen.cause?.message).toBe('bad port');
      },
    },
    {
      name: 'a refused Request is not used up',
      run: async (fetch, site) => {
        const request = new Request(site.url('/echo'), { method: 'POST', body: 'text' });
        await rejection(fetch(request, { method: 'CONNECT' }));
        expect(request.bodyUsed).toBe(false);
        expect(await request.text()).toBe('text');
      },
    },
    {
      name: 'a refused call does not stand in the way of the next',
      run: async (fetch, site) => {
        await expectNativeRejection(fetch, (one) => one(site.url('/echo'), { body: 'text' }));
        expect(await (await fetch(site.url('/text'))).text()).toBe('hello');
      },
    },
  ],
};
