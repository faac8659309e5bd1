import { HoldfastError } from '../../errors.ts';
import type { QueuedRequestInit } from '../../queue/types/fetch.ts';

/** A body as the queue takes it: at hand, or to be read. */
export type FetchBody = { readonly now: string | Uint8Array | null } | { readonly later: Promise<Uint8Array> };

/**
 * The body of a request that was just made of `init`. Text and bytes are taken as they were given, all else is read as fetch encoded
 * it, up to `maxBytes`.
 */
export function bodyOf(request: Request, init: QueuedRequestInit | undefined, maxBytes: number): FetchBody {
  const stream = request.body;
  if (stream === null) return { now: null };
  const given: unknown = init?.body;
  if (typeof given === 'string') return { now: given };
  if (given instanceof URLSearchParams) return { now: given.toString() };
  if (given instanceof Uint8Array) return { now: given };
  if (given instanceof ArrayBuffer) return { now: new Uint8Array(given) };
  if (ArrayBuffer.isView(given)) return { now: new Uint8Array(given.buffer, given.byteOffset, given.byteLength) };
  return { later: read(stream, maxBytes) };
}

async function read(stream: ReadableStream<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    bytes += next.value.byteLength;
    if (bytes > maxBytes) {
      reader.cancel().catch(() => undefined);
      throw tooLarge(maxBytes);
    }
    chunks.push(next.value);
  }
  return Buffer.concat(chunks, bytes);
}

function tooLarge(maxBytes: number): HoldfastError {
  const problems = [{ path: 'body', expected: `at most ${maxBytes} bytes (maxBytes)`, got: 'a longer stream' }];
  return new HoldfastError('REQUEST_INVALID', `the body is a stream of more than ${maxBytes} bytes`, { problems });
}
