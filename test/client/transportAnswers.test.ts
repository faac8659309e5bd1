import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bodyText, httpServer, rawServer } from './support/servers.ts';
import { callTo, outcome, postTo, transportFor } from './support/transport.ts';

const TEXT = 'a text that is long enough to be worth it. '.repeat(20);
const ENCODED: readonly (readonly [name: string, header: string, bytes: Buffer])[] = [
  ['gzip', 'gzip', gzipSync(TEXT)],
  ['gzip under its old name', 'X-GZip', gzipSync(TEXT)],
  ['deflate with zlib header', 'deflate', deflateSync(TEXT)],
  ['bare deflate', 'deflate', deflateRawSync(TEXT)],
  ['br', 'br', brotliCompressSync(TEXT)],
  ['one encoding over another', 'gzip, br', brotliCompressSync(gzipSync(TEXT))],
];

describe('an answer', () => {
  it('keeps names in lower case, values as Latin-1, order and duplicates', async () => {
    const head = ['HTTP/1.1 200 OK', 'X-Name: J\xfcrgen', 'Set-Cookie: a=1', 'set-cookie: b=2', 'Content-Length: 0'];
    const { origin } = await rawServer((socket) => void socket.write(`${head.join('\r\n')}\r\n\r\n`, 'latin1'));
    expect(await transportFor().send(callTo(origin))).toMatchObject({
      phase: 'answered',
      response: {
        status: 200,
        headers: [
          ['x-name', 'J\xfcrgen'],
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
          ['content-length', '0'],
        ],
      },
    });
  });

  it('is put together from many chunks', async () => {
    const parts = Array.from({ length: 50 }, (_, index) => `${index};`.repeat(1000));
    const { origin } = await httpServer((_, response) => {
      for (const part of parts) response.write(part);
      response.end();
    });
    const result = await transportFor().send(callTo(origin));
    expect(textOf(result)).toBe(parts.join(''));
  });

  it('follows interim answers, which are left out', async () => {
    const { origin } = await httpServer((_, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.writeProcessing();
      response.end('ok');
    });
    const result = await transportFor().send(callTo(origin));
    expect(outcome(result)).toEqual({ phase: 'answered', status: 200 });
    expect(textOf(result)).toBe('ok');
  });

  it('has no body after HEAD, 204 and 304', async () => {
    const { origin } = await httpServer((request, response) => {
      response.writeHead(request.method === 'HEAD' ? 200 : Number(request.url?.slice(1)), {
        'content-encoding': 'gzip',
      });
      response.end();
    });
    const transport = transportFor();
    for (const over of [{ method: 'HEAD', path: '/200' }, { path: '/204' }, { path: '/304' }]) {
      const result = await transport.send(callTo(origin, over));
      expect(outcome(result)).toEqual({ phase: 'answered', status: Number(over.path.slice(1)) });
      expect(textOf(result)).toBe('');
    }
  });

  it('may be a redirect, which is not followed', async () => {
    const urls: string[] = [];
    const { origin } = await httpServer((request, response) => {
      urls.push(request.url ?? '');
      response.writeHead(307, { location: '/elsewhere' }).end();
    });
    expect(outcome(await transportFor().send(postTo(origin)))).toEqual({ phase: 'answered', status: 307 });
    expect(urls).toEqual(['/']);
  });

  it('is cut off once its body is larger than allowed', async () => {
    const { origin } = await httpServer((_, response) => response.end('x'.repeat(5_000)));
    const result = await transportFor({ maxResponseBytes: 4_999 }).send(callTo(origin));
    expect(outcome(result)).toEqual({ phase: 'answered', status: 200, bodyCode: 'BODY_TOO_LARGE' });
    expect(textOf(result)).toBe('');
    expect(outcome(await transportFor({ maxResponseBytes: 5_000 }).send(callTo(origin)))).toEqual({
      phase: 'answered',
      status: 200,
    });
  });
});

