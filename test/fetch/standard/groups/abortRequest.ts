import { expect } from 'vitest';
import { ending, rejection } from '../support/rejections.ts';
import type { Group } from '../support/types.ts';

const REASON = new Error('enough');

/** A signal that comes with a Request. */
export const ABORT_REQUEST: Group = {
  name: 'the signal of a Request',
  cases: [
    {
      name: 'counts, with its reason',
      run: async (fetch, site) => {
        const request = new Request(site.url('/text'), { signal: AbortSignal.abort(REASON) });
        expect(await rejection(fetch(request))).toBe(REASON);
      },
    },
    {
      name: 'counts for a Request made of that Request',
      run: async (fetch, site) => {
        const first = new Request(site.url('/text'), { signal: AbortSignal.abort(REASON) });
        expect(await rejection(fetch(new Request(first)))).toBe(REASON);
      },
    },
    {
      name: 'counts while the call waits',
      run: async (fetch, site) => {
        const controller = new AbortController();
        const call = rejection(fetch(new Request(site.url('/silent'), { signal: controller.signal })));
        const received = await site.arrived('/silent');
        controller.abort(REASON);
        expect(await call).toBe(REASON);
        await received.closed;
      },
    },
    {
      name: 'given with a Request made of another counts',
      run: async (fetch, site) => {
        const first = new Request(site.url('/text'));
        const second = new Request(first, { signal: AbortSignal.abort(REASON) });
        expect(await rejection(fetch(second))).toBe(REASON);
      },
    },
    {
      name: 'overrides that of the Request it was made of',
      run: async (fetch, site) => {
        const first = new Request(site.url('/text'), { signal: new AbortController().signal });
        const second = new Request(first, { signal: AbortSignal.abort(REASON) });
        expect(await rejection(fetch(second))).toBe(REASON);
      },
    },
    {
      name: 'is kept when init has other members',
      run: async (fetch, site) => {
        const request = new Request(site.url('/text'), { signal: AbortSignal.abort(REASON) });
        expect(await rejection(fetch(request, { method: 'POST', headers: { a: '1' } }))).toBe(REASON);
      },
    },
    {
      name: 'is overridden by the signal of init',
      run: async (fetch, site) => {
        const request = new Request(site.url('/text'), { signal: new AbortController().signal });
        expect(await rejection(fetch(request, { signal: AbortSignal.abort(REASON) }))).toBe(REASON);
      },
    },
    {
      name: 'is taken away by null',
      run: async (fetch, site) => {
        const request = new Request(site.url('/text'), { signal: AbortSignal.abort(REASON) });
        expect(await (await fetch(request, { signal: null })).text()).toBe('hello');
      },
    },
    {
      name: 'counts for its clone',
      run: async (fetch, site) => {
        const controller = new AbortController();
        const clone = new Request(site.url('/silent'), { signal: controller.signal }).clone();
        const call = rejection(fetch(clone));
        await site.arrived('/silent');
        controller.abort(REASON);
        expect(await call).toBe(REASON);
      },
    },
    {
      name: 'uses up the Request where it was aborted already',
      run: async (fetch, site) => {
        const request = new Request(site.url('/text'), {
          method: 'POST',
          body: 'a',
          signal: AbortSignal.abort(REASON),
        });
        const call = rejection(fetch(request));
        expect(request.bodyUsed).toBe(true);
        expect(await call).toBe(REASON);
      },
    },
    {
      name: 'cancels the body at once where it was aborted already',
      run: async (fetch, site) => {
        const reasons: unknown[] = [];
        const body = new ReadableStream({ cancel: (reason) => void reasons.push(reason) });
        const init = { method: 'POST', body, duplex: 'half', signal: AbortSignal.abort(REASON) } as const;
        const call = rejection(fetch(site.url('/echo'), init));
        expect(reasons).toEqual([REASON]);
        expect(await call).toBe(REASON);
      },
    },
    {
      name: 'ends a call whose body is not there yet',
      run: async (fetch, site) => {
        const controller = new AbortController();
        const body = new ReadableStream({ start: (stream) => stream.enqueue(new Uint8Array(3)) });
        const { signal } = controller;
        const call = ending(fetch(site.url('/echo'), { method: 'POST', body, duplex: 'half', signal }));
        controller.abort(REASON);
        expect(await call).toEqual({ error: REASON });
      },
    },
  ],
};
