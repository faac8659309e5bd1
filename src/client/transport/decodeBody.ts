import type { ZlibOptions } from 'node:zlib';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import type { HeaderList, HttpResponse } from '../../queue/types/request.ts';
import type { TransportResult } from '../../queue/types/transport.ts';
import { transportError } from './transportError.ts';

type Done = (error: Error | null, bytes: Buffer) => void;
type Decoder = (bytes: Uint8Array, options: ZlibOptions, done: Done) => void;

const DECODERS: ReadonlyMap<string, Decoder> = new Map([
  ['gzip', gunzip as Decoder], // the overloads of node:zlib do not assign to one signature
  ['x-gzip', gunzip as Decoder],
  ['deflate', inflateEither],
  ['br', brotliDecompress as Decoder],
]);
const MAX_ENCODINGS = 4;

/** Servers send both zlib streams (RFC 9110) and bare deflate data as `deflate`; the first byte tells them apart. */
function inflateEither(bytes: Uint8Array, options: ZlibOptions, done: Done): void {
  const decode = (((bytes[0] ?? 0) & 0x0f) === 0x08 ? inflate : inflateRaw) as Decoder;
  decode(bytes, options, done);
}

/**
 * The encodings that were applied to a body, in the order applied; undefined when there are none or one of them is not known
 * here: the body is then given as it came.
 */
export function encodingsOf(headers: HeaderList): readonly string[] | undefined {
  let encodings: string[] | undefined;
  for (const [name, value] of headers) {
    if (name !== 'content-encoding') continue;
    encodings ??= [];
    for (const part of value.split(',')) {
      const encoding = part.trim().toLowerCase();
      if (encoding !== '' && encoding !== 'identity') encodings.push(encoding);
    }
  }
  if (encodings === undefined || encodings.length === 0 || encodings.length > MAX_ENCODINGS) return undefined;
  return encodings.every((encoding) => DECODERS.has(encoding)) ? encodings : undefined;
}

/**
 * Undoes the encodings, last one first, and drops the headers that spoke of the encoded bytes. At no step are more than
 * `maxBytes` produced. A body that cannot be decoded is `answered` with a `bodyError`.
 */
export function decodeBody(
  response: HttpResponse,
  encodings: readonly string[],
  maxBytes: number,
  end: (result: TransportResult) => void,
): void {
  const decoder = DECODERS.get(encodings.at(-1) ?? '');
  if (decoder === undefined) {
    const headers = response.headers.filter(([name]) => name !== 'content-encoding' && name !== 'content-length');
    end({ phase: 'answered', response: { status: response.status, headers, body: response.body } });
    return;
  }
  decoder(response.body, { maxOutputLength: maxBytes }, (error, body) => {
    if (error === null) {
      decodeBody({ status: response.status, headers: response.headers, body }, encodings.slice(0, -1), maxBytes, end);
      return;
    }
    const tooLarge = 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE';
    const bodyError = tooLarge
      ? transportError('BODY_TOO_LARGE', `The decoded answer is larger than ${maxBytes} bytes.`, error)
      : transportError('BODY_UNDECODABLE', `The answer is not valid ${encodings.at(-1)}.`, error);
    const { status, headers } = response;
    end({ phase: 'answered', response: { status, headers, body: new Uint8Array(0) }, bodyError });
  });
}
