import { HoldfastError } from '../../errors.ts';
import type { Body } from '../types/request.ts';

/** A body as stored, and the content type it implies when the caller named none. */
export interface EncodedBody {
  readonly body: Body;
  readonly contentType: string | null;
  readonly bytes: number;
}

const NO_BODY: EncodedBody = Object.freeze({ body: null, contentType: null, bytes: 0 });

/**
 * Encodes what a caller gave as body. Strings and bytes are kept as they are, plain values become JSON; only `FormData`
 * and `Blob` need a promise.
 */
export function encodeBody(body: unknown): EncodedBody | Promise<EncodedBody> {
  if (body === undefined || body === null) return NO_BODY;
  if (typeof body === 'string') return ofText(body, 'text/plain;charset=UTF-8');
  if (body instanceof Uint8Array) return ofBytes(new Uint8Array(body), null); // a slice of a Buffer is a view
  if (body instanceof ArrayBuffer) return ofBytes(new Uint8Array(body.slice(0)), null);
  if (ArrayBuffer.isView(body)) {
    return ofBytes(new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice(), null);
  }
  if (body instanceof URLSearchParams)
    return ofText(body.toString(), 'application/x-www-form-urlencoded;charset=UTF-8');
  if (body instanceof FormData || body instanceof Blob) return encodeForm(body);
  if (body instanceof ReadableStream || typeof body === 'function' || typeof body === 'symbol') {
    throw invalidBody(
      'a string, bytes, FormData, Blob or a plain value',
      body instanceof ReadableStream ? 'a stream' : typeof body,
    );
  }
  if (isDeferred(body)) throw invalidBody('a string, bytes, FormData, Blob or a plain value', 'a stream or a promise');
  return ofText(toJson(body), 'application/json');
}

/** What only becomes a value later: as JSON it would be `{}`, or its inner state. */
function isDeferred(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  return Symbol.asyncIterator in body || body instanceof Promise;
}

function toJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw invalidBody(
      'a value that JSON can express',
      error instanceof Error ? firstLine(error.message) : String(error),
      error,
    );
  }
  if (text === undefined) throw invalidBody('a value that JSON can express', 'undefined');
  return text;
}

async function encodeForm(body: FormData | Blob): Promise<EncodedBody> {
  const carrier = new Response(body);
  const contentType = carrier.headers.get('content-type');
  return ofBytes(new Uint8Array(await carrier.arrayBuffer()), contentType === '' ? null : contentType);
}

function ofText(body: string, contentType: string): EncodedBody {
  return { body, contentType, bytes: Buffer.byteLength(body) };
}

/** Bytes that are the caller's no more. */
export function ofBytes(body: Uint8Array, contentType: string | null): EncodedBody {
  return { body, contentType, bytes: body.byteLength };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] as string;
}

function invalidBody(expected: string, got: string, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'REQUEST_INVALID',
    `the body cannot be stored: expected ${expected}, got ${got}`,
    {
      problems: [{ path: 'body', expected, got }],
    },
    { cause },
  );
}
