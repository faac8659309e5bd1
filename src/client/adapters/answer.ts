import { Readable } from 'node:stream';
import type { ReadableStream as NodeStream } from 'node:stream/web';

const DECODED: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'deflate', 'br']);

/** The headers of a response, several of one name one after the other. None speaks of an encoding that fetch took away. */
export function headersOf({ headers, body }: Response): [name: string, value: string][] {
  const encodings = (headers.get('content-encoding') ?? '').toLowerCase().split(',');
  const isDecoded = body !== null && encodings.every((one) => DECODED.has(one.trim()));
  const list = [...headers];
  return isDecoded ? list.filter(([name]) => name !== 'content-encoding' && name !== 'content-length') : list;
}

/** The body as Node's own client gives it; empty where there is none. */
export function streamOf({ body }: Response): Readable {
  return body === null ? Readable.from([]) : Readable.fromWeb(body as NodeStream<Uint8Array>);
}

/** The whole body of a stream of bytes. */
export async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

/** Asks for an answer that is not encoded, unless the SDK asked for something itself: fetch would decode it. */
export function plain(headers: Headers): Headers {
  if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'identity');
  return headers;
}

/** Credentials as HTTP has them (RFC 7617). */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
