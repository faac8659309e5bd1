import { HoldfastError } from '../../errors.ts';
import type { QueuedRequestInit } from '../../queue/types/fetch.ts';

/** A body as the queue takes it: at hand, or to be read. */
export type FetchBody =
  | { readonly now: string | Uint8Array | null }
  | {
      /** Until the signal says otherwise. */
      readonly read: (signal?: AbortSignal) => Promise<Uint8Array>;
      /** It may take any time to end. */
      readonly isStream: boolean;
    };

/**
 * A call as the platform's `Request` reads it, which throws for what is wrong with it. Text and bytes of a body are taken as they were given,
 * all else is read as fetch encodes it, up to `maxBytes`.
 */
export function readCall(
  input: string | URL | Request,
  init: QueuedRequestInit | undefined,
  maxBytes: number,
): { readonly request: Request; readonly body: FetchBody } {
  const given: unknown = init?.body;
  const isText = typeof given === 'string';
  // What is spread must be all there is.
  if (input instanceof Request || Object.getPrototypeOf(init ?? {}) !== Object.prototype) {
    const request = new Request(input, init);
    return { request, body: bodyOf(request, given, maxBytes) };
  }
  // Signals are listened to once, further on.
  const signal = init?.signal instanceof AbortSignal ? { signal: null } : undefined;
  const request = new Request(input, { ...init, ...signal, ...(isText && { body: null }) });
  if (!isText) return { request, body: bodyOf(request, given, maxBytes) };
  // Nearly all bodies are text: without the stream that a `Request` makes of it, which costs more than all the rest.
  if (request.method === 'GET' || request.method === 'HEAD') void new Request(input, init); // which says why not
  if (!request.headers.has('content-type')) request.headers.append('content-type', 'text/plain;charset=UTF-8');
  return { request, body: { now: given } };
}

function bodyOf(request: Request, given: unknown, maxBytes: number): FetchBody {
  const stream = request.body;
  if (stream === null) return { now: null };
  if (given instanceof URLSearchParams) return { now: given.toString() };
  if (given instanceof Uint8Array) return { now: given };
  if (given instanceof ArrayBuffer) return { now: new Uint8Array(given) };
  if (ArrayBuffer.isView(given)) return { now: new Uint8Array(given.buffer, given.byteOffset, given.byteLength) };
  const isStream = !(given instanceof FormData || given instanceof Blob);
  return { read: (signal) => read(stream, maxBytes, signal), isStream };
}

async function read(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const reader = stream.getReader();
  const stop = (): void => void reader.cancel(signal?.reason).catch(() => undefined);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await readAll(reader, maxBytes);
  } finally {
    signal?.removeEventListener('abort', stop);
    signal?.throwIfAborted();
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (let next = await step(reader); !next.done; next = await step(reader)) {
    bytes += next.value.byteLength;
    if (bytes > maxBytes) {
      reader.cancel().catch(() => undefined);
      throw tooLarge(maxBytes);
    }
    chunks.push(next.value);
  }
  return Buffer.concat(chunks, bytes);
}

/** A stream that fails makes the call fail, as fetch has it. */
async function step(reader: ReadableStreamDefaultReader<Uint8Array>) {
  try {
    return await reader.read();
  } catch (cause) {
    throw new TypeError('fetch failed', { cause });
  }
}

function tooLarge(maxBytes: number): HoldfastError {
  const problems = [{ path: 'body', expected: `at most ${maxBytes} bytes (maxBytes)`, got: 'a longer stream' }];
  return new HoldfastError('REQUEST_INVALID', `the body is a stream of more than ${maxBytes} bytes`, { problems });
}
