import { expect } from 'vitest';
import { nativeFetch } from '../support/nativeFetch.ts';
import { expectNativeRejection } from '../support/rejections.ts';
import { EVERY_BYTE, echoOf } from '../support/routes.ts';
import type { Site } from '../support/site.ts';
import type { Group } from '../support/types.ts';

const SECRETS = { authorization: 'Bearer secret', cookie: 'a=secret', 'proxy-authorization': 'Basic secret' };

function away(site: Site, status = 302): string {
  return site.url(`/redirect/${status}?to=${encodeURIComponent(`${site.otherOrigin}/text`)}`);
}

/** What goes along with a redirect. */
export const REDIRECT_CONTENT: Group = {
  name: 'what a redirect takes along',
  cases: [
    {
      name: 'to another origin no credentials go along',
      run: async (fetch, site) => {
        const answer = await fetch(away(site), { headers: { ...SECRETS, 'x-name': 'value' } });
        expect(answer.url).toBe(`${site.otherOrigin}/text`);
        const [first, last] = site.requests;
        expect(first?.headers).toMatchObject(SECRETS);
        expect(last?.headers).toMatchObject({ 'x-name': 'value', host: new URL(site.otherOrigin).host });
        for (const name of Object.keys(SECRETS)) expect(last?.headers).not.toHaveProperty(name);
        await answer.text();
      },
    },
    {
      name: 'to another origin no credentials go along with a write',
      run: async (fetch, site) => {
        const answer = await fetch(away(site, 307), { method: 'POST', body: 'text', headers: SECRETS });
        const native = await nativeFetch(away(site, 307));
        expect([answer.type, answer.redirected]).toEqual([native.type, true]);
        await native.text();
        const last = site.requests[1];
        expect([last?.host, String(await last?.body)]).toEqual([new URL(site.otherOrigin).host, 'text']);
        expect(last?.headers).not.toHaveProperty('authorization');
        await answer.text();
      },
    },
    {
      name: 'within the origin credentials stay',
      run: async (fetch, site) => {
        await (await fetch(site.url('/redirect/307?to=/text'), { headers: SECRETS })).text();
        expect(site.requests.at(-1)?.headers).toMatchObject(SECRETS);
      },
    },
    {
      name: 'with credentials in the location is the same as with native fetch',
      run: async (fetch, site) => {
        const location = `${site.otherOrigin.replace('//', '//user:secret@')}/text`;
        const path = `/redirect/302?to=${encodeURIComponent(location)}`;
        await expectNativeRejection(fetch, async (one) => {
          const answer = await one(site.url(path));
          throw new Error(`${answer.status} ${answer.url} ${site.requests.at(-1)?.headers.authorization}`);
        });
      },
    },
    {
      name: '307 and 308 take forms and blobs along',
      run: async (fetch, site) => {
        const blob = new Blob([EVERY_BYTE], { type: 'image/x' });
        const form = new FormData();
        form.append('file', blob, 'file.bin');
        for (const path of ['/redirect/307?to=/echo', '/redirect/308?to=/echo']) {
          const echo = await echoOf(await fetch(site.url(path), { method: 'POST', body: blob }));
          expect([echo.method, echo.headers['content-type']]).toEqual(['POST', 'image/x']);
          expect(Buffer.from(echo.body, 'base64').equals(EVERY_BYTE)).toBe(true);
          // Native fetch draws another boundary for the second request, so only what is between counts.
          const again = await echoOf(await fetch(site.url(path), { method: 'PUT', body: form }));
          expect([again.method, Buffer.from(again.body, 'base64').includes(EVERY_BYTE)]).toEqual(['PUT', true]);
        }
      },
    },
    {
      name: '303 takes no stream along',
      run: async (fetch, site) => {
        const body = new Blob([EVERY_BYTE]).stream() as ReadableStream<Uint8Array>;
        const init = { method: 'POST', body, duplex: 'half' } as const;
        const echo = await echoOf(await fetch(site.url('/redirect/303?to=/echo'), init));
        expect(echo).toMatchObject({ method: 'GET', body: '' });
        expect((await site.requests[0]?.body)?.equals(EVERY_BYTE)).toBe(true);
      },
    },
    {
      name: 'headers of the caller go along, cookies set on the way do not',
      run: async (fetch, site) => {
        const url = site.answer('/way', (_, response) => {
          response.writeHead(302, { location: '/echo', 'set-cookie': 'a=1' }).end();
        });
        const answer = await fetch(url, { headers: { 'x-name': 'value' } });
        expect(answer.headers.getSetCookie()).toEqual([]);
        const { headers } = await echoOf(answer);
        expect(headers['x-name']).toBe('value');
        expect(headers).not.toHaveProperty('cookie');
      },
    },
  ],
};
