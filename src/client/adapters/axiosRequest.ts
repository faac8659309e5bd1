import { PassThrough } from 'node:stream';
import { basic, plain } from './answer.ts';
import type { AxiosCall, AxiosCancelToken } from './axiosShape.ts';
import { urlOf } from './axiosUrl.ts';
import type { SignalLike } from './leash.ts';

/** What to fetch for it. */
export function requestOf(config: AxiosCall): { readonly url: string; readonly init: RequestInit } {
  const { method = 'get', data, auth, maxRedirects, decompress } = config;
  const headers = headersOf(config.headers);
  let url = urlOf(config);
  let credentials = auth && { username: auth.username ?? '', password: auth.password ?? '' };
  if (/^[^/?#]*\/\/[^/?#]*@/.test(url)) {
    const parsed = new URL(url);
    const [username, password] = [parsed.username, parsed.password].map(decoded) as [string, string];
    credentials ??= { username, password };
    parsed.username = '';
    parsed.password = '';
    url = parsed.href;
  }
  if (credentials !== undefined) headers.set('authorization', basic(credentials.username, credentials.password));
  if (decompress === false) plain(headers);
  // Its type names a boundary that only fetch knows.
  if (data instanceof FormData) headers.delete('content-type');
  const init = {
    method: method.toUpperCase(),
    headers,
    body: bodyOf(data),
    duplex: 'half',
    redirect: maxRedirects === 0 ? 'manual' : 'follow',
  };
  return { url, init: init as RequestInit };
}

export function signalOf(token: AxiosCancelToken): SignalLike {
  return {
    get aborted() {
      return token.reason !== undefined;
    },
    get reason() {
      return token.reason;
    },
    addEventListener: (_: 'abort', listener: () => void) => token.subscribe?.(listener),
    removeEventListener: (_: 'abort', listener: () => void) => token.unsubscribe?.(listener),
  };
}

/** Bytes of a body that is at hand; 0 of one that is not. */
export function sizeOf(data: unknown): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return (data as { readonly byteLength?: number } | null | undefined)?.byteLength ?? 0;
}

function headersOf(given: object | undefined): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given ?? {}) as [string, unknown][]) {
    if (value === undefined || value === null || value === false || typeof value === 'function') continue;
    for (const one of [value].flat()) headers.append(name, String(one));
  }
  return headers;
}

function bodyOf(data: unknown): unknown {
  if (data === undefined || data === null || data === '') return null;
  const isStream = typeof (data as { readonly pipe?: unknown }).pipe === 'function';
  // Streams of the old kind, as forms of `form-data` are, cannot be iterated.
  if (!isStream || Symbol.asyncIterator in (data as object)) return data;
  const stream = data as NodeJS.ReadableStream;
  const through = new PassThrough();
  stream.once('error', (error) => through.destroy(error));
  return stream.pipe(through);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray %
  }
}
