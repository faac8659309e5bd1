import { describe, expect, it } from 'vitest';
import type { ReceivedRequest } from '../../src/testing/serverSteps.ts';
import { at, folder, headerIn, onFile, realServer, world } from './harness.ts';

const UNICODE = 'žluťoučký 🐎 \u0000 \ud83d\ude00 "quotes" \\ line\nbreak';
const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);

const wide = new Uint16Array([0, 0x4142, 0x4344, 0]);

function params(): URLSearchParams {
  return new URLSearchParams([
    ['a', '1'],
    ['b', 'ž &='],
  ]);
}

const TEXT: readonly (readonly [what: string, body: unknown, sent: string, type: string | undefined])[] = [
  ['a string', 'hello', 'hello', 'text/plain;charset=UTF-8'],
  ['an empty string', '', '', 'text/plain;charset=UTF-8'],
  ['null', null, '', undefined],
  ['undefined', undefined, '', undefined],
  ['a string beyond ASCII', UNICODE, UNICODE, 'text/plain;charset=UTF-8'],
  ['an object', { a: 1, b: [null, 'ž'] }, '{"a":1,"b":[null,"ž"]}', 'application/json'],
  ['an array', [1, 2], '[1,2]', 'application/json'],
  ['a number', 0, '0', 'application/json'],
  ['false', false, 'false', 'application/json'],
  ['a date', new Date(0), '"1970-01-01T00:00:00.000Z"', 'application/json'],
  ['bytes', new TextEncoder().encode('raw'), 'raw', undefined],
  ['a buffer', Buffer.from('raw'), 'raw', undefined],
  ['an ArrayBuffer', new TextEncoder().encode('raw').buffer, 'raw', undefined],
  ['a view of some bytes', new TextEncoder().encode('xxrawxx').subarray(2, 5), 'raw', undefined],
  ['a view of wider numbers', wide.subarray(1, 3), 'BADC', undefined],
  ['a DataView', new DataView(new TextEncoder().encode('xraw').buffer, 1), 'raw', undefined],
  ['search parameters', params(), 'a=1&b=%C5%BE+%26%3D', 'application/x-www-form-urlencoded;charset=UTF-8'],
  ['a blob with a type', new Blob(['{}'], { type: 'application/vnd.a+json' }), '{}', 'application/vnd.a+json'],
  ['a blob without one', new Blob(['x']), 'x', undefined],
];

