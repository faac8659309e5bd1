import { gzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { expectNativeRejection } from '../support/rejections.ts';
import { EVERY_BYTE, echoOf } from '../support/routes.ts';
import type { Site } from '../support/site.ts';
import type { Case, Fetch, Group } from '../support/types.ts';

type BodyInit = NonNullable<RequestInit['body']>;

const TEXT = 'grün ☃ 𝄞';
const plain = 'text/plain;charset=UTF-8';

function streamOf(...chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  const left = [...chunks];
  return new ReadableStream({
    pull(stream) {
      const chunk = left.shift();
      if (chunk === undefined) stream.close();
      else stream.enqueue(chunk);
    },
  });
}

async function sent(fetch: Fetch, site: Site, init: RequestInit): Promise<{ type: string | undefined; bytes: Buffer }> {
  const answer = await fetch(site.url('/text'), { method: 'POST', ...init });
  expect(await answer.text()).toBe('hello');
  const received = site.requests.at(-1);
  return { type: received?.headers['content-type'], bytes: await (received?.body ?? Promise.resolve(Buffer.alloc(0))) };
}

const window = EVERY_BYTE.buffer.slice(EVERY_BYTE.byteOffset, EVERY_BYTE.byteOffset + 256);
const KINDS: readonly (readonly [name: string, body: () => BodyInit, type: string | undefined, bytes: Buffer])[] = [
  ['a string', () => TEXT, plain, Buffer.from(TEXT)],
  ['an empty string', () => '', plain, Buffer.alloc(0)],
  ['bytes', () => new Uint8Array(EVERY_BYTE), undefined, EVERY_BYTE],
  ['a view into bytes', () => EVERY_BYTE.subarray(128, 200), undefined, EVERY_BYTE.subarray(128, 200)],
  ['an ArrayBuffer', () => window as ArrayBuffer, undefined, EVERY_BYTE],
  ['a Blob', () => new Blob([EVERY_BYTE], { type: 'image/x' }), 'image/x', EVERY_BYTE],
  ['a Blob without a type', () => new Blob([EVERY_BYTE]), undefined, EVERY_BYTE],
  [
    'form fields',
    () => new URLSearchParams({ a: 'ü&', b: '' }),
    'application/x-www-form-urlencoded;charset=UTF-8',
    Buffer.from('a=%C3%BC%26&b='),
  ],
];

const kinds: readonly Case[] = KINDS.map(([name, body, type, bytes]) => ({
  name: `${name} is sent as it is, with its type`,
  run: async (fetch, site) => {
    const received = await sent(fetch, site, { body: body() });
    expect(received.type).toBe(type);
    expect(received.bytes.equals(bytes)).toBe(true);
  },
}));

function form(): FormData {
  const data = new FormData();
  data.append('name', 'grün');
  data.append('name', 'again');
  data.append('file', new Blob([EVERY_BYTE], { type: 'image/x' }), 'ä "1".bin');
  return data;
}

/** What is sent. */
export const REQUEST_BODIES: Group = {
  name: 'the body of a request',
  cases: [
    ...kinds,
    {
      name: 'a form has the boundary its type tells, and every part whole',
      run: async (fetch, site) => {
        const { type, bytes } = await sent(fetch, site, { body: form() });
        const boundary = /^multipart\/form-data; boundary=(.+)$/.exec(type ?? '')?.[1];
        expect(bytes.toString('latin1').startsWith(`--${boundary}\r\n`)).toBe(true);
        const parsed = await new Response(bytes, { headers: { 'content-type': type ?? '' } }).formData();
        expect(parsed.getAll('name')).toEqual(['grün', 'again']);
        const file = parsed.get('file') as File;
        expect([file.name, file.type]).toEqual(['ä "1".bin', 'image/x']);
        expect(Buffer.from(await file.arrayBuffer()).equals(EVERY_BYTE)).toBe(true);
      },
    },
    {
      name: 'a form of a Request has the boundary of the Request',
      run: async (fetch, site) => {
        const request = new Request(site.url('/echo'), { method: 'POST', body: form() });
        const type = request.headers.get('content-type');
        const echo = await echoOf(await fetch(request));
        expect(echo.headers['content-type']).toBe(type);
        const boundary = type?.split('boundary=')[1];
        expect(Buffer.from(echo.body, 'base64').toString('latin1').startsWith(`--${boundary}\r\n`)).toBe(true);
      },
    },
    {
      name: 'a type the caller names wins',
      run: async (fetch, site) => {
        const { type } = await sent(fetch, site, { body: '{}', headers: { 'Content-Type': 'application/json' } });
        expect(type).toBe('application/json');
      },
    },
    {
      name: 'a stream is sent whole',
      run: async (fetch, site) => {
        const body = streamOf(EVERY_BYTE, Buffer.from(TEXT), EVERY_BYTE);
        const { type, bytes } = await sent(fetch, site, { body, duplex: 'half' });
        expect(type).toBeUndefined();
        expect(bytes.equals(Buffer.concat([EVERY_BYTE, Buffer.from(TEXT), EVERY_BYTE]))).toBe(true);
      },
    },
    {
      name: 'an async iterable is sent whole',
      run: async (fetch, site) => {
        async function* parts() {
          yield EVERY_BYTE;
          yield EVERY_BYTE;
        }
        const { bytes } = await sent(fetch, site, { body: parts() as unknown as BodyInit, duplex: 'half' });
        expect(bytes.equals(Buffer.concat([EVERY_BYTE, EVERY_BYTE]))).toBe(true);
      },
    },
    {
      name: 'a stream in a Request is sent whole',
      run: async (fetch, site) => {
        const init = { method: 'PUT', body: streamOf(EVERY_BYTE), duplex: 'half' } as const;
        const echo = await echoOf(await fetch(new Request(site.url('/echo'), init)));
        expect(Buffer.from(echo.body, 'base64').equals(EVERY_BYTE)).toBe(true);
      },
    },
    {
      name: 'a stream that fails rejects with its error as the cause',
      run: async (fetch, site) => {
        const reason = new Error('the source dried up');
        const seen = await expectNativeRejection(fetch, (one) => {
          const body = new ReadableStream({ pull: (stream) => stream.error(reason) });
          return one(site.url('/echo'), { method: 'POST', body, duplex: 'half' });
        });
        expect(seen).toMatchObject({ message: 'fetch failed', cause: { message: reason.message } });
      },
    },
    {
      name: 'two megabytes are sent whole',
      run: async (fetch, site) => {
        const body = Buffer.alloc(2_000_000, EVERY_BYTE);
        expect((await sent(fetch, site, { body })).bytes.equals(body)).toBe(true);
      },
    },
    {
      name: 'bytes that are compressed are sent as they are',
      run: async (fetch, site) => {
        const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' };
        const body = gzipSync(JSON.stringify({ a: TEXT }));
        expect((await sent(fetch, site, { body, headers })).bytes.equals(body)).toBe(true);
        expect(site.requests.at(-1)?.headers['content-encoding']).toBe('gzip');
      },
    },
    {
      name: 'that of a Request is used up when the call returns',
      run: async (fetch, site) => {
        for (const body of ['text', form(), streamOf(EVERY_BYTE)]) {
          const request = new Request(site.url('/text'), { method: 'POST', body, duplex: 'half' });
          const answer = fetch(request);
          expect(request.bodyUsed).toBe(true);
          await (await answer).text();
        }
        const bodiless = new Request(site.url('/text'));
        const answer = fetch(bodiless);
        expect(bodiless.bodyUsed).toBe(false);
        await (await answer).text();
        expect(await (await fetch(bodiless)).text()).toBe('hello');
      },
    },
    {
      name: 'of a clone can be sent after the first',
      run: async (fetch, site) => {
        const request = new Request(site.url('/echo'), { method: 'POST', body: EVERY_BYTE });
        const clone = request.clone();
        for (const one of [request, clone]) {
          const echo = await echoOf(await fetch(one));
          expect(Buffer.from(echo.body, 'base64').equals(EVERY_BYTE)).toBe(true);
        }
        await expectNativeRejection(fetch, (one) => one(request));
      },
    },
  ],
};
