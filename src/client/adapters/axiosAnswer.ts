import type { Readable } from 'node:stream';
import { pipeline, Transform } from 'node:stream';
import { bytesOf, headersOf } from './answer.ts';
import type { AxiosAnswer, AxiosAnswerHeaders, AxiosCall } from './axiosShape.ts';

/** An answer without its body yet. */
export function answerTo<Config extends AxiosCall>(
  response: Response,
  config: Config,
  request: object,
): AxiosAnswer<Config> {
  const { status, statusText } = response;
  return { data: null, status, statusText, headers: headersIn(response), config, request };
}

/** One value each; `set-cookie` is a list. */
function headersIn(response: Response): AxiosAnswerHeaders {
  const headers: Record<string, string | string[]> = {};
  for (const [name, value] of headersOf(response)) {
    headers[name] = name === 'set-cookie' ? [...(headers[name] ?? []), value] : value;
  }
  return headers as AxiosAnswerHeaders;
}

/** A stream that fails with `tooLarge`, where there is one, once more than so many bytes came. */
export function limited(stream: Readable, maxBytes: number, tooLarge: Error | undefined): Readable {
  if (tooLarge === undefined) return stream;
  let bytes = 0;
  const meter = new Transform({
    transform(chunk: Uint8Array, _, done) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) done(tooLarge);
      else done(null, chunk);
    },
  });
  return pipeline(stream, meter, () => undefined);
}

/** The body as `responseType` wants it, streams apart: bytes, or text that axios makes JSON of. */
export async function dataOf(stream: Readable, { responseType, responseEncoding }: AxiosCall): Promise<unknown> {
  const bytes = await bytesOf(stream);
  if (responseType === 'arraybuffer') return bytes;
  if (responseType === 'blob') return new Blob([bytes]);
  const encoding = (responseEncoding ?? 'utf8') as BufferEncoding; // axios lets it stand for itself
  const text = bytes.toString(encoding);
  return /^utf-?8$/i.test(encoding) && text.startsWith('\uFEFF') ? text.slice(1) : text;
}
