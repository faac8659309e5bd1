import { expect } from 'vitest';
import { expectNativeRejection } from '../support/rejections.ts';
import type { Case, Group } from '../support/types.ts';

function rewritten(status: number, method: string, then: string): Case {
  return {
    name: `${status} after ${method} goes on with ${then}`,
    run: async (fetch, site) => {
      const hasBody = method !== 'HEAD' && method !== 'GET';
      const answer = await fetch(site.url(`/redirect/${status}?to=/text`), {
        method,
        ...(hasBody && { body: 'text' }),
      });
      expect([answer.status, answer.url, answer.redirected]).toEqual([200, site.url('/text'), true]);
      const [last] = site.requestsTo('/text');
      expect([last?.method, String(await last?.body)]).toEqual([then, hasBody && then === method ? 'text' : '']);
      if (hasBody && then === 'GET') expect(last?.headers).not.toHaveProperty('content-type');
      await answer.text();
    },
  };
}

/** Redirects are followed as the platform follows them, refused or handed out. */
export const REDIRECT: Group = {
  name: 'redirects',
  cases: [
    ...[301, 302, 303, 307, 308].map((status) => rewritten(status, 'GET', 'GET')),
    ...[301, 302, 303].map((status) => rewritten(status, 'POST', 'GET')),
    ...[307, 308].map((status) => rewritten(status, 'POST', 'POST')),
    ...[301, 302, 307].map((status) => rewritten(status, 'PUT', 'PUT')),
    rewritten(303, 'PUT', 'GET'),
    rewritten(303, 'HEAD', 'HEAD'),
    rewritten(307, 'DELETE', 'DELETE'),
    {
      name: 'the response is that of the last URL',
      run: async (fetch, site) => {
        const last = encodeURIComponent('/redirect/307?to=/json');
        const answer = await fetch(site.url(`/redirect/302?to=${last}#part`));
        expect([answer.url, answer.redirected, answer.type]).toEqual([site.url('/json'), true, 'basic']);
        expect(await answer.json()).toEqual({ a: [1, 2] });
        expect(answer.clone).toBeTypeOf('function');
        expect(site.requests).toHaveLength(3);
      },
    },
    {
      name: 'the fragment of the location is not in the URL',
      run: async (fetch, site) => {
        const answer = await fetch(site.url(`/redirect/302?to=${encodeURIComponent('/text#there')}`));
        expect(answer.url).toBe(site.url('/text'));
        await answer.text();
      },
    },
    {
      name: 'a response without a location is handed out',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/redirect/302'));
        expect([answer.status, answer.redirected, answer.url]).toEqual([302, false, site.url('/redirect/302')]);
        expect(await answer.text()).toBe('moved');
      },
    },
    ...['GET', 'POST'].flatMap((method) =>
      [301, 302, 303, 307, 308].map((status) => ({
        name: `manual hands out ${status} after ${method}`,
        run: async (fetch: Parameters<Case['run']>[0], site: Parameters<Case['run']>[1]) => {
          const path = `/redirect/${status}?to=/text`;
          const answer = await fetch(site.url(path), { method, redirect: 'manual' });
          expect([answer.status, answer.headers.get('location')]).toEqual([status, '/text']);
          expect([answer.url, answer.redirected, answer.type, answer.ok]).toEqual([
            site.url(path),
            false,
            'basic',
            false,
          ]);
          expect(await answer.text()).toBe('moved');
          expect(site.requests).toHaveLength(1);
        },
      })),
    ),
    {
      name: 'error rejects',
      run: async (fetch, site) => {
        for (const method of ['GET', 'POST']) {
          const init = { method, redirect: 'error' } as const;
          const seen = await expectNativeRejection(fetch, (one) => one(site.url('/redirect/302?to=/text'), init));
          expect([seen.message, seen.cause?.message]).toEqual(['fetch failed', 'unexpected redirect']);
        }
        expect(site.requestsTo('/text')).toEqual([]);
        expect(site.requests).toHaveLength(4);
      },
    },
    {
      name: 'error lets through what is no redirect',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/text'), { redirect: 'error' });
        expect([answer.redirected, await answer.text()]).toEqual([false, 'hello']);
      },
    },
    {
      name: 'the mode of a Request counts',
      run: async (fetch, site) => {
        const request = new Request(site.url('/redirect/302?to=/text'), { redirect: 'manual' });
        const answer = await fetch(request);
        expect([answer.status, await answer.text()]).toEqual([302, 'moved']);
      },
    },
    {
      name: 'a circle rejects',
      run: async (fetch, site) => {
        const circle = '/redirect/302?to=';
        site.answer(circle, (_, response) => void response.writeHead(302, { location: circle }).end());
        const seen = await expectNativeRejection(fetch, (one) => one(site.url(circle)));
        expect(seen.cause?.message).toBe('redirect count exceeded');
      },
    },
    {
      name: 'to another scheme or a bad URL rejects',
      run: async (fetch, site) => {
        for (const location of ['ftp://127.0.0.1/', 'data:,text', 'http://', 'file:///etc/hosts']) {
          const path = `/redirect/302?to=${encodeURIComponent(location)}`;
          const seen = await expectNativeRejection(fetch, (one) => one(site.url(path)));
          expect(seen.message).toBe('fetch failed');
        }
      },
    },
  ],
};
