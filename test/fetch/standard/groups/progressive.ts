import { expect } from 'vitest';
import type { Site } from '../support/site.ts';
import type { Case, Group } from '../support/types.ts';

async function firstOf(answer: Response): Promise<{ text: string; reader: ReadableStreamDefaultReader<Uint8Array> }> {
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  return { text: String(Buffer.from((await reader.read()).value ?? [])), reader };
}

async function restOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += String(Buffer.from(value));
  }
}

/** A server that sends events; the second once released. */
function events(site: Site): string {
  return site.answer('/events', async (_, response, released) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: one\n\n');
    await released;
    response.end('data: two\n\n');
  });
}

function piecewise(method: string, type: string, body?: string): Case {
  return {
    name: `${type} in answer to ${method} ${body ?? ''} is there before it ends`.replace('  ', ' '),
    run: async (fetch, site) => {
      const init = { method, ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }) };
      const answer = await fetch(site.url(`/held?type=${type}`), init);
      expect([answer.status, answer.type, answer.bodyUsed]).toEqual([200, 'basic', false]);
      const { text, reader } = await firstOf(answer);
      expect(text).toBe('first');
      site.release();
      expect(await restOf(reader)).toBe('last');
    },
  };
}

/** A body is handed on as it comes. */
export const PROGRESSIVE: Group = {
  name: 'bodies that take their time',
  cases: [
    piecewise('GET', 'text/plain'),
    piecewise('GET', 'application/octet-stream'),
    piecewise('GET', 'text/event-stream'),
    piecewise('OPTIONS', 'text/plain'),
    ...['POST', 'PUT', 'PATCH', 'DELETE'].map((method) => piecewise(method, 'text/event-stream')),
    piecewise('POST', 'application/x-ndjson'),
    piecewise('POST', 'text/plain', '{"stream": true}'),
    piecewise('POST', 'text/plain'),
    {
      name: 'an event is read before the next is sent',
      run: async (fetch, site) => {
        const answer = await fetch(events(site), { headers: { accept: 'text/event-stream' } });
        expect(answer.headers.get('content-type')).toBe('text/event-stream');
        const { text, reader } = await firstOf(answer);
        expect(text).toBe('data: one\n\n');
        site.release();
        expect(await restOf(reader)).toBe('data: two\n\n');
      },
    },
    {
      name: 'an event stream asked for by POST comes as it is sent',
      run: async (fetch, site) => {
        const init = { method: 'POST', body: '{"stream":true}', headers: { 'content-type': 'application/json' } };
        const { text, reader } = await firstOf(await fetch(events(site), init));
        expect(text).toBe('data: one\n\n');
        site.release();
        expect(await restOf(reader)).toBe('data: two\n\n');
      },
    },
    {
      name: 'both the answer and its clone are read as they come',
      run: async (fetch, site) => {
        const answer = await fetch(site.url('/held'));
        const clone = answer.clone();
        const [one, two] = [await firstOf(answer), await firstOf(clone)];
        expect([one.text, two.text]).toEqual(['first', 'first']);
        site.release();
        expect(await Promise.all([restOf(one.reader), restOf(two.reader)])).toEqual(['last', 'last']);
      },
    },
    {
      name: 'after a redirect it comes as it is sent',
      run: async (fetch, site) => {
        const { text, reader } = await firstOf(await fetch(site.url('/redirect/302?to=/held')));
        expect(text).toBe('first');
        site.release();
        expect(await restOf(reader)).toBe('last');
      },
    },
    {
      name: 'an answer that takes its time does not stop others',
      run: async (fetch, site) => {
        const slow = await fetch(site.url('/held'));
        expect(await (await fetch(site.url('/text'))).text()).toBe('hello');
        expect(await (await fetch(site.url('/text'), { method: 'POST' })).text()).toBe('hello');
        site.release();
        expect(await slow.text()).toBe('firstlast');
      },
    },
  ],
};
