import { expect } from 'vitest';
import { rejection } from '../support/rejections.ts';
import type { Group } from '../support/types.ts';

/** A signal that is aborted before there is an answer. */
export const ABORT_BEFORE: Group = {
  name: 'abort before the answer',
  cases: [
    {
      name: 'rejects with an AbortError, the reason of the signal',
      run: async (fetch, site) => {
        const { signal, abort } = controllerOf();
        const call = rejection(fetch(site.url('/silent'), { signal }));
        abort();
        const error = await call;
        expect(error).toBe(signal.reason);
        expect(error).toBeInstanceOf(DOMException);
        expect(error).toMatchObject({ name: 'AbortError', code: 20 });
      },
    },
    {
      name: 'rejects with the very reason, whatever it is',
      run: async (fetch, site) => {
        for (const reason of [new Error('enough'), 'a text', 0, null, Symbol('reason'), { toString: null }]) {
          const { signal, abort } = controllerOf();
          const call = rejection(fetch(site.url('/silent'), { signal }));
          abort(reason);
          expect(await call).toBe(reason);
        }
      },
    },
    {
      name: 'rejects with the very reason of a signal that was aborted already',
      run: async (fetch, site) => {
        const reason = new Error('enough');
        expect(await rejection(fetch(site.url('/text'), { signal: AbortSignal.abort(reason) }))).toBe(reason);
      },
    },
    {
      name: 'rejects at once where the signal was aborted already',
      run: async (fetch, site) => {
        const order: string[] = [];
        const other = fetch(site.url('/text')).then(() => order.push('other'));
        const call = rejection(fetch(site.url('/text?b'), { signal: AbortSignal.abort() })).then(() =>
          order.push('call'),
        );
        await Promise.all([other, call]);
        expect(order).toEqual(['call', 'other']);
      },
    },
    {
      name: 'sends nothing where the signal was aborted already',
      run: async (fetch, site) => {
        const signal = AbortSignal.abort();
        await rejection(fetch(site.url('/echo?a'), { signal }));
        await rejection(fetch(new Request(site.url('/echo?b'), { signal })));
        await rejection(fetch(site.url('/echo?c'), { signal, method: 'POST', body: 'text' }));
        // What was sent in spite of it would be there before the answer to a later call.
        await (await fetch(site.url('/text'))).text();
        expect(site.requests.map(({ path }) => path)).toEqual(['/text']);
      },
    },
    {
      name: 'sends nothing where it is aborted in the turn of the call',
      run: async (fetch, site) => {
        const { signal, abort } = controllerOf();
        const calls = ['GET', 'POST'].map((method) => rejection(fetch(site.url('/echo'), { method, signal })));
        abort();
        for (const call of calls) expect(await call).toBe(signal.reason);
        await (await fetch(site.url('/text'))).text();
        expect(site.requests.map(({ path }) => path)).toEqual(['/text']);
      },
    },
    {
      name: 'one aborted signal ends any number of calls',
      run: async (fetch, site) => {
        const signal = AbortSignal.abort();
        const calls = [1, 2, 3].map((n) => rejection(fetch(site.url(`/text?${n}`), { signal })));
        for (const call of calls) expect(await call).toBe(signal.reason);
      },
    },
    {
      name: 'ends a call that waits for its answer, and its connection',
      run: async (fetch, site) => {
        const { signal, abort } = controllerOf();
        const call = rejection(fetch(site.url('/silent'), { signal }));
        const received = await site.arrived('/silent');
        const reason = new Error('enough');
        abort(reason);
        expect(await call).toBe(reason);
        await received.closed;
        expect(received.isBrokenOff()).toBe(true);
      },
    },
    {
      name: 'ends a write that waits for its answer',
      run: async (fetch, site) => {
        const { signal, abort } = controllerOf();
        const call = rejection(fetch(site.url('/silent'), { method: 'POST', body: 'text', signal }));
        const received = await site.arrived('/silent');
        expect(String(await received.body)).toBe('text');
        abort();
        expect(await call).toBe(signal.reason);
        expect(site.requests).toHaveLength(1);
      },
    },
    {
      name: 'by time rejects with a TimeoutError, the reason of the signal',
      run: async (fetch, site) => {
        const signal = AbortSignal.timeout(30);
        const error = await rejection(fetch(site.url('/silent'), { signal }));
        expect(error).toBe(signal.reason);
        expect(error).toMatchObject({ name: 'TimeoutError', code: 23 });
      },
    },
    {
      name: 'by any of several signals rejects with the reason of that one',
      run: async (fetch, site) => {
        const [first, second] = [controllerOf(), controllerOf()];
        const call = rejection(fetch(site.url('/silent'), { signal: AbortSignal.any([first.signal, second.signal]) }));
        await site.arrived('/silent');
        const reason = new Error('the second');
        second.abort(reason);
        expect(await call).toBe(reason);
      },
    },
    {
      name: 'while a redirect is followed ends the call',
      run: async (fetch, site) => {
        const { signal, abort } = controllerOf();
        const call = rejection(fetch(site.url('/redirect/302?to=/silent'), { signal }));
        const received = await site.arrived('/silent');
        abort();
        expect(await call).toBe(signal.reason);
        await received.closed;
      },
    },
    {
      name: 'of one of equal calls leaves the others',
      run: async (fetch, site) => {
        const { signal, abort } = controllerOf();
        const url = site.answer('/later', async (_, response, released) => {
          await released;
          response.end('hello');
        });
        const aborted = rejection(fetch(url, { signal }));
        const others = [fetch(url), fetch(url)];
        await site.arrived('/later');
        abort();
        expect(await aborted).toBe(signal.reason);
        site.release();
        for (const other of others) expect(await (await other).text()).toBe('hello');
      },
    },
    {
      name: 'leaves calls that are done already',
      run: async (fetch, site) => {
        const { signal, abort } = controllerOf();
        const text = await (await fetch(site.url('/text'), { signal })).text();
        const call = rejection(fetch(site.url('/silent'), { signal }));
        await site.arrived('/silent');
        abort();
        expect([text, await call]).toEqual(['hello', signal.reason]);
      },
    },
  ],
};

/** A controller whose `abort` needs no `this`. */
function controllerOf(): { readonly signal: AbortSignal; abort(reason?: unknown): void } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    abort: (...reason) => controller.abort(...reason),
  };
}