describe('an encoded answer', () => {
  it.each(ENCODED)('is decoded: %s', async (_, header, bytes) => {
    const { origin } = await httpServer((_, response) => {
      response.writeHead(200, { 'content-encoding': header, 'content-length': bytes.length, 'x-kept': 'yes' });
      response.end(bytes);
    });
    const result = await transportFor().send(callTo(origin));
    expect(textOf(result)).toBe(TEXT);
    const names = result.phase === 'answered' ? result.response.headers.map(([name]) => name) : [];
    expect(names).toContain('x-kept');
    expect(names).not.toContain('content-encoding');
    expect(names).not.toContain('content-length');
  });

  it('is given as it came when the encoding is not known', async () => {
    const { origin } = await httpServer((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip, pancake' }).end('bytes');
    });
    const result = await transportFor().send(callTo(origin));
    expect(textOf(result)).toBe('bytes');
    expect(result).toMatchObject({
      response: { headers: expect.arrayContaining([['content-encoding', 'gzip, pancake']]) },
    });
  });

  it('loses its body when the bytes are not what was said', async () => {
    const { origin } = await httpServer((_, response) => {
      response.writeHead(201, { 'content-encoding': 'gzip' }).end('not gzip at all');
    });
    const result = await transportFor().send(callTo(origin));
    expect(outcome(result)).toEqual({ phase: 'answered', status: 201, bodyCode: 'BODY_UNDECODABLE' });
  });

  it('loses its body when it grows larger than allowed', async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000));
    const { origin } = await httpServer((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    });
    const result = await transportFor({ maxResponseBytes: 100_000 }).send(callTo(origin));
    expect(outcome(result)).toEqual({ phase: 'answered', status: 200, bodyCode: 'BODY_TOO_LARGE' });
  });
});

describe('what is put on the wire', () => {
  it('is the method, path, headers and body as given', async () => {
    const { origin, requests } = await rawServer((socket) => void socket.write('HTTP/1.1 204 No Content\r\n\r\n'));
    await transportFor().send(
      callTo(origin, {
        method: 'PATCH',
        path: '/a?b=c',
        headers: [
          ['x-a', '1'],
          ['x-a', '2'],
        ],
        body: 'gr\u00fcn',
      }),
    );
    expect(requests).toEqual([
      [
        'PATCH /a?b=c HTTP/1.1',
        `host: ${origin.slice(7)}`,
        'connection: keep-alive',
        'x-a: 1',
        'x-a: 2',
        'user-agent: holdfast',
        'content-length: 5',
        '',
        Buffer.from('gr\u00fcn').toString('latin1'),
      ].join('\r\n'),
    ]);
  });

  it('frames itself whatever the headers say', async () => {
    const { origin } = await httpServer(async (request, response) => {
      const { connection, 'transfer-encoding': chunked, 'content-length': length } = request.headers;
      response.end(JSON.stringify([connection, chunked, length, await bodyText(request)]));
    });
    const headers = [
      ['content-length', '999'],
      ['transfer-encoding', 'chunked'],
      ['connection', 'close'],
      ['expect', '100-continue'],
    ] as const;
    const result = await transportFor().send(postTo(origin, { headers, body: Buffer.from('hello') }));
    expect(JSON.parse(textOf(result))).toEqual(['keep-alive', null, '5', 'hello']);
  });

  it('names its agent only when the call does not, and asks for no encoding', async () => {
    const { origin } = await httpServer((request, response) => {
      response.end(JSON.stringify([request.headers['user-agent'], request.headers['accept-encoding']]));
    });
    const result = await transportFor().send(callTo(origin, { headers: [['user-agent', 'notes/1']] }));
    expect(JSON.parse(textOf(result))).toEqual(['notes/1', null]);
  });
});

function textOf(result: Awaited<ReturnType<ReturnType<typeof transportFor>['send']>>): string {
  if (result.phase !== 'answered') throw result.error;
  return Buffer.from(result.response.body).toString();
}