describe('a body', () => {
  it.each(TEXT)('given as %s is sent as it is, with its content type', async (_, body, sent, type) => {
    const test = await world();
    await test.queue.enqueue({ method: 'POST', url: at('/notes'), body });
    await test.clock.settle();
    const request = test.server.ledger.entries[0]?.request as ReceivedRequest;
    expect(request.body).toBe(sent);
    expect(headerIn(request, 'content-type')).toBe(type);
  });

  it('keeps the content type its caller named', async () => {
    const test = await world();
    for (const body of ['{}', { a: 1 }, params(), new Blob(['x'], { type: 'a/b' })]) {
      await test.queue.enqueue({
        method: 'POST',
        url: at('/n'),
        body,
        headers: { 'Content-Type': 'application/x-own' },
      });
    }
    await test.clock.settle();
    for (const { request } of test.server.ledger.entries) {
      expect(request.headers.filter(([name]) => name === 'content-type')).toEqual([
        ['content-type', 'application/x-own'],
      ]);
    }
  });

  it('is what it was at the time of the call', async () => {
    const test = await world();
    test.queue.pause();
    const own = new Uint8Array([65, 66]);
    const view = new DataView(new ArrayBuffer(1));
    view.setUint8(0, 67);
    const plain = { n: 1 };
    const search = params();
    const url = new URL(at('/notes?a=1'));
    const headers = new Headers({ 'x-a': '1' });
    const tags = ['one'];
    const calls = [own, own.buffer, view, plain, search].map((body) =>
      test.queue.enqueue({ method: 'POST', url, body, headers }, { tags }),
    );
    own.fill(0);
    view.setUint8(0, 0);
    plain.n = 2;
    search.append('c', '3');
    url.search = '?a=2';
    headers.set('x-a', '2');
    tags.push('two');
    await Promise.all(calls);
    test.queue.resume();
    await test.clock.settle();
    const requests = test.server.ledger.entries.map(({ request }) => request);
    expect(requests.map(({ body }) => body)).toEqual(['AB', 'AB', 'C', '{"n":1}', 'a=1&b=%C5%BE+%26%3D']);
    expect(requests.map(({ path }) => path)).toEqual(Array(5).fill('/notes?a=1'));
    expect(requests.map((request) => headerIn(request, 'x-a'))).toEqual(Array(5).fill('1'));
    expect((await test.queue.find({ tags: ['one'] })).requests.map((request) => request.tags)).toEqual(
      Array(5).fill(['one']),
    );
  });

  it('that is a form is sent with one boundary in type and body', async () => {
    const test = await world();
    const form = new FormData();
    form.set('name', UNICODE.replaceAll('\u0000', ''));
    form.set('file', new Blob([bytes]), 'f.bin');
    await test.queue.enqueue({ method: 'POST', url: at('/upload'), body: form });
    await test.clock.advance(10);
    const request = test.server.ledger.entries[0]?.request as ReceivedRequest;
    const boundary = /boundary=(.+)$/.exec(headerIn(request, 'content-type') ?? '')?.[1] ?? 'none';
    expect(request.body.split(`--${boundary}`)).toHaveLength(4);
    expect(request.body).toContain('filename="f.bin"');
  });

  it('that is the same form twice is the same content', async () => {
    const test = await world();
    test.queue.pause();
    const form = () => {
      const made = new FormData();
      made.set('a', '1');
      return made;
    };
    const first = await test.queue.enqueue({ method: 'POST', url: at('/u'), body: form() }, { key: 'k' });
    expect((await test.queue.enqueue({ method: 'POST', url: at('/u'), body: form() }, { key: 'k' })).id).toBe(first.id);
  });

  it('of no bytes is not the same as none', async () => {
    const test = await world();
    test.queue.pause();
    const empty = await test.queue.enqueue({ method: 'PUT', url: at('/a'), body: '' });
    const none = await test.queue.enqueue({ method: 'PUT', url: at('/a') });
    expect(none.id).not.toBe(empty.id);
    expect((await test.queue.get(empty.id))?.content.body).toBe('');
    expect((await test.queue.get(none.id))?.content.body).toBeNull();
  });

  it('is sent byte for byte after a restart from a file', async () => {
    const received: Buffer[] = [];
    const server = await realServer({
      respond: (request) => {
        received.push(Buffer.from(request.body, 'utf8'));
        return { status: 200 };
      },
    });
    const path = `${await folder()}/q.db`;
    const first = await onFile(path, { dispatch: false });
    const url = `${server.origin}/b`;
    const all = Buffer.from(UNICODE);
    for (const body of [UNICODE, all, new Blob([all]), '', { a: UNICODE }, 'x'.repeat(300_000)]) {
      await first.enqueue({ method: 'POST', url, body }, { lane: 'l' });
    }
    await first.close();
    const second = await onFile(path);
    await second.idle();
    expect(received.map(String)).toEqual([
      UNICODE,
      UNICODE,
      UNICODE,
      '',
      JSON.stringify({ a: UNICODE }),
      'x'.repeat(300_000),
    ]);
  });

  it('keeps every byte on a file', async () => {
    const path = `${await folder()}/q.db`;
    const queue = await onFile(path, { dispatch: false });
    const { id } = await queue.enqueue({ method: 'POST', url: 'http://127.0.0.1:9/x', body: bytes });
    expect((await queue.get(id))?.content.body).toEqual(bytes);
    await queue.close();
    const again = await onFile(path, { dispatch: false });
    expect((await again.get(id))?.content.body).toEqual(bytes);
  });
});
