import { expect } from 'vitest';
import { expectNativeRejection } from '../support/rejections.ts';
import { echoOf } from '../support/routes.ts';
import type { FetchInit, Group } from '../support/types.ts';

/** Where Node keeps its own; the number grows with undici. */
const DISPATCHERS = [Symbol.for('undici.globalDispatcher.1'), Symbol.for('undici.globalDispatcher.2')];

/** What makes the connections of Node's fetch. */
interface Dispatcher {
  dispatch(hop: { readonly method: string; readonly path: string }, handler: unknown): boolean;
}

/** What HTTP clients leave in the init they pass on: functions, circles, what JSON cannot hold. */
function bag(): FetchInit {
  const agent: Record<string, unknown> = { sockets: {}, keepAlive: true };
  Object.assign(agent, { self: agent });
  return {
    agent,
    size: 1n,
    retryConfig: { retry: 3, shouldRetry: () => true },
    params: new URLSearchParams('a=1'),
    baseURL: new URL('http://127.0.0.1/'),
    responseType: 'json',
    paramsSerializer: () => '',
    validateStatus: Symbol('validate'),
    next: { revalidate: 60 },
    toJSON: () => {
      throw new Error('nobody asked for JSON');
    },
  };
}

/** The second argument, and what can be the first. */
export const INIT: Group = {
  name: 'the arguments',
  cases: [
    {
      name: 'what a client leaves in init is not looked at',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/echo'), { ...bag(), method: 'POST', body: 'text' });
        expect(await answer.json()).toMatchObject({ method: 'POST', body: btoa('text') });
        expect((await fetch(site.url('/echo'), Object.create(bag()))).status).toBe(200);
      },
    },
    {
      name: 'a Request with properties of its own is one like others',
      run: async (fetch, site) => {
        const request = Object.assign(new Request(site.url('/echo'), { headers: { 'x-name': 'value' } }), {
          queue: { priority: 'high' },
          agent: { self: fetch },
        });
        expect(await (await fetch(request)).json()).toMatchObject({ headers: { 'x-name': 'value' } });
      },
    },
    {
      name: 'absent, null, undefined and empty init are the same',
      run: async (fetch, site) => {
        const loose = fetch as (input: string, init?: unknown) => Promise<Response>;
        for (const init of [undefined, null, {}, { method: undefined, headers: undefined, body: undefined }]) {
          expect(await (await loose(site.url('/echo'), init)).json()).toMatchObject({ method: 'GET', body: '' });
        }
        const empty = { body: null, signal: null, window: null };
        expect(await (await loose(site.url('/echo'), empty)).json()).toMatchObject({ method: 'GET' });
      },
    },
    {
      name: 'a string, a URL, a Request, and what turns into a string',
      run: async (fetch, site) => {
        const url = site.url('/text?a=1');
        const inputs = [url, new URL(url), new Request(url), { toString: () => url }, `  ${url}\n`];
        for (const input of inputs) {
          const answer = await fetch(input as string);
          expect([answer.url, await answer.text()]).toEqual([url, 'hello']);
        }
      },
    },
    {
      name: 'init wins over the Request, member by member',
      run: async (fetch, site) => {
        const request = new Request(site.url('/echo'), { method: 'PUT', headers: { a: '1', b: '1' }, body: 'request' });
        const echo = await echoOf(await fetch(request, { headers: { a: '2' }, body: 'init' }));
        expect(echo).toMatchObject({ method: 'PUT', headers: { a: '2' }, body: btoa('init') });
        expect(echo.headers).not.toHaveProperty('b');
      },
    },
    {
      name: 'headers come as an object, as pairs, as Headers',
      run: async (fetch, site) => {
        const pairs: [string, string][] = [
          ['X-Name', 'one'],
          ['x-name', 'two'],
        ];
        for (const headers of [pairs, new Headers(pairs), { 'X-Name': 'one, two' }]) {
          const echo = await echoOf(await fetch(site.url('/echo'), { headers }));
          expect(echo.headers['x-name']).toBe('one, two');
        }
      },
    },
    {
      name: 'known members that change nothing here are taken',
      run: async (fetch, site) => {
        const inits: FetchInit[] = [
          { keepalive: true, method: 'POST', body: 'x'.repeat(70_000) },
          { cache: 'no-store' },
          { credentials: 'omit' },
          { mode: 'cors', referrerPolicy: 'no-referrer', referrer: '' },
          { duplex: 'half', method: 'POST', body: 'text' },
        ];
        for (const init of inits) {
          const answer = await fetch(site.url('/text'), init);
          expect([answer.status, await answer.text()]).toEqual([200, 'hello']);
        }
      },
    },
    {
      name: 'integrity that fits is let through',
      run: async (fetch, site) => {
        const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode('hello'));
        const integrity = `sha256-${Buffer.from(digest).toString('base64')}`;
        expect(await (await fetch(site.url('/text'), { integrity })).text()).toBe('hello');
      },
    },
    {
      name: 'integrity that does not fit rejects',
      run: async (fetch, site) => {
        const integrity = `sha256-${btoa('0'.repeat(32))}`;
        const seen = await expectNativeRejection(fetch, (one) => one(site.url('/text'), { integrity }));
        expect(seen.cause?.message).toBe('integrity mismatch');
      },
    },
    {
      name: 'the dispatcher of the call is the one that sends',
      run: async (fetch, site) => {
        const ways: string[] = [];
        const globals = globalThis as Record<symbol, unknown>;
        const own = DISPATCHERS.map((name) => globals[name]).find((one) => one !== undefined) as Dispatcher;
        const dispatcher: Dispatcher = {
          dispatch: (hop, handler) => {
            ways.push(`${hop.method} ${hop.path}`);
            return own.dispatch(hop, handler);
          },
        };
        const init = { method: 'POST', body: 'text', dispatcher } as unknown as FetchInit;
        const answer = await fetch(site.url('/redirect/303?to=/text'), init);
        expect(await answer.text()).toBe('hello');
        expect(ways).toEqual(['POST /redirect/303?to=/text', 'GET /text']);
      },
    },
  ],
};
