import { expect } from 'vitest';
import { expectNativeRejection, rejection } from '../support/rejections.ts';
import type { Fetch, Group } from '../support/types.ts';

const REASON = new Error('enough');
const READERS = ['arrayBuffer', 'blob', 'formData', 'json', 'text'] as const;

/** The answer to a call whose body does not end, and how to abort it. */
async function open(fetch: Fetch, url: string): Promise<{ readonly answer: Response; abort(reason?: unknown): void }> {
  const controller = new AbortController();
  const answer = await fetch(url, { signal: controller.signal });
  return { answer, abort: (...reason) => controller.abort(...reason) };
}

/** A signal that is aborted when the answer is there, but not all of its body. */
export const ABORT_AFTER: Group = {
  name: 'abort after the head of the answer',
  cases: [
    {
      name: 'breaks off the connection',
      run: async (fetch, site) => {
        const { abort } = await open(fetch, site.url('/held'));
        const received = await site.arrived('/held');
        abort();
        await received.closed;
        expect(received.isBrokenOff()).toBe(true);
      },
    },
    ...READERS.map((reader) => ({
      name: `ends ${reader}() that waits, with the very reason`,
      run: async (fetch: Fetch, site: Parameters<Group['cases'][number]['run']>[1]) => {
        const url = site.answer('/form', (_, response) => {
          response.writeHead(200, { 'content-type': 'multipart/form-data; boundary=x' });
          response.write('--x\r\n');
        });
        const seen = await expectNativeRejection(fetch, async (one) => {
          const { answer, abort } = await open(one, reader === 'formData' ? url : site.url('/held'));
          const reading = rejection(answer[reader]());
          abort(REASON);
          throw await reading;
        });
        expect(seen.message).not.toBe('it was fulfilled');
      },
    })),
    {
      name: 'ends what is read only then, as native fetch does',
      run: async (fetch, site) => {
        for (const reader of READERS) {
          const seen = await expectNativeRejection(fetch, async (one) => {
            const { answer, abort } = await open(one, site.url('/held'));
            abort();
            return await answer[reader]();
          });
          expect(seen.name).toBe('AbortError');
        }
      },
    },
    {
      name: 'lets no body be read twice',
      run: async (fetch, site) => {
        const seen = await expectNativeRejection(fetch, async (one) => {
          const { answer, abort } = await open(one, site.url('/held'));
          const reading = rejection(answer.text());
          abort();
          await reading;
          return await answer.text();
        });
        expect(seen.class).not.toBe(Response);
      },
    },
    {
      name: 'errors a reader of the body with the very reason',
      run: async (fetch, site) => {
        const { answer, abort } = await open(fetch, site.url('/held'));
        const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
        const received = await site.arrived('/held');
        abort(REASON);
        expect(await rejection(reader.closed)).toBe(REASON);
        expect(await rejection(reader.read())).toBe(REASON);
        await received.closed;
      },
    },
    {
      name: 'errors a reader that has read some of the body',
      run: async (fetch, site) => {
        const { answer, abort } = await open(fetch, site.url('/held'));
        const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
        expect(String(Buffer.from((await reader.read()).value ?? []))).toBe('first');
        const [reading, closed] = [rejection(reader.read()), rejection(reader.closed)];
        abort(REASON);
        expect(await Promise.all([reading, closed])).toEqual([REASON, REASON]);
        expect(await reading).toBe(REASON);
      },
    },
    {
      name: 'ends a loop over the body',
      run: async (fetch, site) => {
        const { answer, abort } = await open(fetch, site.url('/held'));
        const seen: string[] = [];
        const error = await rejection(
          (async () => {
            for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
              seen.push(String(Buffer.from(chunk)));
              abort(REASON);
            }
          })(),
        );
        expect(seen).toEqual(['first']);
        expect(error).toBe(REASON);
      },
    },
    {
      name: 'errors both the answer and its clone',
      run: async (fetch, site) => {
        const { answer, abort } = await open(fetch, site.url('/held'));
        const reading = [rejection(answer.clone().text()), rejection(answer.text())];
        abort(REASON);
        for (const one of reading) expect(await one).toBe(REASON);
      },
    },
    {
      name: 'is the same by a signal that times out',
      run: async (fetch, site) => {
        const signal = AbortSignal.timeout(100);
        const answer = await fetch(site.url('/held'), { signal });
        const error = await rejection(answer.text());
        expect(error).toBe(signal.reason);
        expect(error).toMatchObject({ name: 'TimeoutError' });
      },
    },
    {
      name: 'leaves a body that is complete',
      run: async (fetch, site) => {
        const { answer, abort } = await open(fetch, site.url('/text'));
        expect(await answer.text()).toBe('hello');
        abort(REASON);
        expect([answer.status, answer.bodyUsed]).toEqual([200, true]);
      },
    },
    {
      name: 'of one of equal calls leaves the bodies of the others',
      run: async (fetch, site) => {
        const controller = new AbortController();
        const [aborted, other] = await Promise.all([
          fetch(site.url('/held'), { signal: controller.signal }),
          fetch(site.url('/held')),
        ]);
        const ended = rejection(aborted.text());
        controller.abort(REASON);
        expect(await ended).toBe(REASON);
        site.release();
        expect(await other.text()).toBe('firstlast');
      },
    },
  ],
};
