import { expect } from 'vitest';
import { expectNativeRejection } from '../support/rejections.ts';
import { EVERY_BYTE } from '../support/routes.ts';
import type { Group } from '../support/types.ts';

/** URLs that are no business of a server's. */
export const SCHEMES: Group = {
  name: 'other schemes',
  cases: [
    {
      name: 'a probe with data: tells the class of responses, which encodes forms',
      run: async (fetch) => {
        const answer = await fetch('data:,');
        expect(answer.constructor).toBe(Response);
        const Found = answer.constructor as typeof Response;
        const form = new FormData();
        form.set('name', 'value');
        const text = await new Found(form).text();
        expect(text).toContain('form-data; name="name"');
        expect(await answer.text()).toBe('');
      },
    },
    {
      name: 'data: is read with its type',
      run: async (fetch) => {
        const answer = await fetch('data:text/x;charset=utf-8,gr%C3%BCn');
        expect([answer.status, answer.type, answer.ok]).toEqual([200, 'basic', true]);
        expect(answer.url).toBe('data:text/x;charset=utf-8,gr%C3%BCn');
        expect(answer.headers.get('content-type')).toBe('text/x;charset=utf-8');
        expect(await answer.text()).toBe('grün');
      },
    },
    {
      name: 'data: in base64 gives its bytes',
      run: async (fetch) => {
        const answer = await fetch(`data:image/x;base64,${EVERY_BYTE.toString('base64')}`);
        expect(Buffer.from(await answer.arrayBuffer()).equals(EVERY_BYTE)).toBe(true);
      },
    },
    {
      name: 'blob: gives what the object holds',
      run: async (fetch) => {
        const url = URL.createObjectURL(new Blob([EVERY_BYTE], { type: 'image/x' }));
        try {
          const answer = await fetch(url);
          expect([answer.type, answer.headers.get('content-type')]).toEqual(['basic', 'image/x']);
          expect(Buffer.from(await answer.arrayBuffer()).equals(EVERY_BYTE)).toBe(true);
        } finally {
          URL.revokeObjectURL(url);
        }
      },
    },
    {
      name: 'an aborted signal counts for data: too',
      run: async (fetch) => {
        const reason = new Error('enough');
        await expect(fetch('data:,', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      },
    },
    ...['foo:bar', 'ftp://127.0.0.1/', 'file:///etc/hosts', 'about:blank', 'javascript:1', 'blob:nodedata:none'].map(
      (url) => ({
        name: `${url} is rejected as native fetch rejects it`,
        run: async (fetch: Parameters<Group['cases'][number]['run']>[0]) => {
          await expectNativeRejection(fetch, (one) => one(url));
        },
      }),
    ),
  ],
};
