import { expect } from 'vitest';
import { nativeFetch } from '../support/nativeFetch.ts';
import { ending, expectNativeRejection, rejection } from '../support/rejections.ts';
import type { Fetch, Group } from '../support/types.ts';

/** Fails at once where a server cannot be reached: other fetches know no such member. */
const AT_ONCE = { queue: { offline: 'reject' } } as const;
const WRITE = { method: 'POST', body: 'text' } as const;
const BOTH = [AT_ONCE, { ...WRITE, ...AT_ONCE }] as const;

/** Calls of the network that fail, told as native fetch tells them. */
export const BROKEN: Group = {
  name: 'errors of the network',
  cases: [
    {
      name: 'a body that breaks off errors its reader, not the call',
      run: async (fetch, site) => {
        for (const path of ['/cut', '/cut/chunked']) {
          const answer = await fetch(site.url(path));
          expect([answer.status, answer.type]).toEqual([200, 'basic']);
          const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
          expect(String(Buffer.from((await reader.read()).value ?? []))).toBe('first');
          const reading = rejection(reader.read());
          site.release();
          expect(await reading).toMatchObject({ name: 'TypeError', message: 'terminated' });
          expect(await rejection(reader.closed)).toBe(await reading);
        }
      },
    },
    {
      name: 'a body that breaks off errors text(), as native fetch does',
      run: async (fetch, site) => {
        for (const [n, init] of [{}, WRITE].entries()) {
          let calls = 0;
          const seen = await expectNativeRejection(fetch, async (one) => {
            const path = `/cut?${n}${++calls}`;
            const reading = rejection(one(site.url(path), init).then((answer) => answer.text()));
            const received = await site.arrived(path);
            // Once another answer is here, so is what came before it.
            await (await nativeFetch(site.url('/text'))).text();
            received.breakOff();
            throw await reading;
          });
          expect(seen).toMatchObject({ class: TypeError, message: 'terminated', cause: { code: 'UND_ERR_SOCKET' } });
        }
      },
    },
    {
      name: 'a body that breaks off is not asked for again',
      run: async (fetch, site) => {
        site.release();
        const answer = await fetch(site.url('/cut'));
        await rejection(answer.text());
        await (await fetch(site.url('/text'))).text();
        expect(site.requestsTo('/cut')).toHaveLength(1);
      },
    },
    {
      name: 'an encoded body that is damaged errors its reader',
      run: async (fetch, site) => {
        const url = site.answer('/damaged', (_, response) => {
          response.writeHead(200, { 'content-encoding': 'gzip' }).end('this is no gzip');
        });
        const seen = await expectNativeRejection(fetch, async (one) => await (await one(url)).text());
        expect(seen).toMatchObject({ message: 'terminated', cause: { code: 'Z_DATA_ERROR' } });
      },
    },
    {
      name: 'a port nobody listens on: ECONNREFUSED',
      run: async (fetch, site) => {
        const origin = await site.refusing();
        for (const init of BOTH) {
          const seen = await expectNativeRejection(fetch, (one) => one(`${origin}/`, init));
          expect(seen).toMatchObject({ class: TypeError, name: 'TypeError', message: 'fetch failed' });
          expect(seen.cause).toMatchObject({
            code: 'ECONNREFUSED',
            message: `connect ECONNREFUSED ${new URL(origin).host}`,
          });
        }
      },
    },
    {
      name: 'a connection that is closed before the answer: other side closed',
      run: async (fetch, site) => {
        for (const init of BOTH) {
          const seen = await expectNativeRejection(fetch, (one) => one(site.url('/reset'), init));
          expect(seen).toMatchObject({ class: TypeError, message: 'fetch failed', cause: { code: 'UND_ERR_SOCKET' } });
        }
      },
    },
    {
      name: 'an answer that is no HTTP: a parser error',
      run: async (fetch, site) => {
        for (const init of BOTH) {
          const { origin } = await site.raw('SSH-2.0-none\r\n\r\n');
          const seen = await expectNativeRejection(fetch, (one) => one(`${origin}/`, init));
          expect(seen).toMatchObject({ message: 'fetch failed', cause: { name: 'HTTPParserError' } });
        }
      },
    },
    {
      name: 'a certificate nobody trusts',
      run: async (fetch, site) => {
        const origin = await site.untrusted();
        for (const init of BOTH) {
          const seen = await expectNativeRejection(fetch, (one) => one(`${origin}/`, init));
          expect(seen).toMatchObject({ class: TypeError, message: 'fetch failed' });
          expect(seen.cause?.code).toEqual(expect.any(String));
        }
      },
    },
    {
      name: 'a redirect to a port nobody listens on',
      run: async (fetch, site) => {
        const to = encodeURIComponent(`${await site.refusing()}/`);
        const seen = await expectNativeRejection(fetch, (one) => one(site.url(`/redirect/302?to=${to}`), AT_ONCE));
        expect(seen).toMatchObject({ message: 'fetch failed', cause: { code: 'ECONNREFUSED' } });
      },
    },
    {
      name: 'an abort while nothing can be reached rejects with the reason',
      run: async (fetch, site) => {
        const origin = await site.refusing();
        const reason = new Error('enough');
        const controller = new AbortController();
        const call = ending(fetch(`${origin}/`, { signal: controller.signal }));
        controller.abort(reason);
        expect(await call).toEqual({ error: reason });
      },
    },
    {
      name: 'a call that was rejected is not sent later',
      run: async (fetch, site) => {
        for (const init of BOTH) {
          const origin = await site.refusing();
          await rejection(fetch(`${origin}/text?rejected`, init));
          await site.revive(origin);
          // Goes as soon as the server is known to be back, after whatever waited before it.
          expect((await fetch(`${origin}/text?later`, WRITE)).status).toBe(200);
        }
        expect(site.requests.map(({ path }) => path)).toEqual(['/text?later', '/text?later']);
      },
    },
    {
      name: 'each call has an error of its own',
      run: async (fetch, site) => {
        const origin = await site.refusing();
        const calls = [1, 2].map(() => rejection((fetch as Fetch)(`${origin}/`, AT_ONCE)));
        const [first, second] = await Promise.all(calls);
        expect(first).toBeInstanceOf(TypeError);
        expect(first).not.toBe(second);
      },
    },
  ],
};
